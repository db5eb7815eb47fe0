package telemetry

import "github.com/esper-plane/esper/leyline"

// artifacts reports which policy decides, and those that were refused.
func (b *builder) artifacts(e leyline.Event) {
	switch x := e.(type) {
	case leyline.PolicyAdmitted:
		b.at(leyline.SubsystemPlane, "").event(leyline.NamePolicyImported, leyline.LevelInfo,
			text(keyPolicy, x.Artifact.Name()), name(keyDigest, x.Artifact.Digest), text(keyKind, x.Artifact.Architecture), text(keyKey, x.By))
	case leyline.PolicyActivated:
		b.applied(x.Run, x.Policy, x.Replaces, x.Command, x.TookNs)
	case leyline.PolicyReverted:
		b.applied(x.Run, leyline.PolicyRef{}, x.Replaces, x.Command, 0)
	case leyline.PolicyRejected:
		b.at(leyline.SubsystemTamiyo, x.Run).event(leyline.NamePolicyUpdateRefused, leyline.LevelCritical,
			text(keyRun, x.Run), name(keyPolicy, x.Policy), text(keyCommand, x.Command), text(keyReason, leyline.UpdateRefused(x.Fault)),
			name(keyFailure, x.Fault), text(keyDetails, x.Detail), boolean(keySuspended, x.Suspended))
	}
}

const keySuspended = "suspended"

func (b *builder) applied(run leyline.RunID, now, before leyline.PolicyRef, by leyline.CommandID, ns uint64) {
	b.at(leyline.SubsystemTamiyo, run).event(leyline.NamePolicyUpdateApplied, leyline.LevelInfo,
		text(keyRun, run), name(keyPolicy, now), name(keyFrom, before), text(keyCommand, by), took(ns))
}

// notApplied reports a POLICY command that was rejected because of its policy.
func (b *builder) notApplied(x leyline.CommandRejected) {
	if why := leyline.UpdateRejected(x.Reason); why != "" {
		b.at(leyline.SubsystemTamiyo, x.Run).event(leyline.NamePolicyUpdateRefused, leyline.LevelWarning,
			text(keyRun, x.Run), text(keyPolicy, ""), text(keyCommand, x.Command), text(keyReason, why),
			name(keyFailure, x.Reason), text(keyDetails, x.Detail), boolean(keySuspended, false))
	}
}
