package decider_test

import (
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/leylinetest"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
)

// catalogued is a world whose process has a catalogue.
func catalogued(t *testing.T, change ...func(*leyline.ExecutionConfig)) *world {
	w := newWorld(t, change...)
	w.must(leyline.PlaneStarted{Boot: "b2", Origin: "esper-test", AdminKey: w.admin.Public(), Decider: 1, Clean: true, Catalogue: "sheets"})
	w.open()
	return w
}

func sheetOf(serial uint64, change ...func(*leyline.SafetySheet)) leyline.SafetySheet {
	bp := leylinetest.Blueprint("bp-1", []byte("kernel"))
	s := leyline.SafetySheet{
		Blueprint: "bp-1", Kernel: bp.Digest, Serial: serial, IssuedAt: 1, Tier: bp.Tier, Stage: 2, Risk: 0.2, Hazard: bp.Hazard,
	}
	for _, f := range change {
		f(&s)
	}
	return s
}

// lookup reports steps until the catalogue is asked.
func (w *world) lookup() leyline.EffectID {
	w.t.Helper()
	for range 20 {
		w.must(w.report())
		if l := w.s.Tamiyo.Run("run-1").Lookup; !l.Effect.IsZero() {
			return l.Effect
		}
	}
	w.t.Fatal("the catalogue is never asked")
	return leyline.EffectID{}
}

func (w *world) gives(q leyline.EffectID, by sign.Signer, s leyline.SafetySheet) leyline.MetadataAnswered {
	w.t.Helper()
	body, err := wire.EncodeSheet(s)
	w.check(err)
	return leyline.MetadataAnswered{Request: q, Run: "run-1", Envelope: by.Sign(leyline.PayloadSheet, body), TookNs: 1e6}
}

// A GERMINATE waits for the safety sheet of its blueprint, whose facts count from then
// on; the proposal follows in the record of the answer.
func TestSheetIsLookedUpBeforeGermination(t *testing.T) {
	w := catalogued(t)
	q := w.lookup()
	asked := one[leyline.MetadataAsked](w, w.last)
	if asked.Blueprint != "bp-1" || asked.Step != 4 || asked.Deadline.Sub(w.at) != 25*time.Millisecond {
		t.Errorf("asked %+v", asked)
	}
	for _, e := range w.last {
		if k := e.EventKind(); k == leyline.EventRiskAssessed || k == leyline.EventCommandProposed {
			t.Errorf("%s before the sheet is there", k)
		}
	}
	w.must(w.report())
	if e := one[leyline.ActionNone](w, w.must(w.report())); e.Reason != leyline.RiskMetadataPending {
		t.Errorf("the next window does nothing for %s", e.Reason)
	}
	ev := w.must(w.gives(q, w.admin, sheetOf(1)))
	if e := one[leyline.MetadataSettled](w, ev); e.Facts.Risk != 0.2 || e.Facts.Serial != 1 || e.Facts.Key != w.admin.KeyID() || e.Step != 4 {
		t.Errorf("settled %+v", e)
	}
	if f, _ := w.s.Plane.Facts("bp-1"); f.Risk != 0.2 || f.Stage != 2 {
		t.Errorf("the facts are %+v", f)
	}
	if e := one[leyline.CommandProposed](w, ev); e.Seed.Operation != leyline.OpGerminate {
		t.Errorf("proposes %+v", e)
	}
	w.late(w.gives(q, w.admin, sheetOf(1)), q)
}

