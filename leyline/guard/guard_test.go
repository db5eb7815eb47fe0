package guard_test

import (
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/guard"
)

// TestEveryCheckAcceptsTheGoodAndNamesTheBad holds each check against a run
// that fits and one fact that does not.
func TestEveryCheckAcceptsTheGoodAndNamesTheBad(t *testing.T) {
	open := guard.Run{Status: leyline.RunStatusOpen, Incarnation: 2, Step: 7, Tasks: 3, Grafted: []leyline.SeedID{"a"}}
	rolling := open
	rolling.Rollback = "rb-9"
	seen := func(ids ...leyline.SeedID) []leyline.SeedObserved {
		var out []leyline.SeedObserved
		for _, id := range ids {
			out = append(out, leyline.SeedObserved{Seed: id, Stage: leyline.StageTraining})
		}
		return out
	}
	again, piped := open, open
	again.Told, piped.Piped = 9, true
	piped.Slots = []guard.Slot{{Seed: "a", Alphas: []float64{0, 0.5}}, {Seed: "new", Alphas: []float64{0}, Absent: true}, {Seed: "gone"}}
	ran := func(alpha float64, ids ...leyline.SeedID) []leyline.SeedObserved {
		out := seen(ids...)
		out[0].Alpha = alpha
		return out
	}
	for _, x := range []struct {
		name string
		got  *leyline.Refusal
		want leyline.RefusalKind
	}{
		{"a step for the first time", guard.Once(open, 7), leyline.RefusalNone},
		{"a step again", guard.Once(again, 7), leyline.RefusalStepConflict},
		{"a step again, out of order", guard.Order(again, 7), leyline.RefusalStepConflict},
		{"weights applied ahead", guard.Unapplied(piped, []float64{1, 1, 1}), leyline.RefusalNone},
		{"weights applied without a lag", guard.Unapplied(open, []float64{1, 1, 1}), leyline.RefusalInvalidField},
		{"nothing applied", guard.Unapplied(open, nil), leyline.RefusalNone},
		{"with a lag, the newest alpha", guard.Seeds(piped, ran(0, "a")), leyline.RefusalNone},
		{"with a lag, an older alpha", guard.Seeds(piped, ran(0.5, "a")), leyline.RefusalNone},
		{"with a lag, a seed that is new", guard.Seeds(piped, ran(0, "a", "new")), leyline.RefusalNone},
		{"with a lag, an alpha of no answer", guard.Seeds(piped, ran(0.25, "a")), leyline.RefusalInvalidField},
		{"with a lag, a seed twice", guard.Seeds(piped, ran(0, "a", "a")), leyline.RefusalInvalidField},
		{"with a lag, a seed that is gone", guard.Seeds(piped, ran(0, "a", "gone")), leyline.RefusalUnknownSeed},
		{"with a lag, a seed that never was", guard.Seeds(piped, ran(0, "a", "b")), leyline.RefusalUnknownSeed},
		{"with a lag, seed left out", guard.Seeds(piped, ran(0, "new")), leyline.RefusalMissingSeed},
		{"open", guard.Open(open, "r"), leyline.RefusalNone},
		{"unknown", guard.Open(guard.Run{}, "r"), leyline.RefusalUnknownRun},
		{"ended", guard.Open(guard.Run{Status: leyline.RunStatusEnded}, "r"), leyline.RefusalRunNotOpen},
		{"halted", guard.Open(guard.Run{Status: leyline.RunStatusHalted}, "r"), leyline.RefusalRunNotOpen},
		{"this life", guard.Life(open, 2), leyline.RefusalNone},
		{"former life", guard.Life(open, 1), leyline.RefusalIncarnation},
		{"settled", guard.Settled(open), leyline.RefusalNone},
		{"rolling back", guard.Settled(rolling), leyline.RefusalRollbackActive},
		{"next step", guard.Order(open, 8), leyline.RefusalNone},
		{"same step", guard.Order(open, 7), leyline.RefusalStepOrder},
		{"skipped step", guard.Order(open, 9), leyline.RefusalStepOrder},
		{"at the step", guard.At(open, 7), leyline.RefusalNone},
		{"at another", guard.At(open, 6), leyline.RefusalStepOrder},
		{"all tasks", guard.Gradients(open, 3, 9), leyline.RefusalNone},
		{"a task is missing", guard.Gradients(open, 2, 4), leyline.RefusalGradients},
		{"gram too small", guard.Gradients(open, 3, 8), leyline.RefusalGradients},
		{"figures for all tasks", guard.Tasks(open, 3), leyline.RefusalNone},
		{"figures for too many", guard.Tasks(open, 4), leyline.RefusalUnknownTask},
		{"every seed", guard.Seeds(open, seen("a")), leyline.RefusalNone},
		{"seed left out", guard.Seeds(open, nil), leyline.RefusalMissingSeed},
		{"seed with another alpha than answered", guard.Seeds(guard.Run{Grafted: []leyline.SeedID{"a"}, Alphas: []float64{0.5}}, seen("a")), leyline.RefusalInvalidField},
		{"seed not grafted", guard.Seeds(open, seen("a", "b")), leyline.RefusalUnknownSeed},
	} {
		switch {
		case x.got == nil && x.want != leyline.RefusalNone, x.got != nil && x.got.Kind != x.want:
			t.Errorf("%s: %v, want %s", x.name, x.got, x.want)
		case x.got != nil && (x.got.Field == "" || x.got.Reason == "" || x.got.Hint == ""):
			t.Errorf("%s: the refusal does not say field, reason and fix: %+v", x.name, x.got)
		}
	}
}
