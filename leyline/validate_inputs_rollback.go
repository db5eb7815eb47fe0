package leyline

// Validate implements Input.
func (x SnapshotTaken) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "incarnation", x.Incarnation > 0)
	needID(&c, "snapshot", x.Snapshot)
	needEnum(&c, "tier", x.Tier)
	needID(&c, "file", x.File)
	need(&c, "bytes", x.Bytes > 0)
	need(&c, "digest", !x.Digest.IsZero())
	text(&c, "problem", x.Problem, MaxText)
	text(&c, "unwritten", x.Unwritten, MaxText)
	if x.Problem == "" {
		need(&c, "measured", !x.Measured.IsZero())
	}
	return c.result()
}

// Validate implements Input.
func (x SnapshotLost) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	mayID(&c, "snapshot", x.Snapshot)
	needEnum(&c, "tier", x.Tier)
	needID(&c, "file", x.File)
	needText(&c, "problem", x.Problem)
	return c.result()
}

// Validate implements Input.
func (x RollbackReported) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "incarnation", x.Incarnation > 0)
	needID(&c, "rollback", x.Rollback)
	oneOf(&c, "phase", x.Phase, PhasePrepare, PhaseCommit)
	needEnum(&c, "tier", x.Tier)
	oneOf(&c, "outcome", x.Outcome, OutcomeOK, OutcomeFailed, OutcomeDeadline)
	if x.Outcome == OutcomeOK {
		quick := x.Phase == PhasePrepare && x.Tier == TierFast // the trainer's check is the only one that there is time for
		need(&c, "digest", !x.Digest.IsZero() || x.Check != 0 || quick)
	} else {
		needText(&c, "reason", x.Reason)
	}
	return c.result()
}
