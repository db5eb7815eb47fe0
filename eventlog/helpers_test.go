package eventlog_test

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/eventlogtest"
)

// small makes segments of about five records, and reads all of them to open a
// log.
var small = eventlog.Options{SegmentSize: 400, CheckAll: true}

func create(t testing.TB, dir string, opts eventlog.Options) *eventlog.Log {
	t.Helper()
	l, err := eventlog.Create(dir, eventlogtest.Origin, eventlogtest.Start, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func grow(t testing.TB, l *eventlog.Log, groups ...int) {
	t.Helper()
	for _, n := range groups {
		if err := l.Append(t.Context(), l.Next(), eventlogtest.Group(l.Next(), n)); err != nil {
			t.Fatal(err)
		}
	}
}

// dirTree is the content of a directory: name to bytes.
type dirTree map[string]string

func readTree(t testing.TB, dir string) dirTree {
	t.Helper()
	files := make(dirTree)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "LOCK" {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// write puts the dirTree into a new directory.
func (files dirTree) write(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for name, b := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(b), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// with returns a changed copy.
func (files dirTree) with(change func(dirTree)) dirTree {
	c := maps.Clone(files)
	change(c)
	return c
}

func (files dirTree) without(names ...string) dirTree {
	return files.with(func(c dirTree) {
		for _, n := range names {
			delete(c, n)
		}
	})
}

// segments returns the names of the segments in order.
func (files dirTree) segments() []string {
	var list []string
	for name := range files {
		if strings.HasPrefix(name, "segments/") {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// The three states in which a log of 20 records in several segments is found.
func closedLog(t testing.TB) dirTree {
	t.Helper()
	dir := t.TempDir()
	l := create(t, dir, small)
	grow(t, l, 1, 3, 1, 5, 2, 7)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return readTree(t, dir)
}

func killedLog(t testing.TB) dirTree { return closedLog(t).without("CLEAN") }

// powerless is a killed log that has also lost its watermark.
func powerless(t testing.TB) dirTree { return closedLog(t).without("CLEAN", "durable") }

// found is what opening a directory led to.
type found struct {
	damage  *eventlog.DamageError
	records []eventlog.Entry
	report  eventlog.Report
}

func open(t testing.TB, dir string, opts eventlog.Options) found {
	t.Helper()
	l, err := eventlog.Open(dir, opts)
	return inspect(t, err, func() (found, error) {
		defer l.Close()
		list, err := collect(l.All(1))
		return found{records: list, report: l.Recovery()}, err
	})
}

func openReader(t testing.TB, dir string) found {
	t.Helper()
	r, err := eventlog.OpenReader(dir)
	return inspect(t, err, func() (found, error) {
		defer r.Close()
		list, err := collect(r.All(1))
		return found{records: list, report: r.Report()}, err
	})
}

func inspect(t testing.TB, err error, read func() (found, error)) found {
	t.Helper()
	var f found
	if err == nil {
		f, err = read()
	}
	if err != nil && !errors.As(err, &f.damage) {
		t.Fatalf("got error %v, want a DamageError or none", err)
	}
	return f
}

func collect(seq func(func(eventlog.Entry, error) bool)) (list []eventlog.Entry, err error) {
	for e, err := range seq {
		if err != nil {
			return list, err
		}
		e.Payload = bytes.Clone(e.Payload)
		list = append(list, e)
	}
	return list, nil
}

// history is what the logs of this file hold up to record n.
func history(n int) []eventlog.Entry {
	payload, err := eventlogtest.Origin.MarshalBinary()
	if err != nil {
		panic(err)
	}
	first := eventlog.Entry{Seq: 1, At: eventlogtest.Start, Kind: eventlog.KindOrigin, Payload: payload}
	return append([]eventlog.Entry{first}, eventlogtest.Group(2, n-1)...)
}

func sameRecords(a, b []eventlog.Entry) bool {
	return slices.EqualFunc(a, b, func(x, y eventlog.Entry) bool {
		return x.Seq == y.Seq && x.At == y.At && x.Kind == y.Kind && bytes.Equal(x.Payload, y.Payload)
	})
}

// frameLen is the length of a stored record of history.
func frameLen(seq int) int {
	return 1 + eventlog.HeaderSize + len(history(seq)[seq-1].Payload)
}
