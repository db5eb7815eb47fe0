package workload

import (
	"context"
	"strings"
	"time"

	"github.com/esper-plane/esper/leyline"
)

// modeOf says what a seed of a stage does in this net. One that is observed at full
// alpha learns on with its host, as it would once it is kept: it would be measured as
// what it never is if it stood still while the host moves.
func modeOf(s leyline.Stage) Mode {
	if s == leyline.StageTraining {
		return ModeTraining
	}
	return ModeBlending
}

// enter brings a seed into a stage.
func (t *trainer) enter(slot string, s leyline.Stage) error {
	if err := t.net.SetMode(slot, modeOf(s)); err != nil {
		return err
	}
	t.stages[slot] = s
	return nil
}

// hold takes a seed out of the net for the time being, with nothing in its place, or
// lets it take part again in what its stage has it do.
func (t *trainer) hold(slot string, paused bool) error {
	if paused {
		return t.net.SetMode(slot, ModeIdle)
	}
	return t.net.SetMode(slot, modeOf(t.stages[slot]))
}

// give removes a seed, or ends the management of one that was kept: that one stays
// part of the net.
func (t *trainer) give(slot string) error {
	switch {
	case t.net.find(slot) == nil:
		return nil
	case t.stages[slot] == leyline.StageFossilized:
		return t.enter(slot, leyline.StageTerminated)
	}
	return t.remove(slot)
}

func (t *trainer) remove(slot string) error {
	delete(t.stages, slot)
	return t.net.Remove(slot)
}

// adopt takes the stages of the latest answer over: what the net holds is a
// snapshot now, and the plane knows what it was.
func (t *trainer) adopt() error {
	clear(t.stages)
	t.settleModules()
	for _, v := range t.answer.Seeds {
		slot := string(v.Seed)
		if t.net.find(slot) == nil || !leyline.Grafted(v.Stage) && v.Stage != leyline.StageTerminated {
			continue
		}
		if err := t.enter(slot, v.Stage); err != nil {
			return err
		}
		if err := t.hold(slot, v.Paused); err != nil {
			return err
		}
	}
	return nil
}

// overtaken goes on after a report that the plane refused because it had decided
// something about the network, at the word of an operator, that the trainer had not
// heard yet: the report is dropped, what was decided is carried out, and the same
// step is trained again. Every other error is returned as it is, and so is this one
// when there is nothing to hear.
func (t *trainer) overtaken(ctx context.Context, began time.Time, err error) error {
	r, refused := leyline.AsRefusal(err)
	switch {
	case !refused || t.answer.Run == "":
		return err
	case r.Kind == leyline.RefusalRollbackActive:
		return t.recover(ctx, began)
	case r.Kind != leyline.RefusalUnknownSeed && r.Kind != leyline.RefusalMissingSeed && !strings.HasPrefix(r.Field, "seed"):
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, haltWait)
	defer cancel()
	a, perr := t.plane.Directives(bounded, t.opts.Run, t.answer.Cursor)
	if perr != nil {
		return err
	}
	if herr := t.hear(a); herr != nil {
		return herr
	}
	return t.settle(ctx)
}
