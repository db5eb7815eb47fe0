package tamiyo

import (
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/tamiyo/policy"
	"github.com/esper-plane/esper/subsystems/tamiyo/risk"
)

// tell records what the policy made of the window, and returns what it may do: nothing
// when too little of what it is told was known. Of an answer that could not be used
// there is nothing to tell.
func tell(t *projections.Turn, run *projections.Run, c policy.Choice) policy.Choice {
	w := &c.Weighed
	if w.Open == 0 {
		return c
	}
	level, safe := risk.Degraded(&t.Config().Tamiyo, c.Coverage)
	t.Emit(leyline.PolicyWeighed{
		Run: run.ID, Step: run.Track.Step, Policy: c.Policy,
		Operation: c.Command.Operation, Seed: c.Command.Seed, Blueprint: c.Command.Blueprint, Reason: c.Reason,
		Open: w.Open, Masked: w.Masked, SeedIndex: uint32(w.Seed), KindIndex: uint32(w.Kind), SeedScore: w.SeedScore, KindScore: w.KindScore,
		Value: c.Output.Value, Risk: w.Risk, Blend: w.Blend, Start: w.Start, End: w.End, Swapped: w.Swapped,
		Candidates: c.Output.Candidates, Shadow: w.Shadow.Operation, Differs: w.Differs, Acted: w.Acted,
		Coverage: c.Coverage, Degraded: level, Norms: c.Norms, Marks: marks(t.State.Kasmina.Run(run.ID)),
	})
	if safe {
		return policy.Choice{Reason: leyline.RiskDegradedInputs}
	}
	return c
}

// marks are what the next window holds the seeds that train against. A loss that is no
// number is none.
func marks(slots *projections.Slots) []leyline.SeedMark {
	var out []leyline.SeedMark
	for i := range slots.Seeds {
		if s := &slots.Seeds[i]; s.Stage == leyline.StageTraining && s.Isolation.Steps > 0 && finite(s.Isolation.Quality.Loss) {
			out = append(out, leyline.SeedMark{Seed: s.ID, Loss: s.Isolation.Quality.Loss})
		}
	}
	return out
}

// metadata says how a proposal came about. Value and risk are those that the policy has
// given its choice; where it gave no risk, and where the proposal is Tamiyo's own, the
// risk of the blueprint stands.
func metadata(p *projections.Policy, step leyline.Step, why leyline.RiskReason, bp *leyline.RiskSubject, c policy.Choice, chosen bool) leyline.DecisionMetadata {
	d := leyline.DecisionMetadata{
		Policy: c.Policy.ID, Version: c.Policy.Version, Digest: c.Policy.Digest, Blend: c.Weighed.Blend,
		Reason: why, Conservative: p.Caution.Conservative, Asked: step,
	}
	if chosen {
		d.Scores = append(d.Scores, leyline.Score{Kind: leyline.ScoreValue, Value: c.Output.Value})
	}
	switch {
	case chosen && c.Weighed.Risk.Known:
		d.Scores = append(d.Scores, leyline.Score{Kind: leyline.ScoreRisk, Value: c.Weighed.Risk.Score})
		d.RiskIndex = c.Weighed.Risk.Index
	case bp != nil:
		d.Scores = append(d.Scores, leyline.Score{Kind: leyline.ScoreRisk, Value: bp.Risk})
	}
	d.Scores = append(d.Scores, leyline.Score{Kind: leyline.ScoreCoverage, Value: min(c.Coverage.Mean, 1)})
	d.Coverage = c.Coverage.Groups
	return d
}
