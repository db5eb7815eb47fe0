package decider_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
)

// moves lists the stages that a seed went through.
func (w *world) moves() []string {
	var out []string
	for _, r := range w.log {
		for _, e := range r.Events {
			if m, ok := e.(leyline.SeedMoved); ok {
				out = append(out, m.To.String())
			}
		}
	}
	return out
}

func (w *world) gates() []string {
	var out []string
	for _, r := range w.log {
		for _, e := range r.Events {
			if g, ok := e.(leyline.GateEvaluated); ok {
				verdict := " passed"
				if !g.Passed {
					verdict = " failed " + g.Reason
				}
				out = append(out, g.Gate.String()+verdict)
			}
		}
	}
	return out
}

func TestSeedThatHelpsBecomesPermanent(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.steps(40)
	if d := cmp.Diff([]string{"DORMANT", "GERMINATED", "TRAINING", "BLENDING", "SHADOWING", "PROBATIONARY", "FOSSILIZED"}, w.moves()); d != "" {
		t.Errorf("stages:\n%s", d)
	}
	want := []string{
		"G0_SANITY passed", "G1_GRADIENT_HEALTH passed", "G2_STABILITY passed", "G3_INTERFACE passed",
		"G4_SYSTEM_IMPACT passed", "G4_SYSTEM_IMPACT passed",
	}
	if d := cmp.Diff(want, w.gates()); d != "" {
		t.Errorf("gates:\n%s", d)
	}
	var alphas []float64
	for _, r := range w.log {
		for _, e := range r.Events {
			if b, ok := e.(leyline.BlendStepped); ok {
				alphas = append(alphas, b.Alpha)
			}
		}
	}
	for i := 1; i < len(alphas); i++ {
		if alphas[i] < alphas[i-1] {
			t.Errorf("alpha falls from %v to %v", alphas[i-1], alphas[i])
		}
	}
	if len(alphas) != 8 || alphas[0] > 0.01 || alphas[7] != 1 {
		t.Errorf("alphas %v, want one at the start, six of the schedule and 1 at the end", alphas)
	}
	if w.s.Audit.Accepted != 6 || w.s.Audit.Applied != 6 || w.s.Audit.RejectedTotal() != 0 {
		t.Errorf("audit %+v", w.s.Audit)
	}
}

func TestGateFailureCullsAndEmbargoes(t *testing.T) {
	w := newWorld(t)
	w.open()
	for w.run().Track.Step < 30 && w.seed().Stage != leyline.StageEmbargoed {
		x := w.report()
		for i := range x.Seeds {
			x.Seeds[i].GradNorm = 0 // it never learns anything
		}
		w.must(x)
		w.serve()
	}
	if d := cmp.Diff([]string{"DORMANT", "GERMINATED", "TRAINING", "CULLED", "EMBARGOED"}, w.moves()); d != "" {
		t.Fatalf("stages:\n%s", d)
	}
	if g := w.gates(); g[len(g)-1] != "G2_STABILITY failed gradient_norm" {
		t.Errorf("gates %v", g)
	}
	germinate := leyline.SeedCommand{Operation: leyline.OpGerminate, Seed: "seed-a", Blueprint: "bp-1", Mesh: []string{"trunk"}}
	if r := w.command(germinate); r != leyline.RejectEmbargoed {
		t.Errorf("germination during the embargo is rejected as %s", r)
	}
	due, ok := w.s.NextTimer()
	if !ok || due.Timer != leyline.TimerEmbargo {
		t.Fatalf("the next timer is %+v", due)
	}
	w.at = due.Due
	w.must(due)
	if w.seed().Stage != leyline.StageDormant || w.seed().Blueprint != "" {
		t.Errorf("after the embargo the slot is %+v", w.seed())
	}
}

func TestLeakIsAViolation(t *testing.T) {
	w := newWorld(t)
	w.open()
	for w.seed().Stage != leyline.StageTraining {
		w.steps(1)
	}
	x := w.report()
	x.Seeds[0].Leak = 1e-3
	if e := one[leyline.IsolationAssessed](w, w.must(x)); !e.Violated {
		t.Errorf("a leak of 1e-3 was assessed as %+v", e)
	}
	w.steps(10)
	if w.seed().Stage == leyline.StageBlending {
		t.Error("a seed whose isolation was violated is blending")
	}
}

func TestMissingKernelCulls(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer func(w *world, k leyline.EffectID) leyline.Input
		reason string
	}{
		{"failed", func(w *world, k leyline.EffectID) leyline.Input {
			return leyline.KernelFailed{Request: k, Run: "run-1", Seed: "seed-a", Outcome: leyline.OutcomeFailed, Reason: "kernel_missing"}
		}, "kernel_missing"},
		{"wrong bytes", func(w *world, k leyline.EffectID) leyline.Input {
			return leyline.KernelReady{Request: k, Run: "run-1", Seed: "seed-a", Digest: digest("identity"), Origin: leyline.KernelFromStore}
		}, "kernel_digest_mismatch"},
		{"late", func(w *world, k leyline.EffectID) leyline.Input {
			due, _ := w.s.NextTimer()
			w.at = due.Due
			return due
		}, "prefetch_timeout"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.open()
			for w.seed().Kernel.Request.IsZero() {
				w.must(w.report())
			}
			ev := w.must(c.answer(w, w.seed().Kernel.Request))
			if e := one[leyline.PrefetchSettled](w, ev); e.Outcome == leyline.OutcomeOK || e.Reason != c.reason {
				t.Errorf("settled as %+v", e)
			}
			if w.seed().Stage != leyline.StageEmbargoed || w.seed().Kernel.Ready {
				t.Errorf("the seed is %s with kernel %+v", w.seed().Stage, w.seed().Kernel)
			}
			w.serve() // the trainer answers; only the kernel is missing
			for w.seed().Stage != leyline.StageDormant {
				due, _ := w.s.NextTimer()
				w.at = max(w.at, due.Due)
				w.must(due)
			}
			w.steps(4)
			if w.seed().Stage == leyline.StageDormant {
				t.Error("a kind of seed whose kernel could not be had is held to have failed")
			}
		})
	}
}

