package kasmina

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// policy accepts a POLICY command: from facts of the log alone it says whether the
// artifact may decide. Then the file is read and verified; only that brings it into
// force, in a later record.
func (d *dispatch) policy() {
	c := &d.v.Command
	why, detail := d.governed()
	scope := d.State.Tamiyo.Scope(d.id())
	if why == leyline.RejectNone && scope != nil && !scope.Loading.Request.IsZero() {
		why, detail = leyline.RejectPolicyPending, fmt.Sprintf("the file of %s is being read", scope.Loading.Policy)
	}
	ref := c.Policy.Policy
	if c.Policy.Action == leyline.PolicyRollback {
		ref = scope.Before()
		if why == leyline.RejectNone {
			why, detail = d.returnable(scope)
		}
	}
	if why == leyline.RejectNone && !ref.IsZero() {
		why, detail = d.installable(scope, ref)
	}
	if why != leyline.RejectNone {
		d.reject(why, detail)
		return
	}
	d.accept()
	if ref.IsZero() {
		x := leyline.PolicyReverted{Run: d.id(), Replaces: scope.InForce(), Command: c.ID}
		if d.id() != "" {
			x.Then = d.State.Tamiyo.InForce("")
		}
		d.Emit(x)
		return
	}
	a := d.State.Tamiyo.Artifact(ref.ID, ref.Version)
	deadline := d.Meta.At.Add(d.Config().Kasmina.CommandDeadline.Duration())
	if c.NotAfter != 0 {
		deadline = min(deadline, c.NotAfter)
	}
	d.Emit(leyline.PolicyRequested{
		Run: d.id(), Policy: ref, File: a.Facts.File(), Bytes: a.Facts.Bytes, Action: c.Policy.Action, Command: c.ID, Deadline: deadline,
	})
}

// governed checks the scope of the command. A rollback under way does not matter: which
// policy decides is never rewound.
func (d *dispatch) governed() (leyline.RejectReason, string) {
	if d.v.Command.Policy.Scope == leyline.PolicyOfAll {
		return leyline.RejectNone, ""
	}
	run := d.State.Tolaria.Run(d.id())
	switch {
	case run == nil:
		return leyline.RejectUnknownRun, fmt.Sprintf("no run %q", d.id())
	case run.Status != leyline.RunStatusOpen:
		return leyline.RejectRunNotOpen, fmt.Sprintf("the run is %s", run.Status)
	}
	return leyline.RejectNone, ""
}

// returnable checks that there is something to go back from, and that what was before
// it is still known.
func (d *dispatch) returnable(scope *projections.Installed) (leyline.RejectReason, string) {
	others := d.State.Tamiyo.InForce("")
	switch {
	case scope.InForce().IsZero() && !others.IsZero():
		return leyline.RejectPolicyUnknown, fmt.Sprintf("the run has no policy of its own: %s decides in all runs; go back there (--all)", others)
	case scope.InForce().IsZero():
		return leyline.RejectPolicyUnknown, "no policy was activated here: the settings decide already"
	case len(scope.Stack) == 1 && scope.Forgotten > 0:
		return leyline.RejectPolicyUnknown, fmt.Sprintf("only the last %d activations are kept; activate the policy that is wanted", leyline.MaxPolicyStack)
	}
	return leyline.RejectNone, ""
}

// installable judges an artifact: known, the one that is meant, not too old, of an
// architecture that this version evaluates, and made for the names that there are. A
// rollback goes back to one that is too old all the same: it was in force before.
func (d *dispatch) installable(scope *projections.Installed, ref leyline.PolicyRef) (leyline.RejectReason, string) {
	a := d.State.Tamiyo.Artifact(ref.ID, ref.Version)
	limit := d.Config().Tamiyo.PolicyMaxAge.Duration()
	switch {
	case a == nil:
		return leyline.RejectPolicyUnknown, fmt.Sprintf("no policy %s was imported; import it with `esper policy import`", ref)
	case a.Facts.Digest != ref.Digest:
		return leyline.RejectPolicyDigest, fmt.Sprintf("%s was imported with the digest %s, the command says %s", ref, a.Facts.Digest.Short(), ref.Digest.Short())
	case d.v.Command.Policy.Action == leyline.PolicyRollback:
	case scope.InForce() == ref && scope.Usable():
		return leyline.RejectPolicyInForce, fmt.Sprintf("%s decides here already", ref)
	case limit > 0 && d.Meta.At.Sub(a.Imported) > limit:
		return leyline.RejectPolicyStale, fmt.Sprintf("%s was imported %s ago, tamiyo.policy_max_age_ms allows %s", ref,
			d.Meta.At.Sub(a.Imported).Round(time.Millisecond), limit)
	}
	if a.Facts.Architecture != leyline.RulesArchitecture {
		return leyline.RejectPolicyArchitecture, fmt.Sprintf("%s is %s; this version evaluates %s only", ref, a.Facts.Architecture, leyline.RulesArchitecture)
	}
	return registered(a.Facts.Registries, d.registries())
}

// registries are those that the run has, or the plane for all runs.
func (d *dispatch) registries() []leyline.PolicyRegistry {
	var ids []leyline.BlueprintID
	if run := d.State.Tolaria.Run(d.id()); run != nil {
		ids = run.Plan.Blueprints
	} else {
		for _, b := range d.State.Plane.InUse() {
			ids = append(ids, b.Blueprint)
		}
	}
	return append(leyline.FixedRegistries(), leyline.BlueprintRegistry(ids))
}

// registered holds the registries of an artifact against those there are.
func registered(want, have []leyline.PolicyRegistry) (leyline.RejectReason, string) {
	var wrong []string
	for _, w := range want {
		i := slices.IndexFunc(have, func(h leyline.PolicyRegistry) bool { return h.Kind == w.Kind }) // Invariant: there is one of every kind
		if h := have[i]; h != w {
			wrong = append(wrong, fmt.Sprintf("%s: made for %d names of digest %s, there are %d of %s", w.Kind, w.Size, w.Digest.Short(), h.Size, h.Digest.Short()))
		}
	}
	if len(wrong) > 0 {
		return leyline.RejectPolicyRegistry, strings.Join(wrong, "; ")
	}
	return leyline.RejectNone, ""
}
