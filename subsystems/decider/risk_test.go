package decider_test

import (
	"testing"

	"github.com/esper-plane/esper/leyline"
)

// next is the report of a trainer that does what it is told: it leaves paused seeds
// out and acknowledges rates. change may alter it.
func (w *world) next(change ...func(*leyline.StepObserved)) []leyline.Event {
	w.t.Helper()
	x := w.obeyed()
	kept := x.Seeds[:0]
	for _, o := range x.Seeds {
		if !w.s.Kasmina.Seed("run-1", o.Seed).Paused {
			kept = append(kept, o)
		}
	}
	x.Seeds = kept
	for _, f := range change {
		f(&x)
	}
	ev := w.must(x)
	w.serve()
	return ev
}

// assessed trains until a window was weighed and returns the record.
func (w *world) assessed(change ...func(*leyline.StepObserved)) (leyline.RiskAssessed, []leyline.Event) {
	w.t.Helper()
	for range 20 {
		ev := w.next(change...)
		if e, ok := first[leyline.RiskAssessed](ev); ok {
			return e, ev
		}
	}
	w.t.Fatal("no window is weighed")
	return leyline.RiskAssessed{}, nil
}

// worse raises every loss.
func worse(by float64) func(*leyline.StepObserved) {
	return func(x *leyline.StepObserved) { x.Losses = []float64{1 + by, 0.5 + by} }
}

// agreed is a step whose tasks do not conflict.
func agreed(x *leyline.StepObserved) { x.Gram = []float64{2, 1, 1, 1} }

func proposals(w *world) []leyline.CommandProposed {
	var out []leyline.CommandProposed
	for _, r := range w.log {
		for _, e := range r.Events {
			if p, ok := e.(leyline.CommandProposed); ok {
				out = append(out, p)
			}
		}
	}
	return out
}

// TestSpikeBecomesAPauseAndIsTakenBack: the graft that was proposed becomes a pause of
// its seed with nothing of the graft in it (D-A24), the run goes conservative and
// stays so in that record (D-A9), and once training is well Tamiyo resumes what it has
// paused.
func TestSpikeBecomesAPauseAndIsTakenBack(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.until(leyline.StageTraining)
	for w.seed().Isolation.Steps < 6 {
		w.next()
	}
	e, ev := w.assessed(worse(2))
	if e.Proposed != leyline.OpStartGrafting || e.Kind != leyline.CommandSeed || e.Effect != leyline.EffectConservative || e.Reason != leyline.RiskLossSpike {
		t.Fatalf("assessed as %+v", e)
	}
	p := one[leyline.CommandProposed](w, ev)
	if p.Kind != leyline.CommandPause || p.Pause.Action != leyline.PauseStart || p.Pause.Seed != "seed-a" || p.Seed.Operation != leyline.OpUnknown {
		t.Errorf("proposes %+v", p)
	}
	if c := one[leyline.ConservativeEntered](w, ev); c.Reason != leyline.RiskLossSpike {
		t.Errorf("conservative for %s", c.Reason)
	}
	if _, left := first[leyline.ConservativeLeft](ev); left || !w.seed().Paused || w.seed().PausedBy != leyline.PartyPolicy {
		t.Errorf("left %v; the seed is %+v", left, w.seed())
	}
	for range 60 {
		if ev = w.next(); !w.seed().Paused {
			break
		}
	}
	if w.seed().Paused || w.s.Tamiyo.Run("run-1").Caution.Conservative {
		t.Fatalf("the seed is %+v", w.seed())
	}
	if p := one[leyline.CommandProposed](w, ev); p.Pause.Action != leyline.PauseEnd || p.Pause.Seed != "seed-a" {
		t.Errorf("resumed by %+v", p)
	}
	w.reach(leyline.StageFossilized)
}

// TestOperatorsPauseIsTheOperators: Tamiyo does not resume it, and could not.
func TestOperatorsPauseIsTheOperators(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.until(leyline.StageTraining)
	w.enrol("ada").want(leyline.RejectNone, paused(leyline.PauseStart, "seed-a"))
	w.serve()
	for range 30 {
		ev := w.next()
		if p, ok := first[leyline.CommandProposed](ev); ok {
			t.Fatalf("proposes %+v", p)
		}
	}
	c := paused(leyline.PauseEnd, "seed-a")
	c.Issuer, c.Audience = leyline.IssuerTamiyo, leyline.Audience{Origin: "esper-test", Run: "run-1"}
	c.ID, c.Sequence, c.IssuedAt = "its-own", w.s.Kasmina.High(w.tamiyo.KeyID())+1, w.at
	if e := one[leyline.CommandRejected](w, w.must(w.received(c))); e.Reason != leyline.RejectOperatorOnly || !w.seed().Paused {
		t.Errorf("rejected as %s, paused %v", e.Reason, w.seed().Paused)
	}
}

