package decider_test

import (
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/decider"
)

// BenchmarkStep decides and applies one healthy step of two tasks with one
// grafted seed, window boundaries included.
func BenchmarkStep(b *testing.B) {
	w := newWorld(&testing.T{}, func(c *leyline.ExecutionConfig) { c.Tolaria.SnapshotEvery = 1 << 30 })
	w.open()
	w.steps(20)
	x := w.report()
	s := w.s
	seq := w.seq
	b.ReportAllocs()
	for b.Loop() {
		seq++
		w.at++
		decider.Decide(s, leyline.Meta{Seq: seq, At: w.at, Run: x.Run}, x)
		x.Step++
	}
	if s.Tolaria.Run("run-1").Steps < uint64(b.N) {
		b.Fatal("steps were refused")
	}
}

// BenchmarkDigest hashes the whole state.
func BenchmarkDigest(b *testing.B) {
	w := newWorld(&testing.T{})
	w.open()
	w.steps(30)
	b.ReportAllocs()
	for b.Loop() {
		projections.DigestOf(*w.s)
	}
}
