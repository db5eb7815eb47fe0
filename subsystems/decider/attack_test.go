package decider_test

import (
	"testing"

	"github.com/esper-plane/esper/leyline"
)

// TestOperatorTakesOverAPause: a seed that Tamiyo has paused is the operator's once an
// operator has paused it too, and Tamiyo does not resume it.
func TestOperatorTakesOverAPause(t *testing.T) {
	w := newWorld(t)
	w.open()
	ada := w.enrol("ada")
	w.until(leyline.StageTraining)
	w.serve()
	seed := w.s.Kasmina.Seed("run-1", "seed-a")
	seed.Paused, seed.PausedBy = true, leyline.PartyPolicy
	ada.want(leyline.RejectNone, paused(leyline.PauseStart, "seed-a"))
	w.serve()
	if seed = w.s.Kasmina.Seed("run-1", "seed-a"); !seed.Paused || seed.PausedBy != leyline.PartyOperator {
		t.Fatalf("the seed is %+v", seed)
	}
	ada.want(leyline.RejectPaused, paused(leyline.PauseStart, "seed-a"))
}

// TestRevokedClerkCountsForNothing: facts of a key that was revoked are not relied on,
// and its serial keeps no honest sheet out.
func TestRevokedClerkCountsForNothing(t *testing.T) {
	w := catalogued(t)
	clerk := signer(t, 7)
	w.must(w.added(leyline.Key{ID: clerk.KeyID(), Public: clerk.Public(), Issuer: "catalogue", Sheets: true}))
	w.must(w.gives(w.lookup(), clerk, sheetOf(1<<63, func(s *leyline.SafetySheet) { s.Risk = 0 })))
	if f, _ := w.s.Plane.Facts("bp-1"); f.Key != clerk.KeyID() || f.Risk != 0 {
		t.Fatalf("before, known is %+v", f)
	}
	w.must(w.revoked(leyline.KeyRevocation{Key: clerk.KeyID(), Reason: "lost"}))
	if f, _ := w.s.Plane.Facts("bp-1"); f.Key != "" || f.Risk == 0 {
		t.Errorf("after, known is %+v", f)
	}
}

// TestActivationAfterItsDeadline: what a command wanted by an instant does not come into
// force after it, a restart in between or not.
func TestActivationAfterItsDeadline(t *testing.T) {
	for _, restart := range []bool{false, true} {
		w := newWorld(t)
		w.open()
		a := artifact("careful", "1")
		w.imports(a)
		ev := w.enrol("ada").want(leyline.RejectNone, activation(a))
		asked := one[leyline.PolicyRequested](w, ev)
		read := w.reads(a)
		if restart {
			w.must(leyline.PlaneStarted{Boot: "b2", Origin: "esper-test", AdminKey: w.admin.Public(), Decider: 1})
		}
		w.at = asked.Deadline + 1
		if e := one[leyline.PolicyRejected](w, w.must(read)); e.Fault != leyline.PolicyFileLate {
			t.Errorf("restart %v: rejected for %s", restart, e.Fault)
		}
		if got := w.inForce(); !got.IsZero() {
			t.Errorf("restart %v: %s decides", restart, got)
		}
	}
}
