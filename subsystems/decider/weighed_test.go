package decider_test

import (
	"reflect"
	"testing"

	"github.com/esper-plane/esper/leyline"
)

// TestEveryWindowTellsWhatWasWeighed: who decided, by what, and how much was known; and
// a proposal carries the same.
func TestEveryWindowTellsWhatWasWeighed(t *testing.T) {
	w := newWorld(t)
	w.open()
	proposals := 0
	for range 30 {
		ev := w.must(w.report())
		x, weighed := first[leyline.PolicyWeighed](ev)
		if _, window := first[leyline.RiskAssessed](ev); window != weighed {
			t.Fatalf("step %d: a window %v, told %v", w.run().Track.Step, window, weighed)
		}
		if p, ok := first[leyline.CommandProposed](ev); ok {
			proposals++
			m := p.Metadata
			if m.Policy != x.Policy.ID || m.Version != x.Policy.Version || m.Digest != x.Policy.Digest || !reflect.DeepEqual(m.Coverage, x.Coverage.Groups) || m.Blend != x.Blend {
				t.Errorf("the proposal carries %+v, told was %+v", m, x)
			}
			if v, ok := m.Score(leyline.ScoreRisk); !ok || v != x.Risk.Score {
				t.Errorf("the proposal carries the risk %v", v)
			}
			if v, ok := m.Score(leyline.ScoreCoverage); !ok || v != x.Coverage.Mean {
				t.Errorf("the proposal carries the coverage %v", v)
			}
			if (p.Seed.Operation == leyline.OpStartGrafting) != (m.Blend == leyline.SourceConfig) {
				t.Errorf("%s is blended by the %s", p.Seed.Operation, m.Blend)
			}
		}
		w.serve()
	}
	if proposals < 3 {
		t.Errorf("%d proposals", proposals)
	}
}

// TestNothingIsProposedOnTooLittle: too low a coverage is CRITICAL and the reason for
// doing nothing; in shadow it only tells.
func TestNothingIsProposedOnTooLittle(t *testing.T) {
	for _, mode := range []leyline.RuleMode{leyline.RuleEnforce, leyline.RuleShadow, leyline.RuleOff} {
		w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tamiyo.DegradedMode, c.Tamiyo.DegradedCritical = mode, 1 })
		w.open()
		proposed := 0
		for range 10 {
			ev := w.must(w.report())
			x, window := first[leyline.PolicyWeighed](ev)
			if !window {
				continue
			}
			if _, ok := first[leyline.CommandProposed](ev); ok {
				proposed++
			}
			if want := mode != leyline.RuleOff; (x.Degraded == leyline.LevelCritical) != want {
				t.Errorf("%s: told at %s", mode, x.Degraded)
			}
			if n, ok := first[leyline.ActionNone](ev); mode == leyline.RuleEnforce && (!ok || n.Reason != leyline.RiskDegradedInputs) {
				t.Errorf("nothing is done for %s", n.Reason)
			}
			w.serve()
		}
		if (proposed == 0) != (mode == leyline.RuleEnforce) {
			t.Errorf("%s: %d proposals", mode, proposed)
		}
	}
}

// TestWhatThePolicyHasLearnedIsRewound with the network that it was learned of.
func TestWhatThePolicyHasLearnedIsRewound(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.steps(10)
	then := w.s.Tamiyo.Run("run-1").Memory
	w.steps(4)
	if now := w.s.Tamiyo.Run("run-1").Memory; len(then.Norms) == 0 || reflect.DeepEqual(then, now) {
		t.Fatalf("after four more steps it has learned %+v, before %+v", now, then)
	}
	w.fault()
	d := w.run().Snapshot(w.run().Rollback.Snapshot).Digest
	to := w.run().Rollback.ToStep
	w.must(w.rollback(leyline.PhasePrepare, d))
	w.must(w.rollback(leyline.PhaseCommit, d))
	if now := w.s.Tamiyo.Run("run-1").Memory; to != 10 || !reflect.DeepEqual(then, now) {
		t.Errorf("back at step %d it has learned %+v, then it had %+v", to, now, then)
	}
}
