package eventlog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/esper-plane/esper/eventlog/internal/disk"
)

// repairedName is the directory in which Repair keeps what it changes, in one
// directory for each repair, named by its time, under the names that the files
// had in the log.
const repairedName = "repaired"

// RepairOptions says what Repair may do.
type RepairOptions struct {
	// By says who repairs, as user@host. It is required; it becomes part of the
	// log.
	By string
	// Note says why, in free text.
	Note string
	// At is the time of the repair, in nanoseconds since the Unix epoch. A time
	// before that of the last record is raised to it.
	At int64
	// From is the directory of a copy of the log, or of a backup. A segment is
	// taken from it only if it reproduces the seal of the damaged one. Empty
	// means that only the log itself is searched for copies.
	From string
	// AcceptLoss lets Repair give up acknowledged records at the very end of the
	// log, but none that a checkpoint covers which the log has signed.
	AcceptLoss bool
	// DryRun makes Repair say what it would do, and do nothing.
	DryRun bool
	// Progress is as that of VerifyOptions. It is called for the check before
	// the repair and again for the check after it.
	Progress func(done, total int64) error
	// Options is how the log is opened to write down the repair. Its AcceptLoss
	// and Checkpoints are not used.
	Options Options
}

// RepairAction is one thing that was done.
type RepairAction struct {
	What    string `json:"what"`           // one of the words below
	Segment string `json:"segment"`        // the file, relative to the directory of the log
	Offset  int64  `json:"offset"`         // from where on it was changed, in bytes
	Seq     uint64 `json:"seq"`            // record that is concerned; 0 if none
	Bytes   int64  `json:"bytes"`          // that were removed or overwritten
	Kept    string `json:"kept,omitempty"` // the file that has them now, relative to the directory of the log
	Reason  string `json:"reason"`         // what was wrong
}

// The words for what was done.
const (
	repairCut     = "cut"       // the end of the last segment, which held no acknowledged record
	repairLoss    = "give_up"   // the end of the last segment, with acknowledged records
	repairAside   = "set_aside" // a file that is not needed
	repairReplace = "replace"   // by a copy that is proven to be right
	repairRebuild = "rebuild"   // what can be computed from the segments
)

// RepairReport is what was done, or would be.
type RepairReport struct {
	Actions  []RepairAction
	Findings []Finding // of the check before the repair
	Record   uint64    // number of the record that tells of it; 0 if there is none
	Kept     string    // directory of what was changed, relative to that of the log; empty if nothing was
	DryRun   bool
}

// storedRepair is the payload of a repair record, format version 0.
type storedRepair struct {
	Version int            `json:"version"`
	Actions []RepairAction `json:"actions"`
	At      int64          `json:"at"`
	By      string         `json:"by"`
	Note    string         `json:"note"`
	Kept    string         `json:"kept"`
}

// RepairError says that a log cannot be repaired safely. Nothing was changed.
// It wraps a *DamageError for the first of the findings.
type RepairError struct {
	Findings []Finding // those that stand in the way
}

// Error names the first finding and what can be done about it.
func (e *RepairError) Error() string {
	f := e.Findings[0]
	more := ""
	if n := len(e.Findings) - 1; n > 0 {
		more = fmt.Sprintf(", and %d more", n)
	}
	return fmt.Sprintf("eventlog: not repaired, nothing was changed: %v%s; %s", f, more, f.Fix)
}

// Unwrap returns the first finding as a *DamageError.
func (e *RepairError) Unwrap() error { return e.Findings[0].damaged() }

// Repair mends a log that nobody has open, as far as that is provably safe:
//
//   - the rest of an unfinished write at the end is cut;
//   - seals and hashes are computed again if all segments are whole;
//   - a damaged watermark or clean-shutdown marker is set aside if the log is
//     whole without it;
//   - FORMAT is written again if everything else is whole;
//   - unfinished files are set aside;
//   - a damaged or missing segment is taken from its other copy, or from a copy
//     in From, that reproduces its seal to the bit;
//   - a damaged checkpoint is taken from the records of a log that was closed;
//   - with AcceptLoss, the log is cut before the first missing record at its end.
//
// If anything else is wrong it gives a *RepairError and changes nothing. All
// bytes that it removes or overwrites are durable under repaired/ before it
// does. It then checks the log again and appends a record of kind repair, whose
// payload is JSON: version, actions, at, by, note and kept. A log that needs
// nothing gets no record. What the next opening does away with by itself, as
// zeros at the end, needs nothing.
//
// If it is stopped anywhere, calling it again with the same options finishes the
// work; the record then tells of both.
func Repair(dir string, o RepairOptions) (*RepairReport, error) {
	if o.By == "" {
		return nil, fmt.Errorf("%w: a repair must say who repairs", ErrInvalid)
	}
	if err := checkRepairable(dir); err != nil {
		return nil, err
	}
	r := &repairer{dir: dir, o: o, fsys: o.Options.disk(), report: RepairReport{DryRun: o.DryRun}}
	if o.DryRun {
		return r.dryRun()
	}
	lock, err := acquire(dir)
	if err != nil {
		return nil, err
	}
	archiving, err := r.lockArchive()
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	defer archiving.Close() // a lock only: nothing to lose
	err = r.run(lock)
	if lockErr := r.unlock(lock); err == nil {
		err = lockErr
	}
	if err != nil {
		return nil, err
	}
	return &r.report, nil
}

