// Package policy holds the rules policy: from the state of a run's seeds to the
// next operation worth proposing. Pure; it knows nothing about risk.
//
// One seed is on trial at a time, so that what is measured of it is its own
// doing: it is germinated, trained beside the host, blended in, run at full
// alpha, evaluated, and then kept or given up by what its probes measured. A
// kind of seed that failed in this run is not tried in it again.
package policy

import (
	"fmt"
	"slices"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/guard"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/breaker"
)

// Name names the policy and its version in what it decides.
const Name = "rules/1"

// Question is everything the rules look at.
type Question struct {
	Step       leyline.Step   // of the window
	Faulted    []leyline.Step // that had been reached when the run was rolled back
	Config     leyline.ExecutionConfig
	Plan       leyline.RunOpened
	Seeds      []projections.Seed // in slot order
	Trials     []projections.Trial
	Blueprints []leyline.BlueprintRegistered // that are not withdrawn
	Barred     bool                          // the breaker of kernels lets no fetch pass now
}

func barred(s *projections.State, r *projections.Run) bool {
	allowed, _, _ := breaker.Allow(r.Breaker(leyline.BreakerKernel), breaker.Now{Run: r.ID, At: s.At, Steps: r.Steps, Lockstep: r.Plan.Lockstep})
	return !allowed
}

// Ask is the question that the state puts for a run that it knows. It shares
// memory with the state; see Clone.
func Ask(s *projections.State, run leyline.RunID) Question {
	r, slots := s.Tolaria.Run(run), s.Kasmina.Run(run)
	return Question{
		Step: r.Track.Step, Faulted: r.Faulted, Config: s.Plane.Config, Plan: r.Plan, Seeds: slots.Seeds, Trials: slots.Trials,
		Blueprints: s.Plane.InUse(), Barred: barred(s, r),
	}
}

// Clone returns a question that the state can change under without harm.
func (q Question) Clone() Question {
	q.Faulted = slices.Clone(q.Faulted)
	q.Seeds, q.Trials, q.Blueprints = slices.Clone(q.Seeds), slices.Clone(q.Trials), slices.Clone(q.Blueprints)
	return q
}

func (q *Question) trial(id leyline.BlueprintID) projections.Trial {
	slots := projections.Slots{Trials: q.Trials}
	return slots.Trial(id)
}

// Choice is what the policy would do. Operation is unset when it would do
// nothing; Reason then says why.
type Choice struct {
	Command leyline.SeedCommand
	Why     string // one sentence for people
	Reason  leyline.RiskReason
}

// Next looks at the seeds in slot order and returns the first operation that
// one of them is ready for. A slot germinates only when no seed is on trial.
func Next(q Question) Choice {
	busy := false
	reason := leyline.RiskNothingToDo
	for i := range q.Seeds {
		s := &q.Seeds[i]
		busy = busy || leyline.OnTrial(s.Stage)
		choice := ready(&q.Config, s)
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
	if q.Barred {
		return Choice{Reason: leyline.RiskKernelBreaker}
	}
	return germinate(&q)
}

// ready returns the next operation of a seed on trial: none for one that is paused.
func ready(c *leyline.ExecutionConfig, s *projections.Seed) Choice {
	if s.Paused {
		return Choice{}
	}
	switch s.Stage {
	case leyline.StageGerminated:
		if !s.Kernel.Ready {
			return Choice{Reason: leyline.RiskKernelPending}
		}
		return propose(leyline.OpStartTraining, s, "its kernel is verified")
	case leyline.StageTraining:
		return graft(&c.Tamiyo, s)
	case leyline.StageBlending:
		if s.Complete {
			return propose(leyline.OpStabilize, s, "its alpha schedule has ended")
		}
	case leyline.StageShadowing:
		if s.Isolation.Steps >= c.Tamiyo.ShadowSteps {
			return propose(leyline.OpEvaluate, s, fmt.Sprintf("it has run %d steps at full alpha", s.Isolation.Steps))
		}
	case leyline.StageProbationary:
		if s.Contribution.Probes >= c.Tamiyo.Probes {
			return verdict(&c.Kasmina, s)
		}
	}
	return Choice{}
}

func propose(op leyline.SeedOperation, s *projections.Seed, why string) Choice {
	return Choice{Command: leyline.SeedCommand{Operation: op, Seed: s.ID}, Why: why}
}

func graft(c *leyline.TamiyoConfig, s *projections.Seed) Choice {
	if s.Isolation.Steps < c.TrainSteps {
		return Choice{}
	}
	p := propose(leyline.OpStartGrafting, s, fmt.Sprintf("it has trained %d steps beside the host", s.Isolation.Steps))
	p.Command.Blend = c.Plan()
	return p
}

// verdict keeps a seed that helped and gives up one that did not. Unless the
// contribution is enforced, every seed that got this far is kept.
func verdict(c *leyline.KasminaConfig, s *projections.Seed) Choice {
	m := s.Contribution
	measured := fmt.Sprintf("%d probes measured a gain of %.3f points of accuracy", m.Probes, 100*m.Accuracy)
	if m.Accuracy >= c.MinContribution || c.ContributionMode != leyline.RuleEnforce {
		return propose(leyline.OpFossilize, s, measured)
	}
	p := propose(leyline.OpCull, s, fmt.Sprintf("%s, less than the %.3f that a seed must add", measured, 100*c.MinContribution))
	p.Command.Reason = "it did not help"
	return p
}

// germinate fills the first empty slot. Among the blueprints that fit the host,
// are not in quarantine and have not failed in this run it takes the one that
// was germinated least, then the one of the lowest risk.
func germinate(q *Question) Choice {
	best, tried := -1, uint32(0)
	for i := range q.Blueprints {
		b := &q.Blueprints[i]
		t := q.trial(b.Blueprint)
		if t.Culled > 0 || guard.Blueprint(b, q.Plan.Blueprints, b.Blueprint) != nil {
			continue
		}
		if best < 0 || t.Germinated < tried || t.Germinated == tried && b.Risk < q.Blueprints[best].Risk {
			best, tried = i, t.Germinated
		}
	}
	if best < 0 || len(q.Plan.Layers) == 0 {
		return Choice{Reason: leyline.RiskNothingToDo}
	}
	for i := range q.Seeds {
		if q.Seeds[i].Stage != leyline.StageDormant {
			continue
		}
		return Choice{
			Command: leyline.SeedCommand{
				Operation: leyline.OpGerminate, Seed: q.Seeds[i].ID, Blueprint: q.Blueprints[best].Blueprint, Mesh: q.Plan.Layers,
			},
			Why: "the slot is empty, no seed is on trial and training is past its warm-up",
		}
	}
	return Choice{Reason: leyline.RiskNothingToDo}
}
