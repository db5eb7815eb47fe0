package leyline

import (
	"cmp"
	"unicode"
	"unicode/utf8"
)

// checkParameters demands names that are in order, so that no list can name a tensor
// twice, and sizes.
func checkParameters(c *check, list string, ps []Parameter, most int) {
	bound(c, list, len(ps), most)
	for i := range ps {
		p := &ps[i]
		c.element(list, i)
		need(c, "name", p.Name != "")
		text(c, "name", p.Name, MaxParameterName)
		if !printableName(p.Name) {
			c.fail(Invalid("name", "is not printable UTF-8"))
		}
		if i > 0 && cmp.Compare(ps[i-1].Name, p.Name) >= 0 {
			c.fail(Invalid("name", "does not come after the one before it; send every name once, in ascending order"))
		}
		need(c, "size", p.Size > 0)
	}
	c.leave()
}

func printableName(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

func (x *Teacher) check(c *check) {
	needID(c, "teacher.id", x.ID)
	need(c, "teacher.parameters", len(x.Parameters) > 0)
	checkParameters(c, "teacher.parameters", x.Parameters, MaxParameters)
	need(c, "teacher.bytes", x.Bytes > 0)
	need(c, "teacher.digest", !x.Digest.IsZero())
}

// Validate returns a *Refusal that names the first field that is missing or wrong.
func (x RegistryCommand) Validate() error {
	var c check
	needEnum(&c, "action", x.Action)
	switch x.Action {
	case RegistryTeach:
		x.Teacher.check(&c)
	case RegistryForget:
		needID(&c, "teacher.id", x.Teacher.ID)
	}
	needText(&c, "reason", x.Reason)
	return c.result()
}

// Validate implements Input.
func (x TeacherRegistered) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	x.Teacher.check(&c)
	needEnum(&c, "peer", x.Peer)
	text(&c, "peer_name", x.PeerName, MaxText)
	return c.result()
}

// Validate implements Input.
func (x TeacherDeregistered) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	needID(&c, "teacher", x.Teacher)
	needEnum(&c, "peer", x.Peer)
	text(&c, "peer_name", x.PeerName, MaxText)
	return c.result()
}

// Validate implements Event.
func (x ParametersRegistered) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	needID(&c, "seed", x.Seed)
	needID(&c, "command", x.Command)
	need(&c, "parameters", len(x.Parameters) > 0)
	checkParameters(&c, "parameters", x.Parameters, MaxSeedParameters)
	return c.result()
}

// Validate implements Event.
func (x RegistryConflicted) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	needID(&c, "seed", x.Seed)
	needEnum(&c, "why", x.Why)
	if x.Why != CountMismatch {
		need(&c, "parameter", x.Parameter != "")
	}
	switch x.Why {
	case OwnedBySeed:
		needID(&c, "owner", x.Owner)
	case OwnedByTeacher:
		needID(&c, "teacher", x.Teacher)
	case CountMismatch:
		need(&c, "owned", x.Owned > 0)
		need(&c, "told", x.Told > 0)
	}
	mayID(&c, "owner", x.Owner)
	return c.result()
}

// Validate implements Event.
func (x TeacherEnrolled) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	x.Teacher.check(&c)
	mayID(&c, "replaces", x.Replaces)
	return c.result()
}

// Validate implements Event.
func (x TeacherForgotten) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	needID(&c, "teacher", x.Teacher)
	needText(&c, "cause", x.Cause)
	return c.result()
}

// Validate implements Event.
func (x RegistryReset) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	needID(&c, "command", x.Command)
	need(&c, "issuer", x.Issuer != "")
	needText(&c, "reason", x.Reason)
	bound(&c, "culled", len(x.Culled), MaxSeeds)
	needIDs(&c, "culled", x.Culled)
	return c.result()
}
