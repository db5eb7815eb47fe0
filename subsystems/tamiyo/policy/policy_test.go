package policy_test

import (
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/tamiyo/policy"
)

func TestNext(t *testing.T) {
	type seed = projections.Seed
	c := leyline.DefaultConfig().Tamiyo
	plan := leyline.RunOpened{Layers: []string{"trunk"}}
	blueprints := []leyline.BlueprintRegistered{{Blueprint: "risky", Risk: 0.4}, {Blueprint: "safe", Risk: 0.1}}
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
		{"still training", []seed{{ID: "a", Stage: leyline.StageTraining, Isolation: projections.Isolation{Steps: 59}}, {ID: "b", Stage: leyline.StageDormant}}, 0, "", leyline.RiskNothingToDo},
		{"trained", []seed{{ID: "a", Stage: leyline.StageTraining, Isolation: projections.Isolation{Steps: 60}}}, leyline.OpStartGrafting, "a", 0},
		{"blending", []seed{{ID: "a", Stage: leyline.StageBlending}}, 0, "", leyline.RiskNothingToDo},
		{"blended", []seed{{ID: "a", Stage: leyline.StageBlending, Complete: true}}, leyline.OpStabilize, "a", 0},
		{"one at a time", []seed{{ID: "a", Stage: leyline.StageShadowing}, {ID: "b", Stage: leyline.StageDormant}}, leyline.OpGerminate, "b", 0},
		{"embargo", []seed{{ID: "a", Stage: leyline.StageEmbargoed}}, 0, "", leyline.RiskNothingToDo},
	} {
		t.Run(x.name, func(t *testing.T) {
			got := policy.Next(&c, &plan, x.seeds, blueprints)
			if got.Command.Operation != x.op || got.Command.Seed != x.seed || got.Reason != x.why {
				t.Errorf("got %+v", got)
			}
		})
	}
	if got := policy.Next(&c, &plan, []seed{empty}, blueprints).Command; got.Blueprint != "safe" || len(got.Mesh) != 1 {
		t.Errorf("germinates %+v, want the blueprint of the lowest risk behind every layer", got)
	}
	banned := append([]leyline.BlueprintRegistered{{Blueprint: "banned", Quarantine: true}}, blueprints...)
	if got := policy.Next(&c, &plan, []seed{empty}, banned).Command; got.Blueprint != "safe" {
		t.Errorf("germinates %s, want the safest that is not in quarantine", got.Blueprint)
	}
	if got := policy.Next(&c, &plan, []seed{empty}, nil); got.Reason != leyline.RiskNothingToDo {
		t.Errorf("without blueprints: %+v", got)
	}
}
