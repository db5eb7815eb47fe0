package tamiyo

import (
	"math"
	"slices"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/tamiyo/risk"
)

// facts collects what the risk evaluators look at.
func facts(s *projections.State, run *projections.Run, p *projections.Policy, do *decision, a answer) risk.Facts {
	k := &run.Track
	f := risk.Facts{
		Kind: do.kind, Operation: do.seed.Operation, Lockstep: run.Plan.Lockstep,
		Conservative: p.Caution.Conservative, Healthy: p.Caution.Healthy,
		Asked: a.took > 0, TookMs: float64(a.took) / 1e6, BudgetMs: float64(a.budget) / 1e6, Stale: a.stale,
		LossRise: k.LossEWMA.Mean - p.Window.Loss, NoLast: p.Window.Step == 0, Samples: k.LossEWMA.N,
		Volatility: math.Sqrt(k.LossEWMA.Var), Conflict: k.ConflictEWMA.Mean,
		GradVariance: relative(k.GradEWMA), GradSamples: k.GradEWMA.N,
		HasRate: len(run.Plan.Groups) > 0, Seen: p.Seen,
		Fallback: p.Fallen.Run || slices.Contains(p.Fallen.Seeds, do.seed.Seed),
	}
	if do.chosen {
		r := &a.Weighed.Risk
		f.HasRisk, f.PolicyRisk, f.RiskIndex = r.Known, r.Score, r.Index
	}
	if do.kind == leyline.CommandSeed {
		f.Blueprint = known(s, kind(s, run.ID, do.seed))
	}
	f.Breakers = untrusted(s, run)
	seeds := s.Kasmina.Run(run.ID).Seeds
	for i := range seeds {
		if violates(&seeds[i]) {
			f.Violations++
		}
	}
	return f
}

// relative is a variance over the squared mean. A mean of 0 has no variance: a norm
// is never negative.
func relative(m leyline.Moments) float64 {
	if m.Mean == 0 {
		return 0
	}
	return m.Var / float64(m.Mean*m.Mean)
}

// violates reports whether a seed on trial reaches into its host. One that is paused
// has no part in the network.
func violates(s *projections.Seed) bool {
	return s.Isolation.Violated && !s.Paused && leyline.OnTrial(s.Stage)
}

// kind is the blueprint that a SEED command is about: that of the seed unless it is
// to germinate. To give a seed up is no risk of its kind.
func kind(s *projections.State, run leyline.RunID, c leyline.SeedCommand) leyline.BlueprintID {
	switch c.Operation {
	case leyline.OpGerminate:
		return c.Blueprint
	case leyline.OpCull, leyline.OpCancel:
		return ""
	}
	if seed := s.Kasmina.Seed(run, c.Seed); seed != nil {
		return seed.Blueprint
	}
	return ""
}

// known is what is known of a blueprint now, or nil.
func known(s *projections.State, id leyline.BlueprintID) *leyline.RiskSubject {
	b, ok := s.Plane.Facts(id)
	if !ok {
		return nil
	}
	return &leyline.RiskSubject{
		Blueprint: id, Tier: b.Tier, Stage: b.Stage, Risk: b.Risk, Quarantine: b.Quarantine,
		Band: b.Hazard.Band, Handling: b.Hazard.Handling, Resource: b.Hazard.Resource, Provenance: b.Hazard.Provenance,
		Score: b.Hazard.Score,
	}
}

// subject is what a proposal is about.
func subject(do *decision, b *leyline.RiskSubject) leyline.RiskSubject {
	var x leyline.RiskSubject
	if b != nil {
		x = *b
	}
	x.Seed = do.about()
	return x
}
