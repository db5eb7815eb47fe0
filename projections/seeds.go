package projections

import (
	"slices"

	"github.com/esper-plane/esper/leyline"
)

func (k *Kasmina) applySeed(id leyline.EffectID, e leyline.Event) {
	switch x := e.(type) {
	case leyline.SeedMoved:
		k.update(x.Run, x.Seed, func(s *Seed) { s.move(x) })
		k.tried(x)
	case leyline.BlendConfigured:
		k.update(x.Run, x.Seed, func(s *Seed) {
			s.Plan, s.AlphaStep, s.Alpha, s.Complete, s.LossBefore = x.Plan, 0, 0, false, x.Loss
		})
	case leyline.BlendStepped:
		k.update(x.Run, x.Seed, func(s *Seed) {
			s.AlphaStep, s.Alpha, s.Complete = x.AlphaStep, x.Alpha, x.Complete
		})
	case leyline.IsolationAssessed:
		k.update(x.Run, x.Seed, func(s *Seed) {
			s.Isolation = Isolation{
				Steps: x.Steps, GradNorm: x.GradNorm, MaxLeak: x.MaxLeak,
				Violated: s.Isolation.Violated || x.Violated, Quality: x.Quality, Reported: x.Reported,
			}
			s.Violations, s.Health = x.Violations, x.Health
		})
		if slots := k.Run(x.Run); slots != nil {
			slots.Violations = x.RunViolations
		}
	case leyline.ContributionMeasured:
		k.update(x.Run, x.Seed, func(s *Seed) {
			s.Contribution = Contribution{Probes: x.Probes, Accuracy: x.MeanAccuracy, Loss: x.MeanLoss, Due: x.Next}
		})
	case leyline.SeedPaused:
		k.update(x.Run, x.Seed, func(s *Seed) { s.Paused, s.PausedBy, s.PausedAt = true, x.By, x.Step })
	case leyline.SeedResumed:
		k.update(x.Run, x.Seed, func(s *Seed) { s.unpause() })
	case leyline.CompileFellBack:
		k.update(x.Run, x.Seed, func(s *Seed) { s.Fallbacks = x.Count })
	case leyline.PrefetchRequested:
		k.update(x.Run, x.Seed, func(s *Seed) {
			s.Kernel = Kernel{Request: id, Name: x.Kernel, Digest: x.Digest, Deadline: x.Deadline, Guard: x.Guard, Bytes: x.Bytes}
		})
	case leyline.PrefetchSettled:
		k.settled(x)
	}
}

// settled closes a fetch: that of a seed, or one whose seed was rewound.
func (k *Kasmina) settled(x leyline.PrefetchSettled) {
	slots := k.Run(x.Run)
	if slots == nil {
		return
	}
	slots.Void = slices.DeleteFunc(slots.Void, func(v VoidFetch) bool { return v.Request == x.Request })
	if s := slots.Seed(x.Seed); s != nil && s.Kernel.Request == x.Request {
		s.Kernel.Request = leyline.EffectID{}
		s.Kernel.Ready = x.Outcome == leyline.OutcomeOK
		s.Kernel.TookNs = x.TookNs
	}
}

func (k *Kasmina) update(run leyline.RunID, seed leyline.SeedID, change func(*Seed)) {
	if s := k.Seed(run, seed); s != nil {
		change(s)
	}
}

// move enters a stage. A slot that becomes empty again keeps only its id; what
// was measured belongs to the stage in which it was measured.
func (s *Seed) move(x leyline.SeedMoved) {
	s.Stage, s.Since, s.Until, s.UntilStep = x.To, x.Step, x.Until, x.UntilStep
	s.Isolation, s.Contribution = Isolation{}, Contribution{Due: x.ProbeFrom}
	switch x.To {
	case leyline.StageDormant:
		*s = Seed{ID: s.ID, Stage: x.To, Since: x.Step, Closed: s.Closed}
	case leyline.StageGerminated:
		s.Blueprint, s.Mesh, s.Born, s.Health = x.Blueprint, x.Mesh, x.Step, leyline.SeedHealthy
	case leyline.StageTraining:
		s.unblend()
	case leyline.StageCulled:
		s.Kernel, s.Parameters = Kernel{}, nil
		s.unpause()
		s.unblend()
	case leyline.StageTerminated:
		s.Closed = true
	}
}

