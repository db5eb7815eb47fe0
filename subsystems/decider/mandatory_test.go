package decider_test

import (
	"slices"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/leylinetest"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/telemetry"
)

// TestMandatoryFieldsAtTheDoor sends every input without each of its mandatory
// fields to a plane that trains: the record holds the violation and nothing
// else, no state changes but the count of violations, and it is CRITICAL.
func TestMandatoryFieldsAtTheDoor(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.steps(12)
	for _, c := range leylinetest.Inputs() {
		t.Run(c.Name, func(t *testing.T) {
			w.t = t
			for _, f := range c.Mandatory {
				w.violates(c.Without(f), f)
			}
		})
	}
}

// violates feeds an input that lacks a field.
func (w *world) violates(in leyline.Input, field string) {
	w.t.Helper()
	after := *w.s
	after.Seq, after.At = w.seq+1, w.at.Add(time.Millisecond)
	after.Plane.Violations++
	want := projections.DigestOf(after) // before feed: the copy shares memory with the state
	events := w.feed(in)
	v, ok := first[leyline.DependencyViolated](events)
	if !ok || len(events) != 1 {
		w.t.Errorf("without %s: decided %s", field, kinds(events))
		return
	}
	r := v.Refusal
	if r.Field != field || r.Kind != leyline.RefusalMissingField && r.Kind != leyline.RefusalInvalidField {
		w.t.Errorf("without %s: %+v", field, r)
	}
	if projections.DigestOf(*w.s) != want {
		w.t.Errorf("without %s: the refusal changed more than the count of violations", field)
	}
	critical(w.t, w.log[len(w.log)-1], r)
}

// critical demands the report of a violation that SPEC.md 5.2 asks for: CRITICAL
// in level and priority, with subsystem, dependency, identifier and reason.
func critical(t *testing.T, rec leyline.Record, r leyline.Refusal) {
	t.Helper()
	packets := telemetry.Packets(rec)
	if len(packets) != 1 || len(packets[0].Events) != 1 {
		t.Errorf("%d packets, want one with one event", len(packets))
		return
	}
	p := packets[0]
	e := p.Events[0]
	if e.Name != leyline.NameDependencyViolation || e.Level != leyline.LevelCritical ||
		p.Level != leyline.LevelCritical || p.Priority != leyline.PriorityCritical || p.Source != r.Subsystem {
		t.Errorf("reported as %s at %s, packet of %s at %s with priority %s", e.Name, e.Level, p.Source, p.Level, p.Priority)
	}
	for key, want := range map[string]string{
		"subsystem": r.Subsystem.String(), "identifier": r.Identifier, "reason": r.Kind.String(), "details": r.Reason, "field": r.Field,
		"input": rec.Input.InputKind().String(),
	} {
		if i := slices.IndexFunc(e.Attrs, func(a leyline.Attr) bool { return a.Key == key }); i < 0 || e.Attrs[i].Value != want {
			t.Errorf("the report's %s is not %q: %+v", key, want, e.Attrs)
		}
	}
	if i := slices.IndexFunc(e.Attrs, func(a leyline.Attr) bool { return a.Key == "dependency_type" }); i < 0 ||
		e.Attrs[i].Value == "" || e.Attrs[i].Value == "unknown" {
		t.Errorf("the report does not say what kind of thing was missed: %+v", e.Attrs)
	}
}

// TestEveryRefusalIsCritical holds the report of every kind of refusal.
func TestEveryRefusalIsCritical(t *testing.T) {
	for _, k := range leyline.RefusalKind(0).Members() {
		r := leyline.Refusal{Subsystem: leyline.SubsystemKasmina, Kind: k, Field: "f", Identifier: "id-7", Reason: "is bad"}
		critical(t, leyline.Record{
			Seq: 1, Run: "run-1", Input: leyline.RunClosed{Run: "run-1"}, Events: []leyline.Event{leyline.DependencyViolated{Refusal: r}},
		}, r)
	}
}