// TestLeakPausesTheSeedThatLeaks, also when nothing is proposed, and gives it up when
// it has stayed paused; it never comes back into the network.
func TestLeakPausesTheSeedThatLeaks(t *testing.T) {
	w := ready(t)
	w.leaking(0.5)
	for !w.seed().Paused {
		w.next()
	}
	p := proposals(w)
	if last := p[len(p)-1]; last.Kind != leyline.CommandPause || last.Pause.Seed != "seed-a" || last.Metadata.Reason != leyline.RiskIsolation {
		t.Fatalf("proposes %+v", last)
	}
	from := w.run().Track.Step
	for w.seed().Stage == leyline.StageTraining && w.run().Track.Step < from+40 {
		w.next()
	}
	p = proposals(w)
	last, windows := p[len(p)-1], uint64(w.run().Track.Step-from)/uint64(w.config.Tamiyo.WindowSteps)
	if last.Seed.Operation != leyline.OpCull || windows != uint64(w.config.Tamiyo.PauseWindows) || w.seed().Stage != leyline.StageEmbargoed {
		t.Errorf("after %d windows %+v; the seed is %s", windows, last, w.seed().Stage)
	}
}

// TestLeakOfAnOperatorsPause holds nothing up.
func TestLeakOfAnOperatorsPause(t *testing.T) {
	w := ready(t)
	w.leaking(0.5)
	w.enrol("ada").want(leyline.RejectNone, paused(leyline.PauseStart, "seed-a"))
	w.serve()
	for range 30 {
		e, ev := w.assessed()
		if p, ok := first[leyline.CommandProposed](ev); ok || e.Effect != leyline.EffectNone {
			t.Fatalf("%s for %s, proposes %+v", e.Effect, e.Reason, p)
		}
	}
}

// TestBlueprintInQuarantineStopsEverything (O-A-3, O-S-32): there is no seed to pause
// yet, so nothing goes out, and the trace tells tier, stage and risk.
func TestBlueprintInQuarantineStopsEverything(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tamiyo.BlueprintRisk, c.Tamiyo.BlueprintQuarantine = 0.01, 0.1 })
	w.open()
	e, ev := w.assessed()
	b := w.s.Plane.Blueprint("bp-1")
	if e.Effect != leyline.EffectConservative || e.Reason != leyline.RiskQuarantine || e.Subject.Tier != b.Tier || e.Subject.Stage != b.Stage || e.Subject.Risk != b.Risk {
		t.Errorf("assessed as %+v", e)
	}
	if n := one[leyline.ActionNone](w, ev); n.Reason != leyline.RiskQuarantine || len(proposals(w)) != 0 {
		t.Errorf("nothing for %s, %d commands", n.Reason, len(proposals(w)))
	}
	one[leyline.ConservativeEntered](w, ev)
	if _, left := first[leyline.ConservativeLeft](ev); left {
		t.Error("conservative mode is left in the record that entered it")
	}
}

// TestFallbackShowsInTamiyosReason: for one window; then the proposal goes out and it
// is for Kasmina's gate to stop the seed.
func TestFallbackShowsInTamiyosReason(t *testing.T) {
	w := newWorld(t)
	w.compiling()
	w.until(leyline.StageTraining)
	for w.seed().Isolation.Steps < 6 {
		w.next()
	}
	w.must(w.fallback("seed-a"))
	e, ev := w.assessed()
	if e.Proposed != leyline.OpStartGrafting || e.Effect != leyline.EffectHold || e.Reason != leyline.RiskFallback {
		t.Fatalf("%s of %s for %s", e.Effect, e.Proposed, e.Reason)
	}
	if n := one[leyline.ActionNone](w, ev); n.Reason != leyline.RiskFallback {
		t.Errorf("nothing for %s", n.Reason)
	}
	if e, _ = w.assessed(); e.Effect != leyline.EffectNone || e.Proposed != leyline.OpStartGrafting {
		t.Errorf("a window later: %s of %s for %s", e.Effect, e.Proposed, e.Reason)
	}
	if gates := w.gates(); gates[len(gates)-1] != "G2_STABILITY failed "+leyline.ReasonFallback || w.seed().Stage != leyline.StageEmbargoed {
		t.Errorf("gates %v, the seed is %s", gates, w.seed().Stage)
	}
}

// TestReadingsAreJudgedWhereTheyWereReported (D-T33): those of the step that ends the
// window, also when the policy answers later.
func TestReadingsAreJudgedWhereTheyWereReported(t *testing.T) {
	slow := func(c *leyline.ExecutionConfig) { c.Tamiyo.LatencyMode = leyline.RuleEnforce }
	hook := func(x *leyline.StepObserved) {
		x.Metrics.Readings = []leyline.Reading{{Metric: leyline.TrainMomentum, Value: 0.9}, {Metric: leyline.TrainHookMs, Value: 75}}
	}
	w := newWorld(t, slow)
	w.open()
	if e, _ := w.assessed(hook); e.Effect != leyline.EffectPause || e.Reason != leyline.RiskHook {
		t.Errorf("inline: %s for %s", e.Effect, e.Reason)
	}
	w = newWorld(t, slow, onWorker)
	w.open()
	for w.s.Tamiyo.Run("run-1").Asked.Effect.IsZero() {
		w.next(hook)
	}
	w.next() // a further step, which is fast
	e := one[leyline.RiskAssessed](w, w.must(w.honest(w.s.Tamiyo.Run("run-1").Asked.Effect)))
	if e.Effect != leyline.EffectPause || e.Reason != leyline.RiskHook {
		t.Errorf("on the worker: %s for %s", e.Effect, e.Reason)
	}
	w = newWorld(t, slow)
	p := plan()
	p.Lockstep = true
	w.inc = one[leyline.RunStarted](w, w.must(p)).Incarnation
	if e, _ := w.assessed(hook); e.Effect != leyline.EffectNone {
		t.Errorf("in lockstep: %s for %s", e.Effect, e.Reason)
	}
}
