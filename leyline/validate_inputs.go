package leyline

import "fmt"

// Validate implements Input.
func (x PlaneStarted) Validate() error {
	var c check
	needID(&c, "boot", x.Boot)
	needID(&c, "origin", x.Origin)
	mayID(&c, "previous", x.Previous)
	need(&c, "admin_key", len(x.AdminKey) == 32)
	need(&c, "decider", x.Decider > 0)
	bound(&c, "build.modules", len(x.Build.Modules), MaxModules)
	for i, m := range x.Build.Modules {
		c.element("build.modules", i)
		text(&c, "", m, MaxPath)
	}
	c.leave()
	text(&c, "signal_text", x.SignalText, MaxText)
	text(&c, "signal_problem", x.SignalProblem, MaxText)
	text(&c, "catalogue", x.Catalogue, MaxPath)
	return c.result()
}

// Validate implements Input.
func (x ConfigApplied) Validate() error {
	var c check
	x.Envelope.check(&c, "envelope", PayloadConfig)
	return c.result()
}

// Validate implements Input.
func (x KeyAdded) Validate() error {
	var c check
	x.Envelope.check(&c, "envelope", PayloadKey)
	return c.result()
}

// Validate implements Input.
func (x BlueprintRegistered) Validate() error {
	var c check
	needID(&c, "blueprint", x.Blueprint)
	need(&c, "kernel", x.Kernel != "")
	text(&c, "kernel", x.Kernel, MaxPath)
	need(&c, "digest", !x.Digest.IsZero())
	need(&c, "bytes", x.Bytes > 0)
	unit(&c, "risk", x.Risk)
	x.checkRecord(&c)
	return c.result()
}

// Validate implements Input.
func (x RunClosed) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "incarnation", x.Incarnation > 0)
	oneOf(&c, "outcome", x.Outcome, OutcomeOK, OutcomeFailed)
	if x.Outcome == OutcomeOK {
		need(&c, "digest", !x.Digest.IsZero())
	}
	text(&c, "reason", x.Reason, MaxText)
	checkAcks(&c, x.Acks)
	return c.result()
}

// Validate implements Input. Losses and Gram may hold NaN and infinities: that
// is what a trainer reports when training goes wrong.
func (x StepObserved) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "incarnation", x.Incarnation > 0)
	need(&c, "step", x.Step > 0)
	need(&c, "losses", len(x.Losses) > 0)
	bound(&c, "losses", len(x.Losses), MaxTasks)
	need(&c, "gram", len(x.Gram) > 0)
	bound(&c, "gram", len(x.Gram), MaxTasks*MaxTasks)
	need(&c, "samples", x.Samples > 0)
	notNaN(&c, "learn_rate", x.LearnRate)
	bound(&c, "seeds", len(x.Seeds), MaxSeeds)
	attributed := 0.0
	for i := range x.Seeds {
		s := &x.Seeds[i]
		c.element("seeds", i)
		needID(&c, "seed", s.Seed)
		unit(&c, "alpha", s.Alpha)
		notNegative(&c, "grad_norm", s.GradNorm)
		notNegative(&c, "host_norm", s.HostNorm)
		notNegative(&c, "leak", s.Leak)
		unit(&c, "attributed", s.Attributed)
		checkLayers(&c, s.Layers, true)
		needEnum(&c, "stage", s.Stage)
		s.Blend.check(&c)
		s.checkFailure(&c)
		attributed += s.Attributed
		if attributed > 1+1e-9 {
			c.fail(Invalid("attributed", fmt.Sprintf("makes %v with those before it; all seeds together have at most 1", attributed)))
		}
	}
	c.leave()
	c.part("metrics", x.Metrics.Validate())
	checkAcks(&c, x.Acks)
	x.Solution.check(&c)
	x.applied(&c)
	return c.result()
}

// Validate implements Input.
func (x EpochObserved) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "incarnation", x.Incarnation > 0)
	need(&c, "epoch", x.Epoch > 0)
	need(&c, "losses", len(x.Losses) > 0)
	bound(&c, "losses", len(x.Losses), MaxTasks)
	bound(&c, "accuracies", len(x.Accuracies), MaxTasks)
	same(&c, "accuracies", len(x.Accuracies), len(x.Losses))
	units(&c, "accuracies", x.Accuracies)
	need(&c, "samples", x.Samples > 0)
	return c.result()
}

