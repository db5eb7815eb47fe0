package eventlog_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/eventlogtest"
	"github.com/esper-plane/esper/eventlog/tree"
)

var logKey = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))

// signedOrigin is that of the logs of this file.
func signedOrigin() eventlog.Origin {
	return eventlog.Origin{Name: "eventlogtest", LogKey: logKey.Public().(ed25519.PublicKey)}
}

func createSigned(t testing.TB, dir string, opts eventlog.Options) *eventlog.Log {
	t.Helper()
	opts.Checkpoints.Key = logKey
	l, err := eventlog.Create(dir, signedOrigin(), eventlogtest.Start, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// growClaiming appends one record at a time and offers each number first.
func growClaiming(t testing.TB, l *eventlog.Log, n int) {
	t.Helper()
	for range n {
		next := l.Next()
		if l.Claim(next) {
			next++
		}
		if err := l.Append(t.Context(), next, eventlogtest.Group(next, 1)); err != nil {
			t.Fatal(err)
		}
	}
}

// checkNotes recomputes the tree and compares it with every checkpoint among
// the records and with the one in the file. It returns the sizes of the former.
func checkNotes(t testing.TB, dir string) (recorded []int64) {
	t.Helper()
	verifier, err := tree.NewVerifier(signedOrigin().Name, signedOrigin().LogKey)
	if err != nil {
		t.Fatal(err)
	}
	r, err := eventlog.OpenReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var f tree.Frontier
	roots := []tree.Hash{f.Root()}
	check := func(note []byte) int64 {
		c, err := tree.OpenCheckpoint(note, verifier)
		if err != nil {
			t.Fatal(err)
		}
		if c.Size >= int64(len(roots)) || c.Root != roots[c.Size] {
			t.Fatalf("a checkpoint of %d records has another root than these records", c.Size)
		}
		return c.Size
	}
	for e, err := range r.All(1) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == eventlog.KindCheckpoint {
			recorded = append(recorded, check(e.Payload))
		}
		f.Append(nil, tree.LeafHash(eventlog.LeafHash(eventlog.AppendFrame(nil, e))))
		roots = append(roots, f.Root())
	}
	note, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	check(note)
	return recorded
}

func TestCheckpointsAreSignedOnCadence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		var exported atomic.Int64
		l := createSigned(t, dir, eventlog.Options{SegmentSize: 400, Checkpoints: eventlog.Checkpoints{
			Records: 10, Age: time.Second, Export: func([]byte) error { exported.Add(1); return nil },
		}})
		want := func(n int, when string) {
			t.Helper()
			synctest.Wait()
			if got := exported.Load(); got != int64(n) {
				t.Fatalf("%s: %d checkpoints, want %d", when, got, n)
			}
		}
		growClaiming(t, l, 3)
		want(0, "after 4 records")
		time.Sleep(time.Second)
		want(1, "a second later")
		growClaiming(t, l, 9) // the first of them takes the checkpoint with it
		want(2, "after ten records more")
		time.Sleep(time.Hour)
		want(2, "an hour later, without records")
		growClaiming(t, l, 1)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		want(3, "closed")
		if got := checkNotes(t, dir); len(got) != 3 || got[0] != 4 || got[2] != int64(l.Next())-2 {
			t.Errorf("checkpoints of %v records, the log ends at %d", got, l.Next()-1)
		}
		again, err := eventlog.Open(dir, eventlog.Options{Checkpoints: eventlog.Checkpoints{Key: logKey}})
		if err != nil {
			t.Fatal(err)
		}
		last := again.Next()
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
		if again.Next() != last {
			t.Error("opening and closing a log without appending to it added a record")
		}
	})
}

func TestClaimedRecordIsAddedAnywhereInAGroup(t *testing.T) {
	for before := range 4 {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			l := createSigned(t, dir, eventlog.Options{Checkpoints: eventlog.Checkpoints{Records: 1}})
			growClaiming(t, l, 1)
			synctest.Wait()
			next := l.Next()
			group := eventlogtest.Group(next, before)
			claimed := next + uint64(before)
			if !l.Claim(claimed) || l.Claim(claimed+1) {
				t.Fatal("a signed checkpoint did not claim one record")
			}
			group = append(group, eventlogtest.Group(claimed+1, 2)...)
			if err := l.Append(t.Context(), group[0].Seq, group); err != nil {
				t.Fatal(err)
			}
			for e := range l.All(claimed) {
				if e.Seq == claimed && e.Kind != eventlog.KindCheckpoint || e.Seq != claimed && e.Kind != eventlog.KindTransition {
					t.Errorf("record %d is of kind %v", e.Seq, e.Kind)
				}
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			checkNotes(t, dir)
		})
	}
}

