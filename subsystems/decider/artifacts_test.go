package decider_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/subsystems/decider"
	"github.com/esper-plane/esper/subsystems/tamiyo/policy"
)

// artifact is one that the rules of this version can evaluate.
func artifact(id leyline.PolicyID, version string) leyline.PolicyArtifact {
	return leyline.PolicyArtifact{
		ID: id, Version: version, Architecture: leyline.RulesArchitecture, Format: leyline.PolicyTOML,
		Digest: digest(string(id) + "@" + version), Bytes: 100, Origin: leyline.PolicyHandWritten, Created: "2026-11-26T21:00:00Z",
		Registries: append(leyline.FixedRegistries(), leyline.BlueprintRegistry([]leyline.BlueprintID{"bp-1"})),
	}
}

func (w *world) importing(a leyline.PolicyArtifact) leyline.PolicyImported {
	w.t.Helper()
	body, err := wire.EncodePolicy(a)
	w.check(err)
	return leyline.PolicyImported{Envelope: w.admin.Sign(leyline.PayloadPolicy, body), Peer: leyline.PeerOperator, PeerName: "test"}
}

// imports makes artifacts known.
func (w *world) imports(all ...leyline.PolicyArtifact) {
	w.t.Helper()
	for _, a := range all {
		w.must(w.importing(a))
	}
}

func activation(a leyline.PolicyArtifact) leyline.Command {
	return leyline.Command{Kind: leyline.CommandPolicy, Policy: leyline.PolicyCommand{
		Action: leyline.PolicyActivate, Scope: leyline.PolicyOfRun, Policy: a.Ref(), Reason: "test",
	}}
}

func goBack() leyline.Command {
	return leyline.Command{Kind: leyline.CommandPolicy, Policy: leyline.PolicyCommand{Action: leyline.PolicyRollback, Scope: leyline.PolicyOfRun, Reason: "test"}}
}

// reads is what a worker finds of the file that the last record asks for.
func (w *world) reads(a leyline.PolicyArtifact) leyline.PolicyLoaded {
	w.t.Helper()
	for i, e := range w.last {
		if x, ok := e.(leyline.PolicyRequested); ok {
			return leyline.PolicyLoaded{
				Run: x.Run, Request: leyline.EffectID{Seq: w.seq, Index: uint16(i)}, Digest: a.Digest, Bytes: a.Bytes, TookNs: 1000, Rules: weights(a),
			}
		}
	}
	w.t.Fatalf("nothing was asked for: %+v", w.last)
	return leyline.PolicyLoaded{}
}

// activates lets an artifact decide in the run.
func (o person) activates(a leyline.PolicyArtifact) {
	o.t.Helper()
	o.want(leyline.RejectNone, activation(a))
	one[leyline.PolicyActivated](o.world, o.must(o.reads(a)))
}

func (w *world) inForce() leyline.PolicyRef { return w.s.Tamiyo.Deciding("run-1").InForce() }

// TestPolicyDecidesOnlyWhenItsFileWasVerified: the command alone changes nothing.
func TestPolicyDecidesOnlyWhenItsFileWasVerified(t *testing.T) {
	w := newWorld(t)
	w.open()
	a := artifact("careful", "1")
	w.imports(a)
	ada := w.enrol("ada")
	ev := ada.want(leyline.RejectNone, activation(a))
	if e := one[leyline.PolicyRequested](w, ev); e.File != a.Digest.String()+".toml" || e.Bytes != a.Bytes || e.Deadline <= w.at {
		t.Errorf("asked for %+v", e)
	}
	if !w.inForce().IsZero() || len(w.s.Kasmina.Pending) != 0 {
		t.Error("the command alone has let it decide, or holds up the run")
	}
	read := w.reads(a)
	ada.want(leyline.RejectPolicyPending, activation(a))
	w.must(read)
	if w.inForce() != a.Ref() {
		t.Errorf("in force is %s", w.inForce())
	}
	if r := w.refused(read); r.Kind != leyline.RefusalUnknownRequest {
		t.Errorf("the same answer again: %v", &r)
	}
	ada.want(leyline.RejectPolicyInForce, activation(a))
}

