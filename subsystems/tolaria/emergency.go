package tolaria

import (
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// Control is the emergency controller. It comes last in a record: it carries out
// a verified EMERGENCY command and publishes whatever level the record has
// decided, once, whoever decided it.
//
// A broadcast takes a token; without one it waits in the queue, and with
// tolaria.emergency_per_min the tokens come back. L4 never waits. A broadcast that
// did not reach the signal goes back to the queue and is tried again, later each
// time. A level that does not change is not published again.
//
// It returns the run that a command has halted, empty when there is none.
func Control(t *projections.Turn) leyline.RunID {
	halted := commanded(t)
	for i := range t.State.Tolaria.Runs {
		if r := &t.State.Tolaria.Runs[i]; r.Broadcast.Queued && r.Broadcast.Due <= t.Meta.At {
			broadcast(t, r)
		}
	}
	return halted
}

// commanded carries out the command that Kasmina has verified in this record, if
// it is about how the run trains, and returns the run that it halted.
func commanded(t *projections.Turn) leyline.RunID {
	for _, e := range t.Events() {
		x, ok := e.(leyline.CommandVerified)
		if !ok {
			continue
		}
		r := t.State.Tolaria.Run(x.Run)
		switch x.Kind {
		case leyline.CommandEmergency:
			return obey(t, r, x.Emergency)
		case leyline.CommandOptimizer:
			adjust(t, r, x)
		case leyline.CommandRollback:
			goBack(t, r, x.Rollback)
		}
		return ""
	}
	return ""
}

// adjust orders a rebuild of the optimizer, or fixes by what its rates are
// multiplied.
func adjust(t *projections.Turn, r *projections.Run, x leyline.CommandVerified) {
	if x.Optimizer.Action == leyline.OptimizerScale {
		t.Emit(leyline.RatesScaled{Run: r.ID, Factor: x.Optimizer.Factor, Cause: string(x.Command), By: leyline.PartyOf(x.Issuer)})
		return
	}
	rebuild(t, r, leyline.FenceCommand, r.Track.Step)
}

// goBack begins the rollback that an operator asked for. It has no deadline: nothing
// is wrong with the network, and the trainer may be in the middle of a long step and
// hears of it only after that. Invariant: Kasmina has found the snapshot.
func goBack(t *projections.Turn, r *projections.Run, c leyline.RollbackCommand) {
	at := r.Track.Step
	begin(t, r, fall{
		cause: leyline.FaultOperator, step: at, reached: at, before: r.Named(c).Step + 1, seen: t.Meta.At, since: t.Meta.At, still: true,
	})
}

func obey(t *projections.Turn, r *projections.Run, c leyline.EmergencyCommand) leyline.RunID {
	switch {
	case c.Action == leyline.EmergencyCleanup: // does not concern the level
	case c.Action == leyline.EmergencyClear:
		t.Emit(leyline.EmergencyCleared{Run: r.ID, From: r.Emergency, To: c.Level, Reason: leyline.FaultOperator})
	case c.Level == leyline.EmergencyHalt:
		halt(t, r, leyline.FaultOperator, c.Reason)
		return r.ID
	default:
		escalate(t, r, c.Level, leyline.FaultOperator)
	}
	return ""
}

func broadcast(t *projections.Turn, r *projections.Run) {
	c, b := &t.Config().Tolaria, r.Broadcast
	left, wait := take(t.State.Tolaria.Bucket, c.EmergencyPerMin, t.Meta.At)
	if wait > 0 && b.Level < leyline.EmergencyHalt {
		t.Emit(leyline.EmergencyHeld{Run: r.ID, Level: b.Level, Until: t.Meta.At.Add(wait)})
		return
	}
	t.Emit(leyline.EmergencyDispatched{
		Run: r.ID, Level: b.Level, Reason: b.Reason, Attempt: b.Attempt + 1, WithinNs: uint64(c.EmergencyDispatch.Duration()), Tokens: left,
	})
}

// take takes a token from a bucket of perMin that fills within a minute: how many
// are left, or how long until there is one. Without a cap there always is.
func take(b projections.Bucket, perMin uint32, at leyline.Instant) (left float64, wait time.Duration) {
	full := float64(perMin)
	if perMin == 0 {
		return 0, 0
	}
	each := float64(time.Minute) / full // nanoseconds for one token
	tokens := full
	if b.At != 0 {
		tokens = min(full, b.Tokens+float64(float64(at.Sub(b.At))/each))
	}
	if tokens >= 1 {
		return tokens - 1, 0
	}
	return 0, max(time.Duration(float64((1-tokens)*each)), time.Millisecond)
}

// latest is the longest pause between two attempts to publish a level.
const latest = time.Minute

// published records what came of a broadcast, and when it is tried again.
func published(t *projections.Turn, e leyline.EmergencyPublished) {
	if b := t.State.Tolaria.Run(e.Run).Broadcast; e.Outcome != leyline.OutcomeOK && e.Effect == b.Effect {
		pause := t.Config().Tolaria.EmergencyDispatch.Duration()
		for range min(b.Attempt-1, 16) {
			pause = min(2*pause, latest)
		}
		e.Retry = t.Meta.At.Add(min(pause, latest))
	}
	t.Emit(e)
}
