package decider_test

import (
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
)

// operator is a person whose key may issue EMERGENCY commands.
type operator struct {
	*world
	key sign.Signer
	n   uint64
}

func (w *world) operator() *operator {
	o := &operator{world: w, key: signer(w.t, 3)}
	body, err := wire.EncodeKey(leyline.Key{
		ID: o.key.KeyID(), Public: o.key.Public(), Issuer: "ada", Kinds: []leyline.CommandKind{leyline.CommandEmergency},
	})
	w.check(err)
	w.must(leyline.KeyAdded{Envelope: w.admin.Sign(leyline.PayloadKey, body)})
	return o
}

// orders signs a command and hands it in.
func (o *operator) orders(action leyline.EmergencyAction, level leyline.EmergencyLevel) []leyline.Event {
	o.t.Helper()
	o.n++
	body, err := wire.EncodeCommand(leyline.Command{
		Issuer: "ada", Audience: leyline.Audience{Origin: "esper-test", Run: "run-1"}, ID: leyline.CommandID("ada-" + itoa(leyline.Step(o.n))),
		Sequence: o.n, IssuedAt: o.at, Kind: leyline.CommandEmergency,
		Emergency: leyline.EmergencyCommand{Action: action, Level: level, Reason: "by hand"},
	})
	o.check(err)
	return o.must(leyline.CommandReceived{Envelope: o.key.Sign(leyline.PayloadCommand, body), Peer: leyline.PeerOperator, PeerName: "ada"})
}

// dispatched lists the broadcasts among events.
func dispatched(events []leyline.Event) (out []leyline.EmergencyDispatched) {
	for _, e := range events {
		if x, ok := e.(leyline.EmergencyDispatched); ok {
			out = append(out, x)
		}
	}
	return out
}

// failing ends an epoch over its budget.
func (w *world) failing() []leyline.Event {
	w.must(w.report())
	in := w.evaluated()
	in.TookNs = 6e6
	return w.must(in)
}

func TestRaiseIsDispatchedOnceAndOnlyWhenItRises(t *testing.T) {
	w := newWorld(t, budgets, func(c *leyline.ExecutionConfig) { c.Breaker.Failures = 100 })
	w.open()
	if got := dispatched(w.failing()); len(got) != 1 || got[0].Level != leyline.EmergencyElevated || got[0].Attempt != 1 || got[0].WithinNs != 2e9 || got[0].Tokens != 59 {
		t.Errorf("the first failed epoch dispatched %+v", got)
	}
	w.must(leyline.EmergencyDelivered{Run: "run-1", Effect: w.run().Broadcast.Effect, Level: leyline.EmergencyElevated, TookNs: 1})
	if got := dispatched(w.failing()); len(got) != 0 {
		t.Errorf("a level that did not rise was dispatched: %+v", got)
	}
	w.must(w.report())
	if got := dispatched(w.must(w.evaluated())); len(got) != 1 || got[0].Level != leyline.EmergencyNotice || got[0].Reason != leyline.FaultRecovered {
		t.Errorf("the clear dispatched %+v", got)
	}
	if b := w.run().Broadcast; b.Queued || b.Level != leyline.EmergencyNotice {
		t.Errorf("the queue holds %+v", b)
	}
}

// TestRecordPublishesItsLastLevel: a fault with nothing to go back to raises to L2
// and to L4 in one record.
func TestRecordPublishesItsLastLevel(t *testing.T) {
	w := newWorld(t)
	w.open()
	got := dispatched(w.fault())
	if len(got) != 1 || got[0].Level != leyline.EmergencyHalt || got[0].Reason != leyline.FaultNoSnapshot {
		t.Errorf("dispatched %+v", got)
	}
}

// TestUndeliveredLevelStaysQueued fails three attempts, of a run that is halted, and
// lets the fourth succeed.
func TestUndeliveredLevelStaysQueued(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.fault()
	pause := 2 * time.Second
	for n := uint32(1); n <= 3; n++ {
		outcome := leyline.OutcomeDeadline
		if n == 2 {
			outcome = leyline.OutcomeFailed
		}
		e := one[leyline.EmergencyPublished](w, w.must(leyline.EmergencyUndelivered{
			Run: "run-1", Effect: w.run().Broadcast.Effect, Level: leyline.EmergencyHalt, Outcome: outcome, Reason: "it hangs", TookNs: 2e9,
		}))
		if e.Outcome != outcome || e.Retry != w.at.Add(pause) || !w.run().Broadcast.Queued {
			t.Fatalf("attempt %d: %+v, the queue holds %+v", n, e, w.run().Broadcast)
		}
		due, ok := w.s.NextTimer()
		if !ok || due.Timer != leyline.TimerBroadcast || due.Due != e.Retry {
			t.Fatalf("armed is %+v", due)
		}
		w.at = due.Due
		if got := dispatched(w.feedNow(due)); len(got) != 1 || got[0].Attempt != n+1 || got[0].Level != leyline.EmergencyHalt {
			t.Fatalf("tried again as %+v", got)
		}
		pause *= 2
	}
	w.must(leyline.EmergencyDelivered{Run: "run-1", Effect: w.run().Broadcast.Effect, Level: leyline.EmergencyHalt, TookNs: 1})
	if b := w.run().Broadcast; b.Queued || !b.Effect.IsZero() {
		t.Errorf("after it was delivered the queue holds %+v", b)
	}
	if due, armed := w.s.NextTimer(); armed {
		t.Errorf("armed is still %+v", due)
	}
}