func TestFailedCommandCulls(t *testing.T) {
	w := newWorld(t)
	w.open()
	for len(w.s.Kasmina.Pending) == 0 || w.s.Kasmina.Pending[0].Seed.Operation != leyline.OpStartTraining {
		w.must(w.report())
		if p := w.s.Kasmina.Pending; len(p) > 0 && p[0].Seed.Operation == leyline.OpGerminate {
			w.serve()
		}
	}
	w.must(leyline.CommandAcked{Run: "run-1", Incarnation: 1, Command: w.s.Kasmina.Pending[0].Command, Outcome: leyline.OutcomeFailed, Reason: "no memory"})
	if w.seed().Stage != leyline.StageEmbargoed {
		t.Errorf("the seed is %s after the trainer could not carry out its command", w.seed().Stage)
	}
}

func TestUnansweredCommandExpires(t *testing.T) {
	w := newWorld(t)
	w.open()
	for len(w.s.Kasmina.Pending) == 0 {
		w.must(w.report())
	}
	k := w.seed().Kernel
	w.must(leyline.KernelReady{Request: k.Request, Run: "run-1", Seed: "seed-a", Digest: k.Digest, Guard: k.Guard, Origin: leyline.KernelFromStore})
	due, _ := w.s.NextTimer()
	w.at = due.Due
	if e := one[leyline.CommandExpired](w, w.must(due)); e.Outcome != leyline.OutcomeDeadline {
		t.Errorf("expired as %s", e.Outcome)
	}
	if w.s.Audit.Expired != 1 || len(w.s.Kasmina.Pending) != 0 {
		t.Errorf("audit %+v, %d pending", w.s.Audit, len(w.s.Kasmina.Pending))
	}
	if w.seed().Stage != leyline.StageEmbargoed {
		t.Errorf("the seed is %s although nobody knows what became of its command", w.seed().Stage)
	}
}

func TestConservativeModeIsLeftOnlyAfterHealthyWindows(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tamiyo.HealthyWindows = 3 })
	w.open()
	w.steps(11)
	w.fault()
	w.must(w.rollback(leyline.PhasePrepare, digest("s-1-10")))
	w.inc = one[leyline.RollbackFinished](w, w.must(w.rollback(leyline.PhaseCommit, digest("s-1-10")))).Incarnation
	var entered, left leyline.Step
	var quiet int
	for range 20 {
		ev := w.must(w.report())
		w.serve()
		if e, ok := first[leyline.ConservativeLeft](ev); ok {
			left = e.Step
		}
		if e, ok := first[leyline.RiskAssessed](ev); ok && left == 0 && e.Allowed() {
			t.Errorf("a proposal was allowed in conservative mode at step %d", e.Step)
		}
		if _, ok := first[leyline.ActionNone](ev); ok && left == 0 {
			quiet++
		}
	}
	entered = 11
	if left != 16 || quiet < 2 {
		t.Errorf("entered at %d, left at %d after %d quiet windows; want 3 windows of 2 steps", entered, left, quiet)
	}
}

func TestEmergencyIsClearedByAHealthyEpoch(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.steps(11)
	w.fault()
	w.must(w.rollback(leyline.PhasePrepare, digest("s-1-10")))
	w.inc = one[leyline.RollbackFinished](w, w.must(w.rollback(leyline.PhaseCommit, digest("s-1-10")))).Incarnation
	epoch := func() leyline.EpochObserved {
		return leyline.EpochObserved{Run: "run-1", Incarnation: w.inc, Step: w.run().Track.Step, Epoch: w.run().Track.Epoch + 1, Losses: []float64{1, 1}, Accuracies: []float64{0.5, 0.5}, Samples: 10}
	}
	if _, ok := first[leyline.EmergencyCleared](w.must(epoch())); ok {
		t.Error("cleared before any healthy step")
	}
	w.steps(1)
	if e := one[leyline.EmergencyCleared](w, w.must(epoch())); e.To != leyline.EmergencyNotice {
		t.Errorf("cleared to %s", e.To)
	}
}

// command feeds a command of Tamiyo's and returns the reason of its rejection.
func (w *world) command(c leyline.SeedCommand) leyline.RejectReason {
	w.t.Helper()
	w.at = w.at.Add(time.Millisecond)
	ev := w.must(w.received(w.valid(c)))
	if e, ok := first[leyline.CommandRejected](ev); ok {
		return e.Reason
	}
	one[leyline.CommandVerified](w, ev)
	return leyline.RejectNone
}

// valid is a fresh command that passes the verifier.
func (w *world) valid(c leyline.SeedCommand) leyline.Command {
	high := w.s.Kasmina.High(w.tamiyo.KeyID()) + 1
	return leyline.Command{
		Issuer: "tamiyo", Audience: leyline.Audience{Origin: "esper-test", Run: "run-1"},
		ID: leyline.CommandID("test-" + w.at.String()), Sequence: high, IssuedAt: w.at, Kind: leyline.CommandSeed, Seed: c,
	}
}