// TestSheetsThatDoNotCount: a sheet that is not what it should be counts for nothing.
// It is CRITICAL, a failure of the breaker and a reason to be conservative, and nothing
// is proposed; what was registered stays what it was.
func TestSheetsThatDoNotCount(t *testing.T) {
	clerk, stranger, blind := signer(t, 21), signer(t, 22), signer(t, 23)
	for _, x := range []struct {
		name  string
		fault leyline.SheetFault
		make  func(w *world, q leyline.EffectID) leyline.MetadataAnswered
	}{
		{"forged", leyline.SheetInvalidSignature, func(w *world, q leyline.EffectID) leyline.MetadataAnswered {
			in := w.gives(q, w.admin, sheetOf(1))
			in.Envelope.Signature[7] ^= 1
			return in
		}},
		{"bytes changed", leyline.SheetInvalidSignature, func(w *world, q leyline.EffectID) leyline.MetadataAnswered {
			in, other := w.gives(q, w.admin, sheetOf(1)), w.gives(q, w.admin, sheetOf(2))
			in.Envelope.Payload = other.Envelope.Payload
			return in
		}},
		{"of a stranger", leyline.SheetUnknownKey, func(w *world, q leyline.EffectID) leyline.MetadataAnswered { return w.gives(q, stranger, sheetOf(1)) }},
		{"of a key that may not", leyline.SheetNotPermitted, func(w *world, q leyline.EffectID) leyline.MetadataAnswered { return w.gives(q, blind, sheetOf(1)) }},
		{"of a revoked key", leyline.SheetKeyRevoked, func(w *world, q leyline.EffectID) leyline.MetadataAnswered {
			w.must(w.revoked(leyline.KeyRevocation{Key: clerk.KeyID(), Reason: "lost"}))
			return w.gives(q, clerk, sheetOf(1))
		}},
		{"of another type", leyline.SheetMalformed, func(w *world, q leyline.EffectID) leyline.MetadataAnswered {
			in := w.gives(q, w.admin, sheetOf(1))
			in.Envelope = w.admin.Sign(leyline.PayloadKey, in.Envelope.Payload)
			return in
		}},
		{"of other bytes", leyline.SheetMalformed, func(w *world, q leyline.EffectID) leyline.MetadataAnswered {
			in := w.gives(q, w.admin, sheetOf(1))
			in.Envelope = w.admin.Sign(leyline.PayloadSheet, []byte("sheet"))
			return in
		}},
		{"without a serial", leyline.SheetMalformed, func(w *world, q leyline.EffectID) leyline.MetadataAnswered { return w.gives(q, w.admin, sheetOf(0)) }},
		{"of another blueprint", leyline.SheetWrongBlueprint, func(w *world, q leyline.EffectID) leyline.MetadataAnswered {
			return w.gives(q, w.admin, sheetOf(1, func(s *leyline.SafetySheet) { s.Blueprint = "bp-2" }))
		}},
		{"of another kernel", leyline.SheetWrongKernel, func(w *world, q leyline.EffectID) leyline.MetadataAnswered {
			return w.gives(q, w.admin, sheetOf(1, func(s *leyline.SafetySheet) { s.Kernel = digest("other") }))
		}},
	} {
		t.Run(x.name, func(t *testing.T) {
			w := catalogued(t)
			w.must(w.added(leyline.Key{ID: clerk.KeyID(), Public: clerk.Public(), Issuer: "catalogue", Sheets: true}))
			w.must(w.added(leyline.Key{ID: blind.KeyID(), Public: blind.Public(), Issuer: "ada", Kinds: []leyline.CommandKind{leyline.CommandSeed}}))
			q := w.lookup()
			ev := w.must(x.make(w, q))
			if e := one[leyline.MetadataMissed](w, ev); e.Fault != x.fault || e.Outcome != leyline.OutcomeFailed || e.Blueprint != "bp-1" || e.Request != q || e.Reason == "" {
				t.Errorf("missed %+v", e)
			}
			if e := one[leyline.BreakerMoved](w, ev); e.Breaker != leyline.BreakerMetadata || e.Failures != 1 || e.Reason != leyline.BreakerMetadataFailed {
				t.Errorf("counted %+v", e)
			}
			if e := one[leyline.ConservativeEntered](w, ev); e.Reason != leyline.RiskMetadataFailed {
				t.Errorf("entered %+v", e)
			}
			if e := one[leyline.ActionNone](w, ev); e.Reason != leyline.RiskMetadataFailed || len(ev) != 4 {
				t.Errorf("%s", kinds(ev))
			}
			if f, _ := w.s.Plane.Facts("bp-1"); f.Serial != 0 || f.Risk != 0.1 {
				t.Errorf("the facts are %+v", f)
			}
		})
	}
}