// TestFileThatIsAnotherChangesNothing, whatever is the matter with it.
func TestFileThatIsAnotherChangesNothing(t *testing.T) {
	for _, c := range []struct {
		name  string
		read  func(*leyline.PolicyLoaded)
		fault leyline.PolicyFault
	}{
		{"other bytes", func(x *leyline.PolicyLoaded) { x.Digest = digest("evil") }, leyline.PolicyFileDigest},
		{"fewer bytes", func(x *leyline.PolicyLoaded) { x.Bytes-- }, leyline.PolicyFileDigest},
		{"none", func(x *leyline.PolicyLoaded) {
			*x = leyline.PolicyLoaded{Run: x.Run, Request: x.Request, Fault: leyline.PolicyFileMissing, Reason: "gone"}
		}, leyline.PolicyFileMissing},
		{"too late", func(x *leyline.PolicyLoaded) { x.Fault, x.Reason = leyline.PolicyFileLate, "late" }, leyline.PolicyFileLate},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.open()
			first, second := artifact("careful", "1"), artifact("careful", "2")
			w.imports(first, second)
			ada := w.enrol("ada")
			ada.activates(first)
			ada.want(leyline.RejectNone, activation(second))
			x := w.reads(second)
			c.read(&x)
			e := one[leyline.PolicyRejected](w, w.must(x))
			if e.Fault != c.fault || e.Suspended || e.Command == "" || w.inForce() != first.Ref() || !w.s.Tamiyo.Scope("run-1").Usable() {
				t.Errorf("refused as %+v, in force is %s", e, w.inForce())
			}
			ada.want(leyline.RejectNone, activation(second)) // once the file is back
		})
	}
}

// TestActivationIsJudgedByWhatIsRecorded: each mismatch has a reason of its own.
func TestActivationIsJudgedByWhatIsRecorded(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tamiyo.PolicyMaxAge = 60_000 })
	w.open()
	ada := w.enrol("ada")
	w.s.Plane.Config.Kasmina.Freshness = 10_000_000
	other := artifact("other", "1")
	other.Digest = digest("lie")
	network := artifact("network", "1")
	network.Architecture, network.Format = "hetgnn/1", leyline.PolicySafetensors
	older := artifact("older", "1")
	older.Architecture = "rules/1"
	grown := artifact("grown", "1")
	grown.Registries[2] = leyline.BlueprintRegistry([]leyline.BlueprintID{"bp-1", "bp-2"})
	renamed := artifact("renamed", "1")
	renamed.Registries[0] = leyline.RegistryOf(leyline.RegistryOperations, []string{"GERMINATE"})
	general := artifact("general", "1")
	general.Registries = general.Registries[:2]
	w.imports(artifact("other", "1"), network, older, grown, renamed, general)
	ada.want(leyline.RejectPolicyUnknown, activation(artifact("nobody", "1")))
	ada.want(leyline.RejectPolicyUnknown, activation(artifact("other", "2")))
	ada.want(leyline.RejectPolicyDigest, activation(other))
	ada.want(leyline.RejectPolicyArchitecture, activation(network))
	ada.want(leyline.RejectPolicyArchitecture, activation(older))
	ada.want(leyline.RejectPolicyRegistry, activation(grown))
	ada.want(leyline.RejectPolicyRegistry, activation(renamed))
	ada.want(leyline.RejectPolicyUnknown, goBack())
	ada.activates(general) // which indexes no blueprints
	w.at = w.at.Add(2 * time.Minute)
	ada.want(leyline.RejectPolicyStale, activation(artifact("other", "1")))
	c := activation(artifact("other", "1"))
	c.Policy.Scope = leyline.PolicyOfAll
	ada.want(leyline.RejectMalformed, c) // it is addressed to a run
}

// TestTwoArtifactsOfOneNameAreRefused, and so is the same one handed in twice, one that
// nobody with a right signed, and one that lies about its form.
func TestTwoArtifactsOfOneNameAreRefused(t *testing.T) {
	w := newWorld(t)
	a := artifact("careful", "1")
	w.imports(a)
	b := a
	b.Digest = digest("another file")
	for name, c := range map[string]struct {
		in   leyline.PolicyImported
		kind leyline.RefusalKind
	}{
		"another file": {w.importing(b), leyline.RefusalPolicyExists},
		"a replay":     {w.importing(a), leyline.RefusalPolicyExists},
		"a path":       {w.importing(artifact("../../keys/admin", "1")), leyline.RefusalArtifact},
		"tamiyo's": {leyline.PolicyImported{
			Envelope: w.tamiyo.Sign(leyline.PayloadPolicy, w.importing(artifact("b", "1")).Envelope.Payload), Peer: leyline.PeerOperator,
		}, leyline.RefusalNotAuthorized},
		"a stranger's": {leyline.PolicyImported{
			Envelope: signer(t, 77).Sign(leyline.PayloadPolicy, w.importing(artifact("b", "1")).Envelope.Payload), Peer: leyline.PeerOperator,
		}, leyline.RefusalInvalidSignature},
	} {
		if r := w.refused(c.in); r.Kind != c.kind || r.Hint == "" {
			t.Errorf("%s: %v", name, &r)
		}
	}
	forged := w.importing(artifact("b", "1"))
	forged.Envelope.Signature[3] ^= 1
	if r := w.refused(forged); r.Kind != leyline.RefusalInvalidSignature {
		t.Errorf("a forged one: %v", &r)
	}
	ada := w.enrol("ada")
	body := w.importing(artifact("b", "1")).Envelope.Payload
	w.must(leyline.PolicyImported{Envelope: ada.key.Sign(leyline.PayloadPolicy, body), Peer: leyline.PeerOperator})
	if got := w.s.Tamiyo.Artifact("b", "1"); got == nil || got.By != ada.key.KeyID() {
		t.Errorf("a key that may issue POLICY commands: %+v", got)
	}
}

