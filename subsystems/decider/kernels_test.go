package decider_test

import (
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/leylinetest"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/effect"
)

// enforced makes the embargo short and enforces the latency budget.
func enforced(c *leyline.ExecutionConfig) {
	c.Kasmina.Embargo, c.Kasmina.LatencyMode = 1, leyline.RuleEnforce
}

// arrives is the kernel that seed-a waits for.
func (w *world) arrives(took time.Duration) leyline.KernelReady {
	k := w.seed().Kernel
	return leyline.KernelReady{
		Request: k.Request, Run: "run-1", Seed: "seed-a", Digest: k.Digest, Guard: k.Guard, Bytes: 6,
		Origin: leyline.KernelFromStore, TookNs: uint64(took),
	}
}

func (w *world) fails() leyline.KernelFailed {
	return leyline.KernelFailed{
		Request: w.seed().Kernel.Request, Run: "run-1", Seed: "seed-a", Outcome: leyline.OutcomeFailed, Reason: "gone",
		Kind: leyline.RefusalMissingKernel,
	}
}

// answer does what the trainer would do with commands.
func (w *world) answer() {
	w.t.Helper()
	for len(w.s.Kasmina.Pending) > 0 {
		w.must(leyline.CommandAcked{Run: "run-1", Incarnation: w.inc, Command: w.s.Kasmina.Pending[0].Command, Outcome: leyline.OutcomeOK})
	}
}

// plant has a seed germinated, up to the fetch of its kernel.
func (w *world) plant() leyline.RejectReason {
	w.t.Helper()
	r := w.command(germinate())
	last := w.last
	w.answer()
	w.last = last
	return r
}

func (w *world) uproot() {
	w.t.Helper()
	if r := w.command(leyline.SeedCommand{Operation: leyline.OpCull, Seed: "seed-a"}); r != leyline.RejectNone {
		w.t.Fatalf("the cull is rejected as %s", r)
	}
	last := w.last
	w.answer()
	w.last = last
}

// reopen lets the embargo pass.
func (w *world) reopen() {
	w.t.Helper()
	due, ok := w.s.NextTimer()
	if !ok || due.Timer != leyline.TimerEmbargo {
		w.t.Fatalf("the next timer is %+v", due)
	}
	w.at = max(w.at, due.Due)
	w.must(due)
}

func (w *world) breaker() projections.Breaker { return w.run().Breaker(leyline.BreakerKernel) }

// TestKernelBreaker opens the breaker with three kernels that cannot be had, each in
// another way, and closes it with two that can.
func TestKernelBreaker(t *testing.T) {
	w := quiet(t, enforced)
	for i, fail := range []func(){
		func() { w.must(w.fails()) },
		func() { w.must(w.arrives(11 * time.Millisecond)); w.uproot() },
		func() {
			due, _ := w.s.NextTimer()
			w.at = due.Due
			w.must(due)
		},
	} {
		if r := w.plant(); r != leyline.RejectNone {
			t.Fatalf("attempt %d is rejected as %s", i, r)
		}
		fail()
		if b := w.breaker(); b.Failures != uint32(i+1) {
			t.Fatalf("after failure %d: %+v", i+1, b)
		}
		w.reopen()
	}
	if b := w.breaker(); b.State != leyline.BreakerOpen {
		t.Fatalf("%+v", b)
	}
	if r := w.plant(); r != leyline.RejectBreaker || w.seed().Stage != leyline.StageDormant {
		t.Errorf("rejected as %s, the seed is %s", r, w.seed().Stage)
	}
	g := one[leyline.GateEvaluated](w, w.last)
	if g.Passed || g.Reason != "breaker_denied" || one[leyline.BreakerMoved](w, w.last).Action != leyline.BreakerDenied {
		t.Errorf("the refusal is told as %s: %+v", kinds(w.last), g)
	}
	w.at = w.breaker().Until
	for n := range uint32(2) {
		if r := w.plant(); r != leyline.RejectNone || w.breaker().State != leyline.BreakerHalfOpen {
			t.Fatalf("trial %d: rejected as %s, %+v", n, r, w.breaker())
		}
		w.must(w.arrives(time.Millisecond))
		if n == 0 {
			if e := one[leyline.BreakerMoved](w, w.last); e.Action != leyline.BreakerCount || e.Successes != 1 {
				t.Errorf("the first success is told as %+v", e)
			}
			w.uproot()
			w.reopen()
		}
	}
	if b := w.breaker(); b.State != leyline.BreakerClosed || b.Failures != 0 {
		t.Errorf("%+v", b)
	}
}

