package decider_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
)

func keyOf(s sign.Signer, issuer string, change ...func(*leyline.Key)) leyline.Key {
	k := leyline.Key{ID: s.KeyID(), Public: s.Public(), Issuer: issuer, Kinds: []leyline.CommandKind{leyline.CommandSeed}}
	for _, f := range change {
		f(&k)
	}
	return k
}

func (w *world) added(k leyline.Key) leyline.KeyAdded {
	body, err := wire.EncodeKey(k)
	w.check(err)
	return leyline.KeyAdded{Envelope: w.admin.Sign(leyline.PayloadKey, body)}
}

func (w *world) revoked(r leyline.KeyRevocation) leyline.KeyRevoked {
	body, err := wire.EncodeRevocation(r)
	w.check(err)
	return leyline.KeyRevoked{Envelope: w.admin.Sign(leyline.PayloadRevocation, body)}
}

// by signs a command with a key and hands it in; it returns the reason of its
// rejection.
func (w *world) by(s sign.Signer, c leyline.Command) leyline.RejectReason {
	w.t.Helper()
	body, err := wire.EncodeCommand(c)
	w.check(err)
	ev := w.must(leyline.CommandReceived{Envelope: s.Sign(leyline.PayloadCommand, body), Peer: leyline.PeerOperator, PeerName: "test"})
	if e, ok := first[leyline.CommandRejected](ev); ok {
		return e.Reason
	}
	one[leyline.CommandVerified](w, ev)
	return leyline.RejectNone
}

// of is the next command of an issuer, authentic but impossible: the seed is not
// where it says.
func (w *world) of(s sign.Signer, issuer string) leyline.Command {
	high := w.s.Kasmina.High(s.KeyID()) + 1
	return leyline.Command{
		Issuer: issuer, Audience: leyline.Audience{Origin: "esper-test", Run: "run-1"}, ID: leyline.CommandID(fmt.Sprintf("%s-%d", issuer, high)),
		Sequence: high, IssuedAt: w.at, Kind: leyline.CommandSeed, Seed: leyline.SeedCommand{Operation: leyline.OpCull, Seed: "seed-a"},
	}
}

// TestRevokedKeyIsRefusedFromItsPositionOn revokes a key between two commands.
func TestRevokedKeyIsRefusedFromItsPositionOn(t *testing.T) {
	w := quiet(t)
	ada := signer(t, 3)
	enroll := w.added(keyOf(ada, "ada"))
	w.must(enroll)
	before := w.of(ada, "ada")
	if r := w.by(ada, before); r != leyline.RejectWrongStage {
		t.Fatalf("before: %s", r)
	}
	withdrawn := one[leyline.KeyWithdrawn](w, w.must(w.revoked(leyline.KeyRevocation{Key: ada.KeyID(), Reason: "lost"})))
	if withdrawn.Issuer != "ada" || withdrawn.Next != "" || w.s.Plane.Revocation(ada.KeyID()).Seq != w.seq {
		t.Errorf("withdrawn as %+v, kept as %+v", withdrawn, w.s.Plane.Revocation(ada.KeyID()))
	}
	if r := w.by(ada, w.of(ada, "ada")); r != leyline.RejectKeyRevoked {
		t.Errorf("after: %s", r)
	}
	if !w.s.Kasmina.Spent(before.ID) || w.s.Kasmina.High(ada.KeyID()) != 1 {
		t.Error("what the key had spent is forgotten")
	}
	for name, in := range map[string]leyline.Input{
		"the old envelope": enroll,
		"a new envelope":   w.added(keyOf(ada, "ada", func(k *leyline.Key) { k.Serial = 9 })),
		"another issuer":   w.added(keyOf(ada, "eve", func(k *leyline.Key) { k.Serial = 9 })),
		"a second time":    w.revoked(leyline.KeyRevocation{Key: ada.KeyID(), Reason: "lost"}),
		"a successor of a dead key": w.revoked(leyline.KeyRevocation{
			Key: ada.KeyID(), Reason: "lost", Successor: keyOf(signer(t, 5), "ada"),
		}),
	} {
		if r := w.refused(in); r.Kind != leyline.RefusalNotAuthorized {
			t.Errorf("%s: refused as %s: %v", name, r.Kind, &r)
		}
	}
}

