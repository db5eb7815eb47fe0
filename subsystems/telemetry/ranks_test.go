package telemetry_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/telemetry"
)

// TestBarriersAreCountedByTheirBounds reports waits of ranks for each other: each is
// counted once, under the least bound that it did not exceed.
func TestBarriersAreCountedByTheirBounds(t *testing.T) {
	got := map[string]float64{}
	for _, ns := range []uint64{0, 1, 1e6, 1e6 + 1, 3e6, 25e6, 29e6, 1e9, 1e10, 1e10 + 1, math.MaxUint64} {
		for _, p := range telemetry.Packets(leyline.Record{Seq: 1, Run: "r", Input: leyline.StepObserved{Run: "r", Step: 1, BarrierNs: ns}}) {
			for _, m := range p.Metrics {
				switch m.Name {
				case leyline.MetricTrainerBarriers:
					got[m.Attrs[1].Value] += m.Value
				case leyline.MetricTrainerBarrier:
					if m.Value != float64(ns)/1e6 {
						t.Errorf("a wait of %d ns is told as %v ms", ns, m.Value)
					}
				}
			}
		}
	}
	want := map[string]float64{"1ms": 2, "3ms": 2, "30ms": 2, "1s": 1, "10s": 1, "more": 2}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestTheRanksOfARun are told once, when it is opened, and not of a trainer that did not
// say.
func TestTheRanksOfARun(t *testing.T) {
	for ranks, want := range map[uint32]int{0: 0, 1: 1, 8: 1} {
		told := 0
		e := leyline.RunStarted{Run: "r", Incarnation: 1, Plan: leyline.RunOpened{Run: "r", Ranks: ranks}}
		for _, p := range telemetry.Packets(leyline.Record{Seq: 1, Run: "r", Input: leyline.RunOpened{Run: "r"}, Events: []leyline.Event{e}}) {
			for _, m := range p.Metrics {
				if m.Name == leyline.MetricTrainerRanks {
					told++
					if m.Value != float64(ranks) {
						t.Errorf("%d ranks are told as %v", ranks, m.Value)
					}
				}
			}
		}
		if told != want {
			t.Errorf("%d ranks are told %d times", ranks, told)
		}
	}
}
