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
	"time"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/eventlogtest"
	"github.com/esper-plane/esper/eventlog/internal/faultdisk"
)

func backup(t testing.TB, dir, dest string) eventlog.BackupReport {
	t.Helper()
	r, err := eventlog.Backup(dir, dest)
	if err != nil {
		t.Fatal(err)
	}
	m, err := eventlog.CheckBackup(dest)
	if err != nil {
		t.Fatal(err)
	}
	if m != r.BackupMark {
		t.Fatalf("BACKUP says %+v, the report %+v", m, r.BackupMark)
	}
	return r
}

func restore(t testing.TB, source string, o eventlog.RestoreOptions) (string, eventlog.RestoreReport) {
	t.Helper()
	dest := filepath.Join(t.TempDir(), "log")
	if o.Name == "" {
		o.Name = "restored"
	}
	r, err := eventlog.Restore(source, dest, o)
	if err != nil {
		t.Fatal(err)
	}
	return dest, r
}

// wantRestored fails unless dir holds the given records and a new origin.
func wantRestored(t testing.TB, dir string, want []eventlog.Entry) {
	t.Helper()
	for who, got := range map[string]found{"reader": openReader(t, dir), "writer": open(t, dir, small)} {
		n := len(want)
		if got.damage != nil || len(got.records) != n+1 || !sameRecords(got.records[:n], want) || got.records[n].Kind != eventlog.KindOrigin {
			t.Fatalf("%s: %d records, want %d and an origin, %v", who, len(got.records), n, got.damage)
		}
	}
}