// A key that may sign sheets vouches for them, and no more.
func TestSheetOfAClerk(t *testing.T) {
	w, clerk := catalogued(t), signer(t, 21)
	w.must(w.added(leyline.Key{ID: clerk.KeyID(), Public: clerk.Public(), Issuer: "catalogue", Sheets: true}))
	q := w.lookup()
	if e := one[leyline.MetadataSettled](w, w.must(w.gives(q, clerk, sheetOf(1)))); e.Facts.Key != clerk.KeyID() {
		t.Errorf("settled %+v", e)
	}
	c := w.valid(leyline.SeedCommand{Operation: leyline.OpCull, Seed: "seed-a"})
	c.Issuer, c.Sequence = "catalogue", 1
	body, err := wire.EncodeCommand(c)
	w.check(err)
	ev := w.must(leyline.CommandReceived{Envelope: clerk.Sign(leyline.PayloadCommand, body), Peer: leyline.PeerOperator, PeerName: "x"})
	if e := one[leyline.CommandRejected](w, ev); e.Reason != leyline.RejectNotPermitted {
		t.Errorf("a command of the clerk is decided as %s", e.Reason)
	}
}

// always looks a sheet up before every germination.
func always(c *leyline.ExecutionConfig) { c.Tamiyo.MetadataTTL, c.Tamiyo.MetadataTTLSteps = 0, 0 }

// watchful proposes nothing, and looks everything up.
func watchful(c *leyline.ExecutionConfig) { c.Tamiyo.Conservative = true }

// An older sheet than the one that is known, and another one of the same serial, count
// for nothing; the same one again is fine, and a newer one takes its place.
func TestSheetsOnlyGetNewer(t *testing.T) {
	quarantined := func(s *leyline.SafetySheet) { s.Quarantine = true }
	for _, x := range []struct {
		name  string
		next  leyline.SafetySheet
		fault leyline.SheetFault
	}{
		{"older", sheetOf(4), leyline.SheetStale}, {"contradicting", sheetOf(5, func(s *leyline.SafetySheet) { s.Risk = 0.3 }), leyline.SheetContradicted},
		{"the same", sheetOf(5, quarantined), leyline.SheetFine}, {"newer", sheetOf(6), leyline.SheetFine},
	} {
		w := catalogued(t, always, watchful)
		w.must(w.gives(w.lookup(), w.admin, sheetOf(5, quarantined)))
		ev := w.must(w.gives(w.lookup(), w.admin, x.next))
		if x.fault == leyline.SheetFine {
			if e := one[leyline.MetadataSettled](w, ev); e.Facts.Serial != x.next.Serial {
				t.Errorf("%s: settled %+v", x.name, e)
			}
		} else if e := one[leyline.MetadataMissed](w, ev); e.Fault != x.fault {
			t.Errorf("%s: missed %+v", x.name, e)
		}
	}
}

