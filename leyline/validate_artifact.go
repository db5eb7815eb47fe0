package leyline

// Validate implements Input.
func (x PolicyImported) Validate() error {
	var c check
	x.Envelope.check(&c, "envelope", PayloadPolicy)
	needEnum(&c, "peer", x.Peer)
	text(&c, "peer_name", x.PeerName, MaxText)
	return c.result()
}

// Validate implements Input.
func (x PolicyLoaded) Validate() error {
	var c check
	mayID(&c, "run", x.Run)
	need(&c, "request", !x.Request.IsZero())
	mayEnum(&c, "fault", x.Fault)
	need(&c, "fault", x.Fault != PolicyFaultNone || x.Reason == "")
	if x.Fault != PolicyFaultNone {
		needText(&c, "reason", x.Reason)
	} else {
		need(&c, "digest", !x.Digest.IsZero())
		need(&c, "bytes", x.Bytes > 0)
		c.part("rules", x.Rules.Validate())
	}
	return c.result()
}

// Validate implements Event.
func (x PolicyAdmitted) Validate() error {
	var c check
	c.part("artifact", x.Artifact.Validate())
	needID(&c, "by", x.By)
	return c.result()
}

// Validate implements Event.
func (x PolicyRequested) Validate() error {
	var c check
	mayID(&c, "run", x.Run)
	c.part("policy", x.Policy.Validate())
	need(&c, "file", x.File != "")
	need(&c, "bytes", x.Bytes > 0)
	mayEnum(&c, "action", x.Action)
	if x.Action != PolicyActionUnspecified {
		needID(&c, "command", x.Command)
	}
	need(&c, "deadline", x.Deadline > 0)
	return c.result()
}

// Validate implements Event.
func (x PolicyActivated) Validate() error {
	var c check
	mayID(&c, "run", x.Run)
	c.part("policy", x.Policy.Validate())
	if !x.Replaces.IsZero() {
		c.part("replaces", x.Replaces.Validate())
	}
	needEnum(&c, "action", x.Action)
	needID(&c, "command", x.Command)
	x.Rules.check(&c, "rules")
	return c.result()
}

// Validate implements Event.
func (x PolicyReverted) Validate() error {
	var c check
	mayID(&c, "run", x.Run)
	c.part("replaces", x.Replaces.Validate())
	needID(&c, "command", x.Command)
	if !x.Then.IsZero() {
		c.part("then", x.Then.Validate())
	}
	return c.result()
}

// Validate implements Event.
func (x PolicyConfirmed) Validate() error {
	var c check
	mayID(&c, "run", x.Run)
	c.part("policy", x.Policy.Validate())
	return c.result()
}

// Validate implements Event.
func (x PolicyRejected) Validate() error {
	var c check
	mayID(&c, "run", x.Run)
	c.part("policy", x.Policy.Validate())
	mayID(&c, "command", x.Command)
	needEnum(&c, "fault", x.Fault)
	needText(&c, "detail", x.Detail)
	return c.result()
}
