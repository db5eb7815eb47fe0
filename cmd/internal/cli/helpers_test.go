package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/subsystems/plane"
)

// exitOf is the exit code of a process; -1 for one that was killed.
func exitOf(err error) int {
	var e *exec.ExitError
	if errors.As(err, &e) {
		return e.ExitCode()
	}
	if err != nil {
		return -2
	}
	return 0
}

// esper runs the program in this process.
func esper(t *testing.T, want int, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(args, &app{out: &out, err: &errs, shm: os.Getenv(envShm)}); code != want {
		t.Fatalf("esper %v exits with %d, want %d\n%s%s", args, code, want, &out, &errs)
	}
	return out.String()
}

// command is the program as a process of its own.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path := filepath.Join(t.TempDir(), "esper") // testscript.Main goes by the name
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, path); err != nil {
		t.Fatal(err)
	}
	return exec.Command(path, args...)
}

// digestOf finds the final weights in the JSON lines of a run.
func digestOf(t *testing.T, out []byte) leyline.Digest {
	t.Helper()
	for line := range bytes.Lines(out) {
		var doc struct {
			Summary *struct{ Digest leyline.Digest }
		}
		if err := json.Unmarshal(line, &doc); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if doc.Summary != nil {
			return doc.Summary.Digest
		}
	}
	t.Fatalf("no summary in %s", out)
	return leyline.Digest{}
}

// records reads a log, also one that was left behind by a kill.
func records(t *testing.T, dir string) []leyline.Record {
	t.Helper()
	d, err := datadir.OpenReadOnly(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var out []leyline.Record
	for e, err := range d.Source().All(1) {
		if err != nil {
			t.Fatal(err)
		}
		r, err := wire.DecodeRecord(e.Seq, e.At, e.Payload)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

// blockReport puts a directory in the place of a report while the run is on.
func blockReport(path string, done *bool) func(plane.Point, leyline.Record) {
	return func(plane.Point, leyline.Record) {
		if !*done {
			*done = os.Mkdir(path, 0o700) == nil
		}
	}
}

// dirAt is a data directory that is never opened.
func dirAt(path string) *datadir.Dir { return &datadir.Dir{Path: path} }