// A lookup that takes too long is a timeout of its own, with its own breaker; that
// opens, blocks germination, probes although nothing is germinated in conservative mode,
// and closes.
func TestSlowCatalogueIsATimeoutOfItsOwn(t *testing.T) {
	w := catalogued(t, func(c *leyline.ExecutionConfig) { c.Tamiyo.HealthyWindows = 1 })
	for i := range 3 {
		ev := w.must(leyline.MetadataFailed{
			Request: w.lookup(), Run: "run-1", Outcome: leyline.OutcomeDeadline, Fault: leyline.SheetTimeout, Reason: "late", TookNs: 25e6,
		})
		if e := one[leyline.MetadataMissed](w, ev); e.Fault != leyline.SheetTimeout || e.Outcome != leyline.OutcomeDeadline || e.TookNs != 25e6 {
			t.Errorf("missed %+v", e)
		}
		if e := one[leyline.BreakerMoved](w, ev); e.Breaker != leyline.BreakerMetadata || e.Failures != uint32(i+1) || e.Reason != leyline.BreakerMetadataTimeout {
			t.Errorf("counted %+v", e)
		}
		if e := one[leyline.ActionNone](w, ev); e.Reason != leyline.RiskMetadataTimeout {
			t.Errorf("nothing is done for %s", e.Reason)
		}
	}
	if w.standing(leyline.BreakerMetadata) != leyline.BreakerOpen || w.standing(leyline.BreakerInference) != leyline.BreakerClosed {
		t.Fatalf("metadata %s, inference %s", w.standing(leyline.BreakerMetadata), w.standing(leyline.BreakerInference))
	}
	ev := w.pair()
	if e := one[leyline.ActionNone](w, ev); e.Reason != leyline.RiskMetadataBreaker {
		t.Errorf("nothing is done for %s", e.Reason)
	}
	if _, ok := first[leyline.MetadataAsked](ev); ok {
		t.Error("an open breaker let a lookup pass")
	}
	w.at = w.at.Add(w.config.Breaker.Open.Duration())
	ev = w.must(w.gives(w.lookup(), w.admin, sheetOf(1)))
	if w.standing(leyline.BreakerMetadata) != leyline.BreakerHalfOpen || w.run().Breaker(leyline.BreakerMetadata).Successes != 1 {
		t.Errorf("after one sheet on trial: %+v", w.run().Breaker(leyline.BreakerMetadata))
	}
	if _, ok := first[leyline.CommandProposed](ev); ok || !w.caution().Conservative {
		t.Error("something is proposed, or conservative mode is left, on trial")
	}
	w.must(w.gives(w.s.Tamiyo.Run("run-1").Lookup.Effect, w.admin, sheetOf(1)))
	if w.standing(leyline.BreakerMetadata) != leyline.BreakerClosed {
		t.Errorf("after two sheets on trial: %+v", w.run().Breaker(leyline.BreakerMetadata))
	}
}

// A run relies on a sheet for as long as is set, in time, or in steps where no decision
// may depend on time; without a catalogue nothing is looked up.
func TestSheetIsReliedOnForATime(t *testing.T) {
	for _, x := range []struct {
		lockstep bool
		wait     func(w *world)
		again    bool
	}{
		{false, func(w *world) { w.at = w.at.Add(time.Hour - time.Minute) }, false},
		{false, func(w *world) { w.at = w.at.Add(time.Hour + time.Minute) }, true},
		{true, func(w *world) { w.at = w.at.Add(24 * time.Hour) }, false},
		{true, func(w *world) {
			for range 31 {
				w.must(w.report())
			}
		}, true},
	} {
		w := newWorld(t, watchful, func(c *leyline.ExecutionConfig) { c.Tamiyo.MetadataTTL, c.Tamiyo.MetadataTTLSteps = 3_600_000, 30 })
		w.must(leyline.PlaneStarted{Boot: "b2", Origin: "esper-test", AdminKey: w.admin.Public(), Decider: 1, Clean: true, Catalogue: "sheets"})
		p := plan()
		p.Lockstep = x.lockstep
		w.inc = one[leyline.RunStarted](w, w.must(p)).Incarnation
		w.must(w.gives(w.lookup(), w.admin, sheetOf(1)))
		x.wait(w)
		for range 2 {
			w.must(w.report())
		}
		if looked := !w.s.Tamiyo.Run("run-1").Lookup.Effect.IsZero(); looked != x.again {
			t.Errorf("lockstep %v: looked up again %v, want %v", x.lockstep, looked, x.again)
		}
	}
	w := newWorld(t)
	w.open()
	for range 10 {
		if _, ok := first[leyline.MetadataAsked](w.must(w.report())); ok {
			t.Fatal("a sheet is looked up without a catalogue")
		}
		w.serve()
	}
}

// A lookup is void after a rewind and dies with its process, as a question does.
func TestLookupIsVoidAfterARewind(t *testing.T) {
	w := catalogued(t)
	q := w.lookup()
	p := plan()
	p.Resume = true
	w.inc = one[leyline.RunResumed](w, w.must(p)).Incarnation
	w.late(w.gives(q, w.admin, sheetOf(1)), q)
	w.lookup()
	w.must(leyline.PlaneStarted{Boot: "b3", Origin: "esper-test", AdminKey: w.admin.Public(), Decider: 1, Catalogue: "sheets"})
	if l := w.s.Tamiyo.Run("run-1").Lookup; !l.Effect.IsZero() {
		t.Errorf("%+v waits for a process that is gone", l)
	}
}
