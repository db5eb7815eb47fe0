package leyline

import "fmt"

// Validate implements Event.
func (x CommandVerified) Validate() error {
	var c check
	if x.Kind != CommandPolicy || x.Policy.Scope != PolicyOfAll {
		needID(&c, "run", x.Run)
	}
	needID(&c, "command", x.Command)
	needID(&c, "key", x.Key)
	need(&c, "issuer", x.Issuer != "")
	needEnum(&c, "kind", x.Kind)
	switch x.Kind {
	case CommandSeed:
		x.Seed.check(&c)
	case CommandEmergency:
		c.part("emergency", x.Emergency.Validate())
	case CommandPause:
		c.part("pause", x.Pause.Validate())
	case CommandOptimizer:
		c.part("optimizer", x.Optimizer.Validate())
	case CommandCircuitBreaker:
		c.part("breaker", x.Breaker.Validate())
	case CommandRollback:
		c.part("rollback", x.Rollback.Validate())
	case CommandConservative:
		c.part("conservative", x.Conservative.Validate())
	case CommandPolicy:
		c.part("policy", x.Policy.Validate())
	}
	need(&c, "sequence", x.Sequence > 0)
	need(&c, "issued_at", x.IssuedAt > 0)
	need(&c, "deadline", x.Deadline > 0)
	need(&c, "keep_until", x.KeepUntil > 0)
	need(&c, "digest", !x.Digest.IsZero())
	c.part("metadata", x.Metadata.Validate())
	mayID(&c, "blueprint", x.Blueprint)
	return c.result()
}

// check demands what the operation needs. Fields that it does not use may hold
// anything: they came from whoever signed the command.
func (s *SeedCommand) check(c *check) {
	needEnum(c, "seed.operation", s.Operation)
	needID(c, "seed.seed", s.Seed)
	switch s.Operation {
	case OpGerminate:
		needID(c, "seed.blueprint", s.Blueprint)
		need(c, "seed.mesh", len(s.Mesh) > 0)
		bound(c, "seed.mesh", len(s.Mesh), MaxLayers)
		bound(c, "seed.parameters", len(s.Parameters), MaxSeedSettings)
	case OpStartGrafting:
		needEnum(c, "seed.blend.mode", s.Blend.Mode)
		c.part("seed.blend", s.Blend.Validate())
	}
}

// Validate implements Event. Of a command that did not prove who sent it, that
// it is fresh and that it is new, every field but reason, detail and digest may
// be anything; but it spends nothing.
func (x CommandRejected) Validate() error {
	var c check
	authentic := Authentic(x.Reason) && x.Reason != RejectNone
	if authentic {
		needID(&c, "command", x.Command)
		needID(&c, "key", x.Key)
		need(&c, "issuer", x.Issuer != "")
		needEnum(&c, "kind", x.Kind)
	}
	needEnum(&c, "reason", x.Reason)
	need(&c, "detail", x.Detail != "")
	if authentic {
		need(&c, "sequence", x.Sequence > 0)
		need(&c, "issued_at", x.IssuedAt > 0)
		need(&c, "keep_until", x.KeepUntil > 0)
	} else if x.Sequence != 0 || x.KeepUntil != 0 {
		c.fail(Invalid("keep_until", fmt.Sprintf("is set, but a command that is rejected as %s spends nothing", x.Reason)))
	}
	need(&c, "digest", !x.Digest.IsZero())
	return c.result()
}

// Validate implements Event.
func (x CommandSettled) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	needID(&c, "command", x.Command)
	oneOf(&c, "outcome", x.Outcome, OutcomeOK, OutcomeFailed)
	return c.result()
}

// Validate implements Event.
func (x CommandExpired) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	needID(&c, "command", x.Command)
	oneOf(&c, "outcome", x.Outcome, OutcomeDeadline, OutcomeSuperseded, OutcomeUnknown)
	return c.result()
}

// Validate implements Event.
func (x PrefetchRequested) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	needID(&c, "seed", x.Seed)
	needID(&c, "blueprint", x.Blueprint)
	need(&c, "kernel", x.Kernel != "")
	need(&c, "digest", !x.Digest.IsZero())
	need(&c, "deadline", x.Deadline > 0)
	need(&c, "guard", !x.Guard.IsZero())
	need(&c, "bytes", x.Bytes > 0)
	need(&c, "inflight", x.Inflight > 0)
	return c.result()
}

// Validate implements Event.
func (x PrefetchSettled) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	needID(&c, "seed", x.Seed)
	need(&c, "request", !x.Request.IsZero())
	oneOf(&c, "outcome", x.Outcome, OutcomeOK, OutcomeFailed, OutcomeDeadline, OutcomeSuperseded)
	if x.Outcome != OutcomeOK {
		need(&c, "reason", x.Reason != "")
	}
	mayEnum(&c, "kind", x.Kind)
	mayEnum(&c, "origin", x.Origin)
	return c.result()
}
