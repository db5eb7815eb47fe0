package policy_test

import (
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/tamiyo/policy"
)

type seed = projections.Seed

// question asks about seeds in a run that two of four blueprints fit.
func question(seeds ...seed) policy.Question {
	return policy.Question{
		Config: leyline.DefaultConfig(), Plan: leyline.RunOpened{
			Layers: []string{"trunk"}, Blueprints: []leyline.BlueprintID{"risky", "safe", "banned"},
		},
		Seeds: seeds,
		Blueprints: []leyline.BlueprintRegistered{
			{Blueprint: "alien", Risk: 0}, {Blueprint: "banned", Risk: 0, Quarantine: true},
			{Blueprint: "risky", Risk: 0.4}, {Blueprint: "safe", Risk: 0.1},
		},
	}
}

func measured(probes uint32, gain float64) projections.Contribution {
	return projections.Contribution{Probes: probes, Accuracy: gain}
}

func TestNext(t *testing.T) {
	empty := seed{ID: "a", Stage: leyline.StageDormant}
	for _, x := range []struct {
		name  string
		seeds []seed
		op    leyline.SeedOperation
		seed  leyline.SeedID
		why   leyline.RiskReason
	}{
		{"empty slot", []seed{empty}, leyline.OpGerminate, "a", 0},
		{"no slot", nil, 0, "", leyline.RiskNothingToDo},
		{"waiting for its kernel", []seed{{ID: "a", Stage: leyline.StageGerminated}}, 0, "", leyline.RiskKernelPending},
		{"kernel ready", []seed{{ID: "a", Stage: leyline.StageGerminated, Kernel: projections.Kernel{Ready: true}}}, leyline.OpStartTraining, "a", 0},
		{"still training", []seed{{ID: "a", Stage: leyline.StageTraining, Isolation: projections.Isolation{Steps: 59}}, {ID: "b", Stage: leyline.StageDormant}}, 0, "", leyline.RiskPolicyWaits},
		{"trained", []seed{{ID: "a", Stage: leyline.StageTraining, Isolation: projections.Isolation{Steps: 60}}}, leyline.OpStartGrafting, "a", 0},
		{"blending", []seed{{ID: "a", Stage: leyline.StageBlending}}, 0, "", leyline.RiskNothingToDo},
		{"blended", []seed{{ID: "a", Stage: leyline.StageBlending, Complete: true}}, leyline.OpStabilize, "a", 0},
		{"one on trial at a time", []seed{{ID: "a", Stage: leyline.StageShadowing}, {ID: "b", Stage: leyline.StageDormant}}, 0, "", leyline.RiskNothingToDo},
		{"shadowed", []seed{{ID: "a", Stage: leyline.StageShadowing, Isolation: projections.Isolation{Steps: 20}}}, leyline.OpEvaluate, "a", 0},
		{"never measured", []seed{{ID: "a", Stage: leyline.StageProbationary}}, 0, "", leyline.RiskNothingToDo},
		{"measured too rarely", []seed{{ID: "a", Stage: leyline.StageProbationary, Contribution: measured(2, 1)}}, 0, "", leyline.RiskPolicyWaits},
		{"helped", []seed{{ID: "a", Stage: leyline.StageProbationary, Contribution: measured(3, 0.01)}}, leyline.OpFossilize, "a", 0},
		{"did not help", []seed{{ID: "a", Stage: leyline.StageProbationary, Contribution: measured(3, 0.0099)}}, leyline.OpCull, "a", 0},
		{"kept: the next slot's turn", []seed{{ID: "a", Stage: leyline.StageFossilized}, {ID: "b", Stage: leyline.StageDormant}}, leyline.OpGerminate, "b", 0},
		{"paused", []seed{{ID: "a", Stage: leyline.StageGerminated, Kernel: projections.Kernel{Ready: true}, Paused: true}, {ID: "b", Stage: leyline.StageDormant}}, 0, "", leyline.RiskNothingToDo},
		{"embargo", []seed{{ID: "a", Stage: leyline.StageEmbargoed}}, 0, "", leyline.RiskNothingToDo},
	} {
		t.Run(x.name, func(t *testing.T) {
			got := policy.Next(question(x.seeds...))
			if got.Command.Operation != x.op || got.Command.Seed != x.seed || got.Reason != x.why {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// TestNothingGerminatesWhileTheBreakerIsOpen: what is on trial goes on.
func TestNothingGerminatesWhileTheBreakerIsOpen(t *testing.T) {
	q := question(seed{ID: "a", Stage: leyline.StageDormant})
	q.Barred = true
	if got := policy.Next(q); got.Command.Operation != leyline.OpUnknown || got.Reason != leyline.RiskKernelBreaker {
		t.Errorf("got %+v for %s", got.Command, got.Reason)
	}
	q.Seeds[0] = seed{ID: "a", Stage: leyline.StageBlending, Complete: true}
	if got := policy.Next(q); got.Command.Operation != leyline.OpStabilize {
		t.Errorf("got %+v for %s", got.Command, got.Reason)
	}
}

func TestGerminationChoosesAmongWhatFitsAndHasNotFailed(t *testing.T) {
	empty := seed{ID: "a", Stage: leyline.StageDormant}
	for _, x := range []struct {
		name   string
		trials []projections.Trial
		want   leyline.BlueprintID
	}{
		{"the lowest risk", nil, "safe"},
		{"the least tried", []projections.Trial{{Blueprint: "safe", Germinated: 1, Fossilized: 1}}, "risky"},
		{"not what failed", []projections.Trial{{Blueprint: "risky", Germinated: 1, Culled: 1}, {Blueprint: "safe", Germinated: 2}}, "safe"},
		{"nothing is left", []projections.Trial{{Blueprint: "risky", Culled: 1}, {Blueprint: "safe", Culled: 1}}, ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			q := question(empty)
			q.Trials = x.trials
			got := policy.Next(q)
			if got.Command.Blueprint != x.want {
				t.Errorf("germinates %q, want %q", got.Command.Blueprint, x.want)
			}
			if (x.want == "") != (got.Reason == leyline.RiskNothingToDo) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestVerdictSaysWhatWasMeasured(t *testing.T) {
	s := seed{ID: "a", Stage: leyline.StageProbationary, Contribution: measured(3, -0.004)}
	got := policy.Next(question(s))
	if got.Command.Reason == "" || !strings.Contains(got.Why, "-0.400 points") {
		t.Errorf("culls %+v", got)
	}
	q := question(s)
	q.Config.Kasmina.ContributionMode = leyline.RuleShadow
	if got := policy.Next(q); got.Command.Operation != leyline.OpFossilize {
		t.Errorf("with the contribution only watched: %+v", got)
	}
}
