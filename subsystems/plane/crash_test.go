package plane_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/memlog"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/replay/workload"
	"github.com/esper-plane/esper/subsystems/plane"
)

var errKilled = errors.New("killed")

// deadline is a log that makes the records up to last durable and then hangs,
// as a process does that is killed between commit and release: the group that
// holds last is never acknowledged.
type deadline struct {
	*memlog.Log
	last uint64
	kill context.CancelFunc
	dead chan struct{}
}

func (d *deadline) Append(ctx context.Context, next uint64, es []eventlog.Entry) error {
	keep := es
	for len(keep) > 0 && keep[len(keep)-1].Seq > d.last {
		keep = keep[:len(keep)-1]
	}
	if len(keep) > 0 {
		if err := d.Log.Append(ctx, next, keep); err != nil {
			return err
		}
	}
	if es[len(es)-1].Seq < d.last {
		return nil
	}
	d.kill()
	<-d.dead
	return errKilled
}

// runUntil runs the job on a log until record last is durable and then kills
// it. It returns the log that survives.
func (b *bench) runUntil(log *memlog.Log, last uint64, steps leyline.Step) *memlog.Log {
	ctx, cancel := context.WithCancel(context.Background())
	d := &deadline{Log: log, last: last, kill: cancel, dead: make(chan struct{})}
	p, err := b.start(ctx, d)
	if err == nil {
		if _, err = b.train(ctx, p, steps, nan(20)); err == nil {
			b.t.Errorf("the job ended before record %d", last)
		}
	}
	close(d.dead)
	if p != nil {
		<-p.Done()
	}
	return log.CrashAt(last)
}

// finish runs the job on a log to its end.
func (b *bench) finish(log store, steps leyline.Step) (leyline.Digest, *projections.State) {
	b.t.Helper()
	ctx := context.Background()
	p, err := b.start(ctx, log)
	if err != nil {
		b.t.Fatalf("start: %v", err)
	}
	r, err := b.train(ctx, p, steps, nan(20))
	if err != nil {
		b.t.Fatalf("train: %v", err)
	}
	var s projections.State
	if err := p.View(ctx, func(head *projections.State) { s = *head }); err != nil {
		b.t.Fatal(err)
	}
	if err := p.Shutdown(ctx); err != nil {
		b.t.Fatal(err)
	}
	return r.Digest, &s
}

// TestKillAtEveryRecord kills the process after every single record of a run
// that grows a seed, measures it and rolls back a fault; the record is durable
// and nothing that follows from it has happened. The resumed run must end with
// the weights of a run that was never killed, lose no record, and re-decide
// identically.
func TestKillAtEveryRecord(t *testing.T) {
	for _, x := range []struct {
		name   string
		change func(*leyline.ExecutionConfig)
		stage  leyline.Stage
	}{
		{"kept", func(*leyline.ExecutionConfig) {}, leyline.StageFossilized},
		{"given up, the policy on the worker", func(c *leyline.ExecutionConfig) {
			c.Kasmina.MinContribution, c.Tamiyo.PolicyInline, c.Tamiyo.PolicyBudget = 1, false, 9_000
		}, leyline.StageDormant},
	} {
		t.Run(x.name, func(t *testing.T) {
			killAtEvery(t, func() *bench {
				b := newBench(t)
				x.change(&b.config)
				return b
			}, x.stage)
		})
	}
}

