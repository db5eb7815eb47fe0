package replay

import (
	"context"
	"fmt"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/decider"
)

// BenchmarkDecodeOnly and BenchmarkRedecide read the same records, so that their
// records/s can be compared: the bar of the design is 0.6.
//
//	go test -run '^$' -bench 'DecodeOnly|Redecide' -count 6 ./replay

// lean is a history of n steps under the default configuration, in which the
// policy looks at every tenth step and every command is answered.
func lean(b *testing.B, tasks, n int) Entries {
	names := make([]leyline.TaskID, tasks)
	for i := range names {
		names[i] = leyline.TaskID(fmt.Sprintf("task-%d", i))
	}
	h := begin(b, decider.Version, names...)
	h.configure(leyline.DefaultConfig())
	for range n {
		h.feed(h.report())
		h.acknowledge()
	}
	return h.entries()
}

var shapes = []int{1, 4, 8}

func bench(b *testing.B, f func(*testing.B, Entries)) {
	for _, tasks := range shapes {
		b.Run(fmt.Sprintf("tasks=%d", tasks), func(b *testing.B) {
			src := lean(b, tasks, 4000)
			b.ReportAllocs()
			b.ResetTimer()
			f(b, src)
			b.ReportMetric(float64(len(src))*float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

func BenchmarkDecodeOnly(b *testing.B) {
	bench(b, func(b *testing.B, src Entries) {
		for range b.N {
			for _, e := range src {
				if _, err := wire.DecodeRecord(e.Seq, e.At, e.Payload); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

func BenchmarkRedecide(b *testing.B) { benchRun(b, Options{}) }
func BenchmarkFold(b *testing.B)     { benchRun(b, Options{Mode: Fold}) }

// BenchmarkWhatIf differs in every step: the dearest case.
func BenchmarkWhatIf(b *testing.B) {
	c := leyline.DefaultConfig()
	c.Tolaria.Aggregation = leyline.AggregationMean
	benchRun(b, Options{Mode: WhatIf, Config: &c})
}

func benchRun(b *testing.B, o Options) {
	bench(b, func(b *testing.B, src Entries) {
		for range b.N {
			r, err := Run(context.Background(), src, o)
			if err != nil || r.Identical != (o.Config == nil) {
				b.Fatal(err, r.Divergence)
			}
		}
	})
}

func BenchmarkClone(b *testing.B) {
	h := incident(b)
	b.Run("by=copy", func(b *testing.B) {
		for range b.N {
			clone(h.state)
		}
	})
	b.Run("by=wire", func(b *testing.B) {
		for range b.N {
			p, err := wire.Marshal(h.state)
			must(b, err)
			must(b, wire.Unmarshal(p, &projections.State{}))
		}
	})
}
