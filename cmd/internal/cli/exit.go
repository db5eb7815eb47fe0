package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/plane"
)

// The exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitDiverged    = 3
	exitDamaged     = 4
	exitRefused     = 5
	exitLocked      = 6
	exitStorage     = 7
	exitInterrupted = 130
)

var exitMeaning = []struct {
	code int
	text string
}{
	{exitOK, "done, and what was checked holds"},
	{exitFailed, "failed for a stated reason"},
	{exitUsage, "wrong usage or configuration"},
	{exitDiverged, "replay diverged"},
	{exitDamaged, "log damaged or tampered with"},
	{exitRefused, "refused by the dependency guard or by authorization"},
	{exitLocked, "data directory locked, or of another format version"},
	{exitStorage, "storage failure (the log is poisoned)"},
	{exitInterrupted, "interrupted"},
}

func exitTable() string {
	var b strings.Builder
	b.WriteString("Exit codes:\n")
	for _, e := range exitMeaning {
		fmt.Fprintf(&b, "  %-4d %s\n", e.code, e.text)
	}
	return b.String()
}

// usageError is a mistake in how the program was called.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errDiverged ends a replay that found a difference. The report says all.
var errDiverged = errors.New("replay diverged")

// classes lists what an error is, most specific first.
var classes = []struct {
	code int
	kind string
	is   func(error) bool
}{
	{exitInterrupted, "interrupted", target(context.Canceled)},
	{exitDiverged, "diverged", target(errDiverged)},
	{exitUsage, "usage", as[usageError]},
	{exitUsage, "config", as[*leyline.ConfigError]},
	{exitUsage, "foreign_directory", target(datadir.ErrForeign)},
	{exitDamaged, "log_damaged", as[*eventlog.DamageError]},
	{exitDamaged, "log_behind", target(plane.ErrBehind)},
	{exitDamaged, "log_lost", target(datadir.ErrLogLost)},
	{exitLocked, "locked", target(datadir.ErrLocked)},
	{exitLocked, "locked", target(eventlog.ErrLocked)},
	{exitLocked, "format_version", target(eventlog.ErrVersion)},
	{exitStorage, "storage", target(leyline.ErrStorage)},
	{exitStorage, "storage", target(eventlog.ErrPoisoned)},
	{exitStorage, "disk_full", target(syscall.ENOSPC)},
	{exitRefused, "keys", target(datadir.ErrKeys)},
	{exitRefused, "refused", as[*leyline.Refusal]},
	{exitUsage, "missing_directory", target(datadir.ErrMissing)},
}

func target(want error) func(error) bool {
	return func(err error) bool { return errors.Is(err, want) }
}

func as[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

// fail says what went wrong and returns the exit code.
func (a *app) fail(err error) int {
	code, kind := exitFailed, "failed"
	for _, c := range classes {
		if c.is(err) {
			code, kind = c.code, c.kind
			break
		}
	}
	if isUnknownCommand(err) {
		code, kind = exitUsage, "usage"
	}
	if !a.json {
		fmt.Fprintf(a.err, "esper: %v\n", err)
		return code
	}
	doc := failure{Error: err.Error(), Kind: kind, Exit: code}
	if r, ok := leyline.AsRefusal(err); ok {
		doc.Field, doc.Hint = r.Field, r.Hint
	}
	if werr := a.line(doc); werr != nil {
		fmt.Fprintf(a.err, "esper: %v (and stdout cannot be written: %v)\n", err, werr)
	}
	return code
}

// failure is an error for machines.
type failure struct {
	Error string `json:"error"`
	Kind  string `json:"kind"`
	Field string `json:"field,omitempty"`
	Hint  string `json:"hint,omitempty"`
	Exit  int    `json:"exit"`
}

// isUnknownCommand recognises what cobra says of a wrong command or argument.
func isUnknownCommand(err error) bool {
	s := err.Error()
	return strings.HasPrefix(s, "unknown command") || strings.Contains(s, "arg(s), received") ||
		strings.Contains(s, "accepts ") && strings.Contains(s, "arg")
}
