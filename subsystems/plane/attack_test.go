package plane_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
)

// TestOneOfManyCopiesIsAccepted hands in the same command 10,000 times at once.
func TestOneOfManyCopiesIsAccepted(t *testing.T) {
	copies, hands := 10_000, 50
	if testing.Short() {
		copies = 1_000
	}
	d := newDesk(t)
	ada := d.person("ada", 10)
	env := ada.sign(ada.next())
	var accepted, replayed, counted atomic.Int64
	var wg sync.WaitGroup
	for range hands {
		wg.Go(func() {
			for range copies / hands {
				switch why, recorded := d.copied(env); {
				case why == leyline.RejectNone:
					accepted.Add(1)
				case why != leyline.RejectNonceReplayed:
					t.Errorf("a copy is rejected as %s", why)
				case recorded:
					replayed.Add(1)
				default:
					counted.Add(1)
				}
			}
		})
	}
	wg.Wait()
	sent := int64(copies / hands * hands)
	if accepted.Load() != 1 || accepted.Load()+replayed.Load()+counted.Load() != sent {
		t.Errorf("of %d copies %d were accepted, %d replays recorded, %d counted", sent, accepted.Load(), replayed.Load(), counted.Load())
	}
	rs := d.records()
	if s := mustRedecide(t, d.log); s.Audit.Accepted != 1 || s.Audit.RejectedTotal() != uint64(sent-1) {
		t.Errorf("the log counts %d accepted and %d rejected", s.Audit.Accepted, s.Audit.RejectedTotal())
	}
	if replayed.Load() > 2*60 { // at most two minutes of plane time
		t.Errorf("%d replays have records of their own", replayed.Load())
	}
	t.Logf("%d copies: %d records", sent, len(rs))
}

