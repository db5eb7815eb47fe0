package decider_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/effect"
)

func paused(action leyline.PauseAction, seed leyline.SeedID) leyline.Command {
	c := leyline.Command{Kind: leyline.CommandPause, Pause: leyline.PauseCommand{Action: action, Scope: leyline.PauseSeed, Seed: seed, Reason: "test"}}
	if seed == "" {
		c.Pause.Scope = leyline.PauseRun
	}
	return c
}

// seedless is the report of a trainer that has taken its seeds out.
func (w *world) seedless() leyline.StepObserved {
	x := w.report()
	x.Seeds = nil
	return x
}

// TestPausedSeedStaysAsItIs (O-K-31, D-K12) at every stage of a trial: nothing of it
// changes, nothing is learned of it, and only giving it up is possible.
func TestPausedSeedStaysAsItIs(t *testing.T) {
	for _, s := range []leyline.Stage{leyline.StageTraining, leyline.StageBlending, leyline.StageShadowing, leyline.StageProbationary} {
		t.Run(s.String(), func(t *testing.T) {
			w := newWorld(t)
			w.open()
			w.reach(s)
			ada := w.enrol("ada")
			ev := ada.want(leyline.RejectNone, paused(leyline.PauseStart, "seed-a"))
			if e := one[leyline.SeedPaused](w, ev); e.Seed != "seed-a" {
				t.Errorf("decided %+v", e)
			}
			e, found := effect.Of(w.s, leyline.Meta{Seq: w.seq}, 0, ev[0])
			if !found || e.Order.Command.Kind != leyline.CommandPause || e.Order.Command.Pause.Seed != "seed-a" {
				t.Errorf("the trainer is told %+v", e)
			}
			before := *w.seed()
			w.must(w.report()) // the trainer has not heard yet
			w.serve()
			for range 12 {
				w.must(w.seedless())
				if len(w.s.Kasmina.Pending) > 0 || len(w.s.Kasmina.ProbesDue("run-1", w.run().Track.Step)) > 0 {
					t.Fatalf("something is asked of a paused seed: %+v", w.s.Kasmina.Pending)
				}
			}
			if d := cmp.Diff(before, *w.seed()); d != "" {
				t.Errorf("a paused seed has changed:\n%s", d)
			}
			for _, op := range []leyline.SeedOperation{
				leyline.OpStartGrafting, leyline.OpStabilize, leyline.OpEvaluate, leyline.OpFossilize, leyline.OpFineTune,
			} {
				if _, starts := leyline.EdgeOf(op, s); starts {
					if r := w.command(leyline.SeedCommand{Operation: op, Seed: "seed-a"}); r != leyline.RejectPaused {
						t.Errorf("%s of a paused seed: %s", op, r)
					}
				}
			}
			ada.want(leyline.RejectPaused, paused(leyline.PauseStart, "seed-a"))
			ev = ada.want(leyline.RejectNone, paused(leyline.PauseEnd, "seed-a"))
			g := one[leyline.GateEvaluated](w, ev)
			if one[leyline.SeedResumed](w, ev); g.Gate != leyline.GateGradientHealth || !g.Passed {
				t.Errorf("resumed behind %+v", g)
			}
			w.must(w.seedless()) // the trainer has not heard yet
			w.serve()
			if r := w.refused(w.seedless()); r.Kind != leyline.RefusalMissingSeed {
				t.Errorf("a step without the resumed seed is refused as %s", r.Kind)
			}
			w.steps(1)
			ada.want(leyline.RejectNotPaused, paused(leyline.PauseEnd, "seed-a"))
			w.reach(leyline.StageFossilized)
			ada.want(leyline.RejectWrongStage, paused(leyline.PauseStart, "seed-a"))
		})
	}
}

func TestPausedSeedCanBeGivenUp(t *testing.T) {
	for _, op := range []leyline.SeedOperation{leyline.OpCull, leyline.OpCancel} {
		w := newWorld(t)
		w.open()
		w.reach(leyline.StageBlending)
		ada := w.enrol("ada")
		ada.want(leyline.RejectNone, paused(leyline.PauseStart, "seed-a"))
		if r := ada.operates(op); r != leyline.RejectCommandPending {
			t.Errorf("%s before the trainer has answered: %s", op, r)
		}
		w.serve()
		if r := ada.operates(op); r != leyline.RejectNone || w.seed().Stage != leyline.StageEmbargoed || w.seed().Paused {
			t.Errorf("%s: %s, the seed is %+v", op, r, w.seed())
		}
	}
}