// TestHalfOpenLetsOneThrough: while it is not known what became of the trial, nothing
// else is fetched.
func TestHalfOpenLetsOneThrough(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) {
		c.Tamiyo.Enabled, c.Breaker.Failures, c.Kasmina.Embargo = false, 1, 1
	})
	p := plan()
	p.Seeds = []leyline.SeedID{"seed-a", "seed-b"}
	w.inc = one[leyline.RunStarted](w, w.must(p)).Incarnation
	w.plant()
	w.must(w.fails())
	w.reopen()
	w.at = w.breaker().Until
	if r := w.plant(); r != leyline.RejectNone {
		t.Fatalf("the trial is rejected as %s", r)
	}
	second := germinate()
	second.Seed = "seed-b"
	if r := w.command(second); r != leyline.RejectBreaker {
		t.Errorf("beside the trial: %s", r)
	}
	if e := one[leyline.BreakerMoved](w, w.last); e.Reason != leyline.BreakerOnTrial || e.To != leyline.BreakerHalfOpen {
		t.Errorf("%+v", e)
	}
}

// TestPolicyWaitsForTheBreaker: nothing is proposed that would be refused.
func TestPolicyWaitsForTheBreaker(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Breaker.Failures, c.Kasmina.Embargo = 1, 1 })
	w.open()
	for w.seed().Kernel.Request.IsZero() {
		w.must(w.report())
	}
	w.answer()
	w.must(w.fails())
	w.reopen()
	for range 8 {
		for _, e := range w.must(w.report()) {
			if x, ok := e.(leyline.CommandProposed); ok {
				t.Fatalf("proposed %+v", x.Seed)
			}
			if x, ok := e.(leyline.ActionNone); ok && x.Reason == leyline.RiskKernelBreaker {
				return
			}
		}
	}
	t.Error("nothing says why")
}

// TestGuardDigestIsChecked: the right bytes, built for something else.
func TestGuardDigestIsChecked(t *testing.T) {
	w := quiet(t)
	w.plant()
	x := w.arrives(1)
	x.Guard = digest("torch")
	e := one[leyline.PrefetchSettled](w, w.must(x))
	if e.Kind != leyline.RefusalKernelGuard || e.Outcome != leyline.OutcomeFailed || w.seed().Kernel.Ready {
		t.Errorf("%+v", e)
	}
}

// TestFetchesAreCancelled: whatever makes a fetch void closes it in the same record.
func TestFetchesAreCancelled(t *testing.T) {
	for name, c := range map[string]struct {
		reason string
		do     func(w *world) []leyline.Event
	}{
		"the seed is culled": {"seed_retired", func(w *world) []leyline.Event {
			w.uproot()
			return w.last
		}},
		"the run is closed": {"run_closed", func(w *world) []leyline.Event {
			return w.must(leyline.RunClosed{Run: "run-1", Incarnation: 1, Step: w.run().Track.Step, Outcome: leyline.OutcomeFailed, Reason: "no more"})
		}},
		"the run is rolled back": {"rewound", func(w *world) []leyline.Event {
			w.fault()
			w.must(w.rollback(leyline.PhasePrepare, digest("s-1-5")))
			return w.must(w.rollback(leyline.PhaseCommit, digest("s-1-5")))
		}},
		"the run is resumed": {"resumed", func(w *world) []leyline.Event {
			p := plan()
			p.Resume = true
			return w.must(p)
		}},
		"the plane stops": {"shutdown", func(w *world) []leyline.Event { return w.must(leyline.PlaneStopping{Boot: "b1"}) }},
	} {
		w := quiet(t)
		w.steps(6)
		w.plant()
		request := w.seed().Kernel.Request
		var e leyline.PrefetchSettled
		ev := c.do(w)
		for _, x := range ev {
			if s, ok := x.(leyline.PrefetchSettled); ok && s.Request == request {
				e = s
			}
		}
		if e.Outcome != leyline.OutcomeSuperseded || e.Reason != c.reason || e.Blueprint != "bp-1" {
			t.Errorf("%s: settled as %+v among %s", name, e, kinds(ev))
		}
		if len(w.s.Kasmina.Run("run-1").Void) != 0 || w.breaker().Failures != 0 {
			t.Errorf("%s: %+v, %+v", name, w.s.Kasmina.Run("run-1").Void, w.breaker())
		}
		for _, out := range effect.Outstanding(w.s) {
			if out.ID == request {
				t.Errorf("%s: still outstanding", name)
			}
		}
		if c.reason == "run_closed" {
			continue
		}
		late := leyline.KernelReady{Request: request, Run: "run-1", Seed: "seed-a", Digest: digest("kernel"), Bytes: 6, Origin: leyline.KernelFromStore}
		before := projections.DigestOf(w.s.Kasmina)
		if x := one[leyline.PrefetchLate](w, w.must(late)); x.Request != request || projections.DigestOf(w.s.Kasmina) != before {
			t.Errorf("%s: a late result: %+v", name, x)
		}
	}
}

