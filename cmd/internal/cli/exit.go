package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/cmd/internal/supervise"
	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/tree"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/replay/value"
	"github.com/esper-plane/esper/replay/workload"
	"github.com/esper-plane/esper/subsystems/plane"
	"github.com/esper-plane/esper/subsystems/policyfile"
	"github.com/esper-plane/esper/subsystems/tolaria/aggregate"
	"github.com/esper-plane/esper/subsystems/tolaria/aggregate/solve"
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
	{exitDiverged, "replay diverged, or the compared configurations differ"},
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

// errDiffers ends a comparison of configurations that found a difference. The
// report says all.
var errDiffers = errors.New("the configurations differ")

// errReported ends a check of a log that found damage. The report says all.
var errReported = errors.New("the log is not whole")

// errNotAsGiven ends a check of a log against what is of another one.
var errNotAsGiven = errors.New("the log is not the one of the key or the checkpoint that you gave")

// errBundle marks a file that is no intact bundle.
var errBundle = errors.New("not an intact incident bundle")

// classes lists what an error is, most specific first, and what to do when the
// error itself does not say so.
var classes = []struct {
	code int
	kind string
	is   func(error) bool
	hint string
}{
	{exitDiverged, "diverged", target(errDiverged), ""},
	{exitDiverged, "verdicts_differ", target(errVerdicts), ""},
	{exitDiverged, "sla_missed", target(errSLA), ""},
	{exitDiverged, "claim_failed", target(errClaim), ""},
	{exitDiverged, "differs", target(errDiffers), ""},
	{exitUsage, "usage", as[usageError], ""},
	{exitUsage, "config", as[*leyline.ConfigError], ""},
	{exitUsage, "foreign_directory", target(datadir.ErrForeign), ""},
	{exitDamaged, "backup_damaged", as[*damagedBackup], ""},
	{exitDamaged, "log_damaged", as[*eventlog.DamageError], ""},
	{exitDamaged, "record_damaged", as[*wire.DecodeError], "the record is intact on the disk, but no plane of this version wrote it; restore the log from a backup"},
	{exitDamaged, "log_damaged", target(errReported), ""},
	{exitDamaged, "not_as_given", target(errNotAsGiven), ""},
	{exitDamaged, "bundle_damaged", target(errBundle), "cut it again with `esper replay bundle`"},
	{exitDamaged, "log_behind", target(plane.ErrBehind), ""},
	{exitDamaged, "log_lost", target(datadir.ErrLogLost), ""},
	{exitDamaged, "log_forked", target(eventlog.ErrForked), ""},
	{exitFailed, "pruned", target(eventlog.ErrPruned), "the records before were removed by `esper log prune`; what needs them works on a backup from before: `esper log restore`"},
	{exitUsage, "backup", target(eventlog.ErrBackup), "`esper log restore` makes a data directory of it"},
	{exitUsage, "not_a_backup", target(eventlog.ErrNotBackup), "use an empty or a new directory"},
	{exitUsage, "exists", target(eventlog.ErrExists), "use a new directory"},
	{exitUsage, "other_experiment", target(value.ErrOtherExperiment), ""},
	{exitDiverged, "diverged", target(value.ErrReplay), ""},
	{exitDamaged, "log_forked", target(errForked), ""},
	{exitDamaged, "proof_invalid", target(tree.ErrProof), ""},
	{exitDamaged, "checkpoint_invalid", target(tree.ErrCheckpoint), ""},
	{exitDamaged, "inconsistent", target(tree.ErrInconsistent), ""},
	{exitFailed, "no_checkpoint", target(errNoCheckpoint), ""},
	{exitFailed, "earlier_log", target(errEarlier), ""},
	{exitFailed, "not_covered", target(errUncovered), ""},
	{exitUsage, "fast_tier", target(datadir.ErrFast), ""},
	{exitLocked, kindLocked, target(datadir.ErrLocked), "wait for that process to end, or use another --data"},
	{exitLocked, kindLocked, target(eventlog.ErrLocked), "wait for that process to end"},
	{exitLocked, kindLocked, target(errInUse), "wait for that process to end"},
	{exitLocked, "format_version", target(eventlog.ErrVersion), "use the version of esper that wrote it; nothing was changed"},
	{exitStorage, "storage", target(leyline.ErrStorage), hintDisk},
	{exitStorage, "storage", target(eventlog.ErrPoisoned), hintDisk},
	{exitStorage, "disk_full", target(syscall.ENOSPC), hintDisk},
	{exitStorage, "disk_full", target(syscall.EDQUOT), hintDisk},
	{exitStorage, "disk_full", target(syscall.EFBIG), hintDisk},
	{exitStorage, "storage", target(syscall.EIO), hintDisk},
	{exitStorage, "read_only", target(syscall.EROFS), "mount it for writing, or use another directory"},
	{exitFailed, leyline.RefusalDiskLow.String(), refusedFor(leyline.RefusalDiskLow), ""},
	{exitFailed, leyline.RefusalWeights.String(), as[*solve.UndefinedError], "leave out the step, or combine it by another method"},
	{exitFailed, "no_convergence", as[*solve.ConvergenceError], "combine the gradients by another method"},
	{exitFailed, "unproven_weights", as[*aggregate.CertificateError], "the gradients are too nearly dependent for this method; combine them by another"},
	{exitRefused, "keys", target(datadir.ErrKeys), ""},
	{exitRefused, "refused", as[*leyline.Refusal], ""},
	{exitRefused, "rejected", target(errRejected), "`esper audit` lists it with its verdict"},
	{exitRefused, "refused", as[*problemError], ""},
	{exitRefused, "policy_format", as[*policyfile.FormatError], ""},
	{exitRefused, "policy_manifest", as[*policyfile.ManifestError], ""},
	{exitUsage, "missing_directory", target(errNoLogDir), ""},
	{exitUsage, "missing_directory", target(datadir.ErrMissing), "`esper run --data DIR` makes one"},
	{exitFailed, "halted", as[*workload.Halted], "the summary ends with the command that explains it; the next `esper run` begins a new run"},
	{exitInterrupted, "interrupted", target(context.Canceled), ""},
}

