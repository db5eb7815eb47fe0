package eventlog_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/internal/faultdisk"
	"github.com/esper-plane/esper/eventlog/tree"
)

// everything archives all sealed segments but one.
var everything = eventlog.ArchiveOptions{}

// provedLog makes a closed log with a checkpoint, of about 20 records in several
// segments.
func provedLog(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	l := createSigned(t, dir, small)
	grow(t, l, 1, 3, 1, 5, 2, 7)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func archive(t testing.TB, dir string, o eventlog.ArchiveOptions) eventlog.ArchiveReport {
	t.Helper()
	r, err := eventlog.Archive(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// proofs are the texts of all proofs that a log can make, and the leaves and
// records that it can show.
func proofs(t testing.TB, dir string) (out []string) {
	t.Helper()
	view, err := eventlog.OpenTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	note, err := view.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	v, err := tree.NewVerifier(signedOrigin().Name, signedOrigin().LogKey)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := tree.OpenCheckpoint(note, v)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := tree.NewSigner(signedOrigin().Name, logKey)
	if err != nil {
		t.Fatal(err)
	}
	for n := uint64(1); n <= uint64(signed.Size); n++ {
		out = append(out, proofOf(t, view, n, leafFor(t, dir, n), v, note))
		root, err := view.Root(n)
		if err != nil {
			t.Fatal(err)
		}
		older, err := tree.Checkpoint{Origin: signed.Origin, Size: int64(n), Root: root}.Sign(signer)
		if err != nil {
			t.Fatal(err)
		}
		p, err := tree.ProveTree(older, note, v, view)
		if err != nil {
			t.Fatal(err)
		}
		text, err := p.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(text))
	}
	return out
}

// leaves remembers the leaf hashes of logs whose records may be gone.
var leaves sync.Map

func leafFor(t testing.TB, dir string, seq uint64) [32]byte {
	t.Helper()
	view, err := eventlog.OpenTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	leaf, err := view.Leaf(seq)
	if errors.Is(err, eventlog.ErrPruned) {
		kept, ok := leaves.Load(fmt.Sprint(dir, seq))
		if !ok {
			t.Fatal(err)
		}
		return kept.([32]byte)
	}
	if err != nil {
		t.Fatal(err)
	}
	leaves.Store(fmt.Sprint(dir, seq), leaf)
	return leaf
}

func proofOf(t testing.TB, view *eventlog.Tree, seq uint64, leaf [32]byte, v interface {
	Name() string
	KeyHash() uint32
	Verify(msg, sig []byte) bool
}, note []byte) string {
	t.Helper()
	p, err := tree.ProveRecord(note, v, seq, leaf, view)
	if err != nil {
		t.Fatalf("record %d: %v", seq, err)
	}
	text, err := p.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestArchivedSegmentsAreReadAndProvedAsBefore(t *testing.T) {
	dir := provedLog(t)
	before, proved := open(t, dir, small), proofs(t, dir)
	raw := readTree(t, dir)
	n := len(raw.segments())
	if r := archive(t, dir, eventlog.ArchiveOptions{KeepRaw: 2}); r.Segments != n-3 || r.Kept != 2 {
		t.Errorf("%d segments, two to be kept: report %+v", n, r)
	}
	r := archive(t, dir, everything)
	if r.Segments != 1 || r.Kept != 1 || r.Archived != n-2 || r.Unsealed != 0 || r.Before == 0 || r.After == 0 {
		t.Errorf("%d segments: report %+v", n, r)
	}
	if again := archive(t, dir, everything); again.Segments != 0 || again.Archived != n-2 {
		t.Errorf("a second time: report %+v", again)
	}
	files := readTree(t, dir)
	if got := files.segments(); !slices.Equal(got, raw.segments()[n-2:]) {
		t.Errorf("raw segments left: %v", got)
	}
	for who, got := range map[string]found{"reader": openReader(t, dir), "writer": open(t, dir, small), "fast writer": open(t, dir, eventlog.Options{})} {
		if got.damage != nil || !got.report.Clean || !sameRecords(got.records, before.records) {
			t.Errorf("%s: %d records, report %+v, %v", who, len(got.records), got.report, got.damage)
		}
	}
	if diff := cmp.Diff(proved, proofs(t, dir)); diff != "" {
		t.Errorf("proofs (-before +after):\n%s", diff)
	}
	l, err := eventlog.Open(dir, small)
	if err != nil {
		t.Fatal(err)
	}
	grow(t, l, 9, 9)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got := open(t, dir, small); got.damage != nil || len(got.records) != len(before.records)+18 {
		t.Errorf("after appending: %d records, %v", len(got.records), got.damage)
	}
}

// TestEveryChangedByteOfAnArchiveIsNoticed flips each bit of a compressed segment,
// cuts it everywhere, and adds to it.
func TestEveryChangedByteOfAnArchiveIsNoticed(t *testing.T) {
	inMemory(t)
	dir := provedLog(t)
	archive(t, dir, everything)
	files := readTree(t, dir)
	name := archivedIn(files)[1]
	const swapped = "another one's content"
	try := func(what string, changed dirTree) {
		t.Helper()
		changed.update(t, dir, readTree(t, dir))
		if got := openReader(t, dir); got.damage == nil || what != swapped && !strings.HasPrefix(got.damage.Segment, "archive/") {
			t.Errorf("%s: reader: %d records, %v", what, len(got.records), got.damage)
		}
		if got := open(t, dir, small); got.damage == nil {
			t.Errorf("%s: writer: %d records", what, len(got.records))
		}
	}
	for i := range files[name] {
		for bit := range 8 {
			changed := files.with(flip(name, i, 1<<bit))
			what := fmt.Sprintf("%s[%d]^%d", name, i, 1<<bit)
			if bit == i%8 && i%4 == 0 {
				try(what, changed)
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(changed[name]), 0o640); err != nil {
				t.Fatal(err)
			}
			if got := openReader(t, dir); got.damage == nil {
				t.Errorf("%s: reader: %d records", what, len(got.records))
			}
		}
		try(fmt.Sprintf("cut at %d", i), files.with(func(c dirTree) { c[name] = c[name][:i] }))
	}
	for what, tail := range map[string]string{"zero": "\x00", "itself": files[name], "a frame to skip": "\x50\x2a\x4d\x18\x00\x00\x00\x00"} {
		try("with "+what+" behind it", files.with(func(c dirTree) { c[name] += tail }))
	}
	try(swapped, files.with(func(c dirTree) { c[name] = c[archivedIn(files)[0]] }))
	files.update(t, dir, readTree(t, dir))
	if got := openReader(t, dir); got.damage != nil {
		t.Error(got.damage)
	}
	missing := files.without(name).write(t)
	if got := openReader(t, missing); got.damage == nil {
		t.Error("a missing compressed segment is not noticed")
	}
}

func archivedIn(files dirTree) (list []string) {
	for name := range files {
		if strings.HasPrefix(name, "archive/") {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

func TestArchiveRefusesADamagedSegment(t *testing.T) {
	dir := provedLog(t)
	files := readTree(t, dir)
	name := files.segments()[1]
	for what, change := range map[string]func(dirTree){
		"flipped":           flip(name, 45, 1),
		"flipped in a seal": flip("seals", 20, 1),
	} {
		changed := files.with(change)
		changed.update(t, dir, readTree(t, dir))
		r, err := eventlog.Archive(dir, everything)
		var damage *eventlog.DamageError
		if strings.Contains(what, "seal") {
			// A seal is a cache: without it the segments wait for their writer.
			if err != nil || r.Unsealed == 0 || r.Segments != 0 {
				t.Errorf("%s: %+v, %v", what, r, err)
			}
			continue
		}
		if !errors.As(err, &damage) {
			t.Errorf("%s: %+v, %v", what, r, err)
		}
		if _, err := os.Lstat(filepath.Join(dir, name)); err != nil {
			t.Errorf("%s: the raw segment is gone: %v", what, err)
		}
	}
}

func TestArchiveIsExclusive(t *testing.T) {
	dir := provedLog(t)
	archive(t, dir, everything)
	var second error
	// Prune takes the same lock; its question is asked while it has it.
	if _, err := eventlog.Prune(dir, eventlog.PruneOptions{Before: 9, Check: func(uint64, uint64) error {
		_, second = eventlog.Archive(dir, everything)
		return nil
	}}); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(second, eventlog.ErrLocked) {
		t.Errorf("Archive beside Prune: %v", second)
	}
}

// TestArchiveBesideAWriterAndFollowers lets all of them run at once.
func TestArchiveBesideAWriterAndFollowers(t *testing.T) {
	const records = 4000
	dir := t.TempDir()
	l := create(t, dir, eventlog.Options{SegmentSize: 2000})
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			next := uint64(1)
			for e, err := range l.Follow(t.Context(), 1) {
				if err != nil || e.Seq != next {
					t.Errorf("follower: record %d, want %d, %v", e.Seq, next, err)
					return
				}
				if next++; next > records {
					return
				}
			}
		})
	}
	stop := make(chan struct{})
	packed := 0
	wait.Go(func() {
		for {
			r, err := eventlog.Archive(dir, everything)
			if err != nil {
				t.Errorf("archive: %v", err)
				return
			}
			packed += r.Segments
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	wait.Go(func() {
		for l.Next() <= records {
			r, err := eventlog.OpenReader(dir)
			if err != nil {
				t.Errorf("reader: %v", err)
				return
			}
			if list, err := collect(r.All(0)); err != nil || uint64(len(list)) < r.Report().LastSeq {
				t.Errorf("reader: %d records of %d, %v", len(list), r.Report().LastSeq, err)
			}
			r.Close()
		}
	})
	for l.Next() <= records {
		grow(t, l, 7)
	}
	close(stop)
	wait.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got := open(t, dir, small); got.damage != nil || !sameRecords(got.records[:records], history(records)) {
		t.Errorf("%d records, %v", len(got.records), got.damage)
	}
	if packed == 0 {
		t.Errorf("only %d segments were archived meanwhile", packed)
	}
}

func TestArchiveCrashes(t *testing.T) {
	inMemory(t)
	start := provedLog(t)
	want := open(t, start, small).records
	faultdisk.Explore(t, faultdisk.Scenario{
		Start: start, Seeds: 1, Faults: []faultdisk.Fault{{}, {Short: 0.5}},
		Run: func(root string, d *faultdisk.Disk) error {
			_, err := eventlog.ArchiveOn(d, root, everything)
			return err
		},
		Check: func(image string, _ faultdisk.Crash, _ []faultdisk.Op) error {
			if got := openReader(t, image); got.damage != nil || !sameRecords(got.records, want) {
				return fmt.Errorf("%d records, %v", len(got.records), got.damage)
			}
			if _, err := eventlog.Archive(image, everything); err != nil {
				return err
			}
			files := readTree(t, image)
			if len(files.segments()) != 2 {
				return fmt.Errorf("the second run leaves %v", files.segments())
			}
			if got := open(t, image, small); got.damage != nil || !sameRecords(got.records, want) {
				return fmt.Errorf("after a second run: %d records, %v", len(got.records), got.damage)
			}
			return nil
		},
	})
}
