package workload

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/snapstore"
)

// broken returns a trainer that is about to report a faulty step 12, with a
// plane whose snapshot of step 10 was damaged. The plane halts the run when it
// is told.
func broken(t *testing.T, damage func(p *fakePlane, s *save)) (*fakePlane, *trainer) {
	p := newFake(t)
	p.script = func(in leyline.Input) {
		if x, isReport := in.(leyline.RollbackReported); isReport && x.Outcome != leyline.OutcomeOK {
			p.halt(leyline.FaultRollbackFailed)
		}
	}
	tr, err := newTrainer(p, p.options(20, Fault{FaultNaN, 12}))
	ok(t, err)
	ok(t, tr.open(t.Context()))
	for s := range leyline.Step(11) {
		ok(t, tr.once(t.Context(), s+1))
	}
	damage(p, &p.saved[len(p.saved)-1])
	return p, tr
}

// Bytes that are not those that were registered, or that are no state of this
// net, are reported as failed and nothing is swapped in. The order to halt comes
// with the answer to the report; a trainer that drops it waits for ever.
func TestRestoreRefusesOtherBytes(t *testing.T) {
	tests := map[string]func(p *fakePlane, s *save){
		"one bit": func(p *fakePlane, s *save) {
			b, err := os.ReadFile(filepath.Join(p.dir, s.File))
			ok(t, err)
			b[len(b)-1] ^= 1
			ok(t, os.WriteFile(filepath.Join(p.dir, s.File), b, 0o600))
		},
		"missing": func(p *fakePlane, s *save) { ok(t, os.Remove(filepath.Join(p.dir, s.File))) },
		"outside": func(p *fakePlane, s *save) {
			b, err := os.ReadFile(filepath.Join(p.dir, s.File))
			ok(t, err)
			s.File = "../" + s.File
			ok(t, os.WriteFile(filepath.Join(p.dir, s.File), b, 0o600))
		},
		"no state": func(p *fakePlane, s *save) {
			b := []byte("these bytes were registered")
			ok(t, os.WriteFile(filepath.Join(p.dir, s.File), b, 0o600))
			s.Digest = sha256.Sum256(b)
		},
	}
	for name, damage := range tests {
		t.Run(name, func(t *testing.T) {
			p, tr := broken(t, damage)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			ok(t, tr.net.Corrupt(FaultNaN))
			before := tr.net.Digest()
			err := tr.once(ctx, 12)
			var halted *Halted
			if !errors.As(err, &halted) || halted.Reason != leyline.FaultRollbackFailed || !strings.Contains(err.Error(), "scripted") {
				t.Fatalf("ended with %v", err)
			}
			rb := seen[leyline.RollbackReported](p)
			if len(rb) != 1 || rb[0].Outcome != leyline.OutcomeFailed || rb[0].Reason == "" {
				t.Errorf("reported %+v", rb)
			}
			if tr.net.Digest() != before {
				t.Error("the net was changed by bytes that were refused")
			}
			if len(tr.result.Recoveries) != 0 {
				t.Errorf("recoveries %+v", tr.result.Recoveries)
			}
		})
	}
}

// A resume from other bytes than were registered is refused too.
func TestResumeRefusesOtherBytes(t *testing.T) {
	p, _ := broken(t, func(p *fakePlane, s *save) {
		ok(t, os.Truncate(filepath.Join(p.dir, s.File), 100))
	})
	_, err := Train(t.Context(), p, p.options(20, Fault{FaultNaN, 12}))
	if err == nil || !strings.Contains(err.Error(), "registered was one of") {
		t.Errorf("resumed from a cut file: %v", err)
	}
}

// When the restore of one snapshot fails the plane may order another.
func TestRestoreFromTheNextSnapshot(t *testing.T) {
	p := newFake(t)
	p.script = func(in leyline.Input) {
		switch x := in.(type) {
		case leyline.StepObserved:
			if p.open != "" {
				ok(t, os.Remove(filepath.Join(p.dir, p.saved[len(p.saved)-1].File)))
			}
		case leyline.RollbackReported:
			if x.Outcome != leyline.OutcomeOK {
				p.saved = p.saved[:len(p.saved)-1]
				p.rollback(12)
			}
		}
	}
	r := train(t, p, p.options(20, Fault{FaultNaN, 12}))
	if c := r.Recoveries; len(c) != 1 || c[0].FaultStep != 12 || c[0].ToStep != 5 {
		t.Errorf("recoveries %+v", c)
	}
	if n := len(seen[leyline.RollbackReported](p)); n != 2 {
		t.Errorf("%d reports, want one that failed and one that did not", n)
	}
}

// An order to restore may come with any answer. It is followed before anything
// else is reported (the fake sees to that), and before the run is closed.
func TestRestoreOrderedWithAnyAnswer(t *testing.T) {
	for name, when := range map[string]func(in leyline.Input) bool{
		"epoch": func(in leyline.Input) bool { return in.InputKind() == leyline.InputEpochObserved },
		"last snapshot": func(in leyline.Input) bool {
			x, is := in.(leyline.SnapshotTaken)
			return is && x.Step == 12
		},
		"command": func(in leyline.Input) bool { return in.InputKind() == leyline.InputCommandAcked },
	} {
		t.Run(name, func(t *testing.T) {
			p := newFake(t)
			p.every = 4
			p.script = rollbackOnce(p, when)
			r := train(t, p, p.options(12))
			if len(r.Recoveries) != 1 || r.Recoveries[0].FirstGood <= 0 || r.Steps != 12 {
				t.Errorf("result %+v", r)
			}
			if last := seen[leyline.StepObserved](p); last[len(last)-1].Step != 12 {
				t.Errorf("the last step was %d", last[len(last)-1].Step)
			}
		})
	}
}