// TestStoppedFetchesGoOn: what a shutdown has cancelled is asked for again when the
// plane starts; a shutdown with nothing to cancel says nothing.
func TestStoppedFetchesGoOn(t *testing.T) {
	w := quiet(t)
	if ev := w.must(leyline.PlaneStopping{Boot: "b1"}); len(ev) != 0 {
		t.Errorf("nothing to cancel: %s", kinds(ev))
	}
	w.plant()
	if e := one[leyline.PrefetchesCancelled](w, w.must(leyline.PlaneStopping{Boot: "b1"})); e.Requests != 1 || e.Runs != 1 {
		t.Errorf("%+v", e)
	}
	ev := w.must(leyline.PlaneStarted{Boot: "b2", Origin: "esper-test", AdminKey: w.admin.Public(), Decider: w.s.Plane.Decider, Clean: true})
	if e := one[leyline.PrefetchRequested](w, ev); e.Seed != "seed-a" || w.seed().Kernel.Request.IsZero() {
		t.Errorf("%+v", e)
	}
}

// TestParametersHaveBounds is about what a GERMINATE may set.
func TestParametersHaveBounds(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tamiyo.Enabled = false })
	bp := leylinetest.Blueprint("bp-2", []byte("k"))
	bp.Parameters = []leyline.ParameterBounds{{Name: "depth", Min: 1, Max: 4}, {Name: "rate", Min: 0, Max: 1}}
	w.must(bp)
	p := plan()
	p.Blueprints = append(p.Blueprints, "bp-2")
	w.inc = one[leyline.RunStarted](w, w.must(p)).Incarnation
	type values = []leyline.ParameterValue
	for _, c := range []struct {
		set  values
		want leyline.RejectReason
	}{
		{values{{Name: "depth", Value: 5}}, leyline.RejectParameter},
		{values{{Name: "depth", Value: 0.5}}, leyline.RejectParameter},
		{values{{Name: "width", Value: 1}}, leyline.RejectParameter},
		{values{{Name: "rate", Value: 1}, {Name: "depth", Value: 1}}, leyline.RejectParameter},
		{values{{Name: "rate", Value: 1}, {Name: "rate", Value: 1}}, leyline.RejectParameter},
		{values{{Name: "depth", Value: 4}, {Name: "rate", Value: 0}}, leyline.RejectNone},
	} {
		sc := germinate()
		sc.Blueprint, sc.Parameters = "bp-2", c.set
		if r := w.command(sc); r != c.want {
			t.Errorf("%v is rejected as %s, want %s", c.set, r, c.want)
		}
	}
}

// TestMeshMustCoverTheBlueprint: a kernel that reads a layer is not planted where the
// command leaves it out, and not in a run whose host has no such layer.
func TestMeshMustCoverTheBlueprint(t *testing.T) {
	w := quiet(t)
	sc := germinate()
	sc.Mesh = []string{"input"}
	if r := w.command(sc); r != leyline.RejectMissingMesh {
		t.Errorf("rejected as %s", r)
	}
	p := plan()
	p.Run, p.Layers = "run-2", []string{"input"}
	if r := w.refused(p); r.Kind != leyline.RefusalMisfit || r.Field != "blueprints[0]" {
		t.Errorf("%+v", r)
	}
	torch := leylinetest.Blueprint("bp-torch", []byte("t"))
	torch.Framework = "torch"
	w.must(torch)
	p.Layers, p.Blueprints = []string{"trunk"}, []leyline.BlueprintID{"bp-torch"}
	if r := w.refused(p); r.Kind != leyline.RefusalMisfit {
		t.Errorf("%+v", r)
	}
}

