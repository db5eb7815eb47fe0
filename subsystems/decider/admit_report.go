package decider

import (
	"fmt"
	"slices"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/guard"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/kasmina"
	"github.com/esper-plane/esper/subsystems/tamiyo"
	"github.com/esper-plane/esper/subsystems/tolaria"
)

func runFacts(s *projections.State, id leyline.RunID) guard.Run {
	r := s.Tolaria.Run(id)
	if r == nil {
		return guard.Run{}
	}
	f := guard.Run{
		Status: r.Status, Incarnation: r.Incarnation, Step: r.Track.Step, Tasks: len(r.Plan.Tasks),
		Rollback: r.Rollback.ID, Piped: r.Plan.Lag > 0,
	}
	if f.Piped {
		f.Slots = pipes(s, r)
	}
	for _, seed := range s.Kasmina.Run(id).Seeds {
		if !leyline.Grafted(seed.Stage) {
			continue
		}
		f.Grafted, f.Alphas = append(f.Grafted, seed.ID), append(f.Alphas, seed.Alpha)
		if seed.Paused || resuming(s, id, seed.ID) {
			f.Absent = append(f.Absent, seed.ID)
		}
	}
	return f
}

// resuming reports whether the trainer may not have heard yet that a seed is paused
// no more.
func resuming(s *projections.State, run leyline.RunID, seed leyline.SeedID) bool {
	return slices.ContainsFunc(s.Kasmina.Pending, func(p projections.PendingCommand) bool {
		return p.Run == run && p.Kind == leyline.CommandPause && p.Concerns(seed)
	})
}

// life is what every report of a trainer must pass.
func life(f guard.Run, id leyline.RunID, inc leyline.Incarnation) *leyline.Refusal {
	return first(guard.Open(f, id), guard.Life(f, inc))
}

// admitReport judges a report first by what is known of its run, then by the rest
// of the state. Only an open run has a rest: the order keeps a report of an
// unknown one from looking for it.
func admitReport(s *projections.State, in leyline.Input) *leyline.Refusal {
	f := runFacts(s, leyline.RunOf(in))
	f.Told = reported(s, in)
	if x, step := in.(leyline.StepObserved); step && overtaken(s, in) != "" {
		return admitOvertaken(f, x)
	}
	if r := admitFacts(f, in); r != nil {
		return r
	}
	return admitState(s, present(s, in))
}

func admitFacts(f guard.Run, in leyline.Input) *leyline.Refusal {
	switch x := in.(type) {
	case leyline.StepObserved:
		return admitStep(f, x)
	case leyline.EpochObserved:
		return first(life(f, x.Run, x.Incarnation), guard.Settled(f), guard.At(f, x.Step), guard.Tasks(f, len(x.Losses)))
	case leyline.SeedProbed:
		return first(life(f, x.Run, x.Incarnation), guard.Settled(f), guard.At(f, x.Step), guard.Tasks(f, len(x.Losses)))
	case leyline.PolicyAnswered:
		return guard.Open(f, x.Run)
	case leyline.PolicyFailed:
		return guard.Open(f, x.Run)
	case leyline.MetadataAnswered:
		return guard.Open(f, x.Run)
	case leyline.MetadataFailed:
		return guard.Open(f, x.Run)
	case leyline.RunClosed:
		return first(life(f, x.Run, x.Incarnation), guard.Settled(f), guard.At(f, x.Step))
	case leyline.SnapshotTaken:
		return first(life(f, x.Run, x.Incarnation), guard.Settled(f), guard.At(f, x.Step))
	case leyline.RollbackReported:
		return life(f, x.Run, x.Incarnation)
	case leyline.CommandAcked:
		return life(f, x.Run, x.Incarnation)
	case leyline.KernelReady:
		return guard.Open(f, x.Run)
	case leyline.KernelFailed:
		return guard.Open(f, x.Run)
	case leyline.ProfileReported:
		return life(f, x.Run, x.Incarnation) // also after a rollback to before its steps
	case leyline.CompileFallback:
		return first(life(f, x.Run, x.Incarnation), guard.Upto(f, x.Step)) // also while a rollback is under way
	case leyline.TeacherRegistered:
		return guard.Open(f, x.Run)
	case leyline.TeacherDeregistered:
		return guard.Open(f, x.Run)
	}
	return nil
}

