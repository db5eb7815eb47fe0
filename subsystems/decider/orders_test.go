package decider_test

import (
	"slices"
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

// want orders a command and demands the reason of its rejection.
func (o person) want(why leyline.RejectReason, c leyline.Command) []leyline.Event {
	o.t.Helper()
	got, ev := o.orders(c)
	if got != why {
		e, _ := first[leyline.CommandRejected](ev)
		o.t.Fatalf("%s is decided as %s (%s), want %s", c.Kind, got, e.Detail, why)
	}
	return ev
}

// without is the report of a trainer that has taken its seeds out.
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

// TestKindsOfTheOperatorAlone: the policy may not issue them, whatever its key says.
func TestKindsOfTheOperatorAlone(t *testing.T) {
	w := newWorld(t)
	w.open()
	for _, c := range []leyline.Command{
		{Kind: leyline.CommandRollback, Rollback: leyline.RollbackCommand{Reason: "x"}},
		{Kind: leyline.CommandOptimizer, Optimizer: leyline.OptimizerCommand{Action: leyline.OptimizerRebuildNow, Reason: "x"}},
		{Kind: leyline.CommandCircuitBreaker}, {Kind: leyline.CommandStructuralPruning},
	} {
		v := w.valid(leyline.SeedCommand{})
		v.Kind, v.Rollback, v.Optimizer = c.Kind, c.Rollback, c.Optimizer
		w.s.Plane.Keys[0].Kinds = leyline.CommandUnknown.Members()
		w.at++
		v.ID = leyline.CommandID("k-" + w.at.String())
		if e := one[leyline.CommandRejected](w, w.must(w.received(v))); e.Reason != leyline.RejectOperatorOnly {
			t.Errorf("%s of the policy: %s (%s)", c.Kind, e.Reason, e.Detail)
		}
	}
	w.enrol("ada").want(leyline.RejectPruning, leyline.Command{Kind: leyline.CommandStructuralPruning})
}

func optimizes(action leyline.OptimizerAction, factor float64) leyline.Command {
	return leyline.Command{Kind: leyline.CommandOptimizer, Optimizer: leyline.OptimizerCommand{Action: action, Factor: factor, Reason: "test"}}
}

// TestOptimizerIsMadeAnew by the order that the trainer acknowledges anyway, and not
// twice at a time or too soon.
func TestOptimizerIsMadeAnew(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tamiyo.Enabled, c.Tolaria.RebuildMin = false, 3 })
	w.open()
	w.steps(2)
	ada := w.enrol("ada")
	ev := ada.want(leyline.RejectNone, optimizes(leyline.OptimizerRebuildNow, 0))
	e := one[leyline.OptimizerRebuild](w, ev)
	if e.Stage != leyline.RebuildRequested || e.Fence != leyline.FenceCommand || e.Step != 2 {
		t.Errorf("ordered %+v", e)
	}
	if s := one[leyline.CommandSettled](w, ev); s.Outcome != leyline.OutcomeOK || len(w.s.Kasmina.Pending) != 0 {
		t.Errorf("settled %+v, pending %+v", s, w.s.Kasmina.Pending)
	}
	ada.want(leyline.RejectBarred, optimizes(leyline.OptimizerRebuildNow, 0))
	state := leyline.OptimizerState{Groups: 1, Parameters: 10, Digest: digest("optimizer")}
	x := w.report()
	x.Acks = []leyline.OrderAck{{Order: w.run().Rebuild.Order, Kind: leyline.EffectRebuild, Outcome: leyline.OutcomeOK, Before: state, After: state}}
	if e := one[leyline.OptimizerRebuild](w, w.must(x)); e.Stage != leyline.RebuildDone {
		t.Errorf("acknowledged as %+v", e)
	}
	ada.want(leyline.RejectBarred, optimizes(leyline.OptimizerRebuildNow, 0))
	w.steps(3)
	ada.want(leyline.RejectNone, optimizes(leyline.OptimizerRebuildNow, 0))
}

// TestOpenBreakerBarsTheOptimizer, which an operator may force CLOSED first.
func TestOpenBreakerBarsTheOptimizer(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tamiyo.Enabled = false })
	w.open()
	w.steps(1)
	ada := w.enrol("ada")
	force := func(s leyline.BreakerState) leyline.Command {
		return leyline.Command{Kind: leyline.CommandCircuitBreaker, Breaker: leyline.BreakerCommand{Breaker: leyline.BreakerOptimizer, State: s, Reason: "test"}}
	}
	for _, s := range leyline.BreakerUnknown.Members() {
		e := one[leyline.BreakerMoved](w, ada.want(leyline.RejectNone, force(s)))
		if e.Action != leyline.BreakerForced || e.To != s || w.run().Breaker(leyline.BreakerOptimizer).State != s {
			t.Errorf("forced %+v", e)
		}
	}
	ada.want(leyline.RejectNone, force(leyline.BreakerOpen))
	ada.want(leyline.RejectBarred, optimizes(leyline.OptimizerRebuildNow, 0))
	ada.want(leyline.RejectNone, force(leyline.BreakerClosed))
	ada.want(leyline.RejectNone, optimizes(leyline.OptimizerRebuildNow, 0))
	before := w.run().Breakers
	ada.want(leyline.RejectBreakerInvalid, force(leyline.BreakerUnknown))
	c := force(leyline.BreakerOpen)
	c.Breaker.Breaker = leyline.BreakerUnspecified
	ada.want(leyline.RejectBreakerInvalid, c)
	if d := cmp.Diff(before, w.run().Breakers); d != "" {
		t.Errorf("a command that was rejected has moved a breaker:\n%s", d)
	}
}

