package cli

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/tree"
)

// signedLog is a log in a directory that signs a checkpoint whenever it is
// closed.
type signedLog struct {
	dir  string
	name string
	key  ed25519.PrivateKey
}

func (s signedLog) options() eventlog.Options {
	return eventlog.Options{SegmentSize: 4 << 10, Checkpoints: eventlog.Checkpoints{Key: s.key}}
}

// newSigned makes a log with n records after its origin. Each payload is the
// text that is given and a number.
func newSigned(t *testing.T, name, text string, n int) signedLog {
	t.Helper()
	seed := bytes.Repeat([]byte{7}, ed25519.SeedSize)
	s := signedLog{filepath.Join(t.TempDir(), "log"), name, ed25519.NewKeyFromSeed(seed)}
	l, err := eventlog.Create(s.dir, eventlog.Origin{Name: name, LogKey: s.key.Public().(ed25519.PublicKey)}, 1, s.options())
	if err != nil {
		t.Fatal(err)
	}
	s.add(t, l, text, n)
	return s
}

// grow appends n records.
func (s signedLog) grow(t *testing.T, text string, n int) {
	t.Helper()
	l, err := eventlog.Open(s.dir, s.options())
	if err != nil {
		t.Fatal(err)
	}
	s.add(t, l, text, n)
}

func (s signedLog) add(t *testing.T, l *eventlog.Log, text string, n int) {
	t.Helper()
	for range n {
		next := l.Next()
		e := eventlog.Entry{Seq: next, At: int64(next), Kind: eventlog.KindTransition, Payload: fmt.Appendf(nil, "%s %d", text, next)}
		if err := l.Append(t.Context(), next, []eventlog.Entry{e}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// fork copies the log, with its key.
func (s signedLog) fork(t *testing.T) signedLog {
	t.Helper()
	to := filepath.Join(t.TempDir(), "log")
	if err := os.CopyFS(to, os.DirFS(s.dir)); err != nil {
		t.Fatal(err)
	}
	s.dir = to
	return s
}

// keep writes the newest checkpoint to a file and returns its name.
func (s signedLog) keep(t *testing.T) string {
	t.Helper()
	return kept(t, esper(t, 0, "log", "checkpoint", s.dir))
}

// vkey returns the verifier key.
func (s signedLog) vkey(t *testing.T) string {
	t.Helper()
	return strings.TrimSpace(esper(t, 0, "log", "checkpoint", "--key", s.dir))
}

func kept(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "kept")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func outFile(t *testing.T) string { return filepath.Join(t.TempDir(), "proof") }

// says runs esper and wants texts in what it writes to stdout and stderr.
func says(t *testing.T, code int, want []string, args ...string) {
	t.Helper()
	var out bytes.Buffer
	if got := run(args, &app{out: &out, err: &out}); got != code {
		t.Fatalf("esper %v exits with %d, want %d\n%s", args, got, code, &out)
	}
	for _, w := range want {
		if !strings.Contains(out.String(), w) {
			t.Errorf("esper %v does not say %q\n%s", args, w, &out)
		}
	}
}

// TestProveRecord proves every record of a log and checks each proof without it.
func TestProveRecord(t *testing.T) {
	s := newSigned(t, "plane-7", "record", 40)
	key, cp := s.vkey(t), s.keep(t)
	leaves := leavesOf(t, s.dir)
	for seq := 1; seq <= 41; seq++ {
		out := outFile(t)
		esper(t, 0, "log", "prove", "--record", fmt.Sprint(seq), "-o", out, s.dir)
		var v struct {
			Log, Kind string
			Size      int
			Record    int
			Leaf      string `json:"leaf_hash"`
		}
		text := esper(t, 0, "log", "check", out, "--key", key, "--checkpoint", cp, "--json")
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		if v.Log != "plane-7" || v.Size != 41 || v.Record != seq || v.Leaf != fmt.Sprintf("%x", leaves[seq-1]) {
			t.Errorf("record %d: %+v", seq, v)
		}
	}
	says(t, 0, []string{"record 3 of the log plane-7 is the one whose frame has the SHA-256 ", "in a tree of 41 records", "a checkpoint has no time", "that everything that happened was recorded"},
		"log", "check", kept(t, esper(t, 0, "log", "prove", "--record", "3", s.dir)), "--key", key)
}

// leavesOf returns the leaf hash of every record.
func leavesOf(t *testing.T, dir string) [][32]byte {
	t.Helper()
	l, err := eventlog.OpenReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var out [][32]byte
	for e, err := range l.All(1) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, eventlog.LeafHash(eventlog.AppendFrame(nil, e)))
	}
	return out
}

// TestProofBytes changes every byte of every kind of file: none of them holds.
func TestProofBytes(t *testing.T) {
	s := newSigned(t, "plane-7", "record", 20)
	key, old := s.vkey(t), s.keep(t)
	s.grow(t, "record", 15)
	for _, text := range []string{
		esper(t, 0, "log", "prove", "--record", "9", s.dir),
		esper(t, 0, "log", "prove", "--since", old, s.dir),
		esper(t, 0, "log", "checkpoint", s.dir),
	} {
		file := kept(t, text)
		says(t, 0, []string{"holds"}, "log", "check", file, "--key", key)
		for i := range text {
			b := []byte(text)
			b[i] ^= 1
			if err := os.WriteFile(file, b, 0o600); err != nil {
				t.Fatal(err)
			}
			says(t, 4, nil, "log", "check", file, "--key", key)
		}
	}
}

// TestProveGrowth proves growth from a checkpoint that was kept, and refuses a
// log that was forked after it, lost records, or is another one.
func TestProveGrowth(t *testing.T) {
	s := newSigned(t, "plane-7", "record", 20)
	early := s.fork(t)
	key, old := s.vkey(t), s.keep(t)
	s.grow(t, "record", 30)
	newer, out := s.keep(t), outFile(t)
	says(t, 0, []string{"the log plane-7 of 52 records continues the one of 21"}, "log", "prove", "--since", old, "-o", out, s.dir)
	for _, cp := range []string{old, newer} {
		says(t, 0, []string{"begins with the same 21 records", "is that of the checkpoint that you kept"}, "log", "check", out, "--key", key, "--checkpoint", cp)
	}
	esper(t, 0, "log", "prove", "--since", newer, s.dir)

	forked := early.fork(t)
	forked.grow(t, "other", 30)
	const not = "the log is not a continuation of this checkpoint"
	fresh := outFile(t)
	says(t, 4, []string{not, "record 52 or one before it is not what was signed then"}, "log", "prove", "--since", newer, "-o", fresh, forked.dir)
	forked.grow(t, "other", 9)
	says(t, 4, []string{not}, "log", "prove", "--since", newer, "-o", fresh, forked.dir)
	says(t, 4, []string{not, "records were lost, or this is an older copy"}, "log", "prove", "--since", newer, "-o", fresh, early.dir)
	says(t, 4, []string{not, "and this is the log plane-8"}, "log", "prove", "--since", newer, "-o", fresh, newSigned(t, "plane-8", "record", 60).dir)
	if _, err := os.Lstat(fresh); err == nil {
		t.Error("a proof was written that does not hold")
	}
	// The two histories meet at the auditor as well.
	fork := kept(t, esper(t, 0, "log", "prove", "--since", old, forked.dir))
	esper(t, 0, "log", "check", fork, "--key", key, "--checkpoint", old)
	says(t, 2, []string{"cannot be compared", "21 and 62"}, "log", "check", fork, "--key", key, "--checkpoint", newer)
}

// TestCheckKept compares proofs of a record and checkpoints with a checkpoint
// that was kept.
func TestCheckKept(t *testing.T) {
	s := newSigned(t, "plane-7", "record", 20)
	fork := s.fork(t)
	key, old := s.vkey(t), s.keep(t)
	s.grow(t, "record", 5)
	fork.grow(t, "other", 5)
	record := kept(t, esper(t, 0, "log", "prove", "--record", "3", s.dir))
	says(t, 2, []string{"esper log prove --since"}, "log", "check", record, "--key", key, "--checkpoint", old)
	says(t, 4, []string{"two different trees of 27 records were signed"}, "log", "check", record, "--key", key, "--checkpoint", fork.keep(t))
	says(t, 4, []string{"two different trees of 27 records were signed"}, "log", "check", s.keep(t), "--key", key, "--checkpoint", fork.keep(t))
	other := newSigned(t, "plane-8", "record", 20)
	says(t, 4, []string{"was not signed with this key"}, "log", "check", record, "--key", key, "--checkpoint", other.keep(t))
	says(t, 4, nil, "log", "check", record, "--key", other.vkey(t))
}

// TestNotCovered asks for what no checkpoint covers.
func TestNotCovered(t *testing.T) {
	s := newSigned(t, "plane-7", "record", 20)
	// The record after the last is the checkpoint itself.
	says(t, 1, []string{"record 22 is newer than the newest checkpoint, of 21 records", nextCheckpoint}, "log", "prove", "--record", "22", s.dir)
	says(t, 2, []string{"the log has 22 records"}, "log", "prove", "--record", "23", s.dir)
	unsigned := filepath.Join(t.TempDir(), "log")
	l, err := eventlog.Create(unsigned, eventlog.Origin{Name: "silent"}, 1, eventlog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"checkpoint"}, {"checkpoint", "--key"}, {"prove", "--record", "1"}} {
		says(t, 1, []string{"the log has no checkpoint: its origin"}, append(append([]string{"log"}, args...), unsigned)...)
	}
}