func admitState(s *projections.State, in leyline.Input) *leyline.Refusal {
	switch x := in.(type) {
	case leyline.StepObserved:
		return first(tolaria.CheckWeights(s, &x), kasmina.CheckBlends(s, &x))
	case leyline.EpochObserved:
		return nextEpoch(s, x)
	case leyline.SeedProbed:
		return probeDue(s, x)
	case leyline.SnapshotTaken:
		return newSnapshot(s, x)
	case leyline.SnapshotLost:
		return thisCopy(s, x)
	case leyline.RollbackReported:
		return thisRollback(s, x)
	case leyline.CommandAcked:
		return first(pendingCommand(s, x), declared(s, x))
	case leyline.TeacherRegistered:
		return kasmina.CheckTeacher(s, x)
	case leyline.TeacherDeregistered:
		return thisTeacher(s, x)
	case leyline.KernelReady:
		return slot(s, x.Run, x.Seed)
	case leyline.KernelFailed:
		return slot(s, x.Run, x.Seed)
	case leyline.CacheCleared:
		return cleanup(s, x)
	case leyline.PolicyLoaded:
		return tamiyo.Awaited(s, x)
	case leyline.CompileFallback:
		return fellBack(s, x)
	case leyline.TimerFired:
		return dueTimer(s, x)
	case leyline.EmergencyDelivered:
		return knownRun(s, x.Run)
	case leyline.EmergencyUndelivered:
		return knownRun(s, x.Run)
	case leyline.ReportDelivered:
		return first(knownRun(s, x.Run), thisReport(s, x.Run, x.Report, x.Request))
	case leyline.ReportFailed:
		return first(knownRun(s, x.Run), thisReport(s, x.Run, x.Report, x.Request))
	}
	return nil
}

// thisReport admits what came of the attempt at a report that is under way.
func thisReport(s *projections.State, run leyline.RunID, id leyline.CommandID, req leyline.EffectID) *leyline.Refusal {
	if f := s.Tamiyo.Reports.Filed(id); f != nil && f.Run == run && f.Status == leyline.ReportSending && f.Effect == req {
		return nil
	}
	return refuse(leyline.RefusalUnknownRequest, "request", req.String(), "is no attempt under way at report "+string(id), "an attempt is answered once")
}

// fellBack admits a fallback of compiled code that the network really holds.
func fellBack(s *projections.State, x leyline.CompileFallback) *leyline.Refusal {
	if r := guard.Compiled(s.Tolaria.Run(x.Run).Plan.Posture); r != nil {
		return r
	}
	if x.Seed == "" || slices.Contains(runFacts(s, x.Run).Grafted, x.Seed) {
		return nil
	}
	return refuse(leyline.RefusalUnknownSeed, "seed", string(x.Seed), "is not grafted", "name a seed of the network, or none for the host")
}

func admitStep(f guard.Run, x leyline.StepObserved) *leyline.Refusal {
	r := first(life(f, x.Run, x.Incarnation), guard.Settled(f), guard.Order(f, x.Step),
		guard.Gradients(f, len(x.Losses), len(x.Gram)), guard.Seeds(f, x.Seeds), guard.Unapplied(f, x.Applied))
	if r != nil {
		return r
	}
	if err := tolaria.CheckGram(len(x.Losses), x.Gram); err != nil {
		return &leyline.Refusal{
			Subsystem: leyline.SubsystemTolaria, Kind: leyline.RefusalGradients, Field: "gram", Reason: err.Error(),
			Hint: "send inner products of the unscaled task gradients",
		}
	}
	return nil
}

func newSnapshot(s *projections.State, x leyline.SnapshotTaken) *leyline.Refusal {
	r := s.Tolaria.Run(x.Run)
	old := r.Snapshot(x.Snapshot)
	switch {
	case old != nil && old.Copy(x.Tier) != nil:
		return refuse(leyline.RefusalSnapshotExists, "snapshot", string(x.Snapshot), "is registered already", "give every snapshot its own id")
	case old != nil && (old.Step != x.Step || old.Incarnation != x.Incarnation || old.Bytes != x.Bytes || old.Digest != x.Digest):
		return refuse(leyline.RefusalSnapshotExists, "snapshot", string(x.Snapshot),
			fmt.Sprintf("is registered already with other bytes: step %d, %d bytes, digest %s", old.Step, old.Bytes, old.Digest.Short()),
			"copies of a snapshot in two tiers are the same bytes; give another snapshot its own id")
	case r.HasFile(x.Tier, x.File):
		return refuse(leyline.RefusalSnapshotExists, "file", x.File, "holds another registered snapshot", "write every snapshot to its own file")
	}
	return nil
}

// thisCopy admits a difference that is one: the registry still says what the plane
// held against the directory.
func thisCopy(s *projections.State, x leyline.SnapshotLost) *leyline.Refusal {
	r := s.Tolaria.Run(x.Run)
	if x.Snapshot == "" {
		if r == nil || !r.HasFile(x.Tier, x.File) {
			return nil
		}
		return refuse(leyline.RefusalSnapshotExists, "file", x.File, "holds a registered snapshot", "name the snapshot that was lost")
	}
	if r == nil {
		return guard.Open(guard.Run{}, x.Run)
	}
	if snap := r.Snapshot(x.Snapshot); snap != nil && snap.Copy(x.Tier) != nil {
		return nil
	}
	return refuse(leyline.RefusalUnknownSnapshot, "snapshot", string(x.Snapshot), "has no registered copy in that tier", "what is not registered cannot be lost")
}

