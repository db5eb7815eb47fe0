package kasmina

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/kasmina/gates"
)

// pause decides a PAUSE command: it takes seeds on trial out of the network for the
// time being, with nothing in their place, or puts them back.
func (d *dispatch) pause() {
	c := &d.v.Command.Pause
	why, detail := d.pausable()
	var seeds []*projections.Seed
	if why == leyline.RejectNone {
		seeds, why, detail = d.meant()
	}
	switch {
	case why != leyline.RejectNone:
		d.reject(why, detail)
	case c.Action == leyline.PauseEnd:
		d.resume(seeds)
	default:
		d.accept()
		step := d.State.Tolaria.Run(d.id()).Track.Step
		for _, s := range seeds {
			d.Emit(leyline.SeedPaused{Run: d.id(), Seed: s.ID, Step: step, Cause: d.cause(), By: leyline.PartyOf(d.v.Command.Issuer)})
		}
	}
}

// pausable checks what does not depend on the seed. Whole runs are for operators;
// nothing goes on while the loss is anomalous.
func (d *dispatch) pausable() (leyline.RejectReason, string) {
	c := &d.v.Command
	if c.Pause.Scope == leyline.PauseRun && leyline.PartyOf(c.Issuer) == leyline.PartyPolicy {
		return leyline.RejectOperatorOnly, "only an operator may pause or resume every seed of a run"
	}
	if why, detail := d.steady(); why != leyline.RejectNone {
		return why, detail
	}
	if k := d.State.Tolaria.Run(d.id()).Track; k.Suspect > 0 && c.Pause.Action == leyline.PauseEnd {
		return leyline.RejectSuspect, fmt.Sprintf("the loss is anomalous since step %d", k.SuspectFrom)
	}
	return leyline.RejectNone, ""
}

// meant finds the seeds that a PAUSE command is about.
func (d *dispatch) meant() ([]*projections.Seed, leyline.RejectReason, string) {
	c, slots := &d.v.Command.Pause, d.State.Kasmina.Run(d.id())
	if c.Scope == leyline.PauseSeed {
		s := slots.Seed(c.Seed)
		if s == nil {
			return nil, leyline.RejectUnknownSeed, fmt.Sprintf("the run has no seed %q", c.Seed)
		}
		why, detail := d.fitting(s)
		return []*projections.Seed{s}, why, detail
	}
	var out []*projections.Seed
	for i := range slots.Seeds {
		s := &slots.Seeds[i]
		switch why, detail := d.fitting(s); why {
		case leyline.RejectNone:
			out = append(out, s)
		case leyline.RejectCommandPending, leyline.RejectKernelPending:
			return nil, why, fmt.Sprintf("seed %s: %s", s.ID, detail)
		}
	}
	if len(out) == 0 {
		return nil, leyline.RejectWrongStage, "no seed of the run can be told to " + c.Action.String()
	}
	return out, leyline.RejectNone, ""
}

// fitting checks whether a seed can be paused, or resumed. An operator takes over a pause
// of the policy by pausing the seed once more.
func (d *dispatch) fitting(s *projections.Seed) (leyline.RejectReason, string) {
	resume := d.v.Command.Pause.Action == leyline.PauseEnd
	switch {
	case !leyline.OnTrial(s.Stage):
		return leyline.RejectWrongStage, fmt.Sprintf("the seed is %s, only one on trial is paused", s.Stage)
	case resume && !s.Paused:
		return leyline.RejectNotPaused, "the seed is not paused"
	case resume && s.PausedBy == leyline.PartyOperator && leyline.PartyOf(d.v.Command.Issuer) == leyline.PartyPolicy:
		return leyline.RejectOperatorOnly, "an operator has paused the seed"
	case !resume && s.Paused && !(s.PausedBy == leyline.PartyPolicy && leyline.PartyOf(d.v.Command.Issuer) == leyline.PartyOperator):
		return leyline.RejectPaused, "the seed is paused already"
	case resume && !s.Kernel.Request.IsZero():
		return leyline.RejectKernelPending, "the kernel has not arrived"
	}
	return d.unanswered(s.ID)
}

// resume lets every seed pass gate G1 again. One that does not pass is culled; if
// none does, the command is rejected.
func (d *dispatch) resume(seeds []*projections.Seed) {
	run := d.State.Tolaria.Run(d.id())
	var fit, unfit []*projections.Seed
	var last gates.Verdict
	for _, s := range seeds {
		v := gates.Resumption(&d.Config().Kasmina, s, d.State.Plane.Blueprint(s.Blueprint), mayCompile(d.Turn, run))
		if judge(d.Turn, d.id(), s, v) {
			fit = append(fit, s)
		} else {
			unfit, last = append(unfit, s), v
		}
	}
	if len(fit) == 0 {
		d.reject(leyline.RejectGateFailed, fmt.Sprintf("%s: %s", last.Gate, last.Reason))
	} else {
		d.accept()
	}
	for _, s := range fit {
		d.Emit(leyline.SeedResumed{Run: d.id(), Seed: s.ID, Step: run.Track.Step, Blueprint: s.Blueprint, Cause: d.cause()})
	}
	for _, s := range unfit {
		cull(d.Turn, d.id(), s, last.Gate.String()+":"+last.Reason)
	}
}
