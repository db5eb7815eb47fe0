package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/tree"
)

type logVerifyFlags struct{ checkpoint, key string }

func newLogVerify(a *app) *cobra.Command {
	var f logVerifyFlags
	c := &cobra.Command{
		Use:   "verify DIR",
		Short: "Check every byte of a log and everything that was signed about it",
		Long: "Check every frame of every segment, compressed or not, the seals, all hashes, the\nmarkers, the origins, and every signed checkpoint. Reads only; beside a live plane it\n" +
			"checks up to the last durable record.\n\n" +
			"What it compares with lies in the same directory. Whoever can rewrite all of it can\nmake it consistent again, unless you give a checkpoint that you have kept elsewhere\n(--checkpoint) and the key that you were given (--key).\n\n" +
			"Exit code 0: whole; notes are about what the next opening does away with. 4: damage,\nor acknowledged records are missing at the end.",
		Example: "  esper log verify data/demo\n  esper log verify --checkpoint kept/demo.checkpoint --key kept/demo.key data/demo",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.logVerify(cmd.Context(), args[0], f) },
	}
	c.Flags().StringVar(&f.checkpoint, "checkpoint", "", "file with a signed checkpoint that was kept elsewhere")
	c.Flags().StringVar(&f.key, "key", "", "verifier key of the log, from elsewhere, or a file with it")
	return c
}

// finding is a finding for machines.
type finding struct {
	Severity string `json:"severity"`
	Segment  string `json:"segment"`
	Offset   int64  `json:"offset"`
	Seq      uint64 `json:"seq,omitempty"`
	Reason   string `json:"reason"`
	Fix      string `json:"fix"`
}

func findings(list []eventlog.Finding) []finding {
	out := []finding{}
	for _, f := range list {
		f = placed(f)
		out = append(out, finding{string(f.Severity), f.Segment, f.Offset, f.Seq, f.Reason, f.Fix})
	}
	return out
}

// verified is a verification for machines.
type verified struct {
	Path        string    `json:"path"`
	Whole       bool      `json:"whole"`
	Clean       bool      `json:"clean"`
	Live        bool      `json:"live"`
	First       uint64    `json:"first"`
	Last        uint64    `json:"last"`
	Records     uint64    `json:"records"`
	Segments    int       `json:"segments"`
	Archived    int       `json:"archived"`
	Bytes       int64     `json:"bytes"`
	Checkpoints int       `json:"checkpoints"`
	Root        tree.Hash `json:"root"`
	Findings    []finding `json:"findings"`
	// Agrees says what of that which was given the log agrees with.
	Agrees []string `json:"agrees,omitempty"`
}

// verification is what was found, and what was given to compare it with.
type verification struct {
	*eventlog.Verification
	given []string // how it agrees with that, if it does
}

func (a *app) logVerify(ctx context.Context, path string, f logVerifyFlags) error {
	dir, err := logOrBackup(path)
	if err != nil {
		return err
	}
	if isBackup(dir) {
		return a.verifyBackup(dir, f)
	}
	o := eventlog.VerifyOptions{Progress: a.percent(ctx, "checked")}
	given, err := f.read(&o)
	if err != nil {
		return err
	}
	began := time.Now()
	v, err := eventlog.Verify(dir, o)
	a.clearLine()
	if errors.Is(err, eventlog.ErrInvalid) {
		return usagef("--checkpoint or --key cannot be used: %w", err)
	}
	if err != nil {
		return err
	}
	return a.reportVerified(dir, verification{v, given}, time.Since(began))
}

// reportVerified prints what was found, and ends in the first damage.
func (a *app) reportVerified(dir string, v verification, took time.Duration) error {
	if v.about(given) {
		v.given = nil
	}
	if err := a.printVerified(dir, v, took); err != nil {
		return err
	}
	return v.failure()
}

// failure returns the first damage: of the log itself, if there is any.
func (v *verification) failure() error {
	var rest error
	for _, f := range v.Findings {
		switch {
		case f.Severity == eventlog.SeverityNote:
		case !given(f):
			return fmt.Errorf("%w: %w", errReported, v.Err())
		case elsewhere(f):
			rest = cmp.Or(rest, fmt.Errorf("%w: %s", errNotAsGiven, f.Reason))
		default:
			rest = cmp.Or(rest, fmt.Errorf("%w: %s", errReported, f.Reason))
		}
	}
	return rest
}

// read reads what the log is to be compared with, and says what it means when the
// two agree.
func (f *logVerifyFlags) read(o *eventlog.VerifyOptions) (agree []string, err error) {
	if f.checkpoint != "" {
		note, c, err := readNote("--checkpoint", f.checkpoint)
		if err != nil {
			return nil, err
		}
		o.Checkpoint = note
		agree = append(agree, fmt.Sprintf("continues the checkpoint of %d records that you gave", c.Size))
	}
	if f.key != "" {
		if o.Key, err = readVerifierKey(f.key); err != nil {
			return nil, err
		}
		agree = append(agree, "names the key that you gave")
	}
	return agree, nil
}

