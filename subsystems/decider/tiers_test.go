package decider_test

import (
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/effect"
)

// roomy gives the world a fast tier of some bytes.
func roomy(w *world, bytes uint64) {
	w.s.Plane.FastFree = bytes * 100
	w.s.Plane.Config.Tolaria.FastPercent = 1
}

// fast is the copy in the fast tier of what snapshot describes.
func (w *world) fast(id string) leyline.SnapshotTaken {
	x := w.snapshot(id)
	x.Tier = leyline.TierFast
	return x
}

// both takes a snapshot of the present step in both tiers, unless one is registered.
func (w *world) both(id string) {
	w.t.Helper()
	if w.run().Snapshot(leyline.SnapshotID(id)) == nil {
		w.must(w.snapshot(id))
	}
	w.must(w.fast(id))
}

// fallen is a world in a rollback from the fast tier to step 10.
func fallen(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.open()
	roomy(w, 1000)
	w.steps(10)
	w.both("s-1-10")
	w.steps(1)
	w.fault()
	if b := w.run().Rollback; b.Tier != leyline.TierFast || b.PhaseBy.Sub(b.Started) != 150*time.Millisecond || b.Deadline.Sub(b.Started) != 12*time.Second {
		t.Fatalf("begun as %+v", b)
	}
	return w
}

func heldBytes(s *projections.State) (n uint64) {
	for i := range s.Tolaria.Runs {
		for j := range s.Tolaria.Runs[i].Snapshots {
			if snap := &s.Tolaria.Runs[i].Snapshots[j]; snap.Copy(leyline.TierFast) != nil {
				n += snap.Bytes
			}
		}
	}
	return n
}

func TestFastRollback(t *testing.T) {
	w := fallen(t)
	adv := one[leyline.RollbackAdvanced](w, w.must(w.rollback(leyline.PhasePrepare, digest("s-1-10"))))
	if b := w.run().Rollback; adv.Tier != leyline.TierFast || b.PhaseBy.Sub(b.Started) != 500*time.Millisecond {
		t.Errorf("commit by %v of tier %s", b.PhaseBy.Sub(b.Started), adv.Tier)
	}
	orders := effect.Outstanding(w.s)
	o := orders[len(orders)-1].Order
	if o.Restore.From.Tier != leyline.TierFast || o.Restore.From.Check != 7 || o.Deadline.Sub(w.run().Rollback.Started) != 400*time.Millisecond {
		t.Errorf("the order is %+v, by %v", o.Restore.From, o.Deadline.Sub(w.run().Rollback.Started))
	}
	done := w.rollback(leyline.PhaseCommit, leyline.Digest{})
	done.Check = 7
	f := one[leyline.RollbackFinished](w, w.must(done))
	if f.Outcome != leyline.OutcomeOK || f.Tier != leyline.TierFast || !f.WithinSLA || f.Check != 7 || f.Overran != leyline.PhaseUnspecified {
		t.Errorf("finished as %+v", f)
	}
}

