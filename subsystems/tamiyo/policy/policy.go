// Package policy holds the rules policy: from the state of a run's seeds to the
// next operation worth proposing. Pure; it knows nothing about risk.
package policy

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// Choice is what the policy would do. Operation is unset when it would do
// nothing; Reason then says why.
type Choice struct {
	Command leyline.SeedCommand
	Why     string // one sentence for people
	Reason  leyline.RiskReason
}

// Next looks at the seeds in slot order and returns the first operation that
// one of them is ready for. One seed is raised at a time: a slot germinates
// only when no other slot is between GERMINATED and BLENDING.
func Next(c *leyline.TamiyoConfig, plan *leyline.RunOpened, seeds []projections.Seed, blueprints []leyline.BlueprintRegistered) Choice {
	busy := false
	reason := leyline.RiskNothingToDo
	for i := range seeds {
		s := &seeds[i]
		busy = busy || inProgress(s.Stage)
		choice := ready(c, s)
		if choice.Command.Operation != leyline.OpUnknown {
			return choice
		}
		if choice.Reason != leyline.RiskNone {
			reason = choice.Reason
		}
	}
	if busy {
		return Choice{Reason: reason}
	}
	return germinate(plan, seeds, blueprints)
}

func inProgress(s leyline.Stage) bool {
	return s == leyline.StageGerminated || s == leyline.StageTraining || s == leyline.StageBlending
}

// ready returns the next operation of a living seed.
func ready(c *leyline.TamiyoConfig, s *projections.Seed) Choice {
	switch s.Stage {
	case leyline.StageGerminated:
		if !s.Kernel.Ready {
			return Choice{Reason: leyline.RiskKernelPending}
		}
		return Choice{
			Command: leyline.SeedCommand{Operation: leyline.OpStartTraining, Seed: s.ID},
			Why:     "its kernel is verified",
		}
	case leyline.StageTraining:
		if s.Isolation.Steps < c.TrainSteps {
			return Choice{}
		}
		return Choice{
			Command: leyline.SeedCommand{
				Operation: leyline.OpStartGrafting, Seed: s.ID,
				Blend: leyline.BlendPlan{
					Mode: leyline.BlendResidual, TotalSteps: c.BlendSteps, Temperature: c.BlendTemperature,
				},
			},
			Why: fmt.Sprintf("it has trained %d steps beside the host", s.Isolation.Steps),
		}
	case leyline.StageBlending:
		if s.Complete {
			return Choice{
				Command: leyline.SeedCommand{Operation: leyline.OpStabilize, Seed: s.ID},
				Why:     "its alpha schedule has ended",
			}
		}
	}
	return Choice{}
}

// germinate fills the first empty slot with the blueprint of the lowest risk
// that is not in quarantine.
func germinate(plan *leyline.RunOpened, seeds []projections.Seed, blueprints []leyline.BlueprintRegistered) Choice {
	best := -1
	for i := range blueprints {
		if !blueprints[i].Quarantine && (best < 0 || blueprints[i].Risk < blueprints[best].Risk) {
			best = i
		}
	}
	if best < 0 || len(plan.Layers) == 0 {
		return Choice{Reason: leyline.RiskNothingToDo}
	}
	for i := range seeds {
		if seeds[i].Stage != leyline.StageDormant {
			continue
		}
		return Choice{
			Command: leyline.SeedCommand{
				Operation: leyline.OpGerminate, Seed: seeds[i].ID, Blueprint: blueprints[best].Blueprint, Mesh: plan.Layers,
			},
			Why: "the slot is empty and training is past its warm-up",
		}
	}
	return Choice{Reason: leyline.RiskNothingToDo}
}
