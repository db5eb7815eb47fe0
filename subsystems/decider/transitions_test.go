package decider_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
)

// person is an operator with a key of their own.
type person struct {
	*world
	key sign.Signer
}

// enrol enrols a person's key for every kind of command.
func (w *world) enrol(name string) person {
	w.t.Helper()
	o := person{w, signer(w.t, 9)}
	body, err := wire.EncodeKey(leyline.Key{
		ID: o.key.KeyID(), Public: o.key.Public(), Issuer: name, Kinds: leyline.CommandUnknown.Members(),
		Serial: w.serial(o.key.KeyID()),
	})
	w.check(err)
	w.must(leyline.KeyAdded{Envelope: w.admin.Sign(leyline.PayloadKey, body)})
	return o
}

// serial is the next serial of a key that may be enrolled already.
func (w *world) serial(id leyline.KeyID) uint64 {
	if k := w.s.Plane.Key(id); k != nil {
		return k.Serial + 1
	}
	return 0
}

// envelope signs a command that passes the verifier.
func (o person) envelope(c leyline.Command) leyline.CommandReceived {
	o.t.Helper()
	o.at = o.at.Add(time.Millisecond)
	c.Issuer, c.Audience = o.s.Plane.Key(o.key.KeyID()).Issuer, leyline.Audience{Origin: "esper-test", Run: "run-1"}
	c.ID, c.Sequence, c.IssuedAt = leyline.CommandID("op-"+o.at.String()), o.s.Kasmina.High(o.key.KeyID())+1, o.at
	body, err := wire.EncodeCommand(c)
	o.check(err)
	return leyline.CommandReceived{Envelope: o.key.Sign(leyline.PayloadCommand, body), Peer: leyline.PeerOperator, PeerName: "test"}
}

// orders feeds a command and returns why it was rejected, and what was decided.
func (o person) orders(c leyline.Command) (leyline.RejectReason, []leyline.Event) {
	o.t.Helper()
	ev := o.must(o.envelope(c))
	if e, ok := first[leyline.CommandRejected](ev); ok {
		return e.Reason, ev
	}
	one[leyline.CommandVerified](o.world, ev)
	return leyline.RejectNone, ev
}

func (o person) operates(op leyline.SeedOperation) leyline.RejectReason {
	o.t.Helper()
	why, _ := o.orders(leyline.Command{Kind: leyline.CommandSeed, Seed: leyline.SeedCommand{Operation: op, Seed: "seed-a"}})
	return why
}

// reach trains until the seed is in a stage, at most 60 steps.
func (w *world) reach(s leyline.Stage) {
	w.t.Helper()
	for range 60 {
		if w.seed().Stage == s {
			return
		}
		w.steps(1)
	}
	w.t.Fatalf("the seed is %s after 60 steps, want %s", w.seed().Stage, s)
}

func TestSlotsStartEmpty(t *testing.T) {
	w := newWorld(t)
	ev := w.must(plan())
	want := []leyline.Event{ev[0], leyline.SeedMoved{
		Run: "run-1", Seed: "seed-a", From: leyline.StageUnknown, To: leyline.StageDormant, Cause: "run_opened",
	}}
	if d := cmp.Diff(want, ev); d != "" {
		t.Error(d)
	}
}

