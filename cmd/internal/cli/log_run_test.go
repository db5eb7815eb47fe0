package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/esper-plane/esper/eventlog"
)

// TestProveRun does what an operator and an auditor do with a real run: keep a
// checkpoint, go on, prove a record and the growth since then, export; and it
// catches a copy of the directory that went on by itself.
func TestProveRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	train := func(dir string, steps int) { esper(t, 0, "run", "--data", dir, "--steps", fmt.Sprint(steps)) }
	train(dir, 20)
	key := strings.TrimSpace(esper(t, 0, "log", "checkpoint", "--key", dir))
	first := kept(t, esper(t, 0, "log", "checkpoint", dir))
	forked := filepath.Join(t.TempDir(), "data")
	if err := os.CopyFS(forked, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	private, err := filepath.Glob(filepath.Join(forked, "keys", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range private { // a copy is readable by all
		if err := os.Chmod(name, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tiles := filepath.Join(t.TempDir(), "tiles")
	esper(t, 0, "log", "export", dir, tiles)

	train(dir, 30)
	second := kept(t, esper(t, 0, "log", "checkpoint", dir))
	record, growth := outFile(t), outFile(t)
	esper(t, 0, "log", "prove", "--record", "12", "-o", record, dir)
	says(t, 2, []string{"exists; choose another name"}, "log", "prove", "--record", "12", "-o", record, dir)
	esper(t, 0, "log", "prove", "--since", first, "-o", growth, dir)
	esper(t, 0, "log", "export", dir, tiles)
	for _, c := range []struct{ file, cp string }{{record, second}, {growth, first}, {growth, second}, {tiles, first}, {tiles, second}} {
		says(t, 0, []string{"holds", "that you kept"}, "log", "check", c.file, "--key", key, "--checkpoint", c.cp)
	}

	train(forked, 30) // at another time of day, so with other records
	none := outFile(t)
	says(t, 4, []string{"the log is not a continuation of this checkpoint"}, "log", "prove", "--since", second, "-o", none, forked)
	says(t, 4, []string{"inconsistent with the checkpoint"}, "log", "export", forked, tiles)
	if _, err := os.Lstat(none); err == nil {
		t.Error("a proof was written that does not hold")
	}
	says(t, 0, []string{"holds"}, "log", "check", tiles, "--key", key)
}

// TestProveLive proves beside a writer that signs all the time.
func TestProveLive(t *testing.T) {
	s := newSigned(t, "plane-7", "record", 5)
	key, old := s.vkey(t), s.keep(t)
	o := s.options()
	o.Checkpoints.Records, o.Checkpoints.Age = 3, time.Millisecond
	l, err := eventlog.Open(s.dir, o)
	if err != nil {
		t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- appendUntil(l, stop) }()
	for range 40 {
		proof, growth := outFile(t), outFile(t)
		esper(t, 0, "log", "prove", "--record", "4", "-o", proof, s.dir)
		esper(t, 0, "log", "prove", "--since", old, "-o", growth, s.dir)
		esper(t, 0, "log", "check", proof, "--key", key)
		esper(t, 0, "log", "check", growth, "--key", key, "--checkpoint", old)
		old = s.keep(t)
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// appendUntil appends as a plane beside a trainer does, a step every half
// millisecond, and closes the log. It rests at 2000 records: a reader that the race
// detector slows down would never catch up with more.
func appendUntil(l *eventlog.Log, stop <-chan struct{}) error {
	a := eventlog.NewAppender(l, func() int64 { return time.Now().UnixNano() })
	for n := 0; ; n++ {
		if n == 2000 {
			<-stop
		}
		select {
		case <-stop:
			return errors.Join(a.Close(), l.Close())
		case <-time.After(500 * time.Microsecond):
		}
		if _, err := a.Append(context.Background(), make([]byte, 100)); err != nil {
			return err
		}
	}
}
