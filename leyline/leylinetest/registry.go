package leylinetest

import "github.com/esper-plane/esper/leyline"

func registryEvents() []Case[leyline.Event] {
	why := func(o leyline.Ownership) func(*leyline.RegistryConflicted) {
		return func(x *leyline.RegistryConflicted) { x.Why = o }
	}
	return []Case[leyline.Event]{
		event("", "run seed command parameters parameters[0].name parameters[0].size",
			func(x *leyline.ParametersRegistered) { x.Parameters = x.Parameters[:1] }), // two would not be ascending
		event("with the host", "run seed why parameter owner? teacher? owned? told?", why(leyline.OwnedByHost)),
		event("with a seed", "run seed why parameter owner teacher? owned? told?", why(leyline.OwnedBySeed)),
		event("with a teacher", "run seed why parameter owner? teacher owned? told?", why(leyline.OwnedByTeacher)),
		event("of counts", "run seed why parameter? owner? teacher? owned told", why(leyline.CountMismatch)),
		event("", "run"+within("teacher", teacher)+" replaces? budget? over?",
			func(x *leyline.TeacherEnrolled) { x.Teacher.Parameters = x.Teacher.Parameters[:1] }),
		event[leyline.TeacherForgotten]("", "run teacher cause", nil),
		event[leyline.RegistryReset]("", "run command issuer reason culled? culled[0] cancelled?", nil),
	}
}