// TestRotationIsOneMoment replaces a key: there is no position at which both are
// good, and none at which neither is.
func TestRotationIsOneMoment(t *testing.T) {
	w := quiet(t)
	old, next := signer(t, 3), signer(t, 4)
	w.must(w.added(keyOf(old, "ada")))
	ev := w.must(w.revoked(leyline.KeyRevocation{Key: old.KeyID(), Reason: "yearly", Successor: keyOf(next, "ada")}))
	if one[leyline.KeyWithdrawn](w, ev).Next != next.KeyID() || one[leyline.KeyEnrolled](w, ev).Key.ID != next.KeyID() {
		t.Errorf("decided %+v", ev)
	}
	if r := w.by(old, w.of(old, "ada")); r != leyline.RejectKeyRevoked {
		t.Errorf("the old key: %s", r)
	}
	if r := w.by(next, w.of(next, "ada")); r != leyline.RejectWrongStage {
		t.Errorf("the new key: %s", r)
	}
}

func TestRevocationsThatMeanNothingAreRefused(t *testing.T) {
	w := newWorld(t)
	ada, other := signer(t, 3), signer(t, 4)
	w.must(w.added(keyOf(ada, "ada")))
	forged := w.revoked(leyline.KeyRevocation{Key: ada.KeyID(), Reason: "x"})
	forged.Envelope = w.tamiyo.Sign(leyline.PayloadRevocation, forged.Envelope.Payload)
	garbage := leyline.KeyRevoked{Envelope: w.admin.Sign(leyline.PayloadRevocation, []byte{0x93, 1})}
	retyped := w.added(keyOf(ada, "ada"))
	for name, c := range map[string]struct {
		in    leyline.Input
		field string
	}{
		"unknown key":           {w.revoked(leyline.KeyRevocation{Key: other.KeyID(), Reason: "x"}), "revocation.key"},
		"no reason":             {w.revoked(leyline.KeyRevocation{Key: ada.KeyID()}), "revocation.reason"},
		"forged":                {forged, "envelope.signature"},
		"garbage":               {garbage, "envelope.payload"},
		"an enrolment":          {leyline.KeyRevoked(retyped), "envelope.payload_type"},
		"successor of another":  {w.revoked(leyline.KeyRevocation{Key: ada.KeyID(), Reason: "x", Successor: keyOf(other, "eve")}), "revocation.successor.issuer"},
		"successor of itself":   {w.revoked(leyline.KeyRevocation{Key: ada.KeyID(), Reason: "x", Successor: keyOf(ada, "ada")}), "revocation.successor"},
		"successor is tamiyo's": {w.revoked(leyline.KeyRevocation{Key: ada.KeyID(), Reason: "x", Successor: keyOf(w.tamiyo, "ada")}), "revocation.successor"},
		"successor without an id of its own": {w.revoked(leyline.KeyRevocation{Key: ada.KeyID(), Reason: "x",
			Successor: keyOf(other, "ada", func(k *leyline.Key) { k.ID = w.admin.KeyID() })}), "revocation.successor.id"},
	} {
		if r := w.refused(c.in); r.Field != c.field {
			t.Errorf("%s: refused for %s, want %s: %v", name, r.Field, c.field, &r)
		}
	}
}

