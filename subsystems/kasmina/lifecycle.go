package kasmina

import (
	"fmt"
	"strings"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/kasmina/gates"
)

// asked checks an operation against the table of transitions: that it starts from
// the stage of the seed, and that whoever asks for it may.
func (d *dispatch) asked() (leyline.RejectReason, string) {
	op, stage := d.v.Command.Seed.Operation, d.seed.Stage
	from := leyline.StartsFrom(op)
	edge, starts := leyline.EdgeOf(op, stage)
	switch {
	case len(from) == 0:
		return leyline.RejectUnsupportedOperation, fmt.Sprintf("%s is no operation on a seed", op)
	case !starts && stage == leyline.StageEmbargoed && !leaves(op):
		return leyline.RejectEmbargoed, "the slot is closed until " + reopens(d.seed)
	case !starts:
		return leyline.RejectWrongStage, fmt.Sprintf("the seed is %s, %s starts from %s", stage, op, either(from))
	case !edge.MayAsk(leyline.PartyOf(d.v.Command.Issuer)):
		return leyline.RejectOperatorOnly, fmt.Sprintf("only an operator may %s a %s seed", op, stage)
	case d.seed.Paused && !leaves(op):
		return leyline.RejectPaused, "the seed is paused: resume it, or give it up"
	}
	return leyline.RejectNone, ""
}

// unanswered finds the command about a seed that the trainer has not answered.
func (d *dispatch) unanswered(seed leyline.SeedID) (leyline.RejectReason, string) {
	for _, p := range pending(d.State, d.id()) {
		if p.Concerns(seed) {
			return leyline.RejectCommandPending, fmt.Sprintf("command %s has not been answered", p.Command)
		}
	}
	return leyline.RejectNone, ""
}

// done accepts a command that the plane carries out in this record.
func (d *dispatch) done() {
	d.accept()
	d.Emit(leyline.CommandSettled{Run: d.id(), Command: d.v.Command.ID, Outcome: leyline.OutcomeOK})
}

// leaves reports whether an operation gives a seed up.
func leaves(op leyline.SeedOperation) bool { return op == leyline.OpCull || op == leyline.OpCancel }

func either(stages []leyline.Stage) string {
	names := make([]string, len(stages))
	for i, s := range stages {
		names[i] = s.String()
	}
	return strings.Join(names, " or ")
}

// reopens says when an embargo ends: at a time, or at a step of a lockstep run.
func reopens(s *projections.Seed) string {
	if s.Until == 0 {
		return fmt.Sprintf("step %d", s.UntilStep)
	}
	return s.Until.String()
}

// fineTune sends a seed back to training beside its host. What it has learned
// stays; how far it had blended in, and what was measured of it, starts anew.
func (d *dispatch) fineTune() {
	allowed := mayCompile(d.Turn, d.State.Tolaria.Run(d.id()))
	if d.pass(gates.GradientHealth(&d.Config().Kasmina, d.seed, allowed)) {
		move(d.Turn, d.id(), d.seed, leyline.StageTraining, d.cause())
	}
}

// leave gives up a seed that is on trial, ends the management of one that was
// kept, or closes an empty slot.
func (d *dispatch) leave() {
	d.accept()
	if leyline.OnTrial(d.seed.Stage) {
		cull(d.Turn, d.id(), d.seed, d.cause())
		return
	}
	move(d.Turn, d.id(), d.seed, leyline.StageTerminated, d.cause())
}

// started opens the slots of a new run.
func started(t *projections.Turn, run leyline.RunID) {
	slots := t.State.Kasmina.Run(run)
	for i := range slots.Seeds {
		move(t, run, &slots.Seeds[i], leyline.StageDormant, "run_opened")
	}
}

// shut keeps a slot closed that an operator has closed, although the run was
// rewound to before that, or the slot has become empty since.
func shut(t *projections.Turn, run leyline.RunID, s *projections.Seed) {
	if !s.Closed {
		return
	}
	cull(t, run, s, "slot_closed")
	if s.Stage != leyline.StageTerminated && leyline.MayMove(s.Stage, leyline.StageTerminated) {
		move(t, run, s, leyline.StageTerminated, "slot_closed")
	}
}