func killAtEvery(t *testing.T, fresh func() *bench, stage leyline.Stage) {
	const steps = 42
	whole := fresh()
	log := whole.newLog()
	want, end := whole.finish(log, steps)
	mustRedecide(t, log)
	checkStory(t, end, stage)
	last := log.Next() - 1
	stride := uint64(1)
	if testing.Short() {
		stride = 17
	}
	for n := uint64(2); n < last; n += stride {
		b := fresh()
		survivor := b.runUntil(b.newLog(), n, steps)
		before := records(t, survivor)
		got, _ := b.finish(survivor, steps)
		if got != want {
			t.Errorf("killed after record %d (%s): ended with weights %s, want %s", n, before[len(before)-1].Input.InputKind(), got.Short(), want.Short())
		}
		mustRedecide(t, survivor)
		if after := records(t, survivor); len(after) < len(before) {
			t.Errorf("killed after record %d: %d records, then %d", n, len(before), len(after))
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("killed after each of %d records", last)
}

// checkStory makes sure that the run killed above contains what it should be
// killed inside of.
func checkStory(t *testing.T, s *projections.State, stage leyline.Stage) {
	t.Helper()
	r := s.Tolaria.Run("run-1")
	if r.Rollbacks != 1 || r.Lineage != 1 || len(r.Snapshots) == 0 {
		t.Fatalf("the run has %d rollbacks, lineage %d, %d snapshots", r.Rollbacks, r.Lineage, len(r.Snapshots))
	}
	if seed := s.Kasmina.Seed("run-1", "seed-a"); seed.Stage != stage {
		t.Fatalf("the seed came to %s, not %s", seed.Stage, stage)
	}
}

// TestStoredProjectionPlusTailEqualsFold restarts from a stored projection and
// from the log alone.
func TestStoredProjectionPlusTailEqualsFold(t *testing.T) {
	b := newBench(t)
	m := &memStore{}
	b.projected = m
	log := b.newLog()
	_, end := b.finish(log, 30)
	if m.saves < 2 {
		t.Fatalf("the projection was stored %d times, the test shows nothing", m.saves)
	}
	fold := mustRedecide(t, log)
	if got, want := end.Digest(), fold.Digest(); got != want {
		t.Errorf("live state %s, full fold %s", got.Short(), want.Short())
	}
	m.rewind() // an older projection, as after a crash
	p, err := b.start(context.Background(), log)
	if err != nil {
		t.Fatal(err)
	}
	var again leyline.Digest
	if err := p.View(context.Background(), func(s *projections.State) { again = s.Digest() }); err != nil {
		t.Fatal(err)
	}
	if want := mustRedecide(t, log).Digest(); again != want {
		t.Errorf("old projection and tail give %s, full fold %s", again.Short(), want.Short())
	}
	if err := p.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// memStore keeps projections in memory.
type memStore struct {
	saves  int
	anchor []plane.Anchor
	blobs  [][]byte
	schema uint32
}

func (m *memStore) Save(a plane.Anchor, schema uint32, blob []byte) error {
	m.saves++
	m.anchor, m.blobs, m.schema = append(m.anchor, a), append(m.blobs, blob), schema
	return nil
}

func (m *memStore) Load() (plane.Anchor, uint32, []byte, bool, error) {
	n := len(m.blobs)
	if n == 0 {
		return plane.Anchor{}, 0, nil, false, nil
	}
	return m.anchor[n-1], m.schema, m.blobs[n-1], true, nil
}

func (m *memStore) rewind() { m.anchor, m.blobs = m.anchor[:1], m.blobs[:1] }

// TestLogBehindItsProjectionIsRefused cuts a log exactly between two records,
// which no checksum can notice.
func TestLogBehindItsProjectionIsRefused(t *testing.T) {
	b := newBench(t)
	m := &memStore{}
	b.projected = m
	log := b.newLog()
	b.finish(log, 22)
	_, err := b.start(context.Background(), log.CrashAt(log.Next()-3))
	if !errors.Is(err, plane.ErrBehind) {
		t.Errorf("got %v", err)
	}
	m.anchor[len(m.anchor)-1].Leaf[0] ^= 1
	if _, err := b.start(context.Background(), log); !errors.Is(err, plane.ErrBehind) {
		t.Errorf("a changed record: got %v", err)
	}
}

// TestFailedAppendPoisonsThePlane fails one append: the caller is told, nothing
// is released, the emergency signal is set, and the next start records it.
func TestFailedAppendPoisonsThePlane(t *testing.T) {
	for _, stored := range []bool{false, true} {
		b := newBench(t)
		log := b.newLog()
		log.Inject(memlog.Faults{Seed: 1, FailAppendAt: 30, FailedButStored: stored})
		ctx := context.Background()
		p, err := b.start(ctx, log)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.train(ctx, p, 36, nan(20)); !errors.Is(err, leyline.ErrStorage) {
			t.Fatalf("the trainer got %v", err)
		}
		if !errors.Is(p.Err(), leyline.ErrStorage) {
			t.Errorf("the plane ended with %v", p.Err())
		}
		if level, _, _ := b.signal.Get(); level != leyline.EmergencyHalt {
			t.Errorf("the emergency signal says %s", level)
		}
		survivor := log.Crash()
		b.finish(survivor, 36)
		var told bool
		for _, r := range records(t, survivor) {
			if x, ok := r.Input.(leyline.PlaneStarted); ok {
				told = told || x.SignalText == "storage failed"
			}
		}
		if !told {
			t.Error("no plane.started tells of the emergency signal that was found set")
		}
		mustRedecide(t, survivor)
	}
}

// TestPlaneTimeNeverLeaps jumps the wall clock by an hour, forwards and back.
func TestPlaneTimeNeverLeaps(t *testing.T) {
	b := newBench(t)
	var offset time.Duration
	var n int
	b.wall = func() time.Time { return time.Now().Add(offset) }
	b.released = func(leyline.Record) {
		if n++; n%20 == 0 {
			offset = time.Hour - offset
		}
	}
	log := b.newLog()
	b.finish(log, 36)
	rs := records(t, log)
	var jumped bool
	for i := 1; i < len(rs); i++ {
		d := rs[i].At.Sub(rs[i-1].At)
		if d < 0 || d > time.Minute {
			t.Fatalf("plane time moves by %v at record %d", d, rs[i].Seq)
		}
		jumped = jumped || rs[i].Wall.Sub(rs[i-1].Wall) > time.Minute
		for _, e := range rs[i].Events {
			if x, ok := e.(leyline.CommandRejected); ok {
				t.Errorf("record %d: an honest command was rejected as %s", rs[i].Seq, x.Reason)
			}
		}
	}
	if !jumped {
		t.Error("the wall clock did not jump, the test shows nothing")
	}
}

// TestUnstorableInputIsRefused sends an enum code that no version knows.
func TestUnstorableInputIsRefused(t *testing.T) {
	b := newBench(t)
	log := b.newLog()
	ctx := context.Background()
	p, err := b.start(ctx, log)
	if err != nil {
		t.Fatal(err)
	}
	next := log.Next()
	_, err = p.Ack(ctx, leyline.CommandAcked{Run: "run-1", Incarnation: 1, Command: "c", Outcome: 99}, 0)
	if r, ok := leyline.AsRefusal(err); !ok || r.Field != "outcome" {
		t.Errorf("got %v", err)
	}
	if _, err := p.Ack(ctx, leyline.CommandAcked{Run: "run-1", Incarnation: 1, Command: "c", Outcome: leyline.OutcomeOK}, 0); err == nil {
		t.Error("an unknown run was accepted")
	}
	huge := leyline.RunClosed{Run: "run-1", Incarnation: 1, Outcome: leyline.OutcomeFailed, Reason: strings.Repeat("x", 3<<20)}
	if _, err := p.Close(ctx, huge); err == nil {
		t.Error("a reason of 3 MiB was accepted")
	}
	if got := log.Next() - next; got != 1 {
		t.Errorf("%d records for three refusals, want 1: the others are not worth one or have no stored form", got)
	}
	mustRedecide(t, log)
	if err := p.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestClockStandsStillAcrossARestart kills the process inside a rollback and
// starts it again long after the rollback's deadline. Nothing may be decided
// before plane.started, and the run goes on.
func TestClockStandsStillAcrossARestart(t *testing.T) {
	b := newBench(t)
	whole := b.newLog()
	want, _ := b.finish(whole, 36)
	var kill uint64
	for _, r := range records(t, whole) {
		for _, e := range r.Events {
			if _, ok := e.(leyline.RollbackAdvanced); ok {
				kill = uint64(r.Seq)
			}
		}
	}
	for range 10 { // the loop's choice between a timer and its door is random
		b = newBench(t)
		survivor := b.runUntil(b.newLog(), kill, 36)
		next := survivor.Next()
		b.wall = func() time.Time { return time.Now().Add(time.Hour) }
		got, end := b.finish(survivor, 36)
		if end.Tolaria.Run("run-1").Status != leyline.RunStatusEnded || got != want {
			t.Fatalf("the run is %s with weights %s, want %s", end.Tolaria.Run("run-1").Status, got.Short(), want.Short())
		}
		for _, r := range records(t, survivor) {
			if r.Seq == leyline.Seq(next) && r.Input.InputKind() != leyline.InputPlaneStarted {
				t.Fatalf("the first record after the restart is %s", r.Input.InputKind())
			}
		}
	}
}

// TestHaltIsWhatTheSignalSays halts a run: L2 and L4 of one record must not
// overtake each other.
func TestHaltIsWhatTheSignalSays(t *testing.T) {
	for range 20 {
		b := newBench(t)
		ctx := context.Background()
		p, err := b.start(ctx, b.newLog())
		if err != nil {
			t.Fatal(err)
		}
		var halted *workload.Halted
		if _, err := b.train(ctx, p, 36, nan(1)); !errors.As(err, &halted) {
			t.Fatalf("a fault before any proven snapshot: %v", err)
		}
		if err := p.Shutdown(ctx); err != nil {
			t.Fatal(err)
		}
		if level, reason, _ := b.signal.Get(); level != leyline.EmergencyHalt {
			t.Fatalf("the signal says %s (%s)", level, reason)
		}
	}
}

// TestSweep deletes what the log does not know, and nothing else.
func TestSweep(t *testing.T) {
	b := newBench(t)
	log := b.newLog()
	_, end := b.finish(log, 22)
	dir := filepath.Join(b.snapshots, "run-1")
	if err := os.WriteFile(filepath.Join(dir, "snap-9-99.safetensors"), []byte("never reported"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := b.start(context.Background(), log)
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if kept := end.Tolaria.Run("run-1").Snapshots; len(files) != len(kept) || len(kept) == 0 {
		t.Errorf("%d files for %d registered snapshots", len(files), len(kept))
	}
	if err := p.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// TestResumePassesOverDamagedSnapshots changes the newest proven snapshot while
// nothing runs: a flipped byte, a missing file, a pipe.
func TestResumePassesOverDamagedSnapshots(t *testing.T) {
	whole := newBench(t)
	log := whole.newLog()
	want, _ := whole.finish(log, 36)
	var kill uint64 // in step 18, before the fault: a resume beyond a rollback repeats steps in another lineage
	for _, r := range records(t, log) {
		if x, ok := r.Input.(leyline.StepObserved); ok && x.Step == 18 && x.Incarnation == 1 {
			kill = uint64(r.Seq)
		}
	}
	for name, damage := range map[string]func(path string) error{
		"grown":   func(path string) error { return os.Truncate(path, 1<<20) },
		"missing": os.Remove,
		"pipe":    func(path string) error { return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			survivor := b.runUntil(b.newLog(), kill, 36)
			var last string
			for _, s := range mustRedecide(t, survivor).Tolaria.Run("run-1").Snapshots {
				if s.Confirmed {
					last = s.Copies[0].File
				}
			}
			if err := damage(filepath.Join(b.snapshots, "run-1", last)); err != nil {
				t.Fatal(err)
			}
			got, _ := b.finish(survivor, 36)
			if got != want {
				t.Errorf("ended with weights %s, want %s", got.Short(), want.Short())
			}
			var lost int
			for _, r := range records(t, survivor) {
				for _, e := range r.Events {
					if x, ok := e.(leyline.SnapshotEvicted); ok && x.Why == leyline.EvictLost {
						lost++
					}
				}
			}
			if lost != 1 {
				t.Errorf("%d snapshots were lost in the log, want the damaged one", lost)
			}
			mustRedecide(t, survivor)
		})
	}
}
