package cli

import "github.com/esper-plane/esper/leyline"

// registry tells of parameters that somebody may not update, and of who says so.
func (s *story) registry(r leyline.Record, e leyline.Event) {
	switch x := e.(type) {
	case leyline.RegistryConflicted:
		what := printable(x.Parameter)
		if x.Why == leyline.CountMismatch {
			what = "its own"
		}
		s.beat(r, "CRITICAL %s may not update %s: %s", x.Seed, what, x.Why)
	case leyline.TeacherEnrolled:
		s.beat(r, "teacher %s is registered with %d tensors", x.Teacher.ID, len(x.Teacher.Parameters))
	case leyline.TeacherForgotten:
		s.beat(r, "WARNING teacher %s is forgotten: %s", x.Teacher, printable(x.Cause))
	case leyline.RegistryReset:
		s.beat(r, "WARNING %s resets the registry, %d seeds go: %s", printable(x.Issuer), len(x.Culled), printable(x.Reason))
	}
}