// TestRatesAreScaled on top of what the run declared, on top of a policy, and after
// a rollback as before it.
func TestRatesAreScaled(t *testing.T) {
	declared := plan()
	declared.Groups = []leyline.ParamGroup{{Name: "net", Rate: 0.1, Parameters: 10}}
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tamiyo.Enabled = false })
	w.inc = one[leyline.RunStarted](w, w.must(declared)).Incarnation
	w.steps(1)
	ada := w.enrol("ada")
	ev := ada.want(leyline.RejectNone, optimizes(leyline.OptimizerScale, 0.5))
	if e := one[leyline.RatesScaled](w, ev); e.Factor != 0.5 {
		t.Errorf("scaled by %+v", e)
	}
	e := one[leyline.RateSet](w, w.must(w.report()))
	if e.Policy != leyline.LRNone || e.Factor != 0.5 || !slices.Equal(e.Rates, []float64{0.05}) {
		t.Errorf("ordered %+v", e)
	}
	if _, again := first[leyline.RateSet](w.must(w.report())); again {
		t.Error("the same rates are ordered twice")
	}
	w.steps(8)
	w.fault()
	to := w.run().Rollback.Snapshot
	w.must(w.rollback(leyline.PhasePrepare, digest(string(to))))
	w.inc = one[leyline.RollbackFinished](w, w.must(w.rollback(leyline.PhaseCommit, digest(string(to))))).Incarnation
	if e := one[leyline.RateSet](w, w.must(w.report())); e.Factor != 0.5 {
		t.Errorf("after the rollback: %+v", e)
	}
	ada.want(leyline.RejectNone, optimizes(leyline.OptimizerScale, 1))
	if e := one[leyline.RateSet](w, w.must(w.report())); !slices.Equal(e.Rates, []float64{0.1}) {
		t.Errorf("taken back: %+v", e)
	}
	bare := newWorld(t)
	bare.open()
	bare.enrol("ada").want(leyline.RejectUndeclared, optimizes(leyline.OptimizerScale, 0.5))
	bare.enrol("ada").want(leyline.RejectMalformed, optimizes(leyline.OptimizerScale, -1))
}

func back(id leyline.SnapshotID, step leyline.Step) leyline.Command {
	return leyline.Command{Kind: leyline.CommandRollback, Rollback: leyline.RollbackCommand{Snapshot: id, Step: step, Reason: "test"}}
}

// TestOperatorRollsBack to a step or to a snapshot by name, by an ordinary rollback.
func TestOperatorRollsBack(t *testing.T) {
	for name, c := range map[string]leyline.Command{"by step": back("", 7), "by name": back("s-1-5", 0)} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.open()
			ada := w.enrol("ada")
			ada.want(leyline.RejectNoSnapshot, back("", 0))
			w.steps(12)
			e := one[leyline.RollbackStarted](w, ada.want(leyline.RejectNone, c))
			if e.Cause != leyline.FaultOperator || e.Snapshot != "s-1-5" || e.FaultStep != 12 || e.Deadline == 0 {
				t.Errorf("started %+v", e)
			}
			ada.want(leyline.RejectRollbackActive, c)
			w.must(w.rollback(leyline.PhasePrepare, digest("s-1-5")))
			f := one[leyline.RollbackFinished](w, w.must(w.rollback(leyline.PhaseCommit, digest("s-1-5"))))
			if w.inc = f.Incarnation; f.Outcome != leyline.OutcomeOK || w.run().Track.Step != 5 || w.run().Emergency != leyline.EmergencyNotice {
				t.Errorf("finished %+v at step %d, level %s", f, w.run().Track.Step, w.run().Emergency)
			}
			w.steps(3)
		})
	}
}

func TestRollbacksThatAreRefused(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.steps(10)
	ada := w.enrol("ada")
	ada.want(leyline.RejectNoSnapshot, back("s-9-9", 0))
	ada.want(leyline.RejectNoSnapshot, back("s-1-10", 0)) // not proven yet
	ada.want(leyline.RejectMalformed, back("s-1-5", 5))
	w.run().Snapshot("s-1-5").Rollbacks = w.config.Tolaria.RollbackLimit
	ada.want(leyline.RejectNoSnapshot, back("s-1-5", 0))
	if w.run().Rollback.Active() || w.run().Status != leyline.RunStatusOpen {
		t.Errorf("the run is %s, its rollback %+v", w.run().Status, w.run().Rollback)
	}
	w.must(leyline.RunClosed{Run: "run-1", Incarnation: w.inc, Step: 10, Outcome: leyline.OutcomeOK, Digest: digest("end")})
	for _, c := range []leyline.Command{
		back("s-1-5", 0), paused(leyline.PauseStart, "seed-a"), optimizes(leyline.OptimizerRebuildNow, 0),
		{Kind: leyline.CommandCircuitBreaker, Breaker: leyline.BreakerCommand{Breaker: leyline.BreakerCompile, State: leyline.BreakerOpen, Reason: "x"}},
	} {
		ada.want(leyline.RejectRunNotOpen, c)
	}
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
