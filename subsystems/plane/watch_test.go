package plane_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/eventlog/memlog"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/plane"
)

const (
	mib    = 1 << 20
	limit  = 256 * mib // of the default configuration
	enough = 320 * mib // ends a shortage
	every  = 5 * time.Second
)

// fakeDisk is a disk that fills and empties as a test wants.
type fakeDisk struct {
	mu          sync.Mutex
	free, total uint64
	err         error
	asked       int
}

func (d *fakeDisk) Free() (uint64, uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	return d.free, d.total, d.err
}

// set changes the disk and waits until it was looked at.
func (d *fakeDisk) set(free uint64, err error) {
	d.mu.Lock()
	d.free, d.err = free, err
	d.mu.Unlock()
	time.Sleep(every + time.Millisecond)
	synctest.Wait()
}

func (d *fakeDisk) looks() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked
}

// watched is a bench whose plane looks at a disk.
func watched(t *testing.T, free uint64) (*bench, *fakeDisk, *bytes.Buffer) {
	b, d, said := newBench(t), &fakeDisk{free: free, total: 1 << 40}, &bytes.Buffer{}
	b.free = d.Free
	b.logger = hclog.New(&hclog.LoggerOptions{Output: said, Level: hclog.Info}) // read when nobody writes
	return b, d, said
}

func (b *bench) mustStart(log store) *plane.Plane {
	b.t.Helper()
	p, err := b.start(context.Background(), log)
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

func mustStop(t *testing.T, p *plane.Plane) {
	t.Helper()
	if err := p.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// begin opens a run; the answer is the kind of refusal.
func begin(t *testing.T, p *plane.Plane, run leyline.RunID, resume bool) leyline.RefusalKind {
	t.Helper()
	_, err := p.Open(context.Background(), leyline.RunOpened{
		Run: run, Resume: resume, Workload: "w", Framework: "go-gonum", Posture: leyline.Posture{Version: "1", Device: "cpu", Compile: leyline.SwitchOff}, Tasks: []leyline.TaskID{"a"}, Parameters: 1, Steps: 9,
		Away: leyline.AwayStop, Principal: leyline.PrincipalProcess,
	})
	r, refused := leyline.AsRefusal(err)
	if err != nil && !refused {
		t.Fatal(err)
	}
	if refused {
		return r.Kind
	}
	return leyline.RefusalNone
}

// disks lists what was decided of the disk.
func disks(rs []leyline.Record) []leyline.Event {
	var out []leyline.Event
	for _, r := range rs {
		if _, ok := r.Input.(leyline.DiskMeasured); ok {
			if len(r.Events) == 0 {
				out = append(out, nil) // a measurement that changed nothing
			}
			out = append(out, r.Events...)
		}
	}
	return out
}

func low(free uint64) leyline.Event {
	return leyline.DiskLow{Free: free, Total: 1 << 40, Threshold: limit}
}

func recovered(free uint64) leyline.Event {
	return leyline.DiskRecovered{Free: free, Total: 1 << 40, Threshold: limit}
}

// TestShortageIsRecordedOnceAndEnds fills the disk before the start, under a run
// and across a restart. Only changes are recorded, a run that was begun goes on
// and is resumed, a new one is refused.
func TestShortageIsRecordedOnceAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, d, said := watched(t, limit-1)
		log := b.newLog()
		p := b.mustStart(log)
		if got := begin(t, p, "run-1", false); got != leyline.RefusalDiskLow {
			t.Errorf("full at the start: %s", got)
		}
		time.Sleep(10 * every)
		d.set(1, nil)
		d.set(enough-1, nil)
		if got := begin(t, p, "run-1", false); got != leyline.RefusalDiskLow {
			t.Errorf("not enough room yet: %s", got)
		}
		d.set(enough, nil)
		if got := begin(t, p, "run-1", false); got != leyline.RefusalNone {
			t.Errorf("with room: %s", got)
		}
		d.set(limit, nil)
		d.set(7, nil)
		d.set(8, nil)
		if got := begin(t, p, "run-2", false); got != leyline.RefusalDiskLow {
			t.Errorf("full under a run: %s", got)
		}
		mustStop(t, p)
		p = b.mustStart(log)
		for run, want := range map[leyline.RunID]leyline.RefusalKind{"run-1": leyline.RefusalNone, "run-2": leyline.RefusalUnknownRun} {
			if got := begin(t, p, run, true); got != want {
				t.Errorf("resume of %s on a full disk: %s, want %s", run, got, want)
			}
		}
		if got := begin(t, p, "run-2", false); got != leyline.RefusalDiskLow {
			t.Errorf("still full after a restart: %s", got)
		}
		mustStop(t, p)
		d.set(limit*2, nil)
		p = b.mustStart(log)
		if got := begin(t, p, "run-2", false); got != leyline.RefusalNone {
			t.Errorf("with room at a restart: %s", got)
		}
		mustStop(t, p)
		want := []leyline.Event{low(limit - 1), recovered(enough), low(7), recovered(limit * 2)}
		if diff := cmp.Diff(want, disks(records(t, log))); diff != "" {
			t.Error(diff)
		}
		if said.Len() > 0 {
			t.Errorf("it logs\n%s", said)
		}
		mustRedecide(t, log)
	})
}

