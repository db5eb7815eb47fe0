package leyline

// Validate returns a *Refusal that names the first field that is missing or wrong.
func (x SafetySheet) Validate() error {
	var c check
	needID(&c, "blueprint", x.Blueprint)
	need(&c, "kernel", !x.Kernel.IsZero())
	need(&c, "serial", x.Serial > 0)
	need(&c, "issued_at", x.IssuedAt > 0)
	facts := x.Facts("")
	facts.check(&c)
	text(&c, "note", x.Note, MaxText)
	return c.result()
}

// check demands what a registration and a sheet say of a blueprint.
func (x *BlueprintFacts) check(c *check) {
	needEnum(c, "tier", x.Tier)
	unit(c, "risk", x.Risk)
	c.part("hazard", x.Hazard.Validate())
	if x.Hazard.Handling == HandlingQuarantine && !x.Quarantine {
		c.fail(hinted("quarantine", "is false, hazard.handling is QUARANTINE", "set it, or write another class"))
	}
}

// Validate implements Input. What is wrong with the envelope is for the decider to
// say, and is recorded.
func (x MetadataAnswered) Validate() error {
	var c check
	need(&c, "request", !x.Request.IsZero())
	needID(&c, "run", x.Run)
	bound(&c, "envelope.payload", len(x.Envelope.Payload), MaxCommandBytes)
	bound(&c, "envelope.signature", len(x.Envelope.Signature), 128)
	text(&c, "envelope.payload_type", x.Envelope.PayloadType, MaxText)
	text(&c, "envelope.key_id", string(x.Envelope.KeyID), MaxText)
	return c.result()
}

// Validate implements Input.
func (x MetadataFailed) Validate() error {
	var c check
	need(&c, "request", !x.Request.IsZero())
	needID(&c, "run", x.Run)
	oneOf(&c, "outcome", x.Outcome, OutcomeFailed, OutcomeDeadline)
	oneOf(&c, "fault", x.Fault, SheetTimeout, SheetUnavailable, SheetMissing, SheetTooLarge, SheetMalformed)
	needText(&c, "reason", x.Reason)
	return c.result()
}

// Validate implements Event.
func (x MetadataAsked) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "step", x.Step > 0)
	needID(&c, "blueprint", x.Blueprint)
	need(&c, "deadline", x.Deadline > 0)
	return c.result()
}

// Validate implements Event.
func (x MetadataSettled) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "step", x.Step > 0)
	need(&c, "request", !x.Request.IsZero())
	c.part("facts", x.Facts.Validate())
	need(&c, "digest", !x.Digest.IsZero())
	return c.result()
}

// Validate returns a *Refusal that names the first field of the facts of a sheet that
// is missing or wrong.
func (x BlueprintFacts) Validate() error {
	var c check
	needID(&c, "blueprint", x.Blueprint)
	need(&c, "serial", x.Serial > 0)
	needID(&c, "key", x.Key)
	x.check(&c)
	return c.result()
}

// Validate implements Event.
func (x MetadataMissed) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "step", x.Step > 0)
	need(&c, "request", !x.Request.IsZero())
	needID(&c, "blueprint", x.Blueprint)
	oneOf(&c, "outcome", x.Outcome, OutcomeFailed, OutcomeDeadline)
	needEnum(&c, "fault", x.Fault)
	needText(&c, "reason", x.Reason)
	return c.result()
}
