package eventlog_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/esper-plane/esper/eventlog"
)

// TestTailBufferIsLent fails when tidwall/wal has changed inside, so that its
// buffer cannot be lent any more: appending large groups is slower then.
func TestTailBufferIsLent(t *testing.T) {
	dir := t.TempDir()
	opts := eventlog.Options{SegmentSize: 1 << 20}
	l := create(t, dir, opts)
	for round := range 3 {
		if !l.BufferIsLent() {
			t.Fatalf("round %d: the buffer is not lent", round)
		}
		for name, _ := l.Tail(); ; {
			grow(t, l, 4000)
			if now, _ := l.Tail(); now != name {
				break
			}
		}
	}
	last := l.Next() - 1
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got := open(t, dir, eventlog.Options{CheckAll: true}); !sameRecords(got.records, history(int(last))) {
		t.Errorf("damage %v, %d records, want %d", got.damage, len(got.records), last)
	}
}

// TestSealedSegmentsAreNotReadToOpen changes a byte in a sealed segment: that
// is noticed by whoever reads it, and by Open when it is told to read all.
func TestSealedSegmentsAreNotReadToOpen(t *testing.T) {
	fast := eventlog.Options{SegmentSize: small.SegmentSize}
	states(t, func(t *testing.T, state string, files dirTree) {
		sealed := files.segments()[1]
		changed := files.with(flip(sealed, 50, 4))
		dir := changed.write(t)
		var damage *eventlog.DamageError
		if _, err := eventlog.Open(dir, small); !errors.As(err, &damage) || damage.Segment != sealed {
			t.Errorf("Open with CheckAll: %v", err)
		}
		l, err := eventlog.Open(dir, fast)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		list, err := collect(l.All(1))
		if !errors.As(err, &damage) || damage.Segment != sealed || !sameRecords(list, history(len(list))) {
			t.Errorf("reading: %d records, %v", len(list), err)
		}
		first := uint64(firstOf(sealed))
		if _, err := l.Leaf(first); err == nil {
			t.Error("the leaf of a damaged record")
		}
		if list, err := collect(l.All(uint64(last))); err != nil || len(list) != 1 {
			t.Errorf("reading behind the damage: %d records, %v", len(list), err)
		}
	})
}

// TestSealsAndHashesAreCaches damages and removes them: the log is the same, and
// they are there again.
func TestSealsAndHashesAreCaches(t *testing.T) {
	inMemory(t)
	fast := eventlog.Options{SegmentSize: small.SegmentSize}
	whole := closedLog(t)
	changes := map[string]func(dirTree){
		"no seals":        func(c dirTree) { delete(c, "seals") },
		"no hashes":       func(c dirTree) { delete(c, "hashes") },
		"neither":         func(c dirTree) { delete(c, "seals"); delete(c, "hashes") },
		"half a seal":     func(c dirTree) { c["seals"] = c["seals"][:len(c["seals"])/2] },
		"half the hashes": func(c dirTree) { c["hashes"] = c["hashes"][:len(c["hashes"])/2] },
		"a line too much": func(c dirTree) { c["seals"] += "seal\n" },
	}
	for i := range whole["seals"] {
		changes[fmt.Sprintf("seals[%d]", i)] = flip("seals", i, 1<<(i%8))
	}
	for name, change := range changes {
		dir := whole.with(change).write(t)
		l, err := eventlog.Open(dir, fast)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		list, err := collect(l.All(1))
		if err != nil || !sameRecords(list, history(last)) {
			t.Errorf("%s: %d records, %v", name, len(list), err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		after := readTree(t, dir)
		if after["seals"] != whole["seals"] || after["hashes"] != whole["hashes"] || after["CLEAN"] != whole["CLEAN"] {
			t.Errorf("%s: seals or hashes are not what they were", name)
		}
	}
}

// BenchmarkOpen opens a log whose segments are sealed.
func BenchmarkOpen(b *testing.B) {
	for _, mib := range []int{40, 400} {
		b.Run(fmt.Sprintf("MiB=%d", mib), func(b *testing.B) {
			dir := filepath.Join(b.TempDir(), "log")
			l := create(b, dir, eventlog.Options{})
			for range mib * 4 {
				if err := l.Append(b.Context(), l.Next(), benchGroup(l.Next(), 256, 1024)); err != nil {
					b.Fatal(err)
				}
			}
			if err := l.Close(); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				l, err := eventlog.Open(dir, eventlog.Options{})
				if err != nil {
					b.Fatal(err)
				}
				if err := l.Close(); err != nil {
					b.Fatal(err)
				}
			}
			if err := os.RemoveAll(dir); err != nil {
				b.Fatal(err)
			}
		})
	}
}
