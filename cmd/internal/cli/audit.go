package cli

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

type auditFlags struct {
	run, verdict, reason, issuer, seed, since string
	after                                     leyline.Instant
}

func newAudit(a *app) *cobra.Command {
	var f auditFlags
	c := &cobra.Command{
		Use:   "audit DIR",
		Short: "List every command with its verdict and what the trainer answered",
		Long: "List every command that was received: verdict, reason, issuer, key, times, and\nwhat the trainer answered. The whole log is read and its checksums are checked\n" +
			"first. Reads only, also beside a live plane.",
		Example: "  esper audit data/demo\n  esper audit --verdict rejected --since 2026-11-01T00:00:00Z --json data/demo",
		Args:    cobra.ExactArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return a.audit(args[0], f) },
	}
	c.Flags().StringVar(&f.run, "run", "", "only this run")
	c.Flags().StringVar(&f.verdict, "verdict", "", "only accepted or rejected")
	c.Flags().StringVar(&f.reason, "reason", "", "only this reason, for example nonce_replayed")
	c.Flags().StringVar(&f.issuer, "issuer", "", "only this issuer")
	c.Flags().StringVar(&f.seed, "seed", "", "only this seed")
	c.Flags().StringVar(&f.since, "since", "", "only received at or after this time, as RFC 3339 or as a duration back from now")
	c.AddCommand(newAuditRecompute(a))
	return c
}

// check validates the filters; a filter that can match nothing is a mistake.
func (f *auditFlags) check() error {
	if f.verdict != "" && f.verdict != projections.VerdictAccepted && f.verdict != projections.VerdictRejected {
		return usagef("--verdict %q; want accepted or rejected", f.verdict)
	}
	if f.reason != "" {
		var r leyline.RejectReason
		if err := r.UnmarshalText([]byte(f.reason)); err != nil {
			return usagef("--reason %w", err)
		}
	}
	var err error
	f.after, err = sinceFlag(f.since, time.Now())
	return err
}

// sinceFlag reads --since: a time, or a duration back from now; empty: the beginning.
func sinceFlag(since string, now time.Time) (leyline.Instant, error) {
	if since == "" {
		return 0, nil
	}
	if d, err := time.ParseDuration(since); err == nil {
		return leyline.Instant(now.Add(-d).UnixNano()), nil
	}
	t, err := time.Parse(time.RFC3339, since)
	if err != nil {
		return 0, usagef("--since %q; want a time like 2026-11-01T00:00:00Z or a duration like 24h", since)
	}
	return leyline.Instant(t.UnixNano()), nil
}

func (f *auditFlags) match(r projections.AuditRow) bool {
	return (f.run == "" || f.run == string(r.Run)) && (f.verdict == "" || f.verdict == r.Verdict) &&
		(f.reason == "" || f.reason == r.Reason) && (f.issuer == "" || f.issuer == r.Issuer) &&
		(f.seed == "" || f.seed == string(r.Seed)) && r.At >= f.after
}

func (a *app) audit(path string, f auditFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	rows, n, err := auditRows(path)
	if err != nil {
		return err
	}
	var shown []projections.AuditRow
	for _, r := range rows {
		if f.match(r) {
			shown = append(shown, r)
		}
	}
	if a.json {
		for _, r := range shown {
			if err := a.line(r); err != nil {
				return err
			}
		}
		return nil
	}
	return a.printAudit(shown, commandsIn(rows), n)
}

// auditRows reads the whole log.
func auditRows(path string) ([]projections.AuditRow, uint64, error) {
	d, err := datadir.OpenReadOnly(path)
	if err != nil {
		return nil, 0, err
	}
	defer d.Close() // a reader; nothing is lost when closing it fails
	if err := complete(d.Report()); err != nil {
		return nil, 0, err
	}
	var fold projections.AuditFold
	var n uint64
	for r, err := range decoded(d.Source(), 1) {
		if err != nil {
			return nil, n, err
		}
		fold.Apply(r)
		n++
	}
	return fold.Rows(), n, nil
}

// commandsIn counts commands, those included that a door has only counted.
func commandsIn(rows []projections.AuditRow) (n uint64) {
	for i := range rows {
		n += rows[i].Count
	}
	return n
}

func (a *app) printAudit(rows []projections.AuditRow, all, records uint64) error {
	w := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
	fmt.Fprint(w, "record\treceived\tcommand\toperation\tseed\tissuer\tkey\tverdict\treason\tanswer\ttook\n")
	for _, r := range rows {
		took := ""
		if r.AnswerTookNs > 0 {
			took = fmt.Sprintf("%.2f ms", ms(r.AnswerTookNs))
		}
		command := printable(string(r.Command))
		if r.Count != 1 || r.Key == "" && r.Command == "" {
			command = fmt.Sprintf("(%d counted)", r.Count)
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Seq, r.At, command, doing(r.Kind, r.Operation), printable(string(r.Seed)),
			printable(r.Issuer), printable(short(string(r.Key))), r.Verdict, r.Reason, r.Answer, took)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(a.out, "%d of %d commands, from %d records that read without damage\n", commandsIn(rows), all, records)
	return err
}

// doing names what a command does: the operation on a seed, or else its kind.
func doing(kind leyline.CommandKind, op leyline.SeedOperation) string {
	if kind == leyline.CommandSeed || kind == leyline.CommandUnknown {
		return op.String()
	}
	return kind.String()
}

func short(key string) string { return key[:min(len(key), 12)] }

// printable keeps text that a stranger may have written from moving the cursor
// of a terminal.
func printable(s string) string {
	out := []rune(s)
	for i, r := range out {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			out[i] = '?'
		}
	}
	return string(out)
}