// A fast tier that fails, in whatever way and phase, gives way to the full one; only
// its end is the deadline (D-T8b, D-T8e).
func TestFastTierGivesWay(t *testing.T) {
	report := func(phase leyline.RollbackPhase, edit func(*leyline.RollbackReported)) func(*world) leyline.Input {
		return func(w *world) leyline.Input {
			if phase == leyline.PhaseCommit {
				w.must(w.rollback(leyline.PhasePrepare, digest("s-1-10")))
			}
			x := w.rollback(phase, digest("s-1-10"))
			edit(&x)
			return x
		}
	}
	failed := func(x *leyline.RollbackReported) { x.Outcome, x.Reason = leyline.OutcomeFailed, "no such file" }
	late := func(x *leyline.RollbackReported) { x.Outcome, x.Reason = leyline.OutcomeDeadline, "late" }
	for name, c := range map[string]struct {
		in   func(*world) leyline.Input
		left leyline.RollbackPhase
		why  leyline.FaultReason
	}{
		"missing":           {report(leyline.PhasePrepare, failed), leyline.PhasePrepare, leyline.FaultRollbackFailed},
		"changed":           {report(leyline.PhasePrepare, func(x *leyline.RollbackReported) { x.Digest = digest("other") }), leyline.PhasePrepare, leyline.FaultDigestMismatch},
		"cut":               {report(leyline.PhasePrepare, func(x *leyline.RollbackReported) { x.Bytes-- }), leyline.PhasePrepare, leyline.FaultDigestMismatch},
		"checksum":          {report(leyline.PhaseCommit, func(x *leyline.RollbackReported) { x.Check = 8 }), leyline.PhaseCommit, leyline.FaultDigestMismatch},
		"slow in prepare":   {report(leyline.PhasePrepare, late), leyline.PhasePrepare, leyline.FaultPhaseOverrun},
		"slow in commit":    {report(leyline.PhaseCommit, late), leyline.PhaseCommit, leyline.FaultPhaseOverrun},
		"silent in prepare": {func(w *world) leyline.Input { return w.due() }, leyline.PhasePrepare, leyline.FaultPhaseOverrun},
		"silent in commit": {func(w *world) leyline.Input {
			w.must(w.rollback(leyline.PhasePrepare, digest("s-1-10")))
			return w.due()
		}, leyline.PhaseCommit, leyline.FaultPhaseOverrun},
	} {
		t.Run(name, func(t *testing.T) {
			w := fallen(t)
			ev := w.must(c.in(w))
			adv := one[leyline.RollbackAdvanced](w, ev)
			if adv.Phase != leyline.PhasePrepare || adv.Tier != leyline.TierFull || adv.Left != c.left || adv.Reason != c.why {
				t.Fatalf("advanced as %+v", adv)
			}
			if b := w.run().Rollback; b.PhaseBy != b.Deadline || b.Left != c.left {
				t.Errorf("the full tier has until %v, the deadline is %v", b.PhaseBy, b.Deadline)
			}
			if copies := len(w.run().Snapshot("s-1-10").Copies); (c.why == leyline.FaultDigestMismatch) != (copies == 1) {
				t.Errorf("%d copies are left after %s", copies, c.why)
			}
			w.must(w.rollback(leyline.PhasePrepare, digest("s-1-10")))
			f := one[leyline.RollbackFinished](w, w.must(w.rollback(leyline.PhaseCommit, digest("s-1-10"))))
			if f.Outcome != leyline.OutcomeOK || f.Tier != leyline.TierFull || !f.WithinSLA {
				t.Errorf("finished as %+v", f)
			}
		})
	}
}

// Reports that come twice, too late, or of the tier that was given up are recorded
// and refused: one wins.
func TestConcurrentRollbackReports(t *testing.T) {
	w := fallen(t)
	w.must(w.rollback(leyline.PhasePrepare, digest("s-1-10")))
	ofFast := w.rollback(leyline.PhaseCommit, digest("s-1-10"))
	w.must(w.due()) // the fast tier is given up
	if r := w.refused(ofFast); r.Kind != leyline.RefusalUnknownRollback || r.Field != "phase" {
		t.Errorf("a late report while the full tier is prepared is refused as %v", r)
	}
	w.must(w.rollback(leyline.PhasePrepare, digest("s-1-10")))
	if r := w.refused(ofFast); r.Kind != leyline.RefusalUnknownRollback || r.Field != "tier" {
		t.Errorf("a late report of the fast tier is refused as %v", r)
	}
	if r := w.refused(w.report()); r.Kind != leyline.RefusalRollbackActive {
		t.Errorf("a second fault during a rollback is refused as %v", r)
	}
	done := w.rollback(leyline.PhaseCommit, digest("s-1-10"))
	w.must(done)
	if r := w.refused(done); r.Kind != leyline.RefusalIncarnation {
		t.Errorf("the same report again is refused as %v", r)
	}
}