// TestOldEnvelopeRestoresNoPermission narrows what a key may do and hands in the old
// envelope again.
func TestOldEnvelopeRestoresNoPermission(t *testing.T) {
	w := quiet(t)
	ada := signer(t, 3)
	wide := w.added(keyOf(ada, "ada"))
	w.must(wide)
	w.must(w.added(keyOf(ada, "ada", func(k *leyline.Key) { k.Serial, k.Runs = 1, []leyline.RunID{"run-2"} })))
	if r := w.by(ada, w.of(ada, "ada")); r != leyline.RejectNotPermitted {
		t.Errorf("a run that the key may not command: %s", r)
	}
	if r := w.refused(wide); r.Field != "key.serial" {
		t.Errorf("the old envelope: %v", &r)
	}
	if r := w.refused(w.added(keyOf(ada, "eve", func(k *leyline.Key) { k.Serial = 2 }))); r.Field != "key.issuer" {
		t.Errorf("another issuer: %v", &r)
	}
	w.must(w.added(keyOf(ada, "ada", func(k *leyline.Key) { k.Serial, k.Runs = 2, []leyline.RunID{"run-2", "run-1"} })))
	if r := w.by(ada, w.of(ada, "ada")); r != leyline.RejectWrongStage {
		t.Errorf("permitted again: %s", r)
	}
}

func TestKeyRateIsPerMinuteOfPlaneTime(t *testing.T) {
	w := quiet(t)
	ada := signer(t, 3)
	w.must(w.added(keyOf(ada, "ada", func(k *leyline.Key) { k.Rate = 3 })))
	w.at = leyline.Instant(int64(w.at) / int64(time.Minute) * int64(time.Minute)).Add(time.Minute)
	for i, want := range []leyline.RejectReason{
		leyline.RejectWrongStage, leyline.RejectWrongStage, leyline.RejectWrongStage, leyline.RejectRateLimited, leyline.RejectRateLimited,
	} {
		if r := w.by(ada, w.of(ada, "ada")); r != want {
			t.Errorf("command %d: %s, want %s", i, r, want)
		}
	}
	if r := w.command(germinate()); r != leyline.RejectNone {
		t.Errorf("the limit of one key holds another back: %s", r)
	}
	w.at = w.at.Add(time.Minute)
	if r := w.by(ada, w.of(ada, "ada")); !leyline.Authentic(r) {
		t.Errorf("in the next minute: %s", r)
	}
}

// TestOneKeyCannotFillTheLedger lets one issuer spend all it can: the others go on.
func TestOneKeyCannotFillTheLedger(t *testing.T) {
	w := quiet(t, func(c *leyline.ExecutionConfig) { c.Kasmina.NonceCap, c.Kasmina.NonceKeyShare = 16, 0.25 })
	ada := signer(t, 3)
	w.must(w.added(keyOf(ada, "ada")))
	spent := 0
	for range 20 {
		if w.by(ada, w.of(ada, "ada")) == leyline.RejectWrongStage {
			spent++
		}
	}
	if spent != 4 {
		t.Errorf("one key has spent %d nonces of 16, want a quarter", spent)
	}
	if r := w.by(ada, w.of(ada, "ada")); r != leyline.RejectNonceQuota {
		t.Errorf("then: %s", r)
	}
	if r := w.command(germinate()); r != leyline.RejectNone {
		t.Errorf("another issuer: %s", r)
	}
	w.at = w.at.Add(66 * time.Second)
	if r := w.by(ada, w.of(ada, "ada")); !leyline.Authentic(r) {
		t.Errorf("when they have expired: %s", r)
	}
	if fill := one[leyline.CommandRejected](w, w.last).Ledger; fill != (leyline.LedgerFill{Live: 1, OfKey: 1, Expired: 5}) {
		t.Errorf("the verdict says of the ledger %+v", fill)
	}
}