// TestFineTuneBeginsAnew: the seed keeps its kernel, and nothing that was measured
// of it counts any more: it must train, blend and be observed again.
func TestFineTuneBeginsAnew(t *testing.T) {
	for _, from := range []leyline.Stage{leyline.StageBlending, leyline.StageShadowing, leyline.StageProbationary} {
		t.Run(from.String(), func(t *testing.T) {
			w := newWorld(t)
			w.open()
			w.reach(from)
			w.must(w.report())
			w.serve()
			if w.seed().Stage != from {
				t.Fatalf("the seed is %s", w.seed().Stage)
			}
			born := w.seed().Born
			if r := w.command(leyline.SeedCommand{Operation: leyline.OpFineTune, Seed: "seed-a"}); r != leyline.RejectNone {
				t.Fatalf("rejected as %s", r)
			}
			s := w.seed()
			if s.Stage != leyline.StageTraining || s.Alpha != 0 || s.AlphaStep != 0 || s.Complete || s.Plan.Mode != 0 || s.LossBefore != 0 {
				t.Errorf("the seed is %+v", s)
			}
			if s.Isolation.Steps != 0 || s.Contribution.Probes != 0 || s.Contribution.Due != 0 || !s.Kernel.Ready || s.Born != born {
				t.Errorf("of the seed is known: %+v", s)
			}
			g, _ := first[leyline.GateEvaluated](w.last)
			if m, ok := first[leyline.SeedMoved](w.last); !ok || g.Gate != leyline.GateGradientHealth || !g.Passed || m.From != from {
				t.Errorf("decided %s", kinds(w.last))
			}
			w.serve()
			if r := w.command(leyline.SeedCommand{Operation: leyline.OpStartGrafting, Seed: "seed-a", Blend: leyline.BlendPlan{
				Mode: leyline.BlendResidual, TotalSteps: 6, Temperature: 1,
			}}); r != leyline.RejectGateFailed {
				t.Errorf("grafting without having trained again: %s", r)
			}
		})
	}
}

func TestFineTunedSeedCanBecomePermanent(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.reach(leyline.StageShadowing)
	w.command(leyline.SeedCommand{Operation: leyline.OpFineTune, Seed: "seed-a"})
	w.serve()
	w.reach(leyline.StageFossilized)
	want := []string{"DORMANT", "GERMINATED", "TRAINING", "BLENDING", "SHADOWING", "TRAINING", "BLENDING", "SHADOWING", "PROBATIONARY", "FOSSILIZED"}
	if d := cmp.Diff(want, w.moves()); d != "" {
		t.Error(d)
	}
}

func TestOnlyAnOperatorClosesSlots(t *testing.T) {
	cancel := leyline.SeedCommand{Operation: leyline.OpCancel, Seed: "seed-a"}
	w := newWorld(t)
	w.open()
	if r := w.command(cancel); r != leyline.RejectOperatorOnly {
		t.Errorf("the policy closes an empty slot: %s", r)
	}
	ada := w.enrol("ada")
	if r := ada.operates(leyline.OpCancel); r != leyline.RejectNone {
		t.Fatalf("an operator closes an empty slot: %s", r)
	}
	w.serve()
	if w.seed().Stage != leyline.StageTerminated {
		t.Errorf("the slot is %s", w.seed().Stage)
	}
	w.steps(12)
	if w.seed().Stage != leyline.StageTerminated {
		t.Errorf("something grew in a closed slot: %s", w.seed().Stage)
	}
	for _, op := range leyline.OpUnknown.Members() {
		if r := ada.operates(op); r != leyline.RejectWrongStage {
			t.Errorf("%s of a closed slot: %s", op, r)
		}
	}
}

// TestFullPathEndsTerminated (O-K-46); that of a culled seed ends DORMANT.
func TestFullPathEndsTerminated(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.reach(leyline.StageFossilized)
	ada := w.enrol("ada")
	if r := w.command(leyline.SeedCommand{Operation: leyline.OpCancel, Seed: "seed-a"}); r != leyline.RejectOperatorOnly {
		t.Errorf("the policy ends the management of a seed: %s", r)
	}
	if r := ada.operates(leyline.OpCull); r != leyline.RejectWrongStage {
		t.Errorf("a seed that was kept is culled: %s", r)
	}
	if r := ada.operates(leyline.OpCancel); r != leyline.RejectNone {
		t.Fatalf("rejected as %s", r)
	}
	w.serve()
	if s := w.seed(); s.Stage != leyline.StageTerminated || s.Alpha != 1 || s.Blueprint == "" {
		t.Errorf("the seed is %+v", s)
	}
	w.must(w.report()) // in which the seed is not reported any more
	if got := w.moves(); got[len(got)-1] != "TERMINATED" {
		t.Errorf("stages %v", got)
	}
}