// With tolaria.emergency_on_rollback_deadline off the run stays open at L3 and is
// rolled back without a deadline, until tolaria.rollback_limit.
func TestDeadlineWithoutEmergency(t *testing.T) {
	w := fallen(t)
	w.s.Plane.Config.Tolaria.RollbackHalts = false
	w.must(w.due())
	ev := w.must(w.due())
	f := one[leyline.RollbackFinished](w, ev)
	if f.Outcome != leyline.OutcomeDeadline || f.Overran != leyline.PhasePrepare || f.WithinSLA {
		t.Errorf("finished as %+v", f)
	}
	if x := one[leyline.EmergencyEscalated](w, ev); x.To != leyline.EmergencyConservative {
		t.Errorf("raised to %s", x.To)
	}
	again := one[leyline.RollbackStarted](w, ev)
	if again.Deadline != 0 || again.PhaseBy != 0 || again.Tier != leyline.TierFull || again.Snapshot != "s-1-10" {
		t.Errorf("begun again as %+v", again)
	}
	w.must(w.rollback(leyline.PhasePrepare, digest("s-1-10")))
	if f := one[leyline.RollbackFinished](w, w.must(w.rollback(leyline.PhaseCommit, digest("s-1-10")))); f.Outcome != leyline.OutcomeOK || f.WithinSLA {
		t.Errorf("finished as %+v", f)
	}
}

// The accounting of the fast tier is exact after every event (D-T8a).
func TestFastTierIsBounded(t *testing.T) {
	w := newWorld(t)
	w.open()
	roomy(w, 25) // two snapshots of ten bytes
	for range 8 {
		w.steps(5)
		w.both(string(w.run().Snapshots[len(w.run().Snapshots)-1].ID))
		if w.s.Tolaria.FastBytes != heldBytes(w.s) || heldBytes(w.s) > 25 {
			t.Fatalf("step %d: %d bytes are said to be held, %d are", w.run().Track.Step, w.s.Tolaria.FastBytes, heldBytes(w.s))
		}
	}
	if heldBytes(w.s) != 20 {
		t.Errorf("%d bytes are held, want two snapshots", heldBytes(w.s))
	}
	big := w.fast("big")
	big.Bytes = 26
	r := one[leyline.SnapshotRefused](w, w.must(big))
	if r.Tier != leyline.TierFast || r.File != big.File || heldBytes(w.s) != 20 {
		t.Errorf("refused as %+v, %d bytes are held", r, heldBytes(w.s))
	}
	w.steps(5)
	newest := w.run().Good(^leyline.Step(0))
	if newest.Copy(leyline.TierFast) == nil {
		t.Error("the newest proven snapshot was given up")
	}
}

// A second snapshot of a step takes the place of the first, bytes included.
func TestSameStepReplaces(t *testing.T) {
	w := newWorld(t)
	w.open()
	roomy(w, 1000)
	w.steps(3)
	w.both("a")
	again := w.fast("b")
	again.Bytes = 30
	ev := w.must(again)
	if w.s.Tolaria.FastBytes != 30 || heldBytes(w.s) != 30 {
		t.Errorf("%d bytes are said to be held, %d are", w.s.Tolaria.FastBytes, heldBytes(w.s))
	}
	if x, ok := first[leyline.SnapshotEvicted](ev); !ok || x.Snapshot != "a" || x.Why != leyline.EvictReplaced {
		t.Errorf("given up %+v", x)
	}
	if r := w.refused(again); r.Kind != leyline.RefusalSnapshotExists {
		t.Errorf("the same copy again is refused as %v", r)
	}
	full := w.snapshot("b")
	if r := w.refused(full); r.Kind != leyline.RefusalSnapshotExists {
		t.Errorf("a copy of other bytes is refused as %v", r)
	}
}

// A run that has ended, and a smaller budget, give their memory back.
func TestMemoryIsGivenBack(t *testing.T) {
	w := newWorld(t)
	w.open()
	roomy(w, 1000)
	w.steps(5)
	w.both("s-1-5")
	w.s.Plane.Config.Tolaria.FastMiB = 0
	w.must(leyline.PlaneStarted{Boot: "b2", Origin: "esper-test", AdminKey: w.admin.Public(), Decider: 1, FastFree: 1 << 30})
	if w.s.Tolaria.FastBytes != 0 || heldBytes(w.s) != 0 {
		t.Errorf("%d bytes without a budget", heldBytes(w.s))
	}
	w.s.Plane.Config.Tolaria.FastMiB = 1
	w.must(w.fast("s-1-5"))
	w.must(leyline.RunClosed{Run: "run-1", Incarnation: w.inc, Step: w.run().Track.Step, Outcome: leyline.OutcomeOK, Digest: digest("end")})
	if w.s.Tolaria.FastBytes != 0 || heldBytes(w.s) != 0 || w.run().Snapshot("s-1-5") == nil {
		t.Errorf("%d bytes after the end", heldBytes(w.s))
	}
}

