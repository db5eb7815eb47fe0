package cli

import (
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/esper-plane/esper/cmd/internal/datadir"
)

// TestScripts runs the scripts in testdata. Beside the usual commands there are
//
//	flip FILE OFFSET     changes one bit; a negative offset counts from the end
//	tear FILE N          appends the first N bytes of the file to it, as a write that was cut off
//	hold DIR             opens a data directory for writing until the script ends
//	same DIR DIR         compares two directories byte by byte
//	copy DIR DIR         copies a directory
//	exits CODE ARGS...   runs esper and demands an exit code
//	sub FILE OLD NEW     replaces a text that occurs once
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv(envShm, os.Getenv(envShm))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"flip": flip, "tear": tear, "hold": hold, "same": same, "copy": copyDir, "exits": exits, "sub": substitute,
		},
	})
}

func number(ts *testscript.TestScript, s string) int {
	n, err := strconv.Atoi(s)
	ts.Check(err)
	return n
}

func flip(ts *testscript.TestScript, _ bool, args []string) {
	path, at := ts.MkAbs(args[0]), number(ts, args[1])
	b, err := os.ReadFile(path)
	ts.Check(err)
	if at < 0 {
		at += len(b)
	}
	b[at] ^= 1
	ts.Check(os.WriteFile(path, b, 0o600))
}

func tear(ts *testscript.TestScript, _ bool, args []string) {
	path, n := ts.MkAbs(args[0]), number(ts, args[1])
	b, err := os.ReadFile(path)
	ts.Check(err)
	ts.Check(os.WriteFile(path, append(b, b[:n]...), 0o600))
}

func hold(ts *testscript.TestScript, _ bool, args []string) {
	d, err := datadir.Open(ts.MkAbs(args[0]), datadir.Options{
		Rand: rand.Reader, Now: time.Now, Logger: hclog.NewNullLogger(),
	})
	ts.Check(err)
	ts.Defer(func() { ts.Check(d.Close()) })
}

func same(ts *testscript.TestScript, neg bool, args []string) {
	a, b := files(ts, args[0]), files(ts, args[1])
	equal := len(a) == len(b)
	for name, text := range a {
		other, ok := b[name]
		equal = equal && ok && bytes.Equal(text, other)
	}
	if equal == neg {
		ts.Fatalf("%s and %s: equal %v", args[0], args[1], equal)
	}
}

// files reads a directory. The locks are left out: they hold process numbers.
func files(ts *testscript.TestScript, dir string) map[string][]byte {
	out := map[string][]byte{}
	root := ts.MkAbs(dir)
	ts.Check(filepath.Walk(root, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() || info.Name() == "LOCK" {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		out[name], err = os.ReadFile(path)
		return err
	}))
	return out
}

func copyDir(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.CopyFS(ts.MkAbs(args[1]), os.DirFS(ts.MkAbs(args[0]))))
}

func exits(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec("esper", args[1:]...)
	code := 0
	if err != nil {
		code = exitOf(err)
	}
	if code != number(ts, args[0]) {
		ts.Fatalf("esper exits with %d, want %s", code, args[0])
	}
}

func substitute(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	if n := strings.Count(text, args[1]); n != 1 {
		ts.Fatalf("%q occurs %d times in %s", args[1], n, args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(text, args[1], args[2], 1)), 0o600))
}
