package projections

import "github.com/esper-plane/esper/leyline"

// Broadcast is the emergency level of a run on its way out. A level that is
// decided while an earlier one waits takes its place: the signal holds one level,
// and an older one is not true any more.
type Broadcast struct {
	Queued  bool // Level is to be published
	Level   leyline.EmergencyLevel
	Reason  leyline.FaultReason
	Attempt uint32           // at this level, so far
	Due     leyline.Instant  // while queued: not before this; zero: at once
	Effect  leyline.EffectID // under way; zero when there is none
}

// Bucket holds the tokens of tolaria.emergency_per_min. It is one for all runs,
// and full before it is first used.
type Bucket struct {
	Tokens float64
	At     leyline.Instant // when there were so many; zero: never used
}

// applyEmergency follows the level and its way out.
func (r *Run) applyEmergency(id leyline.EffectID, e leyline.Event) {
	b := &r.Broadcast
	switch x := e.(type) {
	case leyline.EmergencyEscalated:
		r.Raised = r.Raised || x.Reason == leyline.FaultOperator
		r.queue(x.To, x.Reason)
	case leyline.EmergencyCleared:
		r.Raised = false
		r.queue(x.To, x.Reason)
	case leyline.EmergencyHeld:
		b.Due = x.Until
	case leyline.EmergencyDispatched:
		b.Queued, b.Due, b.Attempt, b.Effect = false, 0, x.Attempt, id
	case leyline.EmergencyPublished:
		if x.Effect != b.Effect {
			return
		}
		b.Effect = leyline.EffectID{}
		if x.Retry != 0 && !b.Queued {
			b.Queued, b.Due = true, x.Retry
		}
	}
}

// queue takes over a level that was decided.
func (r *Run) queue(level leyline.EmergencyLevel, why leyline.FaultReason) {
	r.Emergency = level
	r.Broadcast = Broadcast{Queued: true, Level: level, Reason: why, Effect: r.Broadcast.Effect}
}

// emergencyRun names the run of an event about its emergency level.
func emergencyRun(e leyline.Event) (leyline.RunID, bool) {
	switch x := e.(type) {
	case leyline.EmergencyEscalated:
		return x.Run, true
	case leyline.EmergencyCleared:
		return x.Run, true
	case leyline.EmergencyHeld:
		return x.Run, true
	case leyline.EmergencyDispatched:
		return x.Run, true
	case leyline.EmergencyPublished:
		return x.Run, true
	}
	return "", false
}