// What was lost is not registered any more; what nobody registered is deleted.
func TestDisagreementsAreRepaired(t *testing.T) {
	w := newWorld(t)
	w.open()
	roomy(w, 1000)
	w.steps(5)
	w.both("s-1-5")
	lost := leyline.SnapshotLost{Run: "run-1", Snapshot: "s-1-5", Tier: leyline.TierFast, File: "s-1-5.safetensors", Problem: "the file is missing"}
	x := one[leyline.SnapshotEvicted](w, w.must(lost))
	if x.Why != leyline.EvictLost || x.Gone || w.s.Tolaria.FastBytes != 0 || w.run().Snapshot("s-1-5").Copy(leyline.TierFull) == nil {
		t.Errorf("given up as %+v", x)
	}
	if r := w.refused(lost); r.Kind != leyline.RefusalUnknownSnapshot {
		t.Errorf("the same again is refused as %v", r)
	}
	lost.Tier = leyline.TierFull
	if x := one[leyline.SnapshotEvicted](w, w.must(lost)); !x.Gone || w.run().Snapshot("s-1-5") != nil {
		t.Errorf("given up as %+v", x)
	}
	for _, run := range []leyline.RunID{"run-1", "run-9"} {
		orphan := leyline.SnapshotLost{Run: run, Tier: leyline.TierFast, File: "stray", Problem: "no registered snapshot names it"}
		if x := one[leyline.SnapshotEvicted](w, w.must(orphan)); x.Why != leyline.EvictOrphaned || x.File != "stray" {
			t.Errorf("given up as %+v", x)
		}
	}
}

// due lets time pass to the next deadline and returns its timer.
func (w *world) due() leyline.Input {
	w.t.Helper()
	next, ok := w.s.NextTimer()
	if !ok || next.Timer != leyline.TimerRollback {
		w.t.Fatalf("the next timer is %+v", next)
	}
	w.at = next.Due
	return next
}

// A large full copy is prepared by its checksum; before it takes over the trainer
// must have taken its digest. A small one is prepared by the digest.
func TestLargeFullCopyIsPreparedByItsChecksum(t *testing.T) {
	for _, x := range []struct {
		name  string
		bytes uint64
		check leyline.Checksum
		want  leyline.FaultReason // of the prepare
	}{
		{"large", leyline.QuickFrom, 7, leyline.FaultNone},
		{"large and changed", leyline.QuickFrom, 8, leyline.FaultDigestMismatch},
		{"small", leyline.QuickFrom - 1, 7, leyline.FaultDigestMismatch},
	} {
		t.Run(x.name, func(t *testing.T) {
			w := newWorld(t)
			w.open()
			for range 2 { // two snapshots to return to
				w.steps(4)
				w.must(w.report())
				s := w.snapshot("s-" + itoa(w.run().Track.Step))
				s.Bytes = x.bytes
				w.must(s)
			}
			w.steps(1)
			w.fault()
			effects := effect.Outstanding(w.s)
			if e := effects[len(effects)-1]; e.Light != (x.bytes >= leyline.QuickFrom) || e.Quick {
				t.Fatalf("to be staged as %+v", e)
			}
			in := w.rollback(leyline.PhasePrepare, leyline.Digest{})
			in.Bytes, in.Check = x.bytes, x.check
			ev := w.must(in)
			if x.want != leyline.FaultNone {
				if e := one[leyline.RollbackFinished](w, ev); e.Reason != x.want {
					t.Errorf("prepared as %+v", e)
				}
				if e := one[leyline.RollbackStarted](w, ev); e.Snapshot != "s-5" {
					t.Errorf("the next attempt is %+v", e)
				}
				return
			}
			one[leyline.RollbackAdvanced](w, ev)
			bare := w.rollback(leyline.PhaseCommit, leyline.Digest{})
			bare.Bytes, bare.Check = x.bytes, x.check
			if e := one[leyline.RollbackFinished](w, w.must(bare)); e.Outcome != leyline.OutcomeFailed || e.Reason != leyline.FaultDigestMismatch {
				t.Errorf("restored without a digest as %+v", e)
			}
		})
	}
}
