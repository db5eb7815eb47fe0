package telemetry

import "github.com/esper-plane/esper/leyline"

// dependencies says what kind of thing a refusal is about.
var dependencies = [...]string{
	leyline.RefusalNone:             "unknown",
	leyline.RefusalMissingField:     "field",
	leyline.RefusalInvalidField:     "field",
	leyline.RefusalMissingRun:       "run",
	leyline.RefusalUnknownRun:       "run",
	leyline.RefusalRunExists:        "run",
	leyline.RefusalRunNotOpen:       "run",
	leyline.RefusalIncarnation:      "incarnation",
	leyline.RefusalStepOrder:        "step",
	leyline.RefusalRollbackActive:   "rollback",
	leyline.RefusalGradients:        "gradients",
	leyline.RefusalWeights:          "gradients",
	leyline.RefusalUnknownTask:      "task",
	leyline.RefusalUnknownSeed:      "seed",
	leyline.RefusalMissingSeed:      "seed",
	leyline.RefusalUnknownSnapshot:  "snapshot",
	leyline.RefusalUnknownRollback:  "rollback",
	leyline.RefusalUnknownCommand:   "command",
	leyline.RefusalUnknownRequest:   "request",
	leyline.RefusalPosture:          "posture",
	leyline.RefusalInvalidSignature: "signature",
	leyline.RefusalUnknownKey:       "key",
	leyline.RefusalNotAuthorized:    "authorization",
	leyline.RefusalConfig:           "config",
	leyline.RefusalBlueprintExists:  "blueprint",
	leyline.RefusalSnapshotExists:   "snapshot",
	leyline.RefusalNotConfigured:    "config",
	leyline.RefusalUnknownTimer:     "timer",
	leyline.RefusalUnknownBlueprint: "blueprint",
	leyline.RefusalDiskLow:          "disk",
	leyline.RefusalCompileOff:       "posture",
	leyline.RefusalMissingKernel:    "kernel",
	leyline.RefusalKernelDigest:     "kernel",
	leyline.RefusalKernelSize:       "kernel",
	leyline.RefusalQuarantine:       "blueprint",
	leyline.RefusalArtifact:         "policy",
	leyline.RefusalLogits:           "logits",
	leyline.RefusalBlendMode:        "blend",
	leyline.RefusalBlendStats:       "blend",
	leyline.RefusalOwned:            "parameter",
	leyline.RefusalNoTeacher:        "teacher",
	leyline.RefusalKernelGuard:      "kernel",
	leyline.RefusalKernelFormat:     "kernel",
	leyline.RefusalKernelRoom:       "kernel",
	leyline.RefusalWithdrawn:        "blueprint",
	leyline.RefusalMisfit:           "blueprint",
	leyline.RefusalParameter:        "blueprint",
	leyline.RefusalPolicyExists:     "policy",
	leyline.RefusalStepConflict:     "step",
}

func dependency(k leyline.RefusalKind) string {
	if int(k) < len(dependencies) {
		return dependencies[k]
	}
	return dependencies[leyline.RefusalNone]
}

// violation reports a refused input (SPEC.md 5.2).
func (b *builder) violation(source leyline.Subsystem, x leyline.DependencyViolated) {
	kind := leyline.InputUnspecified
	run := leyline.RunID("")
	if b.in != nil {
		kind, run = b.in.InputKind(), leyline.RunOf(b.in)
	}
	f := x.Refusal
	b.at(source, run).event(leyline.NameDependencyViolation, leyline.LevelCritical,
		text(keyRun, run), name(keySubsystem, source), name(keyInput, kind),
		text(keyDependency, dependency(f.Kind)), text(keyIdentifier, f.Identifier), name(keyReason, f.Kind),
		text(keyField, f.Field), text(keyDetails, f.Reason), text(keyHint, f.Hint))
}

func (b *builder) plane(e leyline.Event) {
	switch x := e.(type) {
	case leyline.PlaneBooted:
		in, _ := b.in.(leyline.PlaneStarted)
		level := either(!x.Clean, leyline.LevelWarning, leyline.LevelInfo)
		b.at(leyline.SubsystemPlane, "").event(leyline.NamePlaneStarted, level,
			text(keyBoot, x.Boot), text(keyOrigin, x.Origin), whole(keyBoots, x.Boots), whole(keyDecider, x.Decider),
			text(keyVersion, in.Build.Version), boolean(keyClean, x.Clean),
			whole(keyTorn, in.TornBytes), text(keySignal, in.SignalText))
	case leyline.EffectRecovered:
		if !x.Reissued {
			b.at(leyline.SubsystemPlane, x.Run).event(leyline.NameEffectUnknown, leyline.LevelWarning,
				text(keyRun, x.Run), name(keyRequest, x.Effect), name(keyKind, x.Kind))
		}
	case leyline.BlueprintRetired:
		b.at(leyline.SubsystemPlane, "").event(leyline.NameBlueprintWithdrawn, leyline.LevelWarning,
			text(keyBlueprint, x.Blueprint), text(keyReason, x.Reason))
	case leyline.DiskLow:
		b.disk(1, leyline.NameDiskLow, leyline.LevelCritical, x.Free, x.Total, x.Threshold)
	case leyline.DiskRecovered:
		b.disk(0, leyline.NameDiskRecovered, leyline.LevelInfo, x.Free, x.Total, x.Threshold)
	}
}

// disk reports a shortage of disk space or its end.
func (b *builder) disk(low float64, what leyline.EventName, level leyline.Level, free, total, limit uint64) {
	s := b.at(leyline.SubsystemPlane, "")
	s.metric(leyline.MetricDiskLow, low)
	s.event(what, level, whole(keyFree, free), whole(keyTotal, total), whole(keyThreshold, limit))
}
