package projections

import "github.com/esper-plane/esper/leyline"

// Face is what an answer tells a trainer of a seed.
type Face struct {
	Stage  leyline.Stage
	Alpha  float64
	Paused bool
}

// Was is a face that a seed had in answers up to a step.
type Was struct {
	Face  Face
	Until leyline.Step
}

// Shown is what the answers to a pipelined trainer have told of a seed lately.
type Shown struct {
	Now  Face
	Past []Was // oldest first; those that no step under way can have been run with are left out
}

// show notes what a pipelined trainer is told of its seeds from this record on. The
// trainer runs a step with what any of the last lag+1 answers said.
func (s *State) show() {
	for i := range s.Tolaria.Runs {
		r := &s.Tolaria.Runs[i]
		if r.Plan.Lag == 0 || r.Status != leyline.RunStatusOpen {
			continue
		}
		if slots := s.Kasmina.Run(r.ID); slots != nil {
			slots.show(r)
		}
	}
}

func (s *Slots) show(r *Run) {
	if s.ShownIn != r.Incarnation || len(s.Shown) != len(s.Seeds) { // the trainer has begun anew, with nothing under way
		s.ShownIn, s.ShownAt, s.Shown = r.Incarnation, r.Track.Step, make([]Shown, len(s.Seeds))
		for i := range s.Seeds {
			s.Shown[i].Now = s.Seeds[i].face()
		}
		return
	}
	for i := range s.Seeds {
		s.Shown[i].turn(s.Seeds[i].face(), s.ShownAt, r)
	}
	s.ShownAt = r.Track.Step
}

func (s *Seed) face() Face { return Face{Stage: s.Stage, Alpha: s.Alpha, Paused: s.Paused} }

// turn takes over a face; the one before was last told in the answer to a step.
func (s *Shown) turn(now Face, last leyline.Step, r *Run) {
	if now == s.Now {
		return
	}
	keep := s.Past[:0]
	for _, w := range s.Past {
		if r.within(w.Until) {
			keep = append(keep, w)
		}
	}
	s.Past = append(keep, Was{Face: s.Now, Until: last})
	s.Now = now
}

// within reports whether the step that comes next may have been run with what held
// until a step.
func (r *Run) within(until leyline.Step) bool { return until+leyline.Step(r.Plan.Lag) >= r.Track.Step }

// Faces are those with which a pipelined trainer may have run a seed in the step that
// comes next, the present one first. place is that of the seed in Seeds.
func (s *Slots) Faces(r *Run, place int) []Face {
	out := []Face{s.Seeds[place].face()}
	if place >= len(s.Shown) {
		return out
	}
	for _, w := range s.Shown[place].Past {
		if r.within(w.Until) {
			out = append(out, w.Face)
		}
	}
	return out
}

// Overtook is the last rollback of a run, for the steps that a pipelined trainer had on
// its way when it began.
type Overtook struct {
	Rollback    leyline.RollbackID
	Incarnation leyline.Incarnation // that it ended
	Reached     leyline.Step
	To          leyline.Step
}

// Overtaken returns the rollback that made a step of a pipelined trainer void before
// its report came; empty when none did. It is the one under way, or the last one while
// the run is at most lag steps beyond it. The step after the one that it was decided at
// is the first that is certain to be answered so, and lag more may be out by then.
func (r *Run) Overtaken(inc leyline.Incarnation, step leyline.Step) leyline.RollbackID {
	lag, b, o := leyline.Step(r.Plan.Lag), &r.Rollback, &r.Overtook
	switch {
	case lag == 0:
	case b.Active() && inc == r.Incarnation && step > b.Reached && step <= b.Reached+lag+1:
		return b.ID
	case inc == o.Incarnation && step > o.Reached && step <= o.Reached+lag+1 && r.Track.Step <= o.To+lag:
		return o.Rollback
	}
	return ""
}