func appendTo(t testing.TB, dir string, groups ...int) {
	t.Helper()
	opts := small
	opts.Checkpoints.Key = logKey
	l, err := eventlog.Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	grow(t, l, groups...)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestBackupIsIncremental(t *testing.T) {
	dir, dest := provedLog(t), filepath.Join(t.TempDir(), "a", "backup")
	appendTo(t, dir, 1) // so that the last segment is neither empty nor full
	first := backup(t, dir, dest)
	size := segmentBytes(readTree(t, dir))
	if first.Before != 0 || first.Kept != 0 || first.Bytes != size || first.Checkpoint == 0 || first.Origin != "eventlogtest" || first.First != 1 {
		t.Errorf("first: %+v, the segments have %d bytes", first, size)
	}
	if again := backup(t, dir, dest); again.Bytes != 0 || again.Last != first.Last || again.Root != first.Root {
		t.Errorf("nothing new: %+v", again)
	}
	old := readTree(t, dest)
	appendTo(t, dir, 2, 9)
	grown := segmentBytes(readTree(t, dir))
	second := backup(t, dir, dest)
	if second.Before != first.Last || second.Bytes != grown-size || second.Kept == 0 {
		t.Errorf("%d bytes are new: %+v", grown-size, second)
	}
	for name := range old {
		if _, ok := readTree(t, dest)[name]; !ok {
			t.Errorf("the second backup removed %s", name)
		}
	}
	to, _ := restore(t, dest, eventlog.RestoreOptions{})
	wantRestored(t, to, openReader(t, dir).records)
}

func segmentBytes(files dirTree) (n int64) {
	for _, name := range files.segments() {
		n += int64(len(files[name]))
	}
	return n
}

func TestBackupOfAnArchivedLog(t *testing.T) {
	dir, dest := provedLog(t), t.TempDir()
	half := filepath.Join(t.TempDir(), "half")
	backup(t, dir, half)
	appendTo(t, dir, 20)
	archive(t, dir, everything)
	r := backup(t, dir, dest)
	if n := len(archivedIn(readTree(t, dest))); n == 0 || n != len(archivedIn(readTree(t, dir))) {
		t.Errorf("%d archived segments in the backup: %+v", n, r)
	}
	// A segment that was begun raw in the backup is completed raw.
	backup(t, dir, half)
	want := openReader(t, dir).records
	for _, source := range []string{dest, half, dir} {
		to, _ := restore(t, source, eventlog.RestoreOptions{})
		wantRestored(t, to, want)
	}
}

func TestBackupIsNoLog(t *testing.T) {
	dir, dest := provedLog(t), t.TempDir()
	backup(t, dir, dest)
	before := readTree(t, dest)
	for what, err := range map[string]error{
		"Open":       second(eventlog.Open(dest, small)),
		"Create":     second(eventlog.Create(dest, eventlogtest.Origin, 1, small)),
		"OpenReader": second(eventlog.OpenReader(dest)),
		"Archive":    second(eventlog.Archive(dest, everything)),
		"Prune":      second(eventlog.Prune(dest, eventlog.PruneOptions{Before: 9})),
		"Backup":     second(eventlog.Backup(dest, t.TempDir())),
	} {
		if !errors.Is(err, eventlog.ErrBackup) {
			t.Errorf("%s of a backup: %v", what, err)
		}
	}
	if !sameFiles(before, readTree(t, dest)) {
		t.Error("a refusal changed the backup")
	}
	if _, err := eventlog.BackupInfo(dir); !errors.Is(err, eventlog.ErrNotBackup) {
		t.Errorf("BackupInfo of a log: %v", err)
	}
	if _, err := eventlog.Backup(dir, dir); !errors.Is(err, eventlog.ErrNotBackup) {
		t.Errorf("Backup into a log: %v", err)
	}
	other := dirTree{"notes": "mine"}.write(t)
	if _, err := eventlog.Backup(dir, other); !errors.Is(err, eventlog.ErrNotBackup) {
		t.Errorf("Backup into a foreign directory: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

func sameFiles(a, b dirTree) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a.names(), func(n string) bool { return a[n] != b[n] })
}

func (files dirTree) names() (list []string) {
	for n := range files {
		list = append(list, n)
	}
	return list
}

// TestForkedBackupsAreRefused puts histories that share a beginning beside each
// other.
func TestForkedBackupsAreRefused(t *testing.T) {
	dir, dest := t.TempDir(), t.TempDir()
	l := create(t, dir, small)
	grow(t, l, 10)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	shared := readTree(t, dir)
	appended := func(payload string) string {
		fork := shared.write(t)
		l, err := eventlog.Open(fork, small)
		if err != nil {
			t.Fatal(err)
		}
		e := eventlogtest.Group(l.Next(), 12)
		e[0].Payload = []byte(payload)
		if err := errors.Join(l.Append(t.Context(), l.Next(), e), l.Close()); err != nil {
			t.Fatal(err)
		}
		return fork
	}
	one, two := appended("one"), appended("two")
	backup(t, one, dest)
	before := readTree(t, dest)
	another := t.TempDir()
	l, err := eventlog.Create(another, eventlog.Origin{Name: "another"}, eventlogtest.Start, small)
	if err != nil {
		t.Fatal(err)
	}
	grow(t, l, 30)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for what, source := range map[string]string{"a fork": two, "an older copy": shared.write(t), "another log": another} {
		if _, err := eventlog.Backup(source, dest); !errors.Is(err, eventlog.ErrForked) {
			t.Errorf("%s: %v", what, err)
		}
		if !sameFiles(before, readTree(t, dest)) {
			t.Errorf("%s: the refusal changed the backup", what)
		}
	}
	restored, _ := restore(t, dest, eventlog.RestoreOptions{})
	if _, err := eventlog.Backup(restored, dest); !errors.Is(err, eventlog.ErrForked) {
		t.Errorf("a restored log into the backup of the old one: %v", err)
	}
}

// TestBackupOfALiveLog copies and restores while records are appended.
func TestBackupOfALiveLog(t *testing.T) {
	dir, dest := t.TempDir(), t.TempDir()
	l := create(t, dir, eventlog.Options{SegmentSize: 20_000})
	grow(t, l, 3)
	if one, two := backup(t, dir, dest), backup(t, dir, dest); one.Last != 4 || two.Last != 4 || two.Bytes != 0 {
		t.Errorf("twice without new records: %+v, %+v", one, two)
	}
	stop := make(chan struct{})
	var wait sync.WaitGroup
	defer wait.Wait()
	defer close(stop)
	wait.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				grow(t, l, 20)
				time.Sleep(2 * time.Millisecond)
			}
		}
	})
	wait.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if _, err := eventlog.Archive(dir, eventlog.ArchiveOptions{KeepRaw: 3}); err != nil {
					t.Errorf("archive: %v", err)
					return
				}
			}
		}
	})
	last := uint64(4)
	for range 6 {
		began := l.Next() - 1
		r := backup(t, dir, dest)
		if r.Last < began || r.Last >= l.Next() || r.Before != last {
			t.Errorf("backup up to record %d, began at %d: %+v", r.Last, began, r)
		}
		last = r.Last
		to, _ := restore(t, dest, eventlog.RestoreOptions{})
		wantRestored(t, to, history(int(r.Last)))
	}
	if last < 10 {
		t.Errorf("only %d records were appended meanwhile", last)
	}
}