// TestClosedSlotStaysClosed: a rollback takes the network back to before an
// operator closed the slot.
func TestClosedSlotStaysClosed(t *testing.T) {
	back := func(w *world, id string) {
		w.fault()
		w.must(w.rollback(leyline.PhasePrepare, digest(id)))
		w.inc = one[leyline.RollbackFinished](w, w.must(w.rollback(leyline.PhaseCommit, digest(id)))).Incarnation
	}
	t.Run("empty", func(t *testing.T) {
		w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tamiyo.Enabled = false })
		w.open()
		w.steps(6)
		w.enrol("ada").operates(leyline.OpCancel)
		w.serve()
		back(w, "s-1-5")
		if w.seed().Stage != leyline.StageTerminated {
			t.Errorf("the slot is %s", w.seed().Stage)
		}
	})
	t.Run("a seed lives in it again", func(t *testing.T) {
		w := newWorld(t)
		w.open()
		w.steps(11)
		if !leyline.OnTrial(w.seed().Stage) {
			t.Fatalf("the seed is %s", w.seed().Stage)
		}
		ada := w.enrol("ada")
		ada.operates(leyline.OpCull)
		w.serve()
		due, _ := w.s.NextTimer()
		w.at = due.Due
		w.must(due)
		ada.operates(leyline.OpCancel)
		w.serve()
		back(w, "s-1-10")
		if s := w.seed(); s.Stage != leyline.StageEmbargoed || !s.Closed {
			t.Fatalf("the seed that came back is %+v", s)
		}
		due, _ = w.s.NextTimer()
		w.at = due.Due
		w.must(due)
		if w.seed().Stage != leyline.StageTerminated {
			t.Errorf("the slot is %s", w.seed().Stage)
		}
	})
	t.Run("a seed that was kept", func(t *testing.T) {
		w := newWorld(t)
		w.open()
		w.reach(leyline.StageFossilized)
		for w.run().Track.Step%5 != 1 {
			w.steps(1)
		}
		last := w.run().Snapshots[len(w.run().Snapshots)-1].ID
		w.enrol("ada").operates(leyline.OpCancel)
		w.serve()
		back(w, string(last))
		if w.seed().Stage != leyline.StageTerminated || w.seed().Alpha != 1 {
			t.Errorf("the seed is %+v", w.seed())
		}
	})
}

func TestPendingKernelIsNoReasonToCull(t *testing.T) {
	w := newWorld(t)
	w.open()
	for w.seed().Kernel.Request.IsZero() {
		w.must(w.report())
	}
	for len(w.s.Kasmina.Pending) > 0 {
		w.must(leyline.CommandAcked{Run: "run-1", Incarnation: w.inc, Command: w.s.Kasmina.Pending[0].Command, Outcome: leyline.OutcomeOK})
	}
	for op, want := range map[leyline.SeedOperation]leyline.RejectReason{
		leyline.OpStartTraining: leyline.RejectKernelPending, leyline.OpStartGrafting: leyline.RejectWrongStage, leyline.OpStabilize: leyline.RejectWrongStage,
		leyline.OpEvaluate: leyline.RejectWrongStage, leyline.OpFossilize: leyline.RejectWrongStage, leyline.OpFineTune: leyline.RejectWrongStage,
		leyline.OpGerminate: leyline.RejectWrongStage,
	} {
		if r := w.command(leyline.SeedCommand{Operation: op, Seed: "seed-a"}); r != want {
			t.Errorf("%s is rejected as %s, want %s", op, r, want)
		}
		if w.seed().Stage != leyline.StageGerminated || w.seed().Kernel.Request.IsZero() {
			t.Fatalf("%s left the seed %+v", op, w.seed())
		}
	}
}

// TestLiveSeedIsNotGerminatedAgain (O-K-40), whatever stage it is in.
func TestLiveSeedIsNotGerminatedAgain(t *testing.T) {
	for _, s := range []leyline.Stage{
		leyline.StageTraining, leyline.StageBlending, leyline.StageShadowing, leyline.StageProbationary, leyline.StageFossilized,
	} {
		w := newWorld(t)
		w.open()
		w.reach(s)
		before := *w.seed()
		if r := w.command(germinate()); r != leyline.RejectWrongStage {
			t.Errorf("germinating a %s seed is rejected as %s", s, r)
		}
		if d := cmp.Diff(before, *w.seed()); d != "" {
			t.Errorf("a %s seed has changed:\n%s", s, d)
		}
	}
}