// TestManyKeysShareTheLedger enrolls so many keys that their shares would not fit:
// each gets its equal part, and no key is locked out by all the others.
func TestManyKeysShareTheLedger(t *testing.T) {
	w := quiet(t, func(c *leyline.ExecutionConfig) { c.Kasmina.NonceCap, c.Kasmina.NonceKeyShare = 20, 0.5 })
	for n := range uint64(4) {
		w.must(w.added(keyOf(signer(t, 10+n), "k")))
	}
	for n := range uint64(3) {
		for range 10 {
			w.by(signer(t, 10+n), w.of(signer(t, 10+n), "k"))
			w.at++
		}
	}
	if live := len(w.s.Kasmina.Nonces); live >= 20 {
		t.Errorf("%d nonces of 20", live)
	}
	for range 4 {
		if r := w.command(germinate()); r == leyline.RejectLedgerFull || r == leyline.RejectNonceQuota {
			t.Errorf("an issuer is locked out: %s", r)
		}
	}
}

// TestRaisingTheFreshnessRevivesNothing forgets a nonce and then makes its command
// fresh again.
func TestRaisingTheFreshnessRevivesNothing(t *testing.T) {
	w := quiet(t)
	victim := w.received(w.valid(germinate()))
	w.must(victim)
	w.at = w.at.Add(70 * time.Second)
	w.command(germinate())
	w.config.Kasmina.Freshness = 600_000
	body, err := wire.EncodeConfig(w.config)
	w.check(err)
	w.must(leyline.ConfigApplied{Envelope: w.admin.Sign(leyline.PayloadConfig, body)})
	if e := one[leyline.CommandRejected](w, w.must(victim)); e.Reason != leyline.RejectSequenceReplayed {
		t.Errorf("rejected as %s", e.Reason)
	}
}

// TestDoorsCountsAndClockStepsAreDecided turns the plane's own inputs into what is
// told of them.
func TestDoorsCountsAndClockStepsAreDecided(t *testing.T) {
	w := newWorld(t)
	counts := []leyline.RejectCount{{Reason: leyline.RejectInvalidSignature, N: 1000}}
	e := one[leyline.CommandsRefused](w, w.must(leyline.PeerRejected{
		Peer: leyline.PeerOperator, PeerName: "eve", Counts: counts, First: digest("a"), Last: digest("b"),
	}))
	if e.PeerName != "eve" || w.s.Audit.RejectedTotal() != 1000 {
		t.Errorf("decided %+v, counted %d", e, w.s.Audit.RejectedTotal())
	}
	if r := w.refused(leyline.PeerRejected{
		Peer: leyline.PeerOperator, Counts: []leyline.RejectCount{{Reason: leyline.RejectWrongStage, N: 1}}, First: digest("a"), Last: digest("b"),
	}); r.Field != "counts[0].reason" {
		t.Errorf("a reason that has its own record: %v", &r)
	}
	for n := range uint32(2) {
		if e := one[leyline.ClockAlarmed](w, w.must(leyline.ClockStepped{AmountNs: -600e9, Old: 700e9, New: 100e9})); e.Steps != n+1 {
			t.Errorf("step %d is counted as %d", n+1, e.Steps)
		}
	}
}

// TestUnansweredCommandBeforeTheFirstStep lets the trainer be silent about a command
// that an operator gave it before it had reported any step.
func TestUnansweredCommandBeforeTheFirstStep(t *testing.T) {
	w := quiet(t)
	if r := w.command(germinate()); r != leyline.RejectNone {
		t.Fatal(r)
	}
	k := w.seed().Kernel
	w.must(leyline.KernelReady{Request: k.Request, Run: "run-1", Seed: "seed-a", Digest: k.Digest, Guard: k.Guard, Origin: leyline.KernelFromStore, Bytes: 6})
	due, ok := w.s.NextTimer()
	if !ok || due.Timer != leyline.TimerCommand {
		t.Fatalf("armed is %+v", due)
	}
	w.at = due.Due
	ev := w.must(due)
	if e := one[leyline.ConservativeEntered](w, ev); e.Step != 0 || e.Reason != leyline.RiskCommandTimeout {
		t.Errorf("entered as %+v", e)
	}
	one[leyline.CommandExpired](w, ev)
}