// TestBackupOfAKilledLog cuts where records had been acknowledged.
func TestBackupOfAKilledLog(t *testing.T) {
	files := killedLog(t)
	tail := files.segments()[len(files.segments())-1]
	r := backup(t, files.write(t), t.TempDir())
	if r.Last != last {
		t.Errorf("backup up to record %d", r.Last)
	}
	next := eventlog.AppendFrame(nil, eventlog.Entry{Seq: last + 1, At: 1 << 40, Kind: eventlog.KindTransition, Lag: 1})
	unacknowledged := files.with(func(c dirTree) { c[tail] += string(append([]byte{byte(len(next))}, next...)) })
	if r := backup(t, unacknowledged.write(t), t.TempDir()); r.Last != last {
		t.Errorf("backup up to record %d, %d was not acknowledged", r.Last, last+1)
	}
	if r := backup(t, unacknowledged.without("durable").write(t), t.TempDir()); r.Last != last+1 {
		t.Errorf("without a watermark: backup up to record %d", r.Last)
	}
	lost := files.with(func(c dirTree) { c[tail] = c[tail][:len(c[tail])-1] })
	var damage *eventlog.DamageError
	if _, err := eventlog.Backup(lost.write(t), t.TempDir()); !errors.As(err, &damage) {
		t.Errorf("backup of a log that lost its end: %v", err)
	}
}

// TestBackupReplacesWhatIsGone removes and cuts files of a backup.
func TestBackupReplacesWhatIsGone(t *testing.T) {
	dir, dest := provedLog(t), t.TempDir()
	backup(t, dir, dest)
	files := readTree(t, dest)
	for what, change := range map[string]func(dirTree){
		"a segment is gone":    func(c dirTree) { delete(c, files.segments()[0]) },
		"a segment is cut":     func(c dirTree) { c[files.segments()[1]] = c[files.segments()[1]][:50] },
		"the seals are gone":   func(c dirTree) { delete(c, "seals") },
		"the hashes are gone":  func(c dirTree) { delete(c, "hashes") },
		"a seal is damaged":    flip("seals", 30, 1),
		"leftovers in the end": func(c dirTree) { c[files.segments()[len(files.segments())-1]] += "garbage" },
	} {
		changed := files.with(change).write(t)
		backup(t, dir, changed)
		if got := readTree(t, changed); !sameFiles(files.without("BACKUP"), got.without("BACKUP")) {
			t.Errorf("%s: the next backup does not mend it", what)
		}
	}
}

// TestBackupKeepsTheOnlyGoodCopy damages a segment of the log and the seals of its
// backup.
func TestBackupKeepsTheOnlyGoodCopy(t *testing.T) {
	log := readTree(t, provedLog(t))
	dest := t.TempDir()
	backup(t, log.write(t), dest)
	if err := os.Remove(filepath.Join(dest, "seals")); err != nil {
		t.Fatal(err)
	}
	name := log.segments()[1]
	var damage *eventlog.DamageError
	if _, err := eventlog.Backup(log.with(flip(name, 60, 1)).write(t), dest); !errors.As(err, &damage) {
		t.Error(err)
	}
	if readTree(t, dest)[name] != log[name] {
		t.Error("the backup has lost the good copy")
	}
}

