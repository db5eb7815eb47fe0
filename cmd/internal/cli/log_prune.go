package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/projections/boltstore"
)

type logPruneFlags struct {
	before, keep uint64
	to           string
}

func newLogPrune(a *app) *cobra.Command {
	var f logPruneFlags
	c := &cobra.Command{
		Use:   "prune DIR",
		Short: "Remove old records for good, and keep what proves them",
		Long: "Remove the oldest records of a log that no plane has open: whole segments all of whose\nrecords are before the given one. Their hashes stay, so that every proof of what is\nkept can still be made, and of what is removed for whoever has it.\n\n" +
			"`esper run` goes on from its stored projection, which must be of a record that is kept;\notherwise nothing is removed. `esper replay` and `esper audit` begin with record 1 and\nrefuse a pruned log: run them on a backup from before.",
		Example: "  esper log prune --keep-records 1000000 --to old/demo data/demo\n  esper log prune --before 50000 data/demo",
		Args:    cobra.ExactArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return a.logPrune(args[0], f) },
	}
	c.Flags().Uint64Var(&f.before, "before", 0, "first record that must stay")
	c.Flags().Uint64Var(&f.keep, "keep-records", 0, "how many of the newest records must stay")
	c.Flags().StringVar(&f.to, "to", "", "move the segments to this directory instead of deleting them")
	return c
}

func (a *app) logPrune(path string, f logPruneFlags) error {
	if (f.before == 0) == (f.keep == 0) {
		return usagef("give either --before, the first record that must stay, or --keep-records, how many of the newest must")
	}
	dir, err := logFolder(path)
	if err != nil {
		return err
	}
	if f.to != "" {
		if err := errors.Join(ownPlace("--to", f.to, dir), noFile("--to", f.to)); err != nil {
			return err
		}
	}
	if err := f.resolve(dir); err != nil {
		return err
	}
	check, err := projectionCheck(dir)
	if err != nil {
		return err
	}
	r, err := eventlog.Prune(dir, eventlog.PruneOptions{Before: f.before, To: f.to, Check: check})
	if err != nil {
		return err
	}
	if a.json {
		return a.document(struct {
			Path, To string
			eventlog.PruneReport
		}{dir, f.to, r})
	}
	if r.Segments == 0 {
		_, err = fmt.Fprintf(a.out, "nothing to remove: no whole segment lies before record %d; %s holds the records %d to %d\n", f.before, dir, r.First, r.Last)
		return err
	}
	verb := "removed"
	if f.to != "" {
		verb = "moved to " + f.to + ":"
	}
	_, err = fmt.Fprintf(a.out, "%s %d records, %d bytes in %d segments; %s holds the records %d to %d and the hashes of all\n", verb, r.Records, r.Bytes, r.Segments, dir, r.First, r.Last)
	return err
}

// resolve finds the first record that must stay.
func (f *logPruneFlags) resolve(dir string) error {
	r, err := eventlog.OpenReader(dir)
	if err != nil {
		return err
	}
	defer r.Close() // a reader; nothing is lost when closing it fails
	rep := r.Report()
	if f.keep > 0 {
		f.before = max(rep.LastSeq-min(f.keep-1, rep.LastSeq), rep.FirstSeq)
	}
	if f.before > rep.LastSeq {
		return usagef("--before %d; the last record is %d", f.before, rep.LastSeq)
	}
	return nil
}

// projectionCheck returns what refuses to remove records that a plane needs: it
// starts from its stored projection and the records after it. A log that is not
// in a data directory has no plane.
func projectionCheck(dir string) (func(first, last uint64) error, error) {
	home := filepath.Dir(dir)
	if _, err := os.Stat(filepath.Join(home, "keys")); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, err
	}
	stored, err := storedProjection(filepath.Join(home, "projections.db"), dir)
	if err != nil {
		return nil, err
	}
	return func(first, _ uint64) error {
		if first == 1 || stored >= first {
			return nil
		}
		what := "there is no stored projection that this program can use"
		if stored > 0 {
			what = fmt.Sprintf("the stored projection is of record %d", stored)
		}
		return fmt.Errorf("the records before %d are still needed: %s, and `esper run` begins from there; nothing was removed; end a run in order, which stores a newer one, or keep more records",
			first, what)
	}, nil
}

// errInUse says that a plane has the data directory open.
var errInUse = errors.New("the data directory is in use")

// storedProjection returns the record that the stored projection is of; 0 if there
// is none that a plane of this version would start from.
func storedProjection(file, dir string) (_ uint64, err error) {
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	s, err := boltstore.Open(file)
	if errors.Is(err, boltstore.ErrDamaged) {
		return 0, nil
	}
	if errors.Is(err, boltstore.ErrLocked) {
		return 0, fmt.Errorf("%w: %w", errInUse, err)
	}
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	a, schema, _, ok, err := s.Load()
	if !ok || schema != projections.Schema {
		return 0, nil // a damaged one is moved aside by the next run, and the log folded
	}
	if err != nil {
		return 0, fmt.Errorf("%w; the next `esper run` stores another one", err)
	}
	view, err := eventlog.OpenTree(dir)
	if err != nil {
		return 0, err
	}
	defer view.Close() // opened for reading only: nothing to lose
	if uint64(a.Seq) < view.First() {
		return uint64(a.Seq), nil
	}
	leaf, err := view.Leaf(uint64(a.Seq))
	if err != nil || leaf != a.Leaf {
		return 0, errors.Join(err, fmt.Errorf("the stored projection is not of record %d of this log", a.Seq))
	}
	return uint64(a.Seq), nil
}