// TestCapHoldsLevelsBack spends two tokens a minute. The third level waits, the
// fourth takes its place, and a token brings it out; L4 waits for nothing.
func TestCapHoldsLevelsBack(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tolaria.EmergencyPerMin = 2 })
	w.open()
	o := w.operator()
	for i, level := range []leyline.EmergencyLevel{leyline.EmergencyElevated, leyline.EmergencyConservative} {
		if got := dispatched(o.orders(leyline.EmergencyRaise, level)); len(got) != 1 {
			t.Fatalf("raise %d dispatched %+v", i, got)
		}
	}
	ev := o.orders(leyline.EmergencyClear, leyline.EmergencyElevated)
	held := one[leyline.EmergencyHeld](w, ev)
	if len(dispatched(ev)) != 0 || held.Level != leyline.EmergencyElevated || held.Until < w.at.Add(29*time.Second) || held.Until > w.at.Add(30*time.Second) {
		t.Errorf("held as %+v at %s", held, w.at)
	}
	w.at = w.at.Add(16 * time.Second) // half a token is none
	one[leyline.EmergencyHeld](w, o.orders(leyline.EmergencyClear, leyline.EmergencyNotice))
	due, _ := w.s.NextTimer()
	if due.Timer != leyline.TimerBroadcast {
		t.Fatalf("armed is %+v", due)
	}
	w.at = due.Due
	if got := dispatched(w.feedNow(due)); len(got) != 1 || got[0].Level != leyline.EmergencyNotice || got[0].Tokens >= 1 {
		t.Errorf("with a token it dispatched %+v", got)
	}
	if got := dispatched(o.orders(leyline.EmergencyRaise, leyline.EmergencyHalt)); len(got) != 1 || got[0].Level != leyline.EmergencyHalt {
		t.Errorf("without a token L4 dispatched %+v", got)
	}
}

func TestOperatorRaisesAndClears(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.steps(3)
	o := w.operator()
	ev := o.orders(leyline.EmergencyRaise, leyline.EmergencyConservative)
	if e := one[leyline.EmergencyEscalated](w, ev); e.To != leyline.EmergencyConservative || e.Reason != leyline.FaultOperator {
		t.Errorf("raised as %+v", e)
	}
	one[leyline.CommandVerified](w, ev)
	if e := one[leyline.CommandSettled](w, ev); e.Outcome != leyline.OutcomeOK || len(w.s.Kasmina.Pending) != 0 {
		t.Errorf("settled as %+v, pending %+v", e, w.s.Kasmina.Pending)
	}
	if e := one[leyline.ConservativeEntered](w, w.must(w.report())); e.Reason != leyline.RiskEmergency {
		t.Errorf("conservative for %s", e.Reason)
	}
	if e, cleared := first[leyline.EmergencyCleared](w.must(w.evaluated())); cleared {
		t.Errorf("an epoch cleared what an operator raised: %+v", e)
	}
	w.steps(8)
	for _, r := range w.log {
		if e, left := first[leyline.ConservativeLeft](r.Events); left {
			t.Errorf("conservative mode was left at L3: %+v", e)
		}
	}
	ev = o.orders(leyline.EmergencyClear, leyline.EmergencyNotice)
	if e := one[leyline.EmergencyCleared](w, ev); e.From != leyline.EmergencyConservative || e.Reason != leyline.FaultOperator {
		t.Errorf("cleared as %+v", e)
	}
	for _, x := range []struct {
		action leyline.EmergencyAction
		level  leyline.EmergencyLevel
		want   leyline.RejectReason
	}{
		{leyline.EmergencyRaise, leyline.EmergencyNotice, leyline.RejectLevel},
		{leyline.EmergencyClear, leyline.EmergencyNotice, leyline.RejectLevel},
		{leyline.EmergencyRaise, leyline.EmergencyUnspecified, leyline.RejectMalformed},
		{leyline.EmergencyActionUnspecified, leyline.EmergencyHalt, leyline.RejectMalformed},
	} {
		if e := one[leyline.CommandRejected](w, o.orders(x.action, x.level)); e.Reason != x.want {
			t.Errorf("%s to %s is rejected for %s, want %s", x.action, x.level, e.Reason, x.want)
		}
	}
}

