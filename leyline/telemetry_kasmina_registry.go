package leyline

// The telemetry of the parameter registry.
const (
	NameParametersOwned     EventName = "kasmina.parameters_registered"
	NameRegistryConflict    EventName = "kasmina.registry_conflict"
	NameTeacherRegistered   EventName = "teacher_registered"
	NameTeacherDeregistered EventName = "teacher_deregistered"
	NameRegistryReset       EventName = "registry_reset"

	MetricRegistryConflict MetricName = "kasmina.registry.conflicts_total"
	MetricTeacherMemory    MetricName = "kasmina.teacher.memory"
)

func registryEvents() []EventInfo {
	return []EventInfo{
		event(NameParametersOwned, "run seed_id command_id count owned", "A seed owns the tensors that it was grafted with", LevelInfo),
		event(NameRegistryConflict, "run seed_id reason parameter owner owned told", "A seed wants to update what it may not, and whose that is", LevelCritical),
		event(NameTeacherRegistered, "run teacher_id from count memory_gb budget_gb", "A teacher is known; WARNING when it is larger than planned", LevelInfo, LevelWarning).set("kasmina.teacher_memory_mib"),
		event(NameTeacherDeregistered, "run teacher_id cause", "The teacher is forgotten", LevelWarning),
		event(NameRegistryReset, "run command_id issuer reason seeds count", "Every seed on trial was given up and the parameters of the run are its host's", LevelWarning),
	}
}

func registryMetrics() []MetricInfo {
	return []MetricInfo{
		counter(MetricRegistryConflict, "run reason", "Seeds that wanted to update what they may not"),
		gauge(MetricTeacherMemory, UnitBytes, "run", "Memory that the teacher takes; 0: there is none").set("kasmina.teacher_memory_mib"),
	}
}
