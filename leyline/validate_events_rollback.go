package leyline

import "fmt"

// Validate implements Event.
func (x SnapshotRegistered) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "incarnation", x.Incarnation > 0)
	needID(&c, "snapshot", x.Snapshot)
	needEnum(&c, "tier", x.Tier)
	needID(&c, "file", x.File)
	need(&c, "bytes", x.Bytes > 0)
	need(&c, "digest", !x.Digest.IsZero())
	return c.result()
}

// Validate implements Event.
func (x SnapshotRefused) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	needID(&c, "snapshot", x.Snapshot)
	needEnum(&c, "tier", x.Tier)
	needID(&c, "file", x.File)
	need(&c, "reason", x.Reason != "")
	return c.result()
}

// Validate implements Event.
func (x SnapshotEvicted) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	mayID(&c, "snapshot", x.Snapshot)
	needEnum(&c, "tier", x.Tier)
	needID(&c, "file", x.File)
	needEnum(&c, "why", x.Why)
	need(&c, "snapshot", x.Snapshot != "" || x.Why == EvictOrphaned)
	return c.result()
}

// Validate implements Event.
func (x RollbackStarted) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	needID(&c, "rollback", x.Rollback)
	needEnum(&c, "cause", x.Cause)
	need(&c, "fault_step", x.FaultStep > 0)
	need(&c, "reached", x.Reached > 0)
	needID(&c, "snapshot", x.Snapshot)
	if x.ToStep >= x.FaultStep {
		c.fail(Invalid("to_step", fmt.Sprintf("is %d, not before the fault at step %d", x.ToStep, x.FaultStep)))
	}
	needEnum(&c, "tier", x.Tier)
	need(&c, "seen", x.Seen > 0)
	need(&c, "since", x.Since > 0)
	return c.result()
}

// Validate implements Event.
func (x RollbackAdvanced) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	needID(&c, "rollback", x.Rollback)
	needEnum(&c, "phase", x.Phase)
	needEnum(&c, "tier", x.Tier)
	if x.Left != PhaseUnspecified {
		needEnum(&c, "reason", x.Reason)
	}
	return c.result()
}

// Validate implements Event. One that succeeded begins a new life and a new
// lineage of the run, and says what was restored; any other says why not.
func (x RollbackFinished) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	needID(&c, "rollback", x.Rollback)
	oneOf(&c, "outcome", x.Outcome, OutcomeOK, OutcomeFailed, OutcomeDeadline, OutcomeSuperseded)
	if x.Outcome != OutcomeOK {
		needEnum(&c, "reason", x.Reason)
	}
	needID(&c, "snapshot", x.Snapshot)
	needEnum(&c, "tier", x.Tier)
	need(&c, "incarnation", x.Incarnation > 0)
	if x.Outcome == OutcomeOK {
		need(&c, "lineage", x.Lineage > 0)
		need(&c, "digest", !x.Digest.IsZero() || x.Check != 0)
		need(&c, "quiet_by", x.QuietBy > 0)
	}
	return c.result()
}

// Validate implements Event.
func (x EmergencyEscalated) Validate() error {
	var c check
	needLevels(&c, x.Run, x.From, x.To, x.Reason)
	if x.To <= x.From {
		c.fail(Invalid("to", fmt.Sprintf("is %s, not above %s", x.To, x.From)))
	}
	return c.result()
}

// Validate implements Event.
func (x EmergencyCleared) Validate() error {
	var c check
	needLevels(&c, x.Run, x.From, x.To, x.Reason)
	if x.To >= x.From {
		c.fail(Invalid("to", fmt.Sprintf("is %s, not below %s", x.To, x.From)))
	}
	return c.result()
}

func needLevels(c *check, run RunID, from, to EmergencyLevel, why FaultReason) {
	needID(c, "run", run)
	needEnum(c, "from", from)
	needEnum(c, "to", to)
	needEnum(c, "reason", why)
}

// Validate implements Event.
func (x EmergencyPublished) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "effect", !x.Effect.IsZero())
	needEnum(&c, "level", x.Level)
	oneOf(&c, "outcome", x.Outcome, OutcomeOK, OutcomeFailed, OutcomeDeadline)
	if x.Outcome != OutcomeOK {
		need(&c, "reason", x.Reason != "")
	}
	return c.result()
}