// TestHealthyDiskLeavesNoTrace: a run on a disk that is looked at all the time
// has as many records of each kind and ends with the weights of one that nobody watches.
func TestHealthyDiskLeavesNoTrace(t *testing.T) {
	kinds := [2]map[leyline.InputKind]int{{}, {}} // emergency signal and staging race for their order
	var weights [2]leyline.Digest
	for i := range kinds {
		synctest.Test(t, func(t *testing.T) {
			b, d, _ := watched(t, limit)
			if b.config.Log.FreeEvery = 100; i == 0 {
				b.free = nil
			}
			b.released = func(leyline.Record) { time.Sleep(20 * time.Millisecond) } // time passes
			log := b.newLog()
			weights[i], _ = b.finish(log, 36)
			for _, r := range records(t, log) {
				kinds[i][r.Input.InputKind()]++
			}
			if n := d.looks(); n < 10 && i == 1 || n > 0 && i == 0 {
				t.Errorf("looked %d times", n)
			}
		})
	}
	if diff := cmp.Diff(kinds[0], kinds[1]); diff != "" || weights[0] != weights[1] {
		t.Errorf("weights %s and %s, records\n%s", weights[0].Short(), weights[1].Short(), diff)
	}
}

// TestLooksKeepTheirInterval counts the looks. With a limit of 0 there are none,
// but for the one that ends a shortage.
func TestLooksKeepTheirInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, d, _ := watched(t, limit)
		b.config.Log.FreeEvery = 250
		log := b.newLog()
		p := b.mustStart(log)
		if n := d.looks(); n != 1 {
			t.Errorf("looked %d times before the plane was handed out, want once", n)
		}
		time.Sleep(10*time.Second + time.Millisecond)
		if n := d.looks(); n != 41 {
			t.Errorf("looked %d times in 10 s, want 41", n)
		}
		d.set(1, nil)
		mustStop(t, p)
		b.config.Log.MinFreeMiB = 0
		before := d.looks()
		p = b.mustStart(log)
		time.Sleep(10 * time.Second)
		mustStop(t, p)
		if n := d.looks() - before; n != 1 {
			t.Errorf("looked %d times with the watch turned off in a shortage, want once", n)
		}
		want := []leyline.Event{low(1), leyline.DiskRecovered{Free: 1, Total: 1 << 40}}
		if diff := cmp.Diff(want, disks(records(t, log))); diff != "" {
			t.Error(diff)
		}
	})
}

// TestFailingLookIsSaidAndChangesNothing: each failure is logged once, nothing is
// decided of a disk that cannot be measured, and looking goes on.
func TestFailingLookIsSaidAndChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, d, said := watched(t, 1)
		d.err = errors.New("stale handle")
		log := b.newLog()
		p := b.mustStart(log)
		if got := begin(t, p, "run-1", false); got != leyline.RefusalNone {
			t.Errorf("nothing is known of the disk: %s", got)
		}
		d.set(1, d.err)
		d.set(1, errors.New("i/o error"))
		d.set(1, d.err)
		d.set(1<<41, nil) // more than there is
		d.set(1, nil)
		if got := begin(t, p, "run-2", false); got != leyline.RefusalDiskLow {
			t.Errorf("the disk is full: %s", got)
		}
		d.set(1<<41, nil) // said again: the disk was read in between
		if got := begin(t, p, "run-2", false); got != leyline.RefusalDiskLow {
			t.Errorf("nothing new is known of the disk: %s", got)
		}
		mustStop(t, p)
		var got []string
		for line := range strings.Lines(said.String()) {
			_, text, _ := strings.Cut(strings.TrimSpace(line), "plane: ")
			got = append(got, text)
		}
		want := []string{
			`cannot tell how much of the disk is free: err="stale handle"`,
			`cannot tell how much of the disk is free: err="i/o error"`,
			`cannot tell how much of the disk is free: err="plane refused (invalid_field): free is 2199023255552 bytes, more than the 1099511627776 of the whole disk"`,
			`the free space on the disk can be told again: free=1 total=1099511627776`,
			`cannot tell how much of the disk is free: err="plane refused (invalid_field): free is 2199023255552 bytes, more than the 1099511627776 of the whole disk"`,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]leyline.Event{low(1)}, disks(records(t, log))); diff != "" {
			t.Error(diff)
		}
		mustRedecide(t, log)
	})
}

// TestWatchEndsWithThePlane ends planes in every way while their disk is watched.
// The bubble fails when a goroutine is left.
func TestWatchEndsWithThePlane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, d, _ := watched(t, limit)
		log := b.newLog()
		p := b.mustStart(log)
		began := time.Now()
		mustStop(t, p)
		if took := time.Since(began); took != 0 {
			t.Errorf("stopping waits %v for the next look", took)
		}
		n := d.looks()
		time.Sleep(10 * every)
		if d.looks() != n {
			t.Error("a plane that has ended looks at its disk")
		}
		log.Inject(memlog.Faults{Seed: 1, FailAppendAt: log.Next() + 1})
		p = b.mustStart(log)
		d.set(1, nil) // the record of it is the one that fails
		<-p.Done()
		if err := p.Shutdown(context.Background()); !errors.Is(err, leyline.ErrStorage) {
			t.Errorf("ended with %v", err)
		}
		log = log.Crash()
		log.Inject(memlog.Faults{Seed: 1, FailAppendAt: log.Next() + 1})
		if _, err := b.start(context.Background(), log); !errors.Is(err, leyline.ErrStorage) || !strings.Contains(err.Error(), "free space") {
			t.Errorf("started with %v", err)
		}
	})
}
