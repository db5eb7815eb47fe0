package tamiyo

import (
	"math"

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
		Asked: a.asked, TookMs: float64(a.took) / 1e6, Stale: a.stale,
		LossRise: k.LossEWMA.Mean - p.Window.Loss, NoLast: p.Window.Step == 0, Samples: k.LossEWMA.N,
		Volatility: math.Sqrt(k.LossEWMA.Var), Conflict: k.ConflictEWMA.Mean,
		GradVariance: relative(k.GradEWMA), GradSamples: k.GradEWMA.N,
		HasRate: len(run.Plan.Groups) > 0, Seen: a.seen,
		Fallback: fellBack(run, p.Window.Step, do.seed.Seed),
	}
	if do.kind == leyline.CommandSeed {
		f.Blueprint = known(s, kind(s, run.ID, do.seed))
	}
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

// fellBack reports whether the trainer has given up compiled code of the run, or of
// the seed that a proposal is about, since the last window.
func fellBack(run *projections.Run, last leyline.Step, seed leyline.SeedID) bool {
	b := run.Fallback
	recent := b.Stage != leyline.FallbackUnspecified && b.Step > last && b.Step <= run.Track.Step
	return recent && (b.Seed == "" || b.Seed == seed)
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
	b := s.Plane.Blueprint(id)
	if b == nil {
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
