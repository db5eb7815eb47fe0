package decider

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/guard"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/tolaria"
)

// admit is the guard: why the input must be refused, or nil.
func admit(s *projections.State, in leyline.Input) *leyline.Refusal {
	if err := in.Validate(); err != nil {
		if r, ok := leyline.AsRefusal(err); ok {
			return r
		}
		return leyline.Invalid("input", err.Error())
	}
	switch x := in.(type) {
	case leyline.PlaneStarted:
		return admitBoot(s, x)
	case leyline.ConfigApplied:
		return admitConfig(s, x)
	case leyline.KeyAdded:
		return admitKey(s, x)
	case leyline.KeyRevoked:
		return admitRevocation(s, x)
	case leyline.BlueprintRegistered:
		return admitBlueprint(s, x)
	case leyline.BlueprintWithdrawn:
		return admitWithdrawal(s, x)
	case leyline.PolicyImported:
		return admitPolicy(s, x)
	}
	if !s.Plane.Configured {
		return refuse(leyline.RefusalNotConfigured, "input", in.InputKind().String(),
			"came before any configuration", "apply a configuration first")
	}
	if x, ok := in.(leyline.RunOpened); ok {
		return admitRun(s, x)
	}
	return admitReport(s, in)
}

func refuse(kind leyline.RefusalKind, field, id, reason, hint string) *leyline.Refusal {
	return &leyline.Refusal{
		Subsystem: leyline.SubsystemPlane, Kind: kind, Field: field, Identifier: id, Reason: reason, Hint: hint,
	}
}

// first returns the first refusal.
func first(rs ...*leyline.Refusal) *leyline.Refusal {
	for _, r := range rs {
		if r != nil {
			return r
		}
	}
	return nil
}

func admitBoot(s *projections.State, x leyline.PlaneStarted) *leyline.Refusal {
	if s.Plane.Boots == 0 {
		return nil
	}
	if x.Origin != s.Plane.Origin && x.Previous != s.Plane.Origin {
		return refuse(leyline.RefusalNotAuthorized, "origin", x.Origin,
			fmt.Sprintf("is neither the log this plane was started on, %q, nor restored from it", s.Plane.Origin), "restore the log that belongs to this directory")
	}
	if !bytes.Equal(x.AdminKey, s.Plane.AdminKey) {
		return refuse(leyline.RefusalNotAuthorized, "admin_key", x.Origin,
			"is not the key that vouched for what is in this log", "restore the log with the admin.key that it had: `esper log restore --keys`")
	}
	return nil
}

// vouched refuses an envelope that the admin key did not sign.
func vouched(s *projections.State, env leyline.Envelope) *leyline.Refusal {
	if len(s.Plane.AdminKey) == 0 {
		return refuse(leyline.RefusalNotConfigured, "envelope", "", "came before the plane was started", "start the plane first")
	}
	if err := sign.Verify(s.Plane.AdminKey, env); err != nil {
		return refuse(leyline.RefusalInvalidSignature, "envelope.signature", string(env.KeyID), err.Error(),
			"sign it with the admin key named in the log's origin record")
	}
	return nil
}

func admitConfig(s *projections.State, x leyline.ConfigApplied) *leyline.Refusal {
	if r := vouched(s, x.Envelope); r != nil {
		return r
	}
	c, err := wire.DecodeConfig(x.Envelope.Payload)
	if err == nil {
		err = c.Validate()
	}
	if err != nil {
		return refuse(leyline.RefusalConfig, "envelope.payload", "", err.Error(), "mend the configuration and sign it again")
	}
	return nil
}

func admitBlueprint(s *projections.State, x leyline.BlueprintRegistered) *leyline.Refusal {
	if old := s.Plane.Blueprint(x.Blueprint); old != nil {
		return refuse(leyline.RefusalBlueprintExists, "blueprint", string(x.Blueprint), "is registered already", "give a changed blueprint another id")
	}
	return nil
}

func admitWithdrawal(s *projections.State, x leyline.BlueprintWithdrawn) *leyline.Refusal {
	if r := guard.Registered(s.Plane.Blueprint(x.Blueprint), "blueprint", x.Blueprint); r != nil {
		return r
	}
	if s.Plane.Withdrawn(x.Blueprint) {
		return refuse(leyline.RefusalWithdrawn, "blueprint", string(x.Blueprint), "is withdrawn already", "withdraw it once")
	}
	return nil
}

func admitRun(s *projections.State, x leyline.RunOpened) *leyline.Refusal {
	if r := guard.Posture(&s.Plane.Config.Posture, x.Framework, x.Posture); r != nil {
		return r
	}
	if r := guard.Rates(s.Plane.Config.Tolaria.LRPolicy, x.Groups); r != nil {
		return r
	}
	run := s.Tolaria.Run(x.Run)
	if r := admitKinds(s, x); r != nil {
		return r
	}
	for i, o := range x.Owners {
		if o != "" && !slices.Contains(x.Seeds, o) {
			return refuse(leyline.RefusalUnknownSeed, fmt.Sprintf("owners[%d]", i), string(o), "is not a seed of the run", "name one of seeds, or nothing for the host")
		}
	}
	if r := first(tolaria.CheckPlan(&s.Plane.Config.Tolaria, &x), tolaria.CheckLag(&s.Plane.Config.Tolaria, &x)); r != nil {
		return r
	}
	if !x.Resume {
		if run != nil {
			return refuse(leyline.RefusalRunExists, "run", string(x.Run), "exists already", "resume it, or choose another id")
		}
		return room(s, x)
	}
	if r := guard.Open(runFacts(s, x.Run), x.Run); r != nil {
		return r
	}
	return first(samePrincipal(run.Plan, x), samePlan(run.Plan, x))
}

// admitKinds refuses a plan that names a kind of seed which cannot grow in its host.
func admitKinds(s *projections.State, x leyline.RunOpened) *leyline.Refusal {
	for i, b := range x.Blueprints {
		bp, field := s.Plane.Blueprint(b), fmt.Sprintf("blueprints[%d]", i)
		if r := guard.Registered(bp, field, b); r != nil {
			return r
		}
		if r := guard.Suits(bp, field, x.Framework, x.Layers); r != nil {
			return r
		}
	}
	return nil
}

// samePrincipal refuses to resume somebody else's run.
func samePrincipal(old, now leyline.RunOpened) *leyline.Refusal {
	if old.Principal == now.Principal {
		return nil
	}
	return refuse(leyline.RefusalNotAuthorized, "principal", now.Principal, "did not open the run, "+old.Principal+" did",
		"resume it as who opened it, or open a new run")
}

// samePlan refuses to resume a run under another plan than it was opened with.
func samePlan(old, now leyline.RunOpened) *leyline.Refusal {
	old.Resume, old.Damaged, now.Damaged = now.Resume, nil, nil
	old.Posture = now.Posture // a resume may bring a newer framework: it was judged, and is recorded
	if other := apart(old, now); len(other) > 0 {
		return refuse(leyline.RefusalInvalidField, "run", string(now.Run), "was opened with another plan: other are "+strings.Join(other, ", "),
			"resume it with the same plan, or open a new run")
	}
	return nil
}

// member is the name of a field in a document of the protocol.
func member(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// apart names the members in which two plans differ, as the protocol writes them.
func apart(old, now leyline.RunOpened) []string {
	var out []string
	a, b := reflect.ValueOf(old), reflect.ValueOf(now)
	for i := range a.NumField() {
		if projections.DigestOf(a.Field(i).Interface()) != projections.DigestOf(b.Field(i).Interface()) {
			out = append(out, member(a.Type().Field(i).Name))
		}
	}
	return out
}
