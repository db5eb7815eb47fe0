package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/replay"
	"github.com/esper-plane/esper/subsystems/tolaria/aggregate/solve"
)

type replayFlags struct {
	settings
	mode     string
	from, to uint64
	explain  string
	sla      bool
}

func newReplay(a *app) *cobra.Command {
	var f replayFlags
	c := &cobra.Command{
		Use:   "replay DIR|FILE",
		Short: "Run a log or an incident bundle again and compare",
		Long: "Run a log or an incident bundle again. Reads only, also beside a live plane.\n\n" +
			"  fold      apply the recorded events, digest every projection\n" +
			"  redecide  decide every recorded input again and compare bit for bit (default)\n" +
			"  whatif    keep history as it was and count what would have been decided otherwise\n\n" +
			"With --config or --set the recorded configuration with these changes decides\ninstead; the first difference is then where history would have parted.\n\n" +
			"With --sla the records alone tell how every rollback went: tier, phases, and what was spent\non detecting, deciding, restoring and the first good step, against 500 ms and 12 s.\nA level that was missed exits with 3.\n\n" +
			explainHelp,
		Example: "  esper replay data/demo\n  esper replay --set tamiyo.train_steps=40 data/demo\n  esper replay --explain 142 data/demo\n" +
			"  esper replay --explain rollback incident.esper",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.replay(cmd.Context(), args[0], f) },
	}
	c.Flags().StringVar(&f.mode, "mode", "redecide", "fold, redecide or whatif")
	c.Flags().Uint64Var(&f.from, "from", 0, "first record to check; earlier ones are folded")
	c.Flags().Uint64Var(&f.to, "to", 0, "last record to read")
	c.Flags().StringVar(&f.explain, "explain", "", "say why one record was decided as it was: its number, rollback or last-critical")
	c.Flags().BoolVar(&f.sla, "sla", false, "tell how long every rollback took and whether it was within its service level")
	f.flags(c.Flags())
	c.AddCommand(newBundle(a))
	return c
}

// opened is what a replay reads: a directory or a bundle.
type opened struct {
	source replay.Source
	start  *projections.State
	config leyline.ExecutionConfig // in force at the start of a bundle
	note   string
	close  func() error
}

func openSource(path string) (opened, error) {
	info, err := os.Stat(path)
	if err != nil {
		return opened{}, usagef("cannot replay: %w", err)
	}
	if !info.IsDir() {
		return openBundle(path)
	}
	d, err := datadir.OpenReadOnly(path)
	if err != nil {
		return opened{}, err
	}
	o := opened{source: d.Source(), close: d.Close, config: leyline.DefaultConfig()}
	r := d.Report()
	if err := complete(r); err != nil {
		return opened{}, errors.Join(err, d.Close())
	}
	switch {
	case r.Live:
		o.note = fmt.Sprintf("the log is being written; read up to record %d, the last durable one", r.LastSeq)
	case r.TornBytes > 0:
		o.note = fmt.Sprintf("the log was not closed cleanly: %d bytes after record %d in %s at offset %d are not a record (%s); the next `esper run` cuts them off",
			r.TornBytes, r.LastSeq, r.TornSegment, r.TornOffset, r.Reason)
	case !r.Clean:
		o.note = fmt.Sprintf("the log was not closed cleanly; all %d records are intact", r.LastSeq)
	}
	return o, nil
}

// complete refuses a log whose end is known to be missing: what is left reads
// without damage, and would be vouched for.
func complete(r eventlog.Report) error {
	if r.Lost == 0 {
		return nil
	}
	return &eventlog.DamageError{Segment: r.TornSegment, Offset: r.TornOffset, Seq: r.LastSeq + 1, Reason: r.Reason}
}

func openBundle(path string) (opened, error) {
	f, err := os.Open(path)
	if err != nil {
		return opened{}, err
	}
	b, err := replay.OpenBundle(f)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return opened{}, fmt.Errorf("%w: %s: %w", errBundle, path, err)
	}
	s := b.Start()
	o := opened{source: b.Source(), start: s, close: func() error { return nil }, config: leyline.DefaultConfig()}
	if s.Plane.Configured {
		o.config = s.Plane.Config
	}
	return o, nil
}

