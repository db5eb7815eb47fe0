package kasmina

import (
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/kasmina/prefetch"
)

// Decide emits Kasmina's events for an input that the guard admitted. It runs
// last, so it sees what Tolaria and Tamiyo decided about the same input.
func Decide(t *projections.Turn, in leyline.Input) {
	decide(t, in)
	if run := t.State.Tolaria.Run(leyline.RunOf(in)); run != nil && run.Status != leyline.RunStatusOpen {
		Closed(t, run.ID)
	}
}

func decide(t *projections.Turn, in leyline.Input) {
	switch x := in.(type) {
	case leyline.RunOpened:
		if x.Resume {
			rewound(t, x.Run, cancelResumed)
		} else {
			started(t, x.Run)
		}
	case leyline.StepObserved:
		observe(t, x)
	case leyline.SeedProbed:
		probed(t, x)
	case leyline.CommandReceived:
		receive(t, x)
	case leyline.CommandAcked:
		acked(t, x)
	case leyline.KernelReady:
		kernelReady(t, x)
	case leyline.KernelFailed:
		kernelFailed(t, x)
	case leyline.RollbackReported:
		if finishedNow(t) {
			rewound(t, x.Run, cancelRollback)
		}
	case leyline.TimerFired:
		timer(t, x)
	case leyline.CompileFallback:
		fellBack(t, x)
	case leyline.TeacherRegistered:
		teach(t, x.Run, x.Teacher)
	case leyline.TeacherDeregistered:
		forget(t, x.Run, "deregistered by "+x.Peer.String())
	case leyline.PlaneStarted:
		resumeFetches(t)
	case leyline.PlaneStopping:
		stop(t)
	case leyline.CacheCleared:
		cleaned(t, x)
	}
}

// finishedNow reports whether Tolaria rewound the run in this very record.
func finishedNow(t *projections.Turn) bool {
	for _, e := range t.Events() {
		if f, ok := e.(leyline.RollbackFinished); ok && f.Outcome == leyline.OutcomeOK {
			return true
		}
	}
	return false
}

// Closed voids what a run that has ended or was halted still waited for.
func Closed(t *projections.Turn, run leyline.RunID) {
	void(t, run)
	slots := t.State.Kasmina.Run(run)
	for i := range slots.Seeds {
		cancel(t, run, &slots.Seeds[i], cancelClosed)
	}
}

// rewound voids what was on its way to the network that no longer exists, closes
// again what an operator has closed, and asks again for kernels that the rewound
// seeds were waiting for.
func rewound(t *projections.Turn, run leyline.RunID, why string) {
	void(t, run)
	voided(t, run, why)
	slots := t.State.Kasmina.Run(run)
	for i := range slots.Seeds {
		shut(t, run, &slots.Seeds[i])
	}
	refetch(t, slots)
	untangle(t, run)
}

// void expires the commands that nobody will answer any more.
func void(t *projections.Turn, run leyline.RunID) {
	for _, p := range pending(t.State, run) {
		outcome := leyline.OutcomeSuperseded
		if p.Unknown {
			outcome = leyline.OutcomeUnknown
		}
		t.Emit(leyline.CommandExpired{Run: run, Command: p.Command, Outcome: outcome})
	}
}

func pending(s *projections.State, run leyline.RunID) []projections.PendingCommand {
	var out []projections.PendingCommand
	for _, p := range s.Kasmina.Pending {
		if p.Run == run {
			out = append(out, p)
		}
	}
	return out
}

func acked(t *projections.Turn, x leyline.CommandAcked) {
	p := *t.State.Kasmina.PendingCommand(x.Command)
	t.Emit(leyline.CommandSettled{
		Run: x.Run, Command: x.Command, Outcome: x.Outcome, Reason: x.Reason, TookNs: x.TookNs,
	})
	if x.Outcome != leyline.OutcomeOK {
		lose(t, p, "command_failed")
		return
	}
	s := t.State.Kasmina.Seed(x.Run, p.Seed.Seed)
	switch {
	case p.Seed.Operation == leyline.OpStartTraining && s.Stage == leyline.StageTraining:
		claim(t, x, s)
	case p.Seed.Operation == leyline.OpFossilize && s.Stage == leyline.StageProbationary:
		move(t, x.Run, s, leyline.StageFossilized, string(p.Command))
	}
}

// lose culls the seeds of a command that was not carried out, or of which nobody
// knows: the network may hold anything in their place.
func lose(t *projections.Turn, p projections.PendingCommand, cause string) {
	slots := t.State.Kasmina.Run(p.Run)
	for i := range slots.Seeds {
		if s := &slots.Seeds[i]; p.Concerns(s.ID) {
			cull(t, p.Run, s, cause)
		}
	}
}

func timer(t *projections.Turn, x leyline.TimerFired) {
	switch x.Timer {
	case leyline.TimerCommand:
		unanswered(t, x)
	case leyline.TimerPrefetch:
		settle(t, prefetch.Overdue(x.Run, t.State.Kasmina.Seed(x.Run, leyline.SeedID(x.Subject)), others(t, x.Run)))
	case leyline.TimerEmbargo:
		reset(t, x.Run, t.State.Kasmina.Seed(x.Run, leyline.SeedID(x.Subject)))
	}
}

// unanswered closes a command whose answer is overdue: the same as after a failure.
func unanswered(t *projections.Turn, x leyline.TimerFired) {
	p := *t.State.Kasmina.PendingCommand(leyline.CommandID(x.Subject))
	t.Emit(leyline.CommandExpired{Run: x.Run, Command: p.Command, Outcome: leyline.OutcomeDeadline})
	lose(t, p, "command_unanswered")
}
