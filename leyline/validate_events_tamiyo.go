package leyline

// Validate implements Event.
func (x ConservativeEntered) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	needEnum(&c, "reason", x.Reason)
	return c.result()
}

// Validate implements Event.
func (x ConservativeLeft) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "step", x.Step > 0)
	need(&c, "healthy", x.Healthy > 0)
	return c.result()
}

// Validate implements Event.
func (x RiskAssessed) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "step", x.Step > 0)
	mayEnum(&c, "proposed", x.Proposed)
	needEnum(&c, "effect", x.Effect)
	needEnum(&c, "reason", x.Reason)
	finite(&c, "loss", x.Loss)
	needRiskChecks(&c, "checks", x.Checks)
	mayEnum(&c, "kind", x.Kind)
	c.part("subject", x.Subject.Validate())
	for i, r := range x.Unmeasured {
		c.element("unmeasured", i)
		needEnum(&c, "reason", r)
	}
	c.leave()
	return c.result()
}

// needChecks demands at least one check. What was measured may be any number: a
// quantity that was never measured fails its check as an infinity.
func needChecks(c *check, list string, checks []Check) {
	need(c, list, len(checks) > 0)
	for i := range checks {
		c.element(list, i)
		need(c, "name", checks[i].Name != "")
		needEnum(c, "mode", checks[i].Mode)
	}
	c.leave()
}

// Validate implements Event.
func (x ActionNone) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "step", x.Step > 0)
	needEnum(&c, "reason", x.Reason)
	return c.result()
}

// Validate implements Event.
func (x CommandProposed) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "step", x.Step > 0)
	needEnum(&c, "kind", x.Kind)
	x.checkArgument(&c)
	need(&c, "why", x.Why != "")
	need(&c, "metadata.policy", x.Metadata.Policy != "")
	needEnum(&c, "metadata.reason", x.Metadata.Reason)
	c.part("metadata", x.Metadata.Validate())
	return c.result()
}

// checkArgument demands the argument of the proposal's kind and none of another.
func (x *CommandProposed) checkArgument(c *check) {
	switch x.Kind {
	case CommandSeed:
		x.Seed.check(c)
	case CommandPause:
		c.part("pause", x.Pause.Validate())
	case CommandOptimizer:
		c.part("optimizer", x.Optimizer.Validate())
	}
	x.noStray(c, CommandSeed, "seed", x.Seed.Operation == OpUnknown && x.Seed.Seed == "" && x.Seed.Blueprint == "")
	x.noStray(c, CommandPause, "pause", x.Pause == PauseCommand{})
	x.noStray(c, CommandOptimizer, "optimizer", x.Optimizer == OptimizerCommand{})
}

// noStray refuses the argument of another kind.
func (x *CommandProposed) noStray(c *check, of CommandKind, field string, unset bool) {
	if x.Kind != of && !unset {
		c.fail(Invalid(field, "is set, but the kind is "+x.Kind.String()))
	}
}

// Validate implements Event.
func (x PolicyAsked) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "step", x.Step > 0)
	need(&c, "deadline", x.Deadline > 0)
	c.part("seen", x.Seen.Validate())
	return c.result()
}

// Validate implements Event.
func (x PolicyMissed) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "step", x.Step > 0)
	need(&c, "request", !x.Request.IsZero())
	oneOf(&c, "outcome", x.Outcome, OutcomeFailed, OutcomeDeadline)
	need(&c, "reason", x.Reason != "")
	return c.result()
}
