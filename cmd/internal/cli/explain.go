package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay"
	"github.com/esper-plane/esper/subsystems/telemetry"
)

const explainHelp = "With --explain one record is told on one screen: what came in, what was known,\nevery check that was made, what led to it and what it set in motion, and\n" +
	"whether this program decides the same. rollback is the newest record that\nstarts one, last-critical the newest with a CRITICAL event."

// The records that --explain knows by name.
const (
	explainRollback = "rollback"
	explainCritical = "last-critical"
)

// checkExplain refuses what would be ignored.
func (f *replayFlags) checkExplain(mode replay.Mode) error {
	switch {
	case mode != replay.Redecide || f.given():
		return usagef("--explain tells what was decided; leave out --mode, --config and --set")
	case f.from != 0 || f.to != 0:
		return usagef("--explain reads the records that it needs; leave out --from and --to")
	}
	if _, err := strconv.ParseUint(f.explain, 10, 64); err != nil && f.explain != explainRollback && f.explain != explainCritical {
		return usagef("--explain %q; want the number of a record, %s or %s", f.explain, explainRollback, explainCritical)
	}
	return nil
}

// explain says why one record was decided as it was.
func (a *app) explain(ctx context.Context, path, which string, o opened) error {
	seq, err := chosen(ctx, o.source, which)
	if err != nil {
		return err
	}
	t, err := replay.TraceRecord(ctx, o.source, o.start, seq)
	var none *replay.NoRecordError
	switch {
	case errors.As(err, &none):
		return usagef("--explain: %w", err)
	case err != nil:
		return err
	}
	if err := a.printTrace(path, o.note, t); err != nil {
		return err
	}
	if t.Again.Divergence != nil {
		return fmt.Errorf("%w at record %d", errDiverged, t.Seq)
	}
	return nil
}

func (a *app) printTrace(path, note string, t replay.Trace) error {
	if a.json {
		return a.document(struct {
			Path string
			Note string `json:",omitempty"`
			replay.Trace
		}{path, note, t})
	}
	if note != "" {
		a.notice("%s", note)
	}
	_, err := fmt.Fprint(a.out, t.String())
	return err
}

// chosen finds the record that is meant.
func chosen(ctx context.Context, src replay.Source, which string) (leyline.Seq, error) {
	switch which {
	case explainRollback:
		return newest(ctx, src, startsRollback, replay.ErrNoRollback)
	case explainCritical:
		return newest(ctx, src, critical, errors.New("no event is CRITICAL"))
	}
	n, err := strconv.ParseUint(which, 10, 64)
	return leyline.Seq(n), err
}

// newest finds the last record that fits; none is what to say without one.
func newest(ctx context.Context, src replay.Source, fits func(leyline.Record) bool, none error) (leyline.Seq, error) {
	var found leyline.Seq
	n := 0
	for r, err := range decoded(src, 1) {
		if err != nil {
			return 0, err
		}
		if err := ctx.Err(); err != nil {
			return 0, fmt.Errorf("stopped before record %d: %w", r.Seq, err)
		}
		n++
		if fits(r) {
			found = r.Seq
		}
	}
	if found == 0 {
		return 0, fmt.Errorf("nothing to explain: %w in %d records", none, n)
	}
	return found, nil
}

func startsRollback(r leyline.Record) bool {
	for _, e := range r.Events {
		if e.EventKind() == leyline.EventRollbackStarted {
			return true
		}
	}
	return false
}

func critical(r leyline.Record) bool {
	for _, p := range telemetry.Packets(r) {
		if p.Level == leyline.LevelCritical {
			return true
		}
	}
	return false
}