// TestActivationIsNotReplayed and needs a key with the permission.
func TestActivationIsNotReplayed(t *testing.T) {
	w := newWorld(t)
	w.open()
	a, b := artifact("careful", "1"), artifact("careful", "2")
	w.imports(a, b)
	ada := w.enrol("ada")
	env := ada.envelope(activation(a))
	w.must(env)
	w.must(w.reads(a))
	ada.activates(b)
	if e := one[leyline.CommandRejected](w, w.must(env)); e.Reason != leyline.RejectNonceReplayed || w.inForce() != b.Ref() {
		t.Errorf("the replay is decided as %s, in force is %s", e.Reason, w.inForce())
	}
	w.s.Plane.Key(ada.key.KeyID()).Kinds = []leyline.CommandKind{leyline.CommandSeed}
	ada.want(leyline.RejectNotPermitted, activation(a))
	v := w.valid(leyline.SeedCommand{})
	v.Kind, v.Policy = leyline.CommandPolicy, activation(a).Policy
	w.s.Plane.Key(w.tamiyo.KeyID()).Kinds = leyline.CommandUnknown.Members()
	if e := one[leyline.CommandRejected](w, w.must(w.received(v))); e.Reason != leyline.RejectOperatorOnly {
		t.Errorf("the policy itself: %s", e.Reason)
	}
}

// TestRollbackGoesBackThroughWhatDecided, to the settings in the end.
func TestRollbackGoesBackThroughWhatDecided(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tamiyo.PolicyMaxAge = 60_000 })
	w.open()
	first, second := artifact("careful", "1"), artifact("careful", "2")
	w.imports(first, second)
	ada := w.enrol("ada")
	ada.activates(first)
	ada.activates(second)
	w.at = w.at.Add(time.Hour)
	ev := ada.want(leyline.RejectNone, goBack()) // to one that is too old to be activated
	if e := one[leyline.PolicyRequested](w, ev); e.Policy != first.Ref() {
		t.Errorf("asked for %+v", e)
	}
	e := one[leyline.PolicyActivated](w, w.must(w.reads(first)))
	if e.Action != leyline.PolicyRollback || e.Replaces != second.Ref() || w.inForce() != first.Ref() {
		t.Errorf("activated %+v", e)
	}
	ev = ada.want(leyline.RejectNone, goBack())
	if e := one[leyline.PolicyReverted](w, ev); e.Replaces != first.Ref() || w.s.Tamiyo.Deciding("run-1") != nil {
		t.Errorf("reverted %+v", e)
	}
	ada.want(leyline.RejectPolicyUnknown, goBack())
}

// TestForgottenActivationsAreNotMadeUp: only so many are kept, and a rollback behind
// them is refused instead of landing at the settings.
func TestForgottenActivationsAreNotMadeUp(t *testing.T) {
	w := newWorld(t)
	w.open()
	a, b := artifact("careful", "1"), artifact("careful", "2")
	w.imports(a, b)
	ada := w.enrol("ada")
	for i := range leyline.MaxPolicyStack + 2 {
		ada.activates([]leyline.PolicyArtifact{a, b}[i%2])
	}
	for i := leyline.MaxPolicyStack; i > 1; i-- {
		ada.want(leyline.RejectNone, goBack())
		w.must(w.reads([]leyline.PolicyArtifact{a, b}[i%2]))
	}
	ada.want(leyline.RejectPolicyUnknown, goBack())
	if w.inForce().IsZero() {
		t.Error("the settings took its place")
	}
}