// TestWithdrawnBlueprint: nothing grows of it any more; what lives goes on.
func TestWithdrawnBlueprint(t *testing.T) {
	w := newWorld(t)
	w.open()
	for w.seed().Stage != leyline.StageTraining {
		w.steps(1)
	}
	withdraw := leyline.BlueprintWithdrawn{Blueprint: "bp-1", Reason: "it leaks"}
	one[leyline.BlueprintRetired](w, w.must(withdraw))
	w.steps(20)
	if s := w.seed().Stage; s == leyline.StageTraining || !leyline.OnTrial(s) {
		t.Errorf("the seed that lived is %s", s)
	}
	w.uproot()
	w.reopen()
	if r := w.plant(); r != leyline.RejectWithdrawn {
		t.Errorf("rejected as %s", r)
	}
	w.steps(10)
	if w.seed().Stage != leyline.StageDormant {
		t.Errorf("the policy has planted it again: %s", w.seed().Stage)
	}
	if r := w.refused(withdraw); r.Kind != leyline.RefusalWithdrawn {
		t.Errorf("%+v", r)
	}
	if r := w.refused(leyline.BlueprintWithdrawn{Blueprint: "bp-9", Reason: "x"}); r.Kind != leyline.RefusalUnknownBlueprint {
		t.Errorf("%+v", r)
	}
}

// TestCleanup: the command is carried out by the plane and closed by what it freed;
// the emergency level does not move.
func TestCleanup(t *testing.T) {
	w := quiet(t)
	in := w.enrol("ada").envelope(leyline.Command{
		Kind: leyline.CommandEmergency, Emergency: leyline.EmergencyCommand{Action: leyline.EmergencyCleanup, Reason: "memory is short"},
	})
	c, err := wire.DecodeCommand(in.Envelope.Payload)
	w.check(err)
	ev := w.must(in)
	one[leyline.CommandVerified](w, ev)
	if len(ev) != 1 || w.run().Emergency > leyline.EmergencyNotice {
		t.Errorf("it did more: %s, level %s", kinds(ev), w.run().Emergency)
	}
	out := effect.Outstanding(w.s)
	if len(out) != 1 || out[0].Kind != leyline.EffectClean || !effect.Idempotent(out[0].Kind) {
		t.Fatalf("outstanding: %+v", out)
	}
	x := leyline.CacheCleared{Run: "run-1", Effect: out[0].ID, Kernels: 2, Bytes: 12, Kept: 1}
	ev = w.must(x)
	if e := one[leyline.EmergencyCleaned](w, ev); e.Command != c.ID || e.Kernels != 2 || e.Bytes != 12 || e.Kept != 1 {
		t.Errorf("%+v", e)
	}
	if e := one[leyline.CommandSettled](w, ev); e.Outcome != leyline.OutcomeOK {
		t.Errorf("%+v", e)
	}
	if r := w.refused(x); r.Kind != leyline.RefusalUnknownRequest {
		t.Errorf("%+v", r)
	}
}

// TestCommandExpiresBeforeTheFirstStep: an operator's command that no trainer answers
// before its run has reported anything is closed like any other.
func TestCommandExpiresBeforeTheFirstStep(t *testing.T) {
	w := quiet(t, func(c *leyline.ExecutionConfig) { c.Kasmina.Embargo = 60_000 })
	if r := w.command(germinate()); r != leyline.RejectNone {
		t.Fatalf("rejected as %s", r)
	}
	w.must(w.fails())
	due, _ := w.s.NextTimer()
	if due.Timer != leyline.TimerCommand {
		t.Fatalf("the next timer is %+v", due)
	}
	w.at = due.Due
	ev := w.must(due)
	one[leyline.CommandExpired](w, ev)
	if e := one[leyline.ConservativeEntered](w, ev); e.Step != 0 || e.Reason != leyline.RiskCommandTimeout {
		t.Errorf("%+v", e)
	}
}
