package eventlog_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/eventlogtest"
	"github.com/esper-plane/esper/eventlog/internal/faultdisk"
	"github.com/esper-plane/esper/eventlog/tree"
)

var newKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, ed25519.SeedSize))

// anew is the origin of the logs that are restored here.
func anew() eventlog.RestoreOptions {
	return eventlog.RestoreOptions{Name: "anew", LogKey: newKey.Public().(ed25519.PublicKey), At: 1 << 40}
}

func TestRestoredLogContinuesUnderANewOrigin(t *testing.T) {
	dir, dest := provedLog(t), t.TempDir()
	old := openReader(t, dir).records
	note := readTree(t, dir)["checkpoint"]
	b := backup(t, dir, dest)
	before := readTree(t, dest)
	to, r := restore(t, dest, anew())
	want := eventlog.Origin{Name: "anew", LogKey: anew().LogKey, Previous: &eventlog.Predecessor{Name: "eventlogtest", Size: b.Last, Root: b.Root}}
	if diff := cmp.Diff(want, r.Origin); diff != "" || r.Last != b.Last+1 || r.At != 1<<40 || r.Signed != b.Checkpoint || r.First != 1 {
		t.Errorf("%+v, origin (-want +got):\n%s", r, diff)
	}
	wantRestored(t, to, old)
	if !sameFiles(before, readTree(t, dest)) {
		t.Error("Restore changed the backup")
	}
	l, err := eventlog.Open(to, eventlog.Options{SegmentSize: 400, CheckAll: true, Checkpoints: eventlog.Checkpoints{Key: newKey}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, l.Origin()); diff != "" {
		t.Errorf("origin (-want +got):\n%s", diff)
	}
	e := eventlogtest.Group(l.Next(), 12)
	for i := range e {
		e[i].At = 1<<40 + 1
	}
	if err := errors.Join(l.Append(t.Context(), l.Next(), e), l.Close()); err != nil {
		t.Fatal(err)
	}
	checkSuccession(t, to, note, b)
	if _, err := eventlog.Open(to, eventlog.Options{Checkpoints: eventlog.Checkpoints{Key: logKey}}); !errors.Is(err, eventlog.ErrWrongKey) {
		t.Errorf("the old key may sign: %v", err)
	}
}

// checkSuccession proves old records by the old checkpoint, all of them by the
// new one, and that the second log has the first as its beginning.
func checkSuccession(t *testing.T, dir, note string, b eventlog.BackupReport) {
	t.Helper()
	view, err := eventlog.OpenTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	was, err := tree.NewVerifier(signedOrigin().Name, signedOrigin().LogKey)
	if err != nil {
		t.Fatal(err)
	}
	is, err := view.Verifier()
	if err != nil {
		t.Fatal(err)
	}
	if kept := readTree(t, dir)[fmt.Sprintf("previous/%020d", b.Last)]; kept != note {
		t.Errorf("the old checkpoint is kept as %q", kept)
	}
	for seq := uint64(1); seq <= b.Checkpoint; seq++ {
		leaf, err := view.Leaf(seq)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tree.ProveRecord([]byte(note), was, seq, leaf, view); err != nil {
			t.Errorf("record %d under the old checkpoint: %v", seq, err)
		}
	}
	fresh, err := view.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	for seq := uint64(1); seq < view.Size(); seq++ {
		leaf, err := view.Leaf(seq)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tree.ProveRecord(fresh, is, seq, leaf, view); err != nil {
			t.Errorf("record %d under the new checkpoint: %v", seq, err)
		}
	}
	if root, err := view.Root(b.Last); err != nil || root != b.Root {
		t.Errorf("the root of the old records is %v, %v", root, err)
	}
}

// TestRestoreEndsAnywhere cuts a log behind each of its records.
func TestRestoreEndsAnywhere(t *testing.T) {
	dir := provedLog(t)
	all := openReader(t, dir).records
	archive(t, dir, everything)
	for n := uint64(1); n <= uint64(len(all)); n++ {
		o := anew()
		o.Upto = n
		to, r := restore(t, dir, o)
		wantRestored(t, to, all[:n])
		if r.Last != n+1 || r.Origin.Previous.Size != n {
			t.Errorf("cut behind %d: %+v", n, r)
		}
		l, err := eventlog.Open(to, small)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []uint64{uint64(len(all)) + 1, 1 << 40} {
		o := anew()
		o.Upto = n
		var damage *eventlog.DamageError
		_, err := eventlog.Restore(dir, filepath.Join(t.TempDir(), "log"), o)
		if !errors.As(err, &damage) && !errors.Is(err, eventlog.ErrNotFound) {
			t.Errorf("cut behind %d: %v", n, err)
		}
	}
}

// TestSalvage continues a log that lost what it had signed.
func TestSalvage(t *testing.T) {
	dir := provedLog(t)
	all := openReader(t, dir).records
	files := readTree(t, dir)
	list := files.segments()
	lost := files.without("CLEAN", "durable", list[len(list)-1]).with(func(c dirTree) {
		c[list[len(list)-2]] = c[list[len(list)-2]][:90]
		c["seals"] = c["seals"][:40]
	}).write(t)
	var damage *eventlog.DamageError
	target := filepath.Join(t.TempDir(), "log")
	if _, err := eventlog.Restore(lost, target, anew()); !errors.As(err, &damage) {
		t.Errorf("a log that lost signed records: %v", err)
	}
	o := anew()
	o.Upto = uint64(firstOf(list[len(list)-2])) - 1
	to, r := restore(t, lost, o)
	wantRestored(t, to, all[:o.Upto])
	if r.Signed <= o.Upto {
		t.Errorf("%+v does not say that more was signed", r)
	}
}

func TestRestoreTwice(t *testing.T) {
	dir := provedLog(t)
	one, _ := restore(t, dir, anew())
	o := anew()
	o.Name = "eventlogtest"
	if _, err := eventlog.Restore(one, filepath.Join(t.TempDir(), "log"), o); !errors.Is(err, eventlog.ErrInvalid) {
		t.Errorf("a name that the log had before: %v", err)
	}
	o.Name = "anew"
	if _, err := eventlog.Restore(one, filepath.Join(t.TempDir(), "log"), o); !errors.Is(err, eventlog.ErrInvalid) {
		t.Errorf("the name that the log has: %v", err)
	}
	o.Name = "third"
	if _, err := eventlog.Restore(one, filepath.Join(t.TempDir(), "log"), o); !errors.Is(err, eventlog.ErrInvalid) || !strings.Contains(err.Error(), "nothing was recorded") {
		t.Errorf("a restored log that was not used: %v", err)
	}
	l, err := eventlog.Open(one, small)
	if err != nil {
		t.Fatal(err)
	}
	e := eventlog.Entry{Seq: l.Next(), At: 1 << 50, Kind: eventlog.KindTransition, Payload: []byte("used")}
	if err := l.Append(t.Context(), e.Seq, []eventlog.Entry{e}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	dest := t.TempDir()
	backup(t, one, dest)
	two, r := restore(t, dest, eventlog.RestoreOptions{Name: "third"})
	if r.Origin.Previous.Name != "anew" {
		t.Errorf("%+v", r.Origin.Previous)
	}
	if got := open(t, two, small); got.damage != nil || uint64(len(got.records)) != r.Last {
		t.Errorf("%d records, %v", len(got.records), got.damage)
	}
	for name, b := range readTree(t, one) {
		if strings.HasPrefix(name, "previous/") && readTree(t, two)[name] != b {
			t.Errorf("%s did not come along", name)
		}
	}
}

func TestRestoreRefuses(t *testing.T) {
	dir, dest := provedLog(t), t.TempDir()
	backup(t, dir, dest)
	files := readTree(t, dest)
	target := filepath.Join(t.TempDir(), "log")
	var damage *eventlog.DamageError
	for name := range files {
		if name == "FORMAT" || name == "seals" { // a seal is a cache
			continue
		}
		changed := files.with(flip(name, len(files[name])/2, 1)).write(t)
		if _, err := eventlog.Restore(changed, target, anew()); !errors.As(err, &damage) {
			t.Errorf("with a flipped bit in %s: %v", name, err)
		}
		if _, err := os.Lstat(target); err == nil {
			t.Fatalf("with a flipped bit in %s: a log was made", name)
		}
	}
	l, err := eventlog.Open(dir, small)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := eventlog.Restore(dir, target, anew()); !errors.Is(err, eventlog.ErrLocked) {
		t.Errorf("a log with a writer: %v", err)
	}
	if _, err := eventlog.Restore(dest, t.TempDir(), anew()); !errors.Is(err, eventlog.ErrExists) {
		t.Errorf("into a directory that is there: %v", err)
	}
	if _, err := eventlog.Restore(dest, target, eventlog.RestoreOptions{}); !errors.Is(err, eventlog.ErrInvalid) {
		t.Errorf("without a name: %v", err)
	}
	if _, err := eventlog.Restore(t.TempDir(), target, anew()); !errors.Is(err, eventlog.ErrNotFound) {
		t.Errorf("from nothing: %v", err)
	}
}

func TestRestoreCrashes(t *testing.T) {
	inMemory(t)
	dir, dest := provedLog(t), t.TempDir()
	archive(t, dir, eventlog.ArchiveOptions{KeepRaw: 2})
	backup(t, dir, dest)
	want := openReader(t, dir).records
	faultdisk.Explore(t, faultdisk.Scenario{
		Seeds: 1, Faults: []faultdisk.Fault{{Short: 0.5}},
		Run: func(root string, d *faultdisk.Disk) error {
			_, err := eventlog.RestoreOn(d, dest, filepath.Join(root, "log"), anew())
			return err
		},
		Check: func(image string, c faultdisk.Crash, _ []faultdisk.Op) error {
			to := filepath.Join(image, "log")
			if _, err := os.Lstat(to); err != nil {
				if c.Stop == 0 && c.Fail == 0 {
					return errors.New("Restore returned, and the log is not durable")
				}
				if _, err := eventlog.Restore(dest, to, anew()); err != nil {
					return fmt.Errorf("again: %w", err)
				}
			}
			l, err := eventlog.Open(to, small)
			if err != nil {
				return err
			}
			defer l.Close()
			got, err := collect(l.All(1))
			if err != nil || len(got) != len(want)+1 || !sameRecords(got[:len(want)], want) || !l.Recovery().Clean {
				return fmt.Errorf("%d records, %+v, %w", len(got), l.Recovery(), err)
			}
			return nil
		},
	})
}
