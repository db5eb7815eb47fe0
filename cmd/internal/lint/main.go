// Command lint runs the linters over the module, whose root is the working
// directory, and compares what they leave to be said with a committed file.
//
//	go run ./cmd/internal/lint [-update] [-go GO] PACKAGE...
//
// A warning of any linter fails, and so does a difference from testdata/lint.txt:
// the versions of the linters, the spread of complexity over the packages, the
// functions and files that are near a limit or over one, and every directive
// that silences a linter or keeps a file from some machines. With -update the
// file is written instead, unless there is a warning. The file lies in testdata
// beside the other texts that are compared with what is so.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/esper-plane/esper/cmd/internal/archtest"
)

// snapshotFile is the committed file, below the root of the module.
const snapshotFile = "testdata/lint.txt"

func main() {
	var o options
	flag.StringVar(&o.goCommand, "go", "go", "the go command")
	flag.BoolVar(&o.update, "update", false, "write "+snapshotFile+" instead of comparing it")
	flag.Parse()
	o.packages = flag.Args()
	if err := run(o, os.Stderr, execute); err != nil {
		fmt.Fprintln(os.Stderr, "lint:", err)
		os.Exit(1)
	}
}

type options struct {
	goCommand string
	update    bool
	packages  []string
	root      string // of the module; empty: the working directory
}

var (
	errWarnings = errors.New("there are warnings")
	errDiffers  = errors.New(snapshotFile + " does not say what is so now; if that is meant, write it with: make lint-update")
)

// run lints the module and tells w what was found.
func run(o options, w io.Writer, ex executor) error {
	results, err := lint(o, ex)
	if err != nil {
		return err
	}
	warnings := 0
	for _, r := range results {
		for _, line := range r.warnings {
			fmt.Fprintf(w, "%s: %s\n", r.name, line)
		}
		warnings += len(r.warnings)
	}
	if warnings > 0 {
		return errWarnings
	}
	src, err := archtest.Load(os.DirFS(filepath.Join(o.root, ".")))
	if err != nil {
		return err
	}
	now := snapshot(results, src)
	file := filepath.Join(o.root, filepath.FromSlash(snapshotFile))
	if o.update {
		return os.WriteFile(file, []byte(now), 0o644)
	}
	committed, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("%w (make lint-update writes it)", err)
	}
	changed := diff(string(committed), now)
	for _, line := range changed {
		fmt.Fprintln(w, line)
	}
	if len(changed) > 0 {
		return errDiffers
	}
	return nil
}
