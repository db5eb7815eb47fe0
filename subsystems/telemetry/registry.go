package telemetry

import (
	"strings"

	"github.com/esper-plane/esper/leyline"
)

const (
	keyBudgetGB  = "budget_gb"
	keyMemoryGB  = "memory_gb"
	keyOwned     = "owned"
	keyOwner     = "owner"
	keyParameter = "parameter"
	keySeeds     = "seeds"
	keyTeacher   = "teacher_id"
	keyTold      = "told"
)

// registry reports whose parameters are whose.
func (b *builder) registry(e leyline.Event) {
	switch x := e.(type) {
	case leyline.ParametersRegistered:
		b.at(leyline.SubsystemKasmina, x.Run).event(leyline.NameParametersOwned, leyline.LevelInfo,
			text(keyRun, x.Run), text(keySeed, x.Seed), text(keyCommand, x.Command), whole(keyCount, uint64(len(x.Parameters))),
			whole(keyOwned, leyline.ParameterCount(x.Parameters)))
	case leyline.RegistryConflicted:
		s := b.at(leyline.SubsystemKasmina, x.Run)
		s.count(leyline.MetricRegistryConflict, text(keyRun, x.Run), name(keyReason, x.Why))
		s.event(leyline.NameRegistryConflict, leyline.LevelCritical,
			text(keyRun, x.Run), text(keySeed, x.Seed), name(keyReason, x.Why), text(keyParameter, x.Parameter), text(keyOwner, owner(x)),
			whole(keyOwned, x.Owned), whole(keyTold, x.Told))
	case leyline.TeacherEnrolled:
		s := b.at(leyline.SubsystemKasmina, x.Run)
		s.metric(leyline.MetricTeacherMemory, float64(x.Teacher.Bytes), text(keyRun, x.Run))
		s.event(leyline.NameTeacherRegistered, either(x.Over, leyline.LevelWarning, leyline.LevelInfo),
			text(keyRun, x.Run), text(keyTeacher, x.Teacher.ID), text(keyFrom, x.Replaces), whole(keyCount, uint64(len(x.Teacher.Parameters))),
			number(keyMemoryGB, gib(x.Teacher.Bytes)), number(keyBudgetGB, gib(x.Budget)))
	case leyline.TeacherForgotten:
		s := b.at(leyline.SubsystemKasmina, x.Run)
		s.metric(leyline.MetricTeacherMemory, 0, text(keyRun, x.Run))
		s.event(leyline.NameTeacherDeregistered, leyline.LevelWarning, text(keyRun, x.Run), text(keyTeacher, x.Teacher), text(keyCause, x.Cause))
	case leyline.RegistryReset:
		b.at(leyline.SubsystemKasmina, x.Run).event(leyline.NameRegistryReset, leyline.LevelWarning,
			text(keyRun, x.Run), text(keyCommand, x.Command), text(keyIssuer, x.Issuer), text(keyReason, x.Reason), text(keySeeds, seedList(x.Culled)),
			whole(keyCount, x.Cancelled))
	}
}

// owner names who owns the parameter of a conflict.
func owner(x leyline.RegistryConflicted) string {
	if x.Teacher != "" {
		return string(x.Teacher)
	}
	return string(x.Owner)
}

func seedList(seeds []leyline.SeedID) string {
	out := make([]string, len(seeds))
	for i, s := range seeds {
		out[i] = string(s)
	}
	return strings.Join(out, " ")
}

func gib(bytes uint64) float64 { return float64(bytes) / (1 << 30) }