// TestResumeThatDoesNotPassCulls names what did not hold.
func TestResumeThatDoesNotPassCulls(t *testing.T) {
	for name, x := range map[string]struct {
		spoil func(*world)
		why   string
	}{
		"kernel gone":    {func(w *world) { w.seed().Kernel.Ready = false }, leyline.ReasonResume},
		"another kernel": {func(w *world) { w.seed().Kernel.Digest[0] ^= 1 }, leyline.ReasonResume},
		"it had leaked":  {func(w *world) { w.seed().Isolation.Violated = true }, leyline.ReasonIsolation},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.open()
			w.reach(leyline.StageBlending)
			ada := w.enrol("ada")
			ada.want(leyline.RejectNone, paused(leyline.PauseStart, "seed-a"))
			w.serve()
			x.spoil(w)
			ev := ada.want(leyline.RejectGateFailed, paused(leyline.PauseEnd, "seed-a"))
			if g := one[leyline.GateEvaluated](w, ev); g.Reason != x.why || leyline.GateLevel(g.Reason) != leyline.LevelCritical {
				t.Errorf("the gate says %+v", g)
			}
			if w.seed().Stage != leyline.StageEmbargoed {
				t.Errorf("the seed is %s", w.seed().Stage)
			}
		})
	}
}

// TestPauseOfARun pauses what can be paused, and is the operator's alone.
func TestPauseOfARun(t *testing.T) {
	w := newWorld(t)
	w.open()
	ada := w.enrol("ada")
	ada.want(leyline.RejectWrongStage, paused(leyline.PauseStart, "")) // an empty slot
	w.reach(leyline.StageTraining)
	c := paused(leyline.PauseStart, "")
	v := w.valid(leyline.SeedCommand{})
	v.Kind, v.Pause = c.Kind, c.Pause
	if e := one[leyline.CommandRejected](w, w.must(w.received(v))); e.Reason != leyline.RejectOperatorOnly {
		t.Errorf("the policy pauses a run: %s", e.Reason)
	}
	ada.want(leyline.RejectNone, c)
	w.must(leyline.CommandAcked{Run: "run-1", Incarnation: w.inc, Command: w.s.Kasmina.Pending[0].Command, Outcome: leyline.OutcomeOK})
	if !w.seed().Paused {
		t.Fatal("the seed is not paused")
	}
	ada.want(leyline.RejectNone, paused(leyline.PauseEnd, ""))
	w.must(leyline.CommandAcked{
		Run: "run-1", Incarnation: w.inc, Command: w.s.Kasmina.Pending[0].Command, Outcome: leyline.OutcomeFailed, Reason: "no memory",
	})
	if w.seed().Stage != leyline.StageEmbargoed {
		t.Errorf("the trainer could not resume the seeds of the run, and the seed is %s", w.seed().Stage)
	}
}

// TestPauseIsNotRolledBack: what an operator has paused stays so when the run goes
// back to before that.
func TestPauseIsNotRolledBack(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tamiyo.TrainSteps = 1 << 20 })
	w.open()
	w.steps(11)
	if w.seed().Stage != leyline.StageTraining {
		t.Fatalf("the seed is %s", w.seed().Stage)
	}
	w.enrol("ada").want(leyline.RejectNone, paused(leyline.PauseStart, "seed-a"))
	w.serve()
	w.fault()
	w.must(w.rollback(leyline.PhasePrepare, digest("s-1-10")))
	w.inc = one[leyline.RollbackFinished](w, w.must(w.rollback(leyline.PhaseCommit, digest("s-1-10")))).Incarnation
	if !w.seed().Paused || w.seed().Stage != leyline.StageTraining {
		t.Errorf("the seed is %+v", w.seed())
	}
}

func TestWaitingKernelIsNotResumed(t *testing.T) {
	w := newWorld(t)
	w.open()
	for w.seed().Kernel.Request.IsZero() {
		w.must(w.report())
	}
	w.must(leyline.CommandAcked{Run: "run-1", Incarnation: w.inc, Command: w.s.Kasmina.Pending[0].Command, Outcome: leyline.OutcomeOK})
	ada := w.enrol("ada")
	ada.want(leyline.RejectNone, paused(leyline.PauseStart, "seed-a"))
	w.must(leyline.CommandAcked{Run: "run-1", Incarnation: w.inc, Command: w.s.Kasmina.Pending[0].Command, Outcome: leyline.OutcomeOK})
	ada.want(leyline.RejectKernelPending, paused(leyline.PauseEnd, "seed-a"))
	if w.seed().Stage != leyline.StageGerminated {
		t.Fatalf("the seed is %s", w.seed().Stage)
	}
	w.serve()
	ada.want(leyline.RejectNone, paused(leyline.PauseEnd, "seed-a"))
}

// TestArgumentsOfAnotherKindAreNotActedUpon: a PAUSE that was made from a SEED command
// and still carries its operation pauses, and does nothing else (D-A24).
func TestArgumentsOfAnotherKindAreNotActedUpon(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.reach(leyline.StageProbationary)
	c := paused(leyline.PauseStart, "seed-a")
	c.Seed = leyline.SeedCommand{Operation: leyline.OpFossilize, Seed: "seed-a"}
	e := one[leyline.CommandVerified](w, w.enrol("ada").want(leyline.RejectNone, c))
	if e.Seed.Operation != leyline.OpUnknown {
		t.Errorf("accepted with %+v", e.Seed)
	}
	w.serve()
	if w.seed().Stage != leyline.StageProbationary || !w.seed().Paused {
		t.Errorf("the seed is %+v", w.seed())
	}
}
