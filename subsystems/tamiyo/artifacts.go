package tamiyo

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// unusable says why nothing may be proposed in a run: the file of the policy that
// decides in it is missing or is another, or was not verified since the process was
// started, which is then asked for. The settings never take its place.
func unusable(t *projections.Turn, run leyline.RunID) leyline.RiskReason {
	i := t.State.Tamiyo.Deciding(run)
	switch {
	case i == nil:
		return leyline.RiskNone
	case i.Unproven:
		prove(t, i)
		return leyline.RiskUnverified
	case i.Fault != leyline.PolicyFaultNone:
		return leyline.RiskUnusable
	}
	return leyline.RiskNone
}

// withhold proposes nothing in a window because of the policy that should have been
// asked. One that cannot be used makes the run conservative.
func withhold(t *projections.Turn, p *projections.Policy, at leyline.Step, why leyline.RiskReason) {
	if why == leyline.RiskUnusable {
		remain(t, p, at, why)
	}
	t.Emit(leyline.ActionNone{Run: p.Run, Step: at, Reason: why})
}

// opened has the policy verified that decides in a run which is opened or resumed.
func opened(t *projections.Turn, run leyline.RunID) {
	if i := t.State.Tamiyo.Deciding(run); i != nil && i.Unproven {
		prove(t, i)
	}
}

// prove has the file of a policy in force read and verified anew, unless it is being.
func prove(t *projections.Turn, i *projections.Installed) {
	if !i.Proving.IsZero() {
		return
	}
	p := i.InForce()
	a := t.State.Tamiyo.Artifact(p.ID, p.Version) // Invariant: what is in force was admitted
	t.Emit(leyline.PolicyRequested{
		Run: i.Run, Policy: p, File: a.Facts.File(), Bytes: a.Facts.Bytes,
		Deadline: t.Meta.At.Add(t.Config().Kasmina.CommandDeadline.Duration()),
	})
}

// loaded goes on with a policy whose file was read. What was found decides, never what
// was claimed: only the very bytes that were imported come into force.
func loaded(t *projections.Turn, x leyline.PolicyLoaded) {
	i := t.State.Tamiyo.Scope(x.Run) // Invariant: the guard admitted an answer that somebody waits for
	if x.Request == i.Proving {
		proved(t, i, x)
		return
	}
	l := i.Loading
	fault, detail := fileFault(t.State, l.Policy, x)
	if fault == leyline.PolicyFaultNone && t.Meta.At > l.Deadline {
		fault, detail = leyline.PolicyFileLate, fmt.Sprintf("the command wanted it by %s", l.Deadline)
	}
	if fault != leyline.PolicyFaultNone {
		t.Emit(leyline.PolicyRejected{Run: x.Run, Policy: l.Policy, Command: l.Command, Fault: fault, Detail: detail, TookNs: x.TookNs})
		return
	}
	t.Emit(leyline.PolicyActivated{
		Run: x.Run, Policy: l.Policy, Replaces: t.State.Tamiyo.InForce(x.Run), Action: l.Action, Command: l.Command, TookNs: x.TookNs,
		Rules: x.Rules,
	})
}

// proved lets the policy in force decide again, or suspends it.
func proved(t *projections.Turn, i *projections.Installed, x leyline.PolicyLoaded) {
	p := i.InForce()
	fault, detail := fileFault(t.State, p, x)
	if fault == leyline.PolicyFaultNone {
		t.Emit(leyline.PolicyConfirmed{Run: x.Run, Policy: p, TookNs: x.TookNs})
		return
	}
	t.Emit(leyline.PolicyRejected{Run: x.Run, Policy: p, Fault: fault, Detail: detail, Suspended: true, TookNs: x.TookNs})
	for k := range t.State.Tamiyo.Runs {
		q := &t.State.Tamiyo.Runs[k]
		run := t.State.Tolaria.Run(q.Run)
		if run.Status == leyline.RunStatusOpen && t.State.Tamiyo.Deciding(q.Run) == t.State.Tamiyo.Scope(x.Run) {
			enter(t, q, run.Track.Step, leyline.RiskUnusable)
		}
	}
}

// fileFault holds what was read against what was imported.
func fileFault(s *projections.State, p leyline.PolicyRef, x leyline.PolicyLoaded) (leyline.PolicyFault, string) {
	a := s.Tamiyo.Artifact(p.ID, p.Version) // Invariant: only what was admitted is asked for
	switch {
	case x.Fault != leyline.PolicyFaultNone:
		return x.Fault, x.Reason
	case x.Digest != p.Digest || x.Bytes != a.Facts.Bytes:
		return leyline.PolicyFileDigest, fmt.Sprintf("the file has %d bytes and hashes to %s, imported were %d bytes of %s",
			x.Bytes, x.Digest.Short(), a.Facts.Bytes, p.Digest.Short())
	}
	return leyline.PolicyFaultNone, ""
}

// Awaited admits what was found in a file for which somebody waits.
func Awaited(s *projections.State, x leyline.PolicyLoaded) *leyline.Refusal {
	if x.Run != "" && s.Tolaria.Run(x.Run) == nil {
		return refused(leyline.RefusalUnknownRun, "run", string(x.Run), "is not known", "say for whose policy the file was read")
	}
	if i := s.Tamiyo.Scope(x.Run); i != nil && (i.Loading.Request == x.Request || i.Proving == x.Request) {
		return nil
	}
	return refused(leyline.RefusalUnknownRequest, "request", x.Request.String(), "is not outstanding", "a file is read once for each time it is asked for")
}

func refused(kind leyline.RefusalKind, field, id, reason, hint string) *leyline.Refusal {
	return &leyline.Refusal{Subsystem: leyline.SubsystemTamiyo, Kind: kind, Field: field, Identifier: id, Reason: reason, Hint: hint}
}