// TestOlderCopiesAndRewritesAreRefused puts a log beside a checkpoint that it
// has signed and does not continue.
func TestOlderCopiesAndRewritesAreRefused(t *testing.T) {
	dir := t.TempDir()
	l := createSigned(t, dir, small)
	grow(t, l, 3, 4)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	older := readTree(t, dir)
	l, err := eventlog.Open(dir, eventlog.Options{Checkpoints: eventlog.Checkpoints{Key: logKey}})
	if err != nil {
		t.Fatal(err)
	}
	grow(t, l, 2)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	newest := readTree(t, dir)["checkpoint"]

	forked := older.write(t)
	if l, err = eventlog.Open(forked, small); err != nil {
		t.Fatal(err)
	}
	other := eventlogtest.Group(l.Next(), 7)
	other[0].Payload = []byte("another history")
	if err := l.Append(t.Context(), l.Next(), other); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	signature := strings.LastIndex(newest, " ") + 20
	for name, files := range map[string]dirTree{
		"an older copy":      older.with(func(c dirTree) { c["checkpoint"] = newest }),
		"another history":    readTree(t, forked).with(func(c dirTree) { c["checkpoint"] = newest }),
		"a forged signature": readTree(t, dir).with(flip("checkpoint", signature, 1)),
		"a note of no log":   readTree(t, dir).with(func(c dirTree) { c["checkpoint"] = "" }),
	} {
		got := open(t, files.write(t), small)
		if got.damage == nil || got.damage.Segment != "checkpoint" {
			t.Errorf("%s: %v", name, got.damage)
		}
	}
}

func TestOnlyItsOwnKeySignsALog(t *testing.T) {
	dir := t.TempDir()
	if err := createSigned(t, dir, small).Close(); err != nil {
		t.Fatal(err)
	}
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, ed25519.SeedSize))
	if _, err := eventlog.Open(dir, eventlog.Options{Checkpoints: eventlog.Checkpoints{Key: other}}); !errors.Is(err, eventlog.ErrWrongKey) {
		t.Errorf("got error %v", err)
	}
	if got := open(t, dir, small); !got.report.Clean {
		t.Errorf("the refused opening changed the log: %+v", got.report)
	}
}

func TestExportIsTriedAgain(t *testing.T) {
	var exported [][]byte
	down := errors.New("the mailbox is down")
	l := createSigned(t, t.TempDir(), eventlog.Options{Checkpoints: eventlog.Checkpoints{Records: 1, Export: func(b []byte) error {
		exported = append(exported, b)
		if len(exported) < 2 {
			return down
		}
		return nil
	}}})
	grow(t, l, 1)
	for range 1000 {
		if l.ExportError() != nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if !errors.Is(l.ExportError(), down) {
		t.Fatalf("export error %v", l.ExportError())
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if len(exported) != 2 || l.ExportError() != nil {
		t.Errorf("exported %d times, error %v", len(exported), l.ExportError())
	}
}

// TestCheckpointOfAKilledLogBecomesARecord kills a log between signing a
// checkpoint and recording it.
func TestCheckpointOfAKilledLogBecomesARecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		l := createSigned(t, dir, eventlog.Options{Checkpoints: eventlog.Checkpoints{Records: 4}})
		growClaiming(t, l, 4)
		synctest.Wait()
		killed := readTree(t, dir).write(t)
		again, err := eventlog.Open(killed, eventlog.Options{Checkpoints: eventlog.Checkpoints{Key: logKey}})
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
		if got := checkNotes(t, killed); len(got) != 1 || got[0] != 5 {
			t.Errorf("recorded checkpoints of %v records, want of 5", got)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestChangedHashIsNotBlamedOnTheRecords flips each stored hash.
func TestChangedHashIsNotBlamedOnTheRecords(t *testing.T) {
	files := signedLog(t)
	noticed := 0
	for i := 0; i < len(files["hashes"]); i += 32 {
		dir := files.with(flip("hashes", i, 1)).write(t)
		l, err := eventlog.Open(dir, eventlog.Options{SegmentSize: 600})
		if err == nil {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		noticed++
		var damage *eventlog.DamageError
		if !errors.As(err, &damage) || damage.Segment != "hashes" {
			t.Errorf("hash %d: %v", i/32, err)
		}
	}
	if noticed == 0 {
		t.Error("no stored hash was needed to open the log")
	}
}