// rollbackOnce orders two commands at step 6, and a rollback with the first
// answer that is meant.
func rollbackOnce(p *fakePlane, when func(in leyline.Input) bool) func(leyline.Input) {
	return func(in leyline.Input) {
		if x, isStep := in.(leyline.StepObserved); isStep && x.Step == 6 && len(p.bad) == 0 {
			p.command(leyline.OpStabilize)
			p.command(leyline.OpStabilize)
		}
		if len(p.bad) == 0 && when(in) {
			p.rollback(p.now.step)
		}
	}
}

// lagging is a store whose reads take as long as the test says.
type lagging struct {
	snapstore.Store
	takes time.Duration
}

func (s lagging) Open(ctx context.Context, run leyline.RunID, file string) (io.ReadCloser, uint64, error) {
	f, size, err := s.Store.Open(ctx, run, file)
	time.Sleep(s.takes)
	return f, size, err
}

// TestLateRestoreTouchesNothing restores from a store that is slower than the
// deadline: the report says so and the net is bit for bit what it was. The order
// that follows, from the other tier, is followed.
func TestLateRestoreTouchesNothing(t *testing.T) {
	p := newFake(t)
	var reports int
	p.refuse = func(in leyline.Input) error {
		x, ok := in.(leyline.RollbackReported)
		if !ok {
			return nil
		}
		if reports++; x.Outcome != leyline.OutcomeDeadline {
			return nil
		}
		s := p.newest(12)
		p.order(leyline.Directive{Kind: leyline.EffectRestore, Restore: &leyline.RestoreOrder{
			Rollback: p.open, From: s.ref(), Cause: leyline.FaultNonFinite, Fault: 12, Reached: 12,
		}})
		return &leyline.Refusal{Kind: leyline.RefusalUnknownRollback, Field: "tier"}
	}
	o := p.options(20, Fault{FaultNaN, 12})
	o.Fast = lagging{o.Snapshots, 30 * time.Millisecond}
	var weights []leyline.Digest
	o.Still = func(_ bool, w leyline.Digest) { weights = append(weights, w) }
	p.script = func(in leyline.Input) {
		if _, ok := in.(leyline.StepObserved); ok && p.open != "" && reports == 0 {
			d := &p.orders[len(p.orders)-1] // the order to restore, from the fast tier and with a deadline
			d.Restore.From.Tier, d.Deadline, d.WithinNs = leyline.TierFast, 1, uint64(time.Millisecond)
		}
	}
	tr, err := newTrainer(p, o)
	ok(t, err)
	ok(t, tr.open(t.Context()))
	for s := range leyline.Step(11) {
		ok(t, tr.once(t.Context(), s+1))
	}
	before := tr.net.Digest()
	if done, err := tr.restore(t.Context(), time.Now(), restoreOrder{&leyline.RestoreOrder{Rollback: "rb", From: func() leyline.SnapshotRef {
		r := p.newest(12).ref()
		r.Tier = leyline.TierFast
		return r
	}()}, time.Now().Add(time.Millisecond)}); done || err != nil {
		t.Errorf("a late restore: %v, %v", done, err)
	}
	if tr.net.Digest() != before {
		t.Error("the net was changed by a restore that came late")
	}
	reports, p.orders = 0, nil
	for range 9 {
		ok(t, tr.once(t.Context(), tr.step+1))
	}
	if r := tr.result.Recoveries; len(r) != 1 || r[0].Tier != leyline.TierFull || reports != 2 {
		t.Errorf("recovered %+v after %d reports", r, reports)
	}
	if len(weights) != 2 {
		t.Errorf("training stood still %d times", len(weights)/2)
	}
}

// Both tiers are written while the fast one has room; a copy that cannot be written
// there is told and does not stop training.
func TestSnapshotsInBothTiers(t *testing.T) {
	p := newFake(t)
	o := p.options(12)
	fast := snapstore.NewDir(t.TempDir(), false)
	o.Fast = fast
	room := uint64(1 << 30)
	p.room = &room
	p.script = func(in leyline.Input) {
		if x, is := in.(leyline.StepObserved); is && x.Step == 9 {
			ok(t, os.Mkdir(filepath.Join(fast.Path(), "run-1", "snap-1-10.safetensors"), 0o700))
		}
	}
	train(t, p, o)
	type copied struct {
		step leyline.Step
		tier leyline.Tier
		ok   bool
	}
	var got []copied
	for _, x := range seen[leyline.SnapshotTaken](p) {
		got = append(got, copied{x.Step, x.Tier, x.Unwritten == ""})
	}
	want := []copied{
		{0, leyline.TierFull, true}, {0, leyline.TierFast, true}, {5, leyline.TierFull, true}, {5, leyline.TierFast, true},
		{10, leyline.TierFull, true}, {10, leyline.TierFast, false},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(copied{})); diff != "" {
		t.Errorf("copies (-want +got):\n%s", diff)
	}
	room = 10
	q := newFake(t)
	q.room = &room
	o = q.options(6)
	o.Fast = fast
	train(t, q, o)
	for _, x := range seen[leyline.SnapshotTaken](q) {
		if x.Tier == leyline.TierFast {
			t.Errorf("a copy of %d bytes where there is room for %d", x.Bytes, room)
		}
	}
}