func (s *Seed) unpause() { s.Paused, s.PausedBy, s.PausedAt = false, leyline.PartyUnspecified, 0 }

// unblend takes a seed out of its host's output.
func (s *Seed) unblend() {
	s.Plan, s.AlphaStep, s.Alpha, s.Complete, s.LossBefore = leyline.BlendPlan{}, 0, 0, false, 0
}

// tried counts what became of a kind of seed. A cull before TRAINING says
// nothing about the kind: it never got its chance.
func (k *Kasmina) tried(x leyline.SeedMoved) {
	slots := k.Run(x.Run)
	if slots == nil {
		return
	}
	t := slots.Trial(x.Blueprint)
	switch {
	case x.To == leyline.StageGerminated:
		t.Germinated++
	case x.To == leyline.StageFossilized:
		t.Fossilized++
	case x.To == leyline.StageCulled && x.From != leyline.StageGerminated:
		t.Culled++
	default:
		return
	}
	slots.Trials = put(slots.Trials, t, trialBlueprint)
}

func (k *Kasmina) applyMemo(e leyline.Event) {
	switch x := e.(type) {
	case leyline.SnapshotRegistered:
		if s := k.Run(x.Run); s != nil && !x.Further {
			s.Memos = append(s.Memos, SeedMemo{x.Snapshot, slices.Clone(s.Seeds), slices.Clone(s.Trials)})
		}
	case leyline.SnapshotEvicted:
		if s := k.Run(x.Run); s != nil && x.Gone {
			s.Memos = slices.DeleteFunc(s.Memos, func(m SeedMemo) bool { return m.Snapshot == x.Snapshot })
		}
	case leyline.RunResumed:
		k.rewind(x.Run, x.Snapshot)
	case leyline.RollbackFinished:
		if x.Outcome == leyline.OutcomeOK {
			k.rewind(x.Run, x.Snapshot)
		}
	}
}

// rewind returns the seeds of a run to a snapshot, or to empty slots when there
// is none. What was counted of a seed's compiled code and of its isolation is not
// rewound: the one would be given up and the other violated again. Nor is what an
// operator has closed, paused or resumed.
func (k *Kasmina) rewind(run leyline.RunID, id leyline.SnapshotID) {
	s := k.Run(run)
	if s == nil {
		return
	}
	now := slices.Clone(s.Seeds)
	defer func() { keep(s.Seeds, now) }()
	for i := range now {
		if d := &now[i]; !d.Kernel.Request.IsZero() {
			s.Void = append(s.Void, VoidFetch{Seed: d.ID, Blueprint: d.Blueprint, Request: d.Kernel.Request})
		}
	}
	for i := range s.Seeds {
		s.Seeds[i] = Seed{ID: s.Seeds[i].ID, Stage: leyline.StageDormant}
	}
	s.Trials = nil
	for _, m := range s.Memos {
		if m.Snapshot == id {
			s.Seeds, s.Trials = slices.Clone(m.Seeds), slices.Clone(m.Trials)
		}
	}
	for i := range s.Seeds { // a fetch of that time has ended since, or is void now
		s.Seeds[i].Kernel.Request = leyline.EffectID{}
	}
}

// keep carries over what a rollback does not undo: of a slot, and of a seed of the
// same kind in it.
func keep(seeds, now []Seed) {
	for i := range seeds {
		s := &seeds[i]
		s.Closed = s.Closed || now[i].Closed
		if s.Blueprint != "" && s.Blueprint == now[i].Blueprint {
			s.Fallbacks = max(s.Fallbacks, now[i].Fallbacks)
			s.Violations, s.Health = max(s.Violations, now[i].Violations), max(s.Health, now[i].Health)
			if leyline.OnTrial(now[i].Stage) || leyline.Grafted(now[i].Stage) {
				s.unpause()
				if now[i].Paused && leyline.OnTrial(s.Stage) {
					s.Paused, s.PausedBy, s.PausedAt = true, now[i].PausedBy, now[i].PausedAt
				}
			}
		}
	}
}