// TestScopes: what is activated for all decides where a run has none of its own.
func TestScopes(t *testing.T) {
	w := newWorld(t)
	w.open()
	all, own := artifact("all", "1"), artifact("own", "1")
	w.imports(all, own)
	ada := w.enrol("ada")
	c := activation(all)
	c.Policy.Scope = leyline.PolicyOfAll
	w.must(ada.addressed(c, ""))
	w.must(w.reads(all))
	if w.inForce() != all.Ref() {
		t.Errorf("in force is %s", w.inForce())
	}
	ada.activates(own)
	if w.inForce() != own.Ref() || w.s.Tamiyo.Deciding("run-2").InForce() != all.Ref() {
		t.Errorf("in force is %s, and %s elsewhere", w.inForce(), w.s.Tamiyo.Deciding("run-2").InForce())
	}
	ada.want(leyline.RejectNone, goBack())
	if w.inForce() != all.Ref() {
		t.Errorf("in force is %s again", w.inForce())
	}
}

// TestPolicyIsNeverRewound by a rollback of training.
func TestPolicyIsNeverRewound(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.steps(12)
	a := artifact("careful", "1")
	w.imports(a)
	ada := w.enrol("ada")
	ada.activates(a)
	before := *w.s.Tamiyo.Scope("run-1")
	ada.want(leyline.RejectNone, leyline.Command{Kind: leyline.CommandRollback, Rollback: leyline.RollbackCommand{Step: 10, Reason: "test"}})
	w.returns()
	if got := w.s.Tamiyo.Scope("run-1"); got.InForce() != before.InForce() || got.Since != before.Since {
		t.Errorf("after a rollback %+v, before it %+v", got, before)
	}
}

// TestRestartVerifiesAgainBeforeAnythingIsProposed. A file that is gone suspends the
// policy: the settings do not take its place, and an operator finds the way out.
func TestRestartVerifiesAgainBeforeAnythingIsProposed(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.steps(10)
	a, b := artifact("careful", "1"), artifact("careful", "2")
	w.imports(a, b)
	ada := w.enrol("ada")
	ada.activates(a)
	ada.activates(b)
	boot := func() {
		w.must(leyline.PlaneStarted{Boot: "b2", Origin: "esper-test", AdminKey: w.admin.Public(), Decider: decider.Version})
		x := plan()
		x.Resume = true
		w.inc = one[leyline.RunResumed](w, w.must(x)).Incarnation
	}
	boot()
	if e := one[leyline.PolicyRequested](w, w.last); e.Policy != b.Ref() || e.Action != leyline.PolicyActionUnspecified {
		t.Fatalf("asked for %+v", e)
	}
	read := w.reads(b)
	w.noProposals(4, leyline.RiskUnverified)
	one[leyline.PolicyConfirmed](w, w.must(read))
	if w.inForce() != b.Ref() || !w.s.Tamiyo.Scope("run-1").Usable() {
		t.Errorf("in force is %s", w.inForce())
	}

	boot()
	gone := leyline.PolicyLoaded{Run: "run-1", Request: w.reads(b).Request, Fault: leyline.PolicyFileMissing, Reason: "gone"}
	e := one[leyline.PolicyRejected](w, w.must(gone))
	if !e.Suspended || e.Command != "" || !w.s.Tamiyo.Run("run-1").Caution.Conservative {
		t.Errorf("refused as %+v", e)
	}
	w.noProposals(8, leyline.RiskUnusable)
	ada.want(leyline.RejectNone, goBack())
	w.must(w.reads(a))
	if w.inForce() != a.Ref() || !w.s.Tamiyo.Scope("run-1").Usable() {
		t.Errorf("in force is %s", w.inForce())
	}
}

// noProposals takes steps, and demands that each window of them proposes nothing for one
// reason.
func (w *world) noProposals(n int, why leyline.RiskReason) {
	w.t.Helper()
	windows := 0
	for range n {
		w.must(w.report())
		for _, e := range w.last {
			switch x := e.(type) {
			case leyline.RiskAssessed, leyline.CommandProposed:
				w.t.Fatalf("the policy was asked: %+v", x)
			case leyline.ActionNone:
				windows++
				if x.Reason != why {
					w.t.Errorf("nothing is proposed for %s, want %s", x.Reason, why)
				}
			}
		}
	}
	if windows == 0 {
		w.t.Error("there was no window")
	}
}