// TestBackupNoticesForgedRecords changes a record in a sealed segment together
// with its checksum.
func TestBackupNoticesForgedRecords(t *testing.T) {
	files := readTree(t, provedLog(t))
	name := files.segments()[1]
	forged := files.with(func(c dirTree) {
		b := []byte(c[name])
		frame := b[1 : 1+int(b[0])]
		frame[len(frame)-1]++
		eventlog.Reseal(frame)
		c[name] = string(b)
	}).write(t)
	var damage *eventlog.DamageError
	if _, err := eventlog.Backup(forged, t.TempDir()); !errors.As(err, &damage) {
		t.Errorf("Backup: %v", err)
	}
	if _, err := eventlog.Restore(forged, filepath.Join(t.TempDir(), "log"), anew()); !errors.As(err, &damage) {
		t.Errorf("Restore: %v", err)
	}
	if _, err := eventlog.Archive(forged, everything); !errors.As(err, &damage) {
		t.Errorf("Archive: %v", err)
	}
}

func TestBackupRefusesDamage(t *testing.T) {
	files := readTree(t, provedLog(t))
	list := files.segments()
	for what, change := range map[string]func(dirTree){
		"a flipped bit":      flip(list[1], 60, 2),
		"a flipped hash":     flip("hashes", 700, 1),
		"another checkpoint": flip("checkpoint", 20, 1),
		"a missing segment":  func(c dirTree) { delete(c, list[0]) },
	} {
		dest := t.TempDir()
		var damage *eventlog.DamageError
		if _, err := eventlog.Backup(files.with(change).write(t), dest); !errors.As(err, &damage) {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := eventlog.BackupInfo(dest); err == nil {
			t.Errorf("%s: a backup was finished", what)
		}
	}
}

// TestEveryChangedByteOfABackupIsNoticed changes every byte of every file.
func TestEveryChangedByteOfABackupIsNoticed(t *testing.T) {
	inMemory(t)
	dir := provedLog(t)
	archive(t, dir, eventlog.ArchiveOptions{KeepRaw: 2})
	if _, err := eventlog.Prune(dir, eventlog.PruneOptions{Before: 12}); err != nil {
		t.Fatal(err)
	}
	dest := t.TempDir()
	backup(t, dir, dest)
	files := readTree(t, dest)
	for name := range files {
		for i := range files[name] {
			for _, x := range []byte{1, 0x80} {
				path := filepath.Join(dest, name)
				if err := os.WriteFile(path, []byte(files.with(flip(name, i, x))[name]), 0o640); err != nil {
					t.Fatal(err)
				}
				_, err := eventlog.CheckBackup(dest)
				var damage *eventlog.DamageError
				if !errors.As(err, &damage) && !(name == "FORMAT" && errors.Is(err, eventlog.ErrNotBackup)) {
					t.Errorf("%s[%d]^%02x: %v", name, i, x, err)
				}
			}
		}
		if err := os.WriteFile(filepath.Join(dest, name), []byte(files[name]), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := eventlog.CheckBackup(dest); err != nil {
		t.Error(err)
	}
}

func TestBackupCrashes(t *testing.T) {
	inMemory(t)
	dir := provedLog(t)
	archive(t, dir, eventlog.ArchiveOptions{KeepRaw: 2})
	older := t.TempDir()
	backup(t, dir, older)
	held := openReader(t, dir).records
	appendTo(t, dir, 1, 11)
	want := openReader(t, dir).records
	for name, start := range map[string]string{"first": "", "incremental": older} {
		t.Run(name, func(t *testing.T) {
			faultdisk.Explore(t, faultdisk.Scenario{
				Start: start, Seeds: 1, Faults: []faultdisk.Fault{{Short: 0.5}},
				Run: func(root string, d *faultdisk.Disk) error {
					_, err := eventlog.BackupOn(d, dir, root)
					return err
				},
				Check: func(image string, c faultdisk.Crash, _ []faultdisk.Op) error {
					m, err := eventlog.CheckBackup(image)
					switch {
					case err == nil && m.Last == uint64(len(want)):
					case c.Stop == 0 && c.Fail == 0:
						return fmt.Errorf("Backup returned, and is not durable: %+v, %w", m, err)
					case err == nil && start != "" && m.Last == uint64(len(held)):
					case start == "" && (errors.Is(err, eventlog.ErrNotBackup) || errors.Is(err, eventlog.ErrNotFound)):
					default:
						return fmt.Errorf("a crash leaves %+v, %w", m, err)
					}
					if err == nil && c.Mode == faultdisk.Strict && c.Fail == 0 {
						to := image + ".restored"
						defer os.RemoveAll(to)
						if _, err := eventlog.Restore(image, to, eventlog.RestoreOptions{Name: "restored"}); err != nil {
							return fmt.Errorf("restoring up to %d: %w", m.Last, err)
						}
						if got := openReader(t, to); got.damage != nil || !sameRecords(got.records[:m.Last], want[:m.Last]) {
							return fmt.Errorf("restored %d records, %v", len(got.records), got.damage)
						}
					}
					if _, err := eventlog.Backup(dir, image); err != nil {
						return fmt.Errorf("again: %w", err)
					}
					if m, err = eventlog.CheckBackup(image); err != nil || m.Last != uint64(len(want)) {
						return fmt.Errorf("again: %+v, %w", m, err)
					}
					return nil
				},
			})
		})
	}
}

func TestBackupInfoOfAnUnfinishedBackup(t *testing.T) {
	dir := dirTree{"FORMAT": "esper-log-backup 0\n"}.write(t)
	if _, err := eventlog.BackupInfo(dir); !errors.Is(err, eventlog.ErrNotFound) {
		t.Error(err)
	}
	if r := backup(t, provedLog(t), dir); r.Before != 0 {
		t.Errorf("%+v", r)
	}
}

// TestForgedBackupMarks writes what is well formed and wrong.
func TestForgedBackupMarks(t *testing.T) {
	dest := t.TempDir()
	good := backup(t, provedLog(t), dest).BackupMark
	for what, change := range map[string]func(*eventlog.BackupMark){
		"origin":  func(m *eventlog.BackupMark) { m.Origin = "another" },
		"first":   func(m *eventlog.BackupMark) { m.First++ },
		"last":    func(m *eventlog.BackupMark) { m.Last++; m.Segment++ },
		"time":    func(m *eventlog.BackupMark) { m.At++ },
		"leaf":    func(m *eventlog.BackupMark) { m.Leaf[3]++ },
		"root":    func(m *eventlog.BackupMark) { m.Root[3]++ },
		"segment": func(m *eventlog.BackupMark) { m.Segment, m.Bytes = 1, 9 },
	} {
		m := good
		change(&m)
		if err := os.WriteFile(filepath.Join(dest, "BACKUP"), []byte(m.String()), 0o640); err != nil {
			t.Fatal(err)
		}
		var damage *eventlog.DamageError
		if _, err := eventlog.CheckBackup(dest); !errors.As(err, &damage) {
			t.Errorf("another %s: %v", what, err)
		}
	}
}

func FuzzBackupMark(f *testing.F) {
	f.Add(eventlog.BackupMark{Origin: "a", First: 1, Last: 20, At: -3, Segment: 17, Bytes: 300, Taken: 9}.String())
	f.Add(strings.Repeat("x", 300))
	f.Fuzz(func(t *testing.T, text string) {
		if m, ok := eventlog.ParseBackupMark(text); ok && m.String() != text {
			t.Errorf("%q is read and written as %q", text, m)
		}
	})
}