func (a *app) replay(ctx context.Context, path string, f replayFlags) error {
	mode, err := f.check()
	if err != nil {
		return err
	}
	o, err := openSource(path)
	if err != nil {
		return err
	}
	defer o.close() // a reader; nothing is lost when closing it fails
	if f.explain != "" {
		return a.explain(ctx, path, f.explain, o)
	}
	if f.sla {
		return a.sla(ctx, path, f, o)
	}
	opts := replay.Options{Mode: mode, From: leyline.Seq(f.from), To: leyline.Seq(f.to), Start: o.start, Solver: solve.For}
	if f.given() {
		if opts.Config, err = f.other(o); err != nil {
			return err
		}
	}
	rep, err := replay.Run(ctx, o.source, opts)
	if err != nil {
		return err
	}
	if err := a.printReplay(path, o.note, rep); err != nil {
		return err
	}
	if rep.Divergence != nil && mode == replay.Redecide {
		return fmt.Errorf("%w at record %d", errDiverged, rep.Divergence.Seq)
	}
	return nil
}

// check finds contradictions between the flags.
func (f *replayFlags) check() (replay.Mode, error) {
	mode, err := replay.ParseMode(f.mode)
	switch {
	case err != nil:
		return mode, usageError{err}
	case f.to != 0 && f.from > f.to:
		return mode, usagef("--from %d is after --to %d", f.from, f.to)
	case f.sla:
		return mode, f.checkSLA()
	case f.explain != "":
		return mode, f.checkExplain(mode)
	case f.given() && mode == replay.Fold:
		return mode, usagef("--config and --set change nothing in --mode fold, which decides nothing; use redecide or whatif")
	}
	return mode, nil
}

// other is the configuration that decides instead of the recorded one: the
// recorded one with some settings changed, by a file or by flags. The
// environment of today says nothing about history and is not asked.
func (f *replayFlags) other(o opened) (*leyline.ExecutionConfig, error) {
	base, err := recorded(o)
	if err != nil {
		return nil, err
	}
	c, err := f.load(base, nil)
	return &c, err
}

func (a *app) printReplay(path, note string, r replay.Report) error {
	if a.json {
		return a.document(struct {
			Path string
			Note string `json:",omitempty"`
			replay.Report
		}{path, note, r})
	}
	if note != "" {
		a.notice("%s", note)
	}
	w := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(w, "records\t%d (%d to %d), %d decided again, %d folded only\n", r.Records, r.First, r.Last, r.Redecided, r.Records-r.Redecided)
	for _, d := range r.Digests {
		fmt.Fprintf(w, "  %s\t%s\n", d.Name, d.Digest)
	}
	fmt.Fprintf(w, "speed\t%.0f records/s, %.1f MB/s\n", r.PerSecond, float64(r.Bytes)/1e6/max(r.Elapsed.Seconds(), 1e-9))
	switch {
	case r.Mode == replay.Fold:
		fmt.Fprintf(w, "result\tfolded; nothing was decided again\n")
	case r.Redecided == 0:
		fmt.Fprintf(w, "result\tnothing was decided again\n")
	case r.Identical && r.FoldedOnly > 0:
		fmt.Fprintf(w, "result\tidentical as far as it was decided again; %d records were decided by other rules and only folded\n", r.FoldedOnly)
	case r.Identical:
		fmt.Fprintf(w, "result\tidentical: every decision was reproduced bit for bit\n")
	case r.Mode == replay.WhatIf:
		fmt.Fprintf(w, "result\t%d of %d records would have been decided otherwise\n", r.Differences, r.Redecided)
	default:
		fmt.Fprintf(w, "result\tDIVERGED\n")
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for i := range r.Described {
		if _, err := fmt.Fprintf(a.out, "\n%s\n", r.Described[i].String()); err != nil {
			return err
		}
	}
	return nil
}