// TestActivationUnderWayIsGoneOnWithAfterARestart.
func TestActivationUnderWayIsGoneOnWithAfterARestart(t *testing.T) {
	w := newWorld(t)
	w.open()
	a := artifact("careful", "1")
	w.imports(a)
	ada := w.enrol("ada")
	c := activation(a)
	c.Policy.Scope = leyline.PolicyOfAll
	w.must(ada.addressed(c, ""))
	read := w.reads(a)
	ev := w.must(leyline.PlaneStarted{Boot: "b2", Origin: "esper-test", AdminKey: w.admin.Public(), Decider: decider.Version})
	if e := one[leyline.EffectRecovered](w, ev); e.Effect != read.Request || e.Kind != leyline.EffectPolicyFile || !e.Reissued {
		t.Errorf("recovered %+v", e)
	}
	one[leyline.PolicyActivated](w, w.must(read))
	if w.inForce() != a.Ref() {
		t.Errorf("in force is %s", w.inForce())
	}
}

// TestImportsAreBounded.
func TestImportsAreBounded(t *testing.T) {
	w := newWorld(t)
	for i := range leyline.MaxPolicies {
		w.imports(artifact("careful", fmt.Sprint(i+1)))
	}
	if r := w.refused(w.importing(artifact("careful", "last"))); r.Kind != leyline.RefusalArtifact {
		t.Errorf("one too many: %v", &r)
	}
}

// weights are those of a file, another set for each version.
func weights(a leyline.PolicyArtifact) leyline.RulesConfig {
	c := leyline.DefaultConfig().Rules
	c.Germinate += float64(len(a.Version))
	return c
}

// addressed is the envelope of a command to another run than the one that is open; the
// empty one stands for all.
func (o person) addressed(c leyline.Command, run leyline.RunID) leyline.CommandReceived {
	o.t.Helper()
	o.at = o.at.Add(time.Millisecond)
	c.Issuer, c.Audience = o.s.Plane.Key(o.key.KeyID()).Issuer, leyline.Audience{Origin: "esper-test", Run: run}
	c.ID, c.Sequence, c.IssuedAt = leyline.CommandID("op-"+o.at.String()), o.s.Kasmina.High(o.key.KeyID())+1, o.at
	body, err := wire.EncodeCommand(c)
	o.check(err)
	return leyline.CommandReceived{Envelope: o.key.Sign(leyline.PayloadCommand, body), Peer: leyline.PeerOperator, PeerName: "test"}
}

// returns carries a rollback through to its end.
func (w *world) returns() {
	w.t.Helper()
	s := w.run().Snapshot(w.run().Rollback.Snapshot)
	for range 5 {
		if !w.run().Rollback.Active() {
			return
		}
		w.must(w.rollback(w.run().Rollback.Phase, s.Digest))
	}
	w.t.Fatalf("the rollback did not end: %+v", w.run().Rollback)
}

// TestDecisionsCarryTheIdentityInForce and follow its weights from its record on.
func TestDecisionsCarryTheIdentityInForce(t *testing.T) {
	w := newWorld(t)
	w.open()
	a := artifact("careful", "1")
	w.imports(a)
	ada := w.enrol("ada")
	ada.want(leyline.RejectNone, activation(a))
	read := w.reads(a)
	read.Rules = leyline.RulesConfig{Falling: 1, Runway: 1000, Advance: 0.001} // nothing is begun
	w.must(read)
	w.steps(8)
	after := lastEvent[leyline.PolicyWeighed](w)
	if want := (leyline.PolicyIdentity{ID: "careful", Version: "1", Digest: a.Digest}); after.Policy != want {
		t.Errorf("it decides %+v, want %+v", after.Policy, want)
	}
	if got := w.s.Tamiyo.Run("run-1").Proposals; got != 0 {
		t.Errorf("%d proposals of weights that propose nothing", got)
	}
	ada.want(leyline.RejectNone, goBack())
	w.steps(8)
	if got := lastEvent[leyline.PolicyWeighed](w); got.Policy.ID != policy.RulesID || w.s.Tamiyo.Run("run-1").Proposals == 0 {
		t.Errorf("after the rollback %s decides, with %d proposals", got.Policy, w.s.Tamiyo.Run("run-1").Proposals)
	}
}

// lastEvent is the newest event of a kind in the log.
func lastEvent[E leyline.Event](w *world) E {
	w.t.Helper()
	for i := len(w.log) - 1; i >= 0; i-- {
		if e, ok := first[E](w.log[i].Events); ok {
			return e
		}
	}
	w.t.Fatalf("there is no %T", *new(E))
	panic("unreachable")
}
