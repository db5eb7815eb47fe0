package eventlog_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/internal/faultdisk"
)

func prune(t testing.TB, dir string, o eventlog.PruneOptions) eventlog.PruneReport {
	t.Helper()
	r, err := eventlog.Prune(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// wantPruned fails unless dir holds the records of all from first on, everywhere.
func wantPruned(t testing.TB, dir string, all []eventlog.Entry, first uint64) {
	t.Helper()
	l, err := eventlog.Open(dir, small)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r, err := eventlog.OpenReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	view, err := eventlog.OpenTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	if l.Recovery().FirstSeq != first || r.Report().FirstSeq != first || view.First() != first {
		t.Errorf("first record %d, %d, %d, want %d", l.Recovery().FirstSeq, r.Report().FirstSeq, view.First(), first)
	}
	want := all[first-1:]
	for what, seq := range map[string]func(func(eventlog.Entry, error) bool){
		"All(0)": l.All(0), "All(first)": l.All(first), "Reader.All(0)": r.All(0), "Reader.All(first)": r.All(first),
	} {
		if got, err := collect(seq); err != nil || !sameRecords(got, want) {
			t.Errorf("%s: %d records, want %d, %v", what, len(got), len(want), err)
		}
	}
	for e, err := range l.Follow(t.Context(), 0) {
		if err != nil || e.Seq != first {
			t.Errorf("Follow(0) begins with record %d, %v", e.Seq, err)
		}
		break
	}
	for seq := uint64(1); seq < first; seq++ {
		_, all := collect(l.All(seq))
		_, read := collect(r.All(seq))
		_, leaf := l.Leaf(seq)
		_, seen := view.Leaf(seq)
		for what, err := range map[string]error{"All": all, "Reader.All": read, "Leaf": leaf, "Tree.Leaf": seen} {
			if !errors.Is(err, eventlog.ErrPruned) {
				t.Errorf("%s(%d): %v", what, seq, err)
			}
		}
	}
	if _, err := l.Leaf(first); err != nil {
		t.Error(err)
	}
}

func TestPrunedLogsProveWhatTheyDidBefore(t *testing.T) {
	dir := provedLog(t)
	all, proved := openReader(t, dir).records, proofs(t, dir)
	archive(t, dir, eventlog.ArchiveOptions{KeepRaw: 2})
	if r := prune(t, dir, eventlog.PruneOptions{Before: 3}); r.Records != 0 || r.First != 1 {
		t.Errorf("no whole segment is before record 3: %+v", r)
	}
	first := uint64(1)
	for before := uint64(4); before < 30; before += 3 {
		r := prune(t, dir, eventlog.PruneOptions{Before: before})
		if r.First < first || r.First > before || r.Records != r.First-first || (r.Records > 0) != (r.Bytes > 0) {
			t.Errorf("before record %d, from %d: %+v", before, first, r)
		}
		first = r.First
		wantPruned(t, dir, all, first)
		if diff := cmp.Diff(proved, proofs(t, dir)); diff != "" {
			t.Errorf("proofs (-before +after):\n%s", diff)
		}
	}
	if r := prune(t, dir, eventlog.PruneOptions{Before: 1 << 60}); r.First > r.Last || first < 10 {
		t.Errorf("everything was pruned: %+v", r)
	}
	appendTo(t, dir, 9, 9)
	if got := openPruned(t, dir); len(got) == 0 || got[len(got)-1].Seq < uint64(len(all))+18 {
		t.Errorf("%d records after appending to a pruned log", len(got))
	}
	dest := t.TempDir()
	r := backup(t, dir, dest)
	to, done := restore(t, dest, eventlog.RestoreOptions{})
	if got := openPruned(t, to); r.First == 1 || done.First != r.First || uint64(len(got)) != done.Last-done.First+1 {
		t.Errorf("restored %d records: %+v", len(got), done)
	}
}

func openPruned(t testing.TB, dir string) []eventlog.Entry {
	t.Helper()
	l, err := eventlog.Open(dir, small)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	list, err := collect(l.All(0))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestBackupsOutliveThePruning keeps in a backup what is pruned from the log.
func TestBackupsOutliveThePruning(t *testing.T) {
	dir, dest, late := provedLog(t), t.TempDir(), t.TempDir()
	appendTo(t, dir, 9)
	backup(t, dir, dest)
	short := provedLog(t)
	backup(t, short, late)
	appendTo(t, dir, 20)
	all := openReader(t, dir).records
	prune(t, dir, eventlog.PruneOptions{Before: 12})
	if r := backup(t, dir, dest); r.First != 1 || r.Last != uint64(len(all)) {
		t.Errorf("%+v", r)
	}
	to, _ := restore(t, dest, eventlog.RestoreOptions{})
	wantRestored(t, to, all)
	appendTo(t, short, 40)
	prune(t, short, eventlog.PruneOptions{Before: 50})
	if _, err := eventlog.Backup(short, late); !errors.Is(err, eventlog.ErrPruned) {
		t.Errorf("a gap between backup and log: %v", err)
	}
	if _, err := eventlog.CheckBackup(late); err != nil {
		t.Errorf("after the refusal: %v", err)
	}
}

// TestUnfinishedBackupOfALogThatIsThenPruned begins anew: what the backup has ends
// before the log begins, and was never finished.
func TestUnfinishedBackupOfALogThatIsThenPruned(t *testing.T) {
	dir, dest := provedLog(t), t.TempDir()
	backup(t, dir, dest)
	if err := os.Remove(filepath.Join(dest, "BACKUP")); err != nil {
		t.Fatal(err)
	}
	appendTo(t, dir, 60)
	prune(t, dir, eventlog.PruneOptions{Before: 60})
	if r := backup(t, dir, dest); r.First < 30 {
		t.Errorf("%+v", r)
	}
}

func TestPruneMovesSegments(t *testing.T) {
	dir, to := provedLog(t), filepath.Join(t.TempDir(), "a", "b")
	archive(t, dir, eventlog.ArchiveOptions{KeepRaw: 2})
	before := readTree(t, dir)
	r := prune(t, dir, eventlog.PruneOptions{Before: 17, To: to})
	moved := readTree(t, to)
	if len(moved) != r.Segments || r.Segments < 2 {
		t.Errorf("%+v: %v", r, moved.names())
	}
	for name, b := range moved {
		if before[name] != b {
			t.Errorf("%s is not what it was", name)
		}
	}
	// A file that is there already and is another one stops it.
	dir = provedLog(t)
	name := readTree(t, dir).segments()[0]
	to = dirTree{name: "another"}.write(t)
	files := readTree(t, dir)
	if _, err := eventlog.Prune(dir, eventlog.PruneOptions{Before: 17, To: to}); err == nil {
		t.Error("a foreign file was taken for the copy")
	}
	if !sameFiles(files, readTree(t, dir)) || readTree(t, to)[name] != "another" {
		t.Error("the refusal changed something")
	}
}

func TestPruneRefuses(t *testing.T) {
	files := readTree(t, provedLog(t))
	no := errors.New("no")
	var damage *eventlog.DamageError
	for what, change := range map[string]func(dirTree){
		"a flipped bit":  flip(files.segments()[0], 60, 2),
		"a flipped hash": flip("hashes", 70, 1),
	} {
		dir := files.with(change).write(t)
		before := readTree(t, dir)
		if _, err := eventlog.Prune(dir, eventlog.PruneOptions{Before: 12}); !errors.As(err, &damage) {
			t.Errorf("%s: %v", what, err)
		}
		if !sameFiles(before, readTree(t, dir)) {
			t.Errorf("%s: the refusal changed something", what)
		}
	}
	dir := files.write(t)
	if _, err := eventlog.Prune(dir, eventlog.PruneOptions{Before: 12, Check: func(first, last uint64) error {
		if first < 2 || first > 12 || last < 20 {
			t.Errorf("asked about %d to %d", first, last)
		}
		return no
	}}); !errors.Is(err, no) || !sameFiles(files, readTree(t, dir)) {
		t.Errorf("a check that says no: %v", err)
	}
	l, err := eventlog.Open(dir, small)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := eventlog.Prune(dir, eventlog.PruneOptions{Before: 12}); !errors.Is(err, eventlog.ErrLocked) {
		t.Errorf("beside a writer: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestEveryChangedByteOfThePrunedMarkIsNoticed(t *testing.T) {
	dir := provedLog(t)
	prune(t, dir, eventlog.PruneOptions{Before: 12})
	files := readTree(t, dir)
	for i := range files["PRUNED"] {
		for bit := range 8 {
			changed := files.with(flip("PRUNED", i, 1<<bit))
			if err := os.WriteFile(filepath.Join(dir, "PRUNED"), []byte(changed["PRUNED"]), 0o640); err != nil {
				t.Fatal(err)
			}
			var damage *eventlog.DamageError
			if _, err := eventlog.OpenReader(dir); !errors.As(err, &damage) {
				t.Errorf("PRUNED[%d]^%02x: reader: %v", i, 1<<bit, err)
			}
			if l, err := eventlog.Open(dir, small); !errors.As(err, &damage) {
				l.Close()
				t.Errorf("PRUNED[%d]^%02x: writer: %v", i, 1<<bit, err)
			}
		}
	}
	var damage *eventlog.DamageError
	if _, err := eventlog.OpenReader(files.without("PRUNED").write(t)); !errors.As(err, &damage) {
		t.Errorf("without PRUNED: %v", err)
	}
}

func TestPruneCrashes(t *testing.T) {
	inMemory(t)
	start := provedLog(t)
	archive(t, start, eventlog.ArchiveOptions{KeepRaw: 2})
	all := openReader(t, start).records
	for _, sub := range []string{"", "moved"} {
		faultdisk.Explore(t, faultdisk.Scenario{
			Start: dirTree{}.writeBelow(t, "log", start), Seeds: 1, Faults: []faultdisk.Fault{{}, {Short: 0.5}},
			Run: func(root string, d *faultdisk.Disk) error {
				_, err := eventlog.PruneOn(d, filepath.Join(root, "log"), pruneBelow(root, sub))
				return err
			},
			Check: func(image string, _ faultdisk.Crash, _ []faultdisk.Op) error {
				dir := filepath.Join(image, "log")
				for range 2 {
					r, err := eventlog.OpenReader(dir)
					if err != nil {
						return err
					}
					first := r.Report().FirstSeq
					if got, err := collect(r.All(0)); err != nil || !sameRecords(got, all[first-1:]) {
						return fmt.Errorf("%d records from %d on, %w", len(got), first, err)
					}
					if sub != "" {
						if err := sameAsBefore(start, filepath.Join(image, sub), first); err != nil {
							return err
						}
					}
					if _, err := eventlog.Prune(dir, pruneBelow(image, sub)); err != nil {
						return fmt.Errorf("again: %w", err)
					}
				}
				for name := range readTree(t, dir) {
					if strings.HasSuffix(name, fmt.Sprintf("%020d", 1)) {
						return fmt.Errorf("the second run leaves %s", name)
					}
				}
				l, err := eventlog.Open(dir, small)
				if err != nil {
					return err
				}
				return l.Close()
			},
		})
	}
}

func pruneBelow(root, sub string) eventlog.PruneOptions {
	o := eventlog.PruneOptions{Before: 12}
	if sub != "" {
		o.To = filepath.Join(root, sub)
	}
	return o
}

// writeBelow copies a directory into a folder of a new one.
func (files dirTree) writeBelow(t testing.TB, folder, dir string) string {
	t.Helper()
	for name, b := range readTree(t, dir) {
		files[filepath.Join(folder, name)] = b
	}
	return files.write(t)
}

// sameAsBefore fails unless every file of a record before first is in to.
func sameAsBefore(start, to string, first uint64) error {
	for _, sub := range []string{"segments", "archive"} {
		entries, err := os.ReadDir(filepath.Join(start, sub))
		if err != nil {
			return err
		}
		for _, e := range entries {
			var n uint64
			if _, err := fmt.Sscanf(e.Name(), "%d", &n); err != nil || n >= first {
				continue
			}
			want, err := os.ReadFile(filepath.Join(start, sub, e.Name()))
			if err != nil {
				return err
			}
			got, err := os.ReadFile(filepath.Join(to, sub, e.Name()))
			if err != nil || string(got) != string(want) {
				return fmt.Errorf("pruned up to %d, and %s/%s was not moved: %v", first, sub, e.Name(), err)
			}
		}
	}
	return nil
}

func FuzzPruned(f *testing.F) {
	f.Add("esper-log pruned\nfirst 9\norigin AAAA\ncrc 00000000\n")
	dir := provedLog(f)
	if _, err := eventlog.Prune(dir, eventlog.PruneOptions{Before: 12}); err != nil {
		f.Fatal(err)
	}
	f.Add(readTree(f, dir)["PRUNED"])
	f.Fuzz(func(t *testing.T, text string) {
		if again, ok := eventlog.ReadPrunedText(text); ok && again != text {
			t.Errorf("%q is read and written as %q", text, again)
		}
	})
}

func TestPruneDoesNotMoveIntoTheLog(t *testing.T) {
	dir := prunableLog(t)
	before := readTree(t, dir)
	inside := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Join(dir, "archive"), inside); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{dir, filepath.Join(dir, "archive"), filepath.Join(dir, "a", "b"), inside} {
		if _, err := eventlog.Prune(dir, eventlog.PruneOptions{Before: 20, To: to}); !errors.Is(err, eventlog.ErrInvalid) {
			t.Errorf("to %s: %v", to, err)
		}
	}
	if after := readTree(t, dir); !sameTree(after, before) {
		t.Error("a refused Prune has changed the log")
	}
}

func prunableLog(t *testing.T) string {
	t.Helper()
	return signedLog(t).write(t)
}