// kindLocked is the kind of what is open in another process.
const kindLocked = "locked"

const hintDisk = "make room or mend the disk, then start the same command again: nothing acknowledged is lost"

func target(want error) func(error) bool {
	return func(err error) bool { return errors.Is(err, want) }
}

func as[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

// refusedFor picks out refusals that are nobody's mistake.
func refusedFor(kind leyline.RefusalKind) func(error) bool {
	return func(err error) bool {
		r, ok := leyline.AsRefusal(err)
		return ok && r.Kind == kind
	}
}

// fail says what went wrong and returns the exit code.
func (a *app) fail(err error) int {
	doc := describe(err)
	switch {
	case !a.json:
		fmt.Fprintf(a.err, "esper: %s\n", doc.Error)
		if doc.Hint != "" && !strings.Contains(doc.Error, doc.Hint) {
			fmt.Fprintf(a.err, "esper: hint: %s\n", doc.Hint)
		}
	case errors.Is(err, errDiverged), errors.Is(err, errVerdicts), errors.Is(err, errSLA), errors.Is(err, errClaim), errors.Is(err, errDiffers), errors.Is(err, errReported), errors.Is(err, errNotAsGiven), errors.Is(err, errRejected): // the report is on stdout already
	default:
		if werr := a.line(doc); werr != nil {
			fmt.Fprintf(a.err, "esper: %v (and stdout cannot be written: %v)\n", err, werr)
		}
	}
	return doc.Exit
}

// describe says what an error is.
func describe(err error) failure {
	doc := failure{Error: err.Error(), Kind: "failed", Exit: exitFailed}
	if isUnknownCommand(err) {
		doc.Exit, doc.Kind = exitUsage, "usage"
	}
	for _, c := range classes {
		if c.is(err) {
			doc.Exit, doc.Kind, doc.Hint = c.code, c.kind, c.hint
			break
		}
	}
	if pre := (*supervise.PreflightError)(nil); errors.As(err, &pre) && len(pre.Problems) > 1 {
		doc.Kind, doc.Exit, doc.Hint, doc.Problems = "preflight", exitOfAll(pre.Unwrap()), "", pre.Problems
		return doc
	}
	var bad *leyline.ConfigError
	if errors.As(err, &bad) {
		doc.Field, doc.Hint, doc.Problems = bad.Problems[0].Key, bad.Problems[0].Fix, bad.Problems
	}
	if r, ok := leyline.AsRefusal(err); ok {
		doc.Field, doc.Hint = r.Field, r.Hint
	}
	if p := (*problemError)(nil); errors.As(err, &p) {
		doc.Kind, doc.Field, doc.Hint = p.Kind, p.Field, p.Hint
	}
	var f *fieldError
	if errors.As(err, &f) {
		doc.Field, doc.Hint = f.Field, f.Hint
	}
	return doc
}

// exitOfAll is the code that all errors have. Where they differ it only says that it
// failed, unless one is that the directory is locked: while it is, what else was found
// may be the doing of whoever holds it, such as a port in use.
func exitOfAll(errs []error) int {
	code := exitFailed
	for i, err := range errs {
		switch d := describe(err); {
		case d.Kind == kindLocked:
			return d.Exit
		case i == 0:
			code = d.Exit
		case d.Exit != code:
			code = exitFailed
		}
	}
	return code
}

// failure is an error for machines.
type failure struct {
	Error string `json:"error"`
	Kind  string `json:"kind"`
	Field string `json:"field,omitempty"`
	Hint  string `json:"hint,omitempty"`
	// Problems are all mistakes in a configuration (ConfigProblem), of which Field and
	// Hint are of the first, or all that a preflight found (supervise.Problem).
	Problems any `json:"problems,omitempty"`
	Exit     int `json:"exit"`
}

// isUnknownCommand recognises what cobra says of a wrong command or argument.
func isUnknownCommand(err error) bool {
	s := err.Error()
	return strings.HasPrefix(s, "unknown command") || strings.Contains(s, "arg(s), received") ||
		strings.Contains(s, "accepts ") && strings.Contains(s, "arg")
}
