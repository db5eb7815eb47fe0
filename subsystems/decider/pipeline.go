package decider

import (
	"slices"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/guard"
	"github.com/esper-plane/esper/projections"
)

// pipes are what a pipelined trainer may have known of the seeds of its run; nil for
// a synchronous one.
func pipes(s *projections.State, r *projections.Run) []guard.Slot {
	slots := s.Kasmina.Run(r.ID)
	out := make([]guard.Slot, len(slots.Seeds))
	for i := range slots.Seeds {
		p := guard.Slot{Seed: slots.Seeds[i].ID, Absent: resuming(s, r.ID, slots.Seeds[i].ID)}
		for _, f := range slots.Faces(r, i) {
			if leyline.Grafted(f.Stage) {
				p.Alphas = append(p.Alphas, f.Alpha)
			}
			p.Absent = p.Absent || f.Paused || !leyline.Grafted(f.Stage)
		}
		out[i] = p
	}
	return out
}

// overtaken returns the rollback that made a step void before its report came; empty
// for any other input.
func overtaken(s *projections.State, in leyline.Input) leyline.RollbackID {
	x, step := in.(leyline.StepObserved)
	if !step {
		return ""
	}
	if r := s.Tolaria.Run(x.Run); r != nil {
		return r.Overtaken(x.Incarnation, x.Step)
	}
	return ""
}

// admitOvertaken judges a step that a rollback has made void: nothing of it counts, so
// only its form and its place do.
func admitOvertaken(f guard.Run, x leyline.StepObserved) *leyline.Refusal {
	return first(guard.Open(f, x.Run), guard.Once(f, x.Step), guard.Gradients(f, len(x.Losses), len(x.Gram)))
}

// present is a step without the figures of seeds that were run as an older answer
// said and that are something else by now, or are gone: they say nothing of what is
// there. Every other input, and every step of a synchronous trainer, is as it was.
func present(s *projections.State, in leyline.Input) leyline.Input {
	x, step := in.(leyline.StepObserved)
	if !step || len(x.Seeds) == 0 {
		return in
	}
	r := s.Tolaria.Run(x.Run)
	if r == nil || r.Plan.Lag == 0 {
		return in
	}
	slots := s.Kasmina.Run(r.ID)
	x.Seeds = slices.DeleteFunc(slices.Clone(x.Seeds), func(o leyline.SeedObserved) bool { return bygone(slots, r, &o) })
	return x
}

// bygone reports whether a seed is not any more what a step ran it as.
func bygone(slots *projections.Slots, r *projections.Run, o *leyline.SeedObserved) bool {
	place := slices.IndexFunc(slots.Seeds, func(s projections.Seed) bool { return s.ID == o.Seed })
	if place < 0 {
		return false // the guard refuses it
	}
	s := &slots.Seeds[place]
	switch {
	case !leyline.Grafted(s.Stage), s.Paused:
		return true
	case o.Failure != leyline.SeedFailureNone, o.Stage == s.Stage:
		return false
	}
	return slices.ContainsFunc(slots.Faces(r, place)[1:], func(f projections.Face) bool { return f.Stage == o.Stage })
}

// reported is the record in which a step was reported already.
func reported(s *projections.State, in leyline.Input) leyline.Seq {
	x, step := in.(leyline.StepObserved)
	if r := s.Tolaria.Run(x.Run); step && r != nil {
		return r.Repeats(x)
	}
	return 0
}