// TestFaultDoesNotTakeOverWhatAnOperatorRaised: a fault above it is not the end of
// it, and a command that clears it is.
func TestFaultDoesNotTakeOverWhatAnOperatorRaised(t *testing.T) {
	w := newWorld(t, budgets, func(c *leyline.ExecutionConfig) { c.Breaker.Failures = 1 })
	w.open()
	o := w.operator()
	o.orders(leyline.EmergencyRaise, leyline.EmergencyElevated)
	w.failing()
	w.failing() // refused by the breaker: L3
	if w.run().Emergency != leyline.EmergencyConservative {
		t.Fatalf("the level is %s", w.run().Emergency)
	}
	w.at = w.at.Add(time.Hour)
	w.must(w.report())
	if e, cleared := first[leyline.EmergencyCleared](w.must(w.evaluated())); cleared {
		t.Errorf("an epoch cleared %+v", e)
	}
	o.orders(leyline.EmergencyClear, leyline.EmergencyElevated)
	w.must(w.report())
	if e := one[leyline.EmergencyCleared](w, w.must(w.evaluated())); e.To != leyline.EmergencyNotice || e.Reason != leyline.FaultRecovered {
		t.Errorf("cleared as %+v", e)
	}
}

// TestOperatorHaltsAndClears: L4 by command stops the run and voids what it waited
// for; clearing lowers the level and opens nothing.
func TestOperatorHaltsAndClears(t *testing.T) {
	w := newWorld(t)
	w.open()
	for len(w.s.Kasmina.Pending) == 0 {
		w.must(w.report())
	}
	o := w.operator()
	ev := o.orders(leyline.EmergencyRaise, leyline.EmergencyHalt)
	if e := one[leyline.RunHalted](w, ev); e.Reason != leyline.FaultOperator || e.Detail != "by hand" {
		t.Errorf("halted as %+v", e)
	}
	one[leyline.CommandExpired](w, ev)
	one[leyline.PrefetchSettled](w, ev)
	if e := one[leyline.CommandRejected](w, o.orders(leyline.EmergencyRaise, leyline.EmergencyHalt)); e.Reason != leyline.RejectRunNotOpen {
		t.Errorf("raising a halted run is rejected for %s", e.Reason)
	}
	ev = o.orders(leyline.EmergencyClear, leyline.EmergencyNotice)
	if e := one[leyline.EmergencyCleared](w, ev); e.From != leyline.EmergencyHalt || w.run().Status != leyline.RunStatusHalted {
		t.Errorf("cleared as %+v, the run is %s", e, w.run().Status)
	}
	if got := dispatched(ev); len(got) != 1 || got[0].Level != leyline.EmergencyNotice {
		t.Errorf("dispatched %+v", got)
	}
}

// TestKeyWithoutTheKindRaisesNothing: Tamiyo's own key may not.
func TestKeyWithoutTheKindRaisesNothing(t *testing.T) {
	w := newWorld(t)
	w.open()
	c := leyline.Command{
		Issuer: "tamiyo", Audience: leyline.Audience{Origin: "esper-test", Run: "run-1"}, ID: "c-1", Sequence: 9, IssuedAt: w.at,
		Kind: leyline.CommandEmergency, Emergency: leyline.EmergencyCommand{Action: leyline.EmergencyRaise, Level: leyline.EmergencyHalt, Reason: "no"},
	}
	if e := one[leyline.CommandRejected](w, w.must(w.received(c))); e.Reason != leyline.RejectNotPermitted || w.run().Emergency != leyline.EmergencyNotice {
		t.Errorf("rejected for %s at %s", e.Reason, w.run().Emergency)
	}
}

// TestBroadcastsOfTheLastProcessAreVoid: a process that starts sets the signal
// from the state.
func TestBroadcastsOfTheLastProcessAreVoid(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.steps(11)
	w.fault()
	id := w.run().Broadcast.Effect
	w.must(leyline.PlaneStarted{Boot: "b2", Origin: "esper-test", AdminKey: w.admin.Public(), Decider: 1})
	if b := w.run().Broadcast; !b.Effect.IsZero() || b.Queued {
		t.Errorf("after a restart the queue holds %+v", b)
	}
	ev := w.must(leyline.EmergencyUndelivered{Run: "run-1", Effect: id, Level: leyline.EmergencyElevated, Outcome: leyline.OutcomeFailed, Reason: "late"})
	if e := one[leyline.EmergencyPublished](w, ev); e.Retry != 0 || w.run().Broadcast.Queued {
		t.Errorf("an outcome of before queued %+v", w.run().Broadcast)
	}
	if r := w.refused(leyline.EmergencyDelivered{Run: "run-9", Effect: id, Level: leyline.EmergencyNotice}); r.Kind != leyline.RefusalUnknownRun {
		t.Errorf("the outcome for a run that nobody knows is refused as %s", r.Kind)
	}
}