// givenAs is where package eventlog says that something is wrong with what was
// given to compare a log with.
const givenAs = "segments"

// given selects findings about what was given.
func given(f eventlog.Finding) bool { return f.Segment == givenAs }

// elsewhere selects findings which say that what was given is of another log, and
// nothing about this one.
func elsewhere(f eventlog.Finding) bool { return given(f) && f.Seq == 0 }

// placed makes a finding about what was given say so.
func placed(f eventlog.Finding) eventlog.Finding {
	if elsewhere(f) {
		f.Fix = "use the key and a checkpoint of this log; if you were given these for it, the log was replaced"
	}
	if given(f) {
		f.Segment = "--checkpoint and --key"
	}
	return f
}

// about reports whether there is a finding of a kind.
func (v *verification) about(kind func(eventlog.Finding) bool) bool {
	return slices.ContainsFunc(v.Findings, kind)
}

// result says in words what was found.
func (v *verification) result() string {
	switch {
	case v.Whole():
		return "whole"
	case v.about(func(f eventlog.Finding) bool { return f.Severity != eventlog.SeverityNote && !elsewhere(f) }):
		return "DAMAGED"
	}
	return "NOT AS GIVEN: the key or the checkpoint that you gave is of another log"
}

// verifyBackup checks a backup, which ends in the first damage.
func (a *app) verifyBackup(dir string, f logVerifyFlags) error {
	if f != (logVerifyFlags{}) {
		return usagef("%s is a backup; --checkpoint and --key are for a log: restore it, then verify that", dir)
	}
	m, err := eventlog.CheckBackup(dir)
	if errors.Is(err, eventlog.ErrNotFound) {
		return fmt.Errorf("the backup %s was never finished: start the same `esper log backup` again", dir)
	}
	if err != nil {
		return ofBackup(dir, newBackup, err)
	}
	if a.json {
		return a.document(struct {
			Path, Backup string
			Whole        bool
			First, Last  uint64
			Root         tree.Hash
		}{dir, m.Origin, true, m.First, m.Last, m.Root})
	}
	_, err = fmt.Fprintf(a.out, "%s is a whole backup of %s: records %d to %d, root %s\n", dir, m.Origin, m.First, m.Last, tree.Hash(m.Root))
	return err
}

func (a *app) printVerified(dir string, v verification, took time.Duration) error {
	if a.json {
		return a.document(verified{dir, v.Whole(), v.Clean, v.Live, v.First, v.Last, v.Records, v.Segments, v.Archived, v.Bytes, v.Checkpoints, v.Root, findings(v.Findings), v.given})
	}
	w := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(w, "log\t%s, %s\n", dir, state(v.Verification))
	fmt.Fprintf(w, "records\t%d (%d to %d) in %d segments, %d of them compressed\n", v.Records, v.First, v.Last, v.Segments, v.Archived)
	fmt.Fprintf(w, "checked\t%.1f MB in %.2f s\n", float64(v.Bytes)/1e6, took.Seconds())
	fmt.Fprintf(w, "signed\t%d signatures are right, of checkpoints among the records and beside them\n", v.Checkpoints)
	for _, s := range v.given {
		fmt.Fprintf(w, "agrees\t%s\n", s)
	}
	if v.Root != (tree.Hash{}) {
		fmt.Fprintf(w, "root\t%s\n", v.Root)
	}
	fmt.Fprintf(w, "result\t%s\n", v.result())
	if err := w.Flush(); err != nil {
		return err
	}
	return a.printFindings(v.Findings)
}

// state says how a log was found.
func state(v *eventlog.Verification) string {
	switch {
	case v.Live:
		return "being written; read up to the last durable record"
	case v.Clean:
		return "closed"
	}
	return "not closed by its last writer"
}

func (a *app) printFindings(list []eventlog.Finding) error {
	for _, f := range list {
		f = placed(f)
		if _, err := fmt.Fprintf(a.out, "%s\n", printable(f.String())); err != nil {
			return err
		}
		if f.Fix == "" {
			continue
		}
		if _, err := fmt.Fprintf(a.out, "        %s\n", f.Fix); err != nil {
			return err
		}
	}
	return nil
}

// percent shows progress on a terminal, and ends when the context does.
func (a *app) percent(ctx context.Context, word string) func(done, total int64) error {
	var last time.Time
	return func(done, total int64) error {
		if a.terminal() && total > 0 && time.Since(last) > redraw {
			last = time.Now()
			fmt.Fprintf(a.err, "\r\x1b[K%s %d%%", word, 100*done/total)
		}
		return ctx.Err()
	}
}

// clearLine removes what percent has drawn.
func (a *app) clearLine() {
	if a.terminal() {
		fmt.Fprint(a.err, "\r\x1b[K")
	}
}