// Validate implements Input. Losses may hold NaN and infinities: they are what
// a fault looks like.
func (x SeedProbed) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "incarnation", x.Incarnation > 0)
	need(&c, "step", x.Step > 0)
	needID(&c, "seed", x.Seed)
	unit(&c, "alpha", x.Alpha)
	n := len(x.Losses)
	need(&c, "losses", n > 0)
	bound(&c, "losses", n, MaxTasks)
	same(&c, "accuracies", len(x.Accuracies), n)
	same(&c, "losses_at_0", len(x.LossesAt0), n)
	same(&c, "accuracy_at_0", len(x.AccuracyAt0), n)
	units(&c, "accuracies", x.Accuracies)
	units(&c, "accuracy_at_0", x.AccuracyAt0)
	need(&c, "samples", x.Samples > 0)
	return c.result()
}

// Validate implements Input.
func (x PolicyAnswered) Validate() error {
	var c check
	need(&c, "request", !x.Request.IsZero())
	needID(&c, "run", x.Run)
	text(&c, "why", x.Why, MaxText)
	if x.Command.Operation == OpUnknown {
		needEnum(&c, "reason", x.Reason)
	} else {
		x.checkCommand(&c)
	}
	c.part("policy", x.Policy.Validate())
	c.part("output", x.Output.Validate())
	return c.result()
}

func (x *PolicyAnswered) checkCommand(c *check) {
	needEnum(c, "command.operation", x.Command.Operation)
	needID(c, "command.seed", x.Command.Seed)
	bound(c, "command.mesh", len(x.Command.Mesh), MaxLayers)
	bound(c, "command.blend.channels", len(x.Command.Blend.Channels), MaxBlendChannels)
	bound(c, "command.blend.logits", len(x.Command.Blend.Logits), MaxLogits)
	text(c, "command.reason", x.Command.Reason, MaxText)
}

// Validate implements Input.
func (x PolicyFailed) Validate() error {
	var c check
	need(&c, "request", !x.Request.IsZero())
	needID(&c, "run", x.Run)
	oneOf(&c, "outcome", x.Outcome, OutcomeFailed, OutcomeDeadline)
	needText(&c, "reason", x.Reason)
	return c.result()
}

// Validate implements Input. Only bounds are checked here: what is wrong with a
// command is for the verifier to say, and is audited.
func (x CommandReceived) Validate() error {
	var c check
	needEnum(&c, "peer", x.Peer)
	bound(&c, "envelope.payload", len(x.Envelope.Payload), MaxCommandBytes+1)
	bound(&c, "envelope.signature", len(x.Envelope.Signature), 128)
	text(&c, "envelope.payload_type", x.Envelope.PayloadType, MaxText)
	text(&c, "envelope.key_id", string(x.Envelope.KeyID), MaxText)
	text(&c, "peer_name", x.PeerName, MaxText)
	return c.result()
}

// Validate implements Input.
func (x CommandAcked) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "incarnation", x.Incarnation > 0)
	needID(&c, "command", x.Command)
	oneOf(&c, "outcome", x.Outcome, OutcomeOK, OutcomeFailed)
	text(&c, "reason", x.Reason, MaxText)
	checkParameters(&c, "parameters", x.Parameters, MaxSeedParameters)
	return c.result()
}

// Validate implements Input.
func (x KernelReady) Validate() error {
	var c check
	need(&c, "request", !x.Request.IsZero())
	needID(&c, "run", x.Run)
	needID(&c, "seed", x.Seed)
	need(&c, "digest", !x.Digest.IsZero())
	needEnum(&c, "origin", x.Origin)
	return c.result()
}

// Validate implements Input.
func (x KernelFailed) Validate() error {
	var c check
	need(&c, "request", !x.Request.IsZero())
	needID(&c, "run", x.Run)
	needID(&c, "seed", x.Seed)
	oneOf(&c, "outcome", x.Outcome, OutcomeFailed, OutcomeDeadline)
	needText(&c, "reason", x.Reason)
	mayEnum(&c, "kind", x.Kind)
	return c.result()
}

// Validate implements Input.
func (x TimerFired) Validate() error {
	var c check
	needEnum(&c, "timer", x.Timer)
	needID(&c, "run", x.Run)
	needID(&c, "subject", x.Subject)
	need(&c, "due", x.Due > 0)
	return c.result()
}

// Validate implements Input. A disk without a size was not measured.
func (x DiskMeasured) Validate() error {
	var c check
	need(&c, "total", x.Total > 0)
	if x.Free > x.Total {
		c.fail(Invalid("free", fmt.Sprintf("is %d bytes, more than the %d of the whole disk", x.Free, x.Total)))
	}
	return c.result()
}