// lockArchive keeps Archive and Prune out. Without an archive there is nothing
// to lock: the file is nil, and Archive, which makes it, leaves the writer's
// files alone until its own are whole.
func (r *repairer) lockArchive() (*os.File, error) {
	path := filepath.Join(r.dir, archiveName)
	if there, err := exists(path); !there || err != nil {
		return nil, err
	}
	return acquire(path)
}

// checkRepairable tells a log from what is none before anything is locked.
func checkRepairable(dir string) error {
	var d *DamageError
	if err := checkFormat(dir); err != nil && !errors.As(err, &d) {
		return err
	}
	if err := checkCommitted(dir); err != nil && !errors.As(err, &d) {
		return err
	}
	return nil
}

// repairer is one repair.
type repairer struct {
	dir    string
	o      RepairOptions
	fsys   disk.FS
	report RepairReport
	v      *verifier // before the repair
	steps  []step
	refuse []Finding
	before []unfinishedRepair
	locked bool // Open holds the lock meanwhile
}

// step is an action and how it is done.
type step struct {
	RepairAction
	keep func(*RepairAction) error // copies what is changed; nil: nothing is
	do   func() error
}

func (r *repairer) dryRun() (*RepairReport, error) {
	alive, err := writerAlive(r.dir)
	if err != nil {
		return nil, err
	}
	if alive {
		return nil, fmt.Errorf("%w: %s has a writer", ErrLocked, r.dir)
	}
	if err := r.plan(); err != nil {
		return nil, err
	}
	for _, s := range r.steps {
		r.report.Actions = append(r.report.Actions, s.RepairAction)
	}
	return &r.report, nil
}

func (r *repairer) run(lock *os.File) error {
	if err := r.plan(); err != nil {
		return err
	}
	if err := r.findUnfinished(); err != nil {
		return err
	}
	if len(r.steps) == 0 && len(r.before) == 0 {
		return nil
	}
	if err := r.keepAll(); err != nil {
		return fmt.Errorf("cannot keep what is to be changed: %w", err)
	}
	for _, s := range r.steps {
		if err := s.do(); err != nil {
			return fmt.Errorf("cannot %s %s: %w", s.What, s.Segment, err)
		}
	}
	v, err := verify(r.dir, VerifyOptions{Progress: r.o.Progress}, false)
	if err != nil {
		return err
	}
	if err := v.out.Err(); err != nil {
		return fmt.Errorf("the log is not whole after the repair; what was changed is in %s: %w", r.report.Kept, err)
	}
	return r.writeDown(lock, v)
}

// plan checks the log and decides what to do. It changes nothing.
func (r *repairer) plan() error {
	var err error
	if r.v, err = verify(r.dir, VerifyOptions{Progress: r.o.Progress}, false); err != nil {
		return err
	}
	r.report.Findings = r.v.out.Findings
	for _, f := range r.v.out.Findings {
		if err := r.planFor(f); err != nil {
			return err
		}
	}
	if len(r.refuse) > 0 {
		return &RepairError{Findings: r.refuse}
	}
	// Segments first, then what is computed from them; FORMAT and the rest after.
	slices.SortStableFunc(r.steps, func(a, b step) int { return a.rank() - b.rank() })
	return nil
}

func (s *step) rank() int {
	switch {
	case s.What == repairReplace && filepath.Dir(s.Segment) != ".":
		return 0
	case s.What == repairAside && filepath.Dir(s.Segment) != ".":
		return 1
	case s.What == repairRebuild:
		return 2
	}
	return 3
}

// stored is the repair record.
func (r *repairer) stored() storedRepair {
	return storedRepair{Actions: r.report.Actions, At: r.o.At, By: r.o.By, Note: r.o.Note, Kept: r.report.Kept}
}