func TestOnlyTheRegisteredKernelIsReady(t *testing.T) {
	for reason, change := range map[string]func(*leyline.KernelReady){
		"kernel_digest_mismatch": func(x *leyline.KernelReady) { x.Digest = digest("identity") },
		"kernel_size_mismatch":   func(x *leyline.KernelReady) { x.Bytes = 0 },
		"":                       func(*leyline.KernelReady) {},
	} {
		w := quiet(t)
		w.command(germinate())
		k := w.seed().Kernel
		x := leyline.KernelReady{Request: k.Request, Run: "run-1", Seed: "seed-a", Digest: k.Digest, Guard: k.Guard, Origin: leyline.KernelFromStore, Bytes: 6}
		change(&x)
		e := one[leyline.PrefetchSettled](w, w.must(x))
		if good := reason == ""; e.Reason != reason || (e.Outcome == leyline.OutcomeOK) != good || w.seed().Kernel.Ready != good {
			t.Errorf("%q: settled as %+v, ready %v, the seed is %s", reason, e, w.seed().Kernel.Ready, w.seed().Stage)
		}
	}
}

func TestBlueprintOfAnotherHostDoesNotGerminate(t *testing.T) {
	w := quiet(t)
	w.must(leylinetest.Blueprint("bp-2", []byte("k")))
	sc := germinate()
	sc.Blueprint = "bp-2"
	if r := w.command(sc); r != leyline.RejectUnknownBlueprint || w.seed().Stage != leyline.StageDormant {
		t.Errorf("rejected as %s, the seed is %s", r, w.seed().Stage)
	}
}

// TestLateKernelIsNotReady lets a kernel arrive after its deadline and before the
// timer that would say so.
func TestLateKernelIsNotReady(t *testing.T) {
	for _, late := range []time.Duration{0, 1} {
		w := quiet(t)
		w.command(germinate())
		k := w.seed().Kernel
		w.at = k.Deadline.Add(late)
		ev := w.feedNow(leyline.KernelReady{Request: k.Request, Run: "run-1", Seed: "seed-a", Digest: k.Digest, Guard: k.Guard, Origin: leyline.KernelFromStore, Bytes: 6})
		e := one[leyline.PrefetchSettled](w, ev)
		if ready := late == 0; w.seed().Kernel.Ready != ready || (e.Outcome == leyline.OutcomeDeadline) == ready {
			t.Errorf("%v after the deadline: settled as %+v, ready %v", late, e, w.seed().Kernel.Ready)
		}
	}
}

// TestReportsOfAnUnknownRunAreRefused sends every valid report to a plane that
// knows no run.
func TestReportsOfAnUnknownRunAreRefused(t *testing.T) {
	w := newWorld(t)
	for _, c := range leylinetest.Inputs() {
		if leyline.RunOf(c.Value) == "" || c.Value.InputKind() == leyline.InputRunOpened {
			continue
		}
		want := leyline.RefusalUnknownRun
		if c.Value.InputKind() == leyline.InputTimerFired {
			want = leyline.RefusalUnknownTimer // what the plane itself has not armed
		}
		if r := w.refused(c.Value); r.Kind != want || r.Identifier == "" {
			t.Errorf("%s is refused as %s: %v", c.Name, r.Kind, &r)
		}
	}
}

// TestKeysThatMeanNothingAreRefused: the admin key signs them, which makes them
// authentic and not right.
func TestKeysThatMeanNothingAreRefused(t *testing.T) {
	w := newWorld(t)
	other := signer(t, 5)
	for field, change := range map[string]func(*leyline.Key){
		"key.id":       func(k *leyline.Key) { k.ID = "" },
		"key.public":   func(k *leyline.Key) { k.Public = k.Public[:31] },
		"key.issuer":   func(k *leyline.Key) { k.Issuer = "" },
		"key.kinds":    func(k *leyline.Key) { k.Kinds = nil },
		"key.kinds[1]": func(k *leyline.Key) { k.Kinds[1] = leyline.CommandUnknown },
	} {
		k := leyline.Key{
			ID: other.KeyID(), Public: other.Public(), Issuer: "operator", Kinds: []leyline.CommandKind{leyline.CommandSeed, leyline.CommandPause},
		}
		change(&k)
		body, err := wire.EncodeKey(k)
		w.check(err)
		if r := w.refused(leyline.KeyAdded{Envelope: w.admin.Sign(leyline.PayloadKey, body)}); r.Field != field {
			t.Errorf("without %s: %v", field, &r)
		}
	}
}
