package replay

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
)

// artifactWords tells which policy decides, and why one does not.
func artifactWords(e leyline.Event) string {
	switch x := e.(type) {
	case leyline.PolicyAdmitted:
		a := &x.Artifact
		return fmt.Sprintf("policy %s is imported: %s in %s, %d bytes of digest %s, %s%s, signed by key %s", a.Name(), a.Architecture, a.Format, a.Bytes,
			a.Digest.Short(), a.Origin, when(a.Run != "", " in run "+string(a.Run), ""), x.By)
	case leyline.PolicyRequested:
		return fmt.Sprintf("the file of policy %s is read and verified %s, by %s", x.Policy,
			when(x.Action == leyline.PolicyActionUnspecified, "anew, since it decides "+scopeWords(x.Run), "to decide "+scopeWords(x.Run)), x.Deadline)
	case leyline.PolicyActivated:
		return fmt.Sprintf("policy %s decides %s from the next window on, in place of the %s, by %q; its file was verified in %s", x.Policy,
			scopeWords(x.Run), beforeWords(x.Replaces), x.Command, took(x.TookNs))
	case leyline.PolicyReverted:
		return fmt.Sprintf("%s decide %s again, in place of the policy %s, by %q", when(x.Then.IsZero(), "the settings", "what decides in all runs, "+x.Then.String()+", is to"),
			scopeWords(x.Run), x.Replaces, x.Command)
	case leyline.PolicyConfirmed:
		return fmt.Sprintf("the file of policy %s was found as it was imported, in %s: it decides %s", x.Policy, took(x.TookNs), scopeWords(x.Run))
	case leyline.PolicyRejected:
		return because(fmt.Sprintf("policy %s cannot be used for %s: %s", x.Policy, x.Fault,
			when(x.Suspended, "nothing is proposed "+scopeWords(x.Run)+" until another decides", "what decides "+scopeWords(x.Run)+" goes on")), x.Detail)
	}
	return ""
}

// scopeWords says in which runs.
func scopeWords(run leyline.RunID) string {
	return when(run == "", "in all runs without one of their own", "in run "+string(run))
}

func beforeWords(p leyline.PolicyRef) string {
	return when(p.IsZero(), "settings", "policy "+p.String())
}

// orderWords says what a POLICY command asks for.
func orderWords(x leyline.PolicyCommand) string {
	where := when(x.Scope == leyline.PolicyOfAll, "in all runs without one of their own", "in the run")
	if x.Action == leyline.PolicyRollback {
		return "let what decided before decide again " + where
	}
	return fmt.Sprintf("let policy %s decide %s", x.Policy, where)
}

// artifactFigures are those of inputs about policies.
func artifactFigures(r leyline.Record) []Figure {
	switch x := r.Input.(type) {
	case leyline.PolicyImported:
		f := []Figure{fig("sender", "%s %s, key %s", x.Peer, x.PeerName, x.Envelope.KeyID)}
		a, err := wire.DecodePolicy(x.Envelope.Payload)
		if err != nil {
			return append(f, fig("policy", "cannot be read: %v", err))
		}
		f = append(f, fig("policy", "%s, %s, created %s", a.Name(), a.Architecture, a.Created))
		for _, reg := range a.Registries {
			f = append(f, fig(reg.Kind.String(), "%d names, %s", reg.Size, reg.Digest.Short()))
		}
		return f
	case leyline.PolicyLoaded:
		return problem([]Figure{
			fig("file", "%d bytes, %s: %s", x.Bytes, x.Digest.Short(), when(x.Fault == leyline.PolicyFaultNone, "verified", x.Fault.String())),
			fig("took", "%s", took(x.TookNs)),
		}, x.Reason)
	}
	return nil
}
