package plane_test

import (
	"context"
	"testing"
	"time"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/replay/workload"
	"github.com/esper-plane/esper/subsystems/decider"
	"github.com/esper-plane/esper/subsystems/plane/planetest"
)

// BenchmarkLoop trains the same steps without a plane, with a plane on a log in
// memory, and with a plane on a log on disk. One operation is one run. With a
// plane it reports beside the time
//
//	plane-%         share of the trainer's wall time that it waited for answers
//	log-B/step      bytes of stored records
//	replay-steps/s  steps decided again out of the log, on one core
func BenchmarkLoop(b *testing.B) {
	for _, w := range []struct {
		name  string
		steps leyline.Step
	}{{"penguins", 300}, {"multimnist", 300}} {
		spec, err := workload.Lookup(w.name)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := spec.Data(); err != nil { // made once, outside every measurement
			b.Fatal(err)
		}
		b.Run("workload="+w.name+"/plane=none", func(b *testing.B) { benchBare(b, spec, w.steps) })
		b.Run("workload="+w.name+"/plane=memory", func(b *testing.B) {
			benchPlane(b, spec, w.steps, func(x *bench) store { return x.newLog() })
		})
		b.Run("workload="+w.name+"/plane=disk", func(b *testing.B) {
			benchPlane(b, spec, w.steps, func(x *bench) store {
				l, err := eventlog.Create(b.TempDir()+"/log", x.origin, time.Now().UnixNano(), eventlog.Options{})
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { _ = l.Close() }) // the benchmark has ended
				return l
			})
		})
	}
}

// benchBare is the trainer's arithmetic alone, with every weight 1.
func benchBare(b *testing.B, spec workload.Spec, steps leyline.Step) {
	data, err := spec.Data()
	if err != nil {
		b.Fatal(err)
	}
	ones := make([]float64, len(data.Tasks))
	for i := range ones {
		ones[i] = 1
	}
	for b.Loop() {
		net, err := workload.NewNet(data, spec.Net)
		if err != nil {
			b.Fatal(err)
		}
		batches, err := workload.NewBatches(data.Train, net.Config().Batch, 1)
		if err != nil {
			b.Fatal(err)
		}
		var gram []float64
		for s := range uint64(steps) {
			pass, err := net.Step(batches.Batch(s + 1))
			if err != nil {
				b.Fatal(err)
			}
			gram = pass.Gram(gram)
			if err := net.Apply(pass, ones); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(steps)*float64(b.N)/b.Elapsed().Seconds(), "steps/s")
}

// benchPlane is a whole run without seeds, so that every case does the same
// arithmetic.
func benchPlane(b *testing.B, spec workload.Spec, steps leyline.Step, open func(*bench) store) {
	var waited, elapsed, replayed time.Duration
	var bytes int
	for b.Loop() {
		b.StopTimer()
		x := newBench(b)
		x.config = spec.Config()
		x.config.Tamiyo.Enabled = false
		x.spec = spec
		log := open(x)
		p, err := x.start(context.Background(), log)
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		r, err := x.train(context.Background(), p, steps)
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		waited, elapsed = waited+r.Waited, elapsed+r.Elapsed
		if err := p.Shutdown(context.Background()); err != nil {
			b.Fatal(err)
		}
		n, took := replayBytes(b, log)
		bytes, replayed = bytes+n, replayed+took
		b.StartTimer()
	}
	total := float64(steps) * float64(b.N)
	b.ReportMetric(total/elapsed.Seconds(), "steps/s")
	b.ReportMetric(100*waited.Seconds()/elapsed.Seconds(), "plane-%")
	b.ReportMetric(float64(bytes)/total, "log-B/step")
	b.ReportMetric(total/replayed.Seconds(), "replay-steps/s")
}

// replayBytes decides a log again and returns its bytes and the time that took.
func replayBytes(b *testing.B, log store) (bytes int, took time.Duration) {
	began := time.Now()
	s := &projections.State{}
	for e, err := range (planetest.Log{Store: log}).All(1) {
		if err != nil {
			b.Fatal(err)
		}
		r, err := wire.DecodeRecord(e.Seq, e.At, e.Payload)
		if err != nil {
			b.Fatal(err)
		}
		bytes += len(e.Payload)
		decider.Decide(s, leyline.Meta{Seq: r.Seq, At: r.At, Run: r.Run}, r.Input)
	}
	return bytes, time.Since(began)
}
