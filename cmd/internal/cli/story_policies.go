package cli

import "github.com/esper-plane/esper/leyline"

// policies tells which policy decides in the run.
func (s *story) policies(r leyline.Record, e leyline.Event) {
	switch x := e.(type) {
	case leyline.PolicyActivated:
		s.beat(r, "policy %s decides, in place of %s", x.Policy, x.Replaces)
	case leyline.PolicyReverted:
		then := "the settings decide"
		if !x.Then.IsZero() {
			then = "policy " + x.Then.String() + " of all runs decides"
		}
		s.beat(r, "%s again, in place of policy %s", then, x.Replaces)
	case leyline.PolicyConfirmed:
		s.beat(r, "policy %s decides: its file is the one that was imported", x.Policy)
	case leyline.PolicyRejected:
		s.beat(r, "CRITICAL policy %s cannot be used: %s", x.Policy, x.Fault)
	}
}
