// Package cli is the command line: one file per subcommand, wiring only.
//
// Voice: results go to stdout; progress, notices and logs go to stderr. An error
// is one lower-case line that says what failed, where, and what to do, and never
// ends the output of a result. With --json, stdout carries JSON only, errors
// included. Exit codes are in exit.go, and nowhere else.
//
// This is the only package that reads the environment.
package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"syscall"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/esper-plane/esper/cmd/internal/logging"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/plane"
)

// app is what every subcommand shares.
type app struct {
	out   io.Writer
	err   io.Writer
	json  bool
	level string
	probe func(plane.Point, leyline.Record) // set by tests that kill the process
	shm   string                            // set by tests: the directory of shared memory unless a setting names one
}

// Main runs the command line and returns its exit code.
func Main(args []string, stdout, stderr io.Writer) int {
	return run(args, &app{out: stdout, err: stderr})
}

func run(args []string, a *app) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	root := newRoot(a)
	a.json = slices.Contains(args, "--json") // also when the flags cannot be read
	root.SetArgs(args)
	root.SetOut(a.out)
	root.SetErr(a.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	return a.fail(err)
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "esper",
		Short:         "An event-sourced control plane for training neural networks",
		Long:          "esper runs beside a trainer, decides, and logs every decision before it takes effect.\n\n" + exitTable(),
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().BoolVar(&a.json, "json", false, "one JSON document or JSON lines on stdout")
	root.PersistentFlags().StringVar(&a.level, "log-level", "warn", "of the program's own log on stderr: trace, debug, info, warn, error")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(newRun(a), newServe(a), newReplay(a), newAudit(a), newLog(a), newBench(a), newCombine(a), newHarness(a), newKey(a), newBlueprint(a), newPolicy(a), newConfig(a), newTelemetry(a), newCommand(a), newReports(a), newVersion(a))
	return root
}

// logger builds the program's own log.
func (a *app) logger() (hclog.Logger, error) {
	l, err := logging.New(logging.Options{Name: "esper", Level: a.level, JSON: a.json, Output: a.err})
	if err != nil {
		return nil, usagef("--log-level: %w", err)
	}
	return l, nil
}

// terminal reports whether progress may be drawn over.
func (a *app) terminal() bool {
	f, ok := a.err.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// columns is the width of the terminal on stderr; 80 where it cannot be told.
func (a *app) columns() int {
	if f, ok := a.err.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return n
		}
	}
	return 80
}

// notice says something to people, on stderr.
func (a *app) notice(format string, args ...any) {
	fmt.Fprintf(a.err, format+"\n", args...)
}

// document writes one JSON document.
func (a *app) document(v any) error {
	e := json.NewEncoder(a.out)
	e.SetIndent("", "  ")
	return e.Encode(jsonForm(reflect.ValueOf(v)))
}

// line writes one JSON line.
func (a *app) line(v any) error { return json.NewEncoder(a.out).Encode(jsonForm(reflect.ValueOf(v))) }