// TestSignedDamage: a checkpoint that the log does not fit, and hashes that do
// not lead to it, are damage and no fork.
func TestSignedDamage(t *testing.T) {
	s := newSigned(t, "plane-7", "record", 60)
	old := s.keep(t)
	s.grow(t, "record", 200)
	lost := s.fork(t)
	// The leaf of record 61 is beside that of record 62, and the first that a proof
	// of growth from 61 records needs.
	damage(t, filepath.Join(lost.dir, "hashes"), int(tree.StoredCount(60))*32)
	says(t, 4, []string{"the path of record 62", "esper log verify"}, "log", "prove", "--record", "62", lost.dir)
	says(t, 4, []string{"nothing can be proven", "esper log verify"}, "log", "prove", "--since", old, lost.dir)
	note := filepath.Join(s.dir, "checkpoint")
	damage(t, note, 90)
	says(t, 4, []string{"bad checkpoint"}, "log", "checkpoint", s.dir)
	ahead, err := tree.Checkpoint{Origin: "plane-7", Size: 1000}.Sign(must(tree.NewSigner("plane-7", s.key)))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(note, ahead, 0o600); err != nil {
		t.Fatal(err)
	}
	says(t, 4, []string{"has signed 1000 records and holds", errShorter.Error()}, "log", "prove", "--record", "1", s.dir)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// damage changes a bit of a file.
func damage(t *testing.T, name string, at int) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b[at] ^= 1
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
