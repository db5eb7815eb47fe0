package replay

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
)

// window is a record that ends a window in which the loss has risen.
func window(effect leyline.RiskEffect, checks ...leyline.RiskCheck) leyline.Record {
	return leyline.Record{Seq: 9, Run: runID, Input: leyline.StepObserved{Run: runID, Step: 40}, Events: []leyline.Event{
		leyline.RiskAssessed{
			Run: runID, Step: 40, Kind: leyline.CommandSeed, Proposed: leyline.OpStartGrafting, Effect: effect, Reason: leyline.RiskLossSpike, Checks: checks,
			Subject: leyline.RiskSubject{Seed: seedID, Blueprint: "bp-1", Tier: leyline.BlueprintSafe, Risk: 0.1, Band: leyline.HazardLow,
				Handling: leyline.HandlingStandard, Provenance: leyline.ProvenanceCurated},
			Unmeasured: []leyline.RiskReason{leyline.RiskDevice},
		},
		leyline.CommandProposed{Run: runID, Step: 40, Kind: leyline.CommandPause, Why: "w", Pause: leyline.PauseCommand{Action: leyline.PauseStart, Seed: seedID}},
	}}
}

func TestWeighingFollowsTheOutcome(t *testing.T) {
	enforced := leyline.RuleEnforce
	w := WeighingOf(window(leyline.EffectConservative,
		leyline.RiskCheck{Evaluator: leyline.EvaluatorConservative, Reason: leyline.RiskConservative, OK: true, Mode: enforced, Effect: leyline.EffectHold},
		leyline.RiskCheck{Evaluator: leyline.EvaluatorBlueprint, Reason: leyline.RiskBlueprint, Mode: enforced, Effect: leyline.EffectSlow, Changed: true},
		leyline.RiskCheck{Evaluator: leyline.EvaluatorLoss, Reason: leyline.RiskLossSpike, Value: 0.5, Limit: 0.15, Mode: enforced, Effect: leyline.EffectConservative, Changed: true},
		leyline.RiskCheck{Evaluator: leyline.EvaluatorLatency, Reason: leyline.RiskHook, Mode: enforced, Effect: leyline.EffectPause, Changed: true},
		leyline.RiskCheck{Evaluator: leyline.EvaluatorOptimizer, Reason: leyline.RiskConflict, Mode: leyline.RuleShadow, Effect: leyline.EffectSlow},
	))
	var got []string
	for i := range w.Rows {
		got = append(got, w.Rows[i].Changed())
	}
	if d := cmp.Diff([]string{"", "none -> optimizer", "optimizer -> conservative", "the reason", "would have: optimizer"}, got); d != "" {
		t.Error(d)
	}
	if w.Proposed != "START_GRAFTING of seed seed-a" || w.Final != "PAUSE to pause seed seed-a" {
		t.Errorf("%q becomes %q", w.Proposed, w.Final)
	}
	if w := WeighingOf(leyline.Record{Events: []leyline.Event{leyline.ActionNone{}}}); w != nil {
		t.Errorf("%+v of a record without an assessment", w)
	}
}

// TestWhyDidItDoThat: a window is one screen, with every evaluator that looked, the
// mode before and after it, and the record of the signed command.
func TestWhyDidItDoThat(t *testing.T) {
	h := eventful(t)
	seq := h.proposed(leyline.OpStabilize)
	x := traced(t, h, seq)
	w := x.Weighed
	if w == nil || w.Command != seq+1 || !strings.Contains(w.Verdict, "is accepted") {
		t.Fatalf("weighed as %+v", w)
	}
	if w.Before.Conservative || w.After.Conservative || w.After.Healthy != w.Before.Healthy+1 {
		t.Errorf("before %+v, after %+v", w.Before, w.After)
	}
	text := x.String()
	for _, want := range []string{
		"\nweighed at the window of step ", "  proposed  STABILIZE of seed seed-a\n",
		"evaluator             check", "loss_metrics          loss_spike", "isolation_and_device  isolation_violation",
		"  outcome       none for policy\n", "  went out      STABILIZE of seed seed-a\n", "  conservative  before: off after ", "; after: off after ",
		"  not measured  [policy_timeout", "  signed        record ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	if n := strings.Count(text, "\n"); n > 55 {
		t.Errorf("%d lines are more than a screen", n)
	}
	if x := traced(t, h, seq+1); x.Weighed != nil {
		t.Errorf("a command was weighed: %+v", x.Weighed)
	}
}
