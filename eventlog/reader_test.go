package eventlog_test

import (
	"errors"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/eventlogtest"
)

func TestReadersSeeOnlyWhatIsDurable(t *testing.T) {
	dir := t.TempDir()
	l := create(t, dir, small)
	grow(t, l, 3)
	check := func(when string, last uint64) {
		t.Helper()
		r, err := eventlog.OpenReader(dir)
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		defer r.Close()
		if want := (eventlog.Report{Live: true, FirstSeq: 1, LastSeq: last, LastAt: history(int(last))[last-1].At}); r.Report() != want {
			t.Errorf("%s: report %+v, want %+v", when, r.Report(), want)
		}
		for name, seq := range map[string]func(func(eventlog.Entry, error) bool){"reader": r.All(1), "log": l.All(1)} {
			if list, err := collect(seq); err != nil || !sameRecords(list, history(int(last))) {
				t.Errorf("%s: %s sees %d records, %v, want %d", when, name, len(list), err, last)
			}
		}
	}
	check("before", 4)
	acked := uint64(4)
	l.BeforeSync(func() { check("written, not acknowledged", acked) })
	grow(t, l, 2)
	acked = 6
	check("acknowledged", acked)
	l.FailNextDirSync(unix.EIO)
	if err := l.Append(t.Context(), 7, eventlogtest.Group(7, 30)); !errors.Is(err, unix.EIO) {
		t.Fatal(err)
	}
	check("after a failed sync", 6)
}

// TestReadersBesideAWriter runs readers of each sort against a busy writer.
func TestReadersBesideAWriter(t *testing.T) {
	dir := t.TempDir()
	l := create(t, dir, eventlog.Options{SegmentSize: 2000})
	want := history(601)
	var readers sync.WaitGroup
	readers.Go(func() { followAll(t, l, want) })
	readers.Go(func() { readAgainAndAgain(t, dir, want) })
	for end := uint64(len(want)); l.Next() <= end; {
		grow(t, l, min(7, int(end+1-l.Next())))
	}
	readers.Wait()
}

func followAll(t *testing.T, l *eventlog.Log, want []eventlog.Entry) {
	for e, err := range l.Follow(t.Context(), 1) {
		if err != nil || !sameRecords([]eventlog.Entry{e}, want[e.Seq-1:e.Seq]) {
			t.Errorf("follower: record %d, %v", e.Seq, err)
			return
		}
		if e.Seq == uint64(len(want)) {
			return
		}
	}
}

func readAgainAndAgain(t *testing.T, dir string, want []eventlog.Entry) {
	for n := 0; n < len(want); {
		r, err := eventlog.OpenReader(dir)
		if err != nil {
			t.Errorf("reader: %v", err)
			return
		}
		list, err := collect(r.All(1))
		if err != nil || len(list) < n || !sameRecords(list, want[:len(list)]) {
			t.Errorf("reader: %d records after %d, %v", len(list), n, err)
			return
		}
		n = len(list)
	}
}

// TestAFollowerForgetsWhatItReadAhead leaves bytes behind the end of the tail
// segment, as a write that is under way may, and lets the writer overwrite them.
func TestAFollowerForgetsWhatItReadAhead(t *testing.T) {
	dir := t.TempDir()
	l := create(t, dir, eventlog.Options{})
	name, end := l.Tail()
	f, err := os.OpenFile(filepath.Join(dir, "segments", name), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(make([]byte, 40), int64(end)); err != nil {
		t.Fatal(err)
	}
	next, stop := iter.Pull2(l.Follow(t.Context(), 1))
	defer stop()
	for seq := uint64(1); seq < 5; seq++ {
		if e, err, _ := next(); err != nil || e.Seq != seq {
			t.Fatalf("record %d: %v, want %d", e.Seq, err, seq)
		}
		grow(t, l, 1)
	}
}

func TestReaderCloses(t *testing.T) {
	r, err := eventlog.OpenReader(closedLog(t).write(t))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(eventlogtest.Origin, r.Origin()); diff != "" {
		t.Errorf("Origin (-want +got):\n%s", diff)
	}
	for range 2 {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := collect(r.All(1)); !errors.Is(err, eventlog.ErrClosed) {
		t.Errorf("All after Close: %v", err)
	}
}