func nextEpoch(s *projections.State, x leyline.EpochObserved) *leyline.Refusal {
	if last := s.Tolaria.Run(x.Run).Track.Epoch; x.Epoch <= last {
		return refuse(leyline.RefusalStepOrder, "epoch", fmt.Sprint(x.Epoch), fmt.Sprintf("is not after the last one, %d", last), "report every epoch once, in order")
	}
	return nil
}

// probeDue admits the measurements that were asked for, made at the alpha that
// was answered.
func probeDue(s *projections.State, x leyline.SeedProbed) *leyline.Refusal {
	seed := s.Kasmina.Seed(x.Run, x.Seed)
	switch {
	case s.Tolaria.Run(x.Run).Track.Suspect > 0:
		return refuse(leyline.RefusalInvalidField, "step", fmt.Sprint(x.Step), "has an anomalous loss, nothing is measured there", "probe the seeds that the answer to the step names")
	case seed == nil:
		return refuse(leyline.RefusalUnknownSeed, "seed", string(x.Seed), "is not a slot of the run", "name a seed of run.opened")
	case seed.Contribution.Due == 0 || x.Step < seed.Contribution.Due || seed.Paused:
		return refuse(leyline.RefusalInvalidField, "seed", string(x.Seed), "is not to be probed now", "probe the seeds that the answer to the step names")
	case x.Alpha != seed.Alpha:
		return refuse(leyline.RefusalInvalidField, "alpha", fmt.Sprint(x.Alpha), fmt.Sprintf("is not the alpha that was answered, %v", seed.Alpha), "set every seed's alpha from the latest answer")
	}
	return nil
}

func thisRollback(s *projections.State, x leyline.RollbackReported) *leyline.Refusal {
	b := s.Tolaria.Run(x.Run).Rollback
	switch {
	case b.ID != x.Rollback:
		return refuse(leyline.RefusalUnknownRollback, "rollback", string(x.Rollback), "is not under way", "report only the rollback of the directive")
	case b.Phase != x.Phase:
		return refuse(leyline.RefusalUnknownRollback, "phase", x.Phase.String(), fmt.Sprintf("is not the present one, %s", b.Phase), "report the phase that the directive asked for")
	case b.Tier != x.Tier:
		return refuse(leyline.RefusalUnknownRollback, "tier", x.Tier.String(), fmt.Sprintf("is not the present one, %s", b.Tier), "the other tier was given up; restore from the one that the directive names")
	}
	return nil
}

func pendingCommand(s *projections.State, x leyline.CommandAcked) *leyline.Refusal {
	if p := s.Kasmina.PendingCommand(x.Command); p != nil && p.Run == x.Run {
		return nil
	}
	return refuse(leyline.RefusalUnknownCommand, "command", string(x.Command), "is not waiting for an answer", "answer every command once, in time")
}

// slot admits the result of any fetch for a seed that the run has: one that nobody
// waits for any more is recorded, and ignored.
func slot(s *projections.State, run leyline.RunID, seed leyline.SeedID) *leyline.Refusal {
	if s.Kasmina.Seed(run, seed) != nil {
		return nil
	}
	return refuse(leyline.RefusalUnknownSeed, "seed", string(seed), "is not a slot of the run", "name a seed of run.opened")
}

func cleanup(s *projections.State, x leyline.CacheCleared) *leyline.Refusal {
	if r := knownRun(s, x.Run); r != nil {
		return r
	}
	if p := s.Kasmina.PendingEffect(x.Effect); p != nil && p.Run == x.Run && p.Emergency == leyline.EmergencyCleanup {
		return nil
	}
	return refuse(leyline.RefusalUnknownRequest, "effect", x.Effect.String(), "is not outstanding", "a cleanup is answered once")
}

// knownRun admits the outcome of a broadcast for any run, also one that has ended.
func knownRun(s *projections.State, run leyline.RunID) *leyline.Refusal {
	if s.Tolaria.Run(run) != nil {
		return nil
	}
	return refuse(leyline.RefusalUnknownRun, "run", string(run), "is not known", "say whose level was published")
}

func dueTimer(s *projections.State, x leyline.TimerFired) *leyline.Refusal {
	if next, ok := s.NextTimer(); ok && next == x && s.At >= x.Due {
		return nil
	}
	return refuse(leyline.RefusalUnknownTimer, "timer", x.Subject, "is not the next one due", "timers are armed from state alone")
}