// copied is verdict without looking into the records, which takes long when there are
// many: a record of its own is a replay unless it is the first.
func (d *desk) copied(env leyline.Envelope) (leyline.RejectReason, bool) {
	seq, err := d.p.Command(d.ctx(), leyline.CommandReceived{Envelope: env, Peer: leyline.PeerOperator, PeerName: "copier"})
	var r *leyline.Rejection
	if errors.As(err, &r) {
		return r.Reason, false
	}
	if err != nil {
		d.t.Error(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := len(d.seen) - 1; i >= 0; i-- {
		if d.seen[i].Seq != seq {
			continue
		}
		for _, e := range d.seen[i].Events {
			if x, ok := e.(leyline.CommandRejected); ok {
				return x.Reason, true
			}
		}
	}
	return leyline.RejectNone, true
}

// TestReplayAfterTheLedgerWasFilled hands a command in again after cap+1 others of its
// own and of another issuer, and after a restart.
func TestReplayAfterTheLedgerWasFilled(t *testing.T) {
	d := newDesk(t, func(c *leyline.ExecutionConfig) { c.Kasmina.NonceCap = 64 })
	ada, bob := d.person("ada", 10), d.person("bob", 11)
	victim := ada.sign(ada.next())
	d.wants("the first time", victim, leyline.RejectNone)
	for range 65 {
		for _, o := range []*person{ada, bob} {
			if why, _ := d.verdict(o.sign(o.next())); why == leyline.RejectLedgerFull {
				t.Errorf("%s is locked out by all the others", o.name)
			}
		}
	}
	d.wants("after cap+1 others", victim, leyline.RejectNonceReplayed)
	d.restart()
	d.wants("after a restart", victim, leyline.RejectNonceReplayed)
	tamiyo := &person{desk: d, name: "tamiyo", key: d.tamiyo}
	if why, _ := d.verdict(tamiyo.sign(tamiyo.next())); !leyline.Authentic(why) {
		t.Errorf("Tamiyo is locked out: %s", why)
	}
	d.records()
}

// TestAlteredEnvelopes changes one thing about a good command.
func TestAlteredEnvelopes(t *testing.T) {
	d := newDesk(t)
	ada, eve := d.person("ada", 10), d.person("eve", 11)
	for name, c := range map[string]struct {
		alter  func(c *leyline.Command)
		forge  func(e *leyline.Envelope)
		want   leyline.RejectReason
		record bool
	}{
		"another key id":       {forge: func(e *leyline.Envelope) { e.KeyID = eve.key.KeyID() }, want: leyline.RejectInvalidSignature},
		"an unknown key id":    {forge: func(e *leyline.Envelope) { e.KeyID = testKey(99).KeyID() }, want: leyline.RejectUnknownKey},
		"an algorithm":         {forge: func(e *leyline.Envelope) { e.KeyID = "hmac:" + e.KeyID }, want: leyline.RejectUnknownKey},
		"a short signature":    {forge: func(e *leyline.Envelope) { e.Signature = e.Signature[:32] }, want: leyline.RejectInvalidSignature},
		"no signature":         {forge: func(e *leyline.Envelope) { e.Signature = nil }, want: leyline.RejectMissingSignature},
		"another payload type": {forge: func(e *leyline.Envelope) { e.PayloadType = leyline.PayloadKey }, want: leyline.RejectMalformed},
		"signed as a key":      {forge: func(e *leyline.Envelope) { e.Signature = ada.key.Sign(leyline.PayloadKey, e.Payload).Signature }, want: leyline.RejectInvalidSignature},
		"a byte of the body":   {forge: func(e *leyline.Envelope) { e.Payload[len(e.Payload)-1] ^= 1 }, want: leyline.RejectMalformed},
		"too large":            {forge: func(e *leyline.Envelope) { e.Payload = make([]byte, leyline.MaxCommandBytes+99) }, want: leyline.RejectTooLarge},
		"another log":          {alter: func(c *leyline.Command) { c.Audience.Origin = "esper-other" }, want: leyline.RejectWrongAudience, record: true},
		"another issuer":       {alter: func(c *leyline.Command) { c.Issuer = "eve" }, want: leyline.RejectNotPermitted, record: true},
		"a kind not permitted": {alter: func(c *leyline.Command) { c.Kind = leyline.CommandStructuralPruning }, want: leyline.RejectNotPermitted, record: true},
	} {
		cmd := ada.next()
		if c.alter != nil {
			c.alter(&cmd)
		}
		env := ada.sign(cmd)
		if c.forge != nil {
			c.forge(&env)
		}
		if why, recorded := d.verdict(env); why != c.want || recorded != c.record {
			t.Errorf("%s: %s, recorded %v; want %s, %v", name, why, recorded, c.want, c.record)
		}
	}
	d.wants("after all that the good one", ada.sign(ada.next()), leyline.RejectNone)
	d.records()
}

// TestKeysOverTheirLife enrolls, limits, replaces and revokes keys while the plane
// runs, and over a restart.
func TestKeysOverTheirLife(t *testing.T) {
	d := newDesk(t)
	ada := d.person("ada", 10)
	limited := d.person("bob", 11, func(k *leyline.Key) { k.Runs = []leyline.RunID{"run-7"} })
	slow := d.person("carl", 12, func(k *leyline.Key) { k.Rate = 1 })
	d.wants("before", ada.sign(ada.next()), leyline.RejectNone)
	d.wants("a run that the key may not command", limited.sign(limited.next()), leyline.RejectNotPermitted)
	if why, _ := d.verdict(slow.sign(slow.next())); why == leyline.RejectRateLimited {
		t.Error("limited before its first command")
	}
	next := testKey(20)
	body, err := wire.EncodeRevocation(leyline.KeyRevocation{Key: ada.key.KeyID(), Reason: "yearly", Successor: leyline.Key{
		ID: next.KeyID(), Public: next.Public(), Issuer: "ada", Kinds: []leyline.CommandKind{leyline.CommandSeed},
	}})
	d.check(err)
	in := leyline.KeyRevoked{Envelope: d.admin.Sign(leyline.PayloadRevocation, body)}
	forged := leyline.KeyRevoked{Envelope: ada.key.Sign(leyline.PayloadRevocation, body)}
	var r *leyline.Rejection
	if _, err := d.p.Revoke(d.ctx(), forged, "ada"); !errors.As(err, &r) || r.Reason != leyline.RejectInvalidSignature {
		t.Errorf("a revocation that the admin did not sign: %v", err)
	}
	at, err := d.p.Revoke(d.ctx(), in, "admin")
	d.check(err)
	for _, again := range []func(){func() {}, d.restart} {
		again()
		d.wants("the old key", ada.sign(ada.next()), leyline.RejectKeyRevoked)
		if _, err := d.p.Enroll(d.ctx(), d.enrolment(ada.key, "ada"), "ada"); err == nil {
			t.Error("the revoked key is enrolled again")
		}
		if _, err := d.p.Revoke(d.ctx(), in, "admin"); err == nil {
			t.Error("a revocation is taken twice")
		}
	}
	successor := &person{desk: d, name: "ada", key: next}
	if why, _ := d.verdict(successor.sign(successor.next())); !leyline.Authentic(why) && why != leyline.RejectNonceReplayed {
		t.Errorf("the new key: %s", why)
	}
	d.check(d.p.View(d.ctx(), func(s *projections.State) {
		if v := s.Plane.Revocation(ada.key.KeyID()); v == nil || v.Seq != at {
			t.Errorf("revoked as %+v, want in record %d", v, at)
		}
	}))
	d.records()
}

// TestNobodyHoldsTamiyoBackByGuessingIDs spends the ids that Tamiyo's next commands
// would have.
func TestNobodyHoldsTamiyoBackByGuessingIDs(t *testing.T) {
	b := newBench(t)
	eve := testKey(30)
	log := b.newLog()
	p, err := b.start(t.Context(), log)
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{bench: b, p: p}
	if _, err := p.Enroll(t.Context(), d.enrolment(eve, "eve"), "admin"); err != nil {
		t.Fatal(err)
	}
	o := &person{desk: d, name: "eve", key: eve}
	for seq := range 120 {
		for index := range 8 {
			c := o.next()
			c.ID, c.Audience.Run = leyline.CommandID(fmt.Sprintf("cmd-%d.%d", 965+seq, index)), "run-9"
			if _, err := p.Command(t.Context(), leyline.CommandReceived{Envelope: o.sign(c), Peer: leyline.PeerOperator, PeerName: "eve"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := b.train(t.Context(), p, 40); err != nil {
		t.Fatal(err)
	}
	if err := p.Shutdown(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	proposed, renamed := 0, 0
	for _, r := range records(t, log) {
		for _, e := range r.Events {
			switch x := e.(type) {
			case leyline.CommandProposed:
				proposed++
			case leyline.CommandVerified:
				if _, after, ok := cut(string(x.Command)); ok && after != "" {
					renamed++
				}
			case leyline.CommandRejected:
				if x.Issuer == "tamiyo" && !leyline.Authentic(x.Reason) {
					t.Errorf("record %d: Tamiyo's command is rejected as %s", r.Seq, x.Reason)
				}
			}
		}
	}
	if proposed == 0 || renamed == 0 {
		t.Fatalf("%d proposals, %d under another name: the test shows nothing", proposed, renamed)
	}
}

// cut splits a command id "cmd-12.3-2" before its last dash.
func cut(id string) (before, after string, ok bool) {
	for i := len(id) - 1; i > len("cmd-"); i-- {
		if id[i] == '-' {
			return id[:i], id[i+1:], true
		}
	}
	return id, "", false
}
