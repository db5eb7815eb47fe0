package eventlog

import (
	"errors"
	"fmt"

	"github.com/esper-plane/esper/eventlog/tree"
)

// Severity says how bad a finding is.
//
// enum: local because it is about files of a log, which only this package knows.
type Severity string

// The severities.
const (
	// SeverityDamage is that of stored bytes which are not what was written.
	SeverityDamage Severity = "damage"
	// SeverityLoss is that of acknowledged records which are missing or damaged
	// at the very end of a log, so that giving them up leaves the others.
	SeverityLoss Severity = "loss"
	// SeverityNote is that of remains which the next opening deals with. No
	// record is concerned.
	SeverityNote Severity = "note"
)

// Finding is one thing that Verify has found.
type Finding struct {
	Severity Severity
	Segment  string // file name, relative to the directory of the log
	Offset   int64  // in that file, in bytes, not compressed; where the first wrong byte may be
	Seq      uint64 // record that was expected there; 0 if no record is concerned
	Reason   string // what is wrong
	Fix      string // what repairs it, in words; empty if nothing has to be done

	cure  cure
	first uint64 // first record of the segment that cure is about
}

// cure says what Repair can do about a finding.
//
// enum: local because it is how Verify tells Repair what it has found.
type cure int

const (
	cureNone    cure = iota // nothing can be done here
	cureNoNeed              // nothing has to be done
	cureFormat              // write FORMAT again
	cureMark                // set the watermark aside
	cureClean               // set the clean marker aside
	cureSegment             // take the segment from a copy
	cureSpare               // set the second copy of a segment aside
	cureTail                // cut what is no record
	cureLoss                // give up the end of the log
	cureDerived             // compute seals and hashes again
	cureTemp                // set an unfinished file aside
	cureNote                // take the checkpoint from the records
)

const (
	fixRepair = "`esper log repair` mends it"
	fixCopy   = "`esper log repair` mends it if another copy of the segment is here or in the directory that --from names; otherwise restore the log from a backup"
	fixLoss   = "restore the log from a backup; without one `esper log repair --accept-loss` gives these records up, unless a signed checkpoint covers them"
	fixOpen   = "the next opening for writing does away with it"
	fixBackup = "restore the log from a backup"
	fixOrigin = "restore a complete copy of the log; without one restore what is left under a new origin (`esper log restore`)"
)

// damaged makes a finding an error.
func (f *Finding) damaged() *DamageError {
	return &DamageError{Segment: f.Segment, Offset: f.Offset, Seq: f.Seq, Reason: f.Reason}
}

// String says where and what, in one line.
func (f Finding) String() string {
	place := f.Segment
	if f.Offset != 0 {
		place += fmt.Sprintf(" at offset %d", f.Offset)
	}
	if f.Seq != 0 {
		place += fmt.Sprintf(", record %d", f.Seq)
	}
	return fmt.Sprintf("%s: %s: %s", f.Severity, place, f.Reason)
}

// VerifyOptions says against what a log is verified. The zero value verifies it
// against itself.
type VerifyOptions struct {
	// Checkpoint is a signed checkpoint of the log that was kept elsewhere. The
	// log must continue it.
	Checkpoint []byte
	// Key is the verifier key of the log, one line, from elsewhere. It takes the
	// place of the key that the origin of that name states, which must be the
	// same.
	Key string
	// Progress hears how many of the bytes have been read. If it returns an
	// error, the check ends with that error.
	Progress func(done, total int64) error
}

// Verification is what Verify has found.
type Verification struct {
	Records     uint64 // that were read and are valid
	Segments    int    // that were read, compressed or not
	Archived    int    // of these, that are compressed
	Bytes       int64  // of segments that were read, as they lie on the disk
	Checkpoints int    // signed ones whose signature and root are right
	First, Last uint64 // first record that is there, last valid one
	// Root is that of the tree of the records 1 to Last. It is the zero hash if
	// damage keeps it from being known.
	Root     tree.Hash
	Clean    bool // there is a clean-shutdown marker
	Live     bool // a writer has the log open: it was read up to the watermark
	Findings []Finding
}

// Whole reports whether there is neither damage nor loss.
func (v *Verification) Whole() bool { return v.Err() == nil }

// Err returns the first damage or loss as a *DamageError, nil if there is none.
func (v *Verification) Err() error {
	for _, f := range v.Findings {
		if f.Severity != SeverityNote {
			return f.damaged()
		}
	}
	return nil
}

// Verify checks a whole log and changes nothing. It takes no lock; a log that a
// writer has open is checked up to the last durable record. It reads
//
//   - every frame of every segment: length, checksum, number, time, kind; and
//     that each segment continues the one before it;
//   - compressed segments as well, also where the other copy is still there;
//   - every seal, every stored hash, also those of pruned records, the
//     clean-shutdown marker, the watermark, and FORMAT;
//   - every checkpoint, in the file and among the records: its signature by the
//     key that the log named at that point, its size, and its root;
//   - every origin: that it names the log, the size and the root that it
//     continues.
//
// It goes on after damage wherever something is left to hold on to, and reports
// the first damage of each segment. It keeps a few MiB in memory beside about
// 2 KiB for each segment.
//
// What is wrong with the log is in Verification.Findings. The error is about
// something else: ErrNotFound, ErrVersion, ErrInvalid for an unusable key or
// checkpoint in o, ErrLocked if writers come and go all the time, or one of the
// file system.
func Verify(dir string, o VerifyOptions) (*Verification, error) {
	return verifyTwice(dir, o)
}

// verifyTwice reads again if a writer came or went meanwhile.
func verifyTwice(dir string, o VerifyOptions) (*Verification, error) {
	const attempts = 4
	for range attempts {
		before, err := writerAlive(dir)
		if err != nil {
			return nil, err
		}
		v, err := verify(dir, o, before)
		if err != nil {
			return nil, err
		}
		after, err := writerAlive(dir)
		if err != nil {
			return nil, err
		}
		if before == after {
			return v.out, nil
		}
	}
	return nil, fmt.Errorf("%w: writers of %s come and go too fast", ErrLocked, dir)
}

// verify reads the log once and keeps what Repair needs. live says that a
// writer has the log open.
func verify(dir string, o VerifyOptions, live bool) (*verifier, error) {
	v := &verifier{dir: dir, o: o, live: live, out: &Verification{Live: live}}
	return v, v.run()
}

// verifier is one pass over a log.
type verifier struct {
	dir  string
	o    VerifyOptions
	out  *Verification
	live bool
	// limit is the last record that may be read; 0: no limit.
	limit   uint64
	reading uint64 // first record of the segment that is being read

	clean  *cleanMark
	mark   watermark
	pruned *prunedMark
	list   []storedSegment
	seals  map[uint64]seal // by their first record
	sealed uint64          // last record of the last seal
	hashes hashFile
	notes  signedNotes

	fr     frameReader
	tail   segmentScan // of the last segment, if it was read
	ends   bool        // the last segment is there
	seq    uint64      // last valid record, or the last one of a segment that is skipped
	at     int64
	leaf   [32]byte
	tree   tree.Frontier
	known  bool // tree is that of the records 1 to seq
	recent recentRoots
	// start is tree as it was before the segment that is being read.
	start      tree.Frontier
	startKnown bool
	stored     []tree.Hash // scratch
	total      int64       // bytes to read, for Progress
	done       int64
	told       int64 // done when Progress was called last

	unsealed []uint64 // segments that should have a seal and have none
	repairs  []string // where repair records say that they kept things
}

func (v *verifier) add(f Finding) { v.out.Findings = append(v.out.Findings, f) }

// damage adds what was found by a function that gives errors. It returns errors
// of another kind.
func (v *verifier) damage(err error, c cure, fix string) error {
	var d *DamageError
	if !errors.As(err, &d) {
		return err
	}
	v.add(Finding{Severity: SeverityDamage, Segment: d.Segment, Offset: d.Offset, Seq: d.Seq, Reason: d.Reason, Fix: fix, cure: c})
	return nil
}

func (v *verifier) run() error {
	if err := v.readNotes(); err != nil { // before the watermark, which is then not behind them
		return err
	}
	if err := v.checkPresence(); err != nil {
		return err
	}
	for _, step := range []func() error{
		v.readMarkers, v.readSealFile, v.listAll, v.openHashes, v.checkPruned, v.walk, v.checkEnd, v.checkHashesEnd, v.judgeNotes, v.listOthers,
	} {
		if err := step(); err != nil {
			return errors.Join(err, v.hashes.close())
		}
	}
	v.out.Clean = v.clean != nil && !v.live
	v.out.First, v.out.Last = v.pruned.begin(), v.seq
	if v.known {
		v.out.Root = v.tree.Root()
	}
	return v.hashes.close()
}

// checkPresence tells a log from what is none.
func (v *verifier) checkPresence() error {
	if err := checkFormat(v.dir); err != nil {
		if err := v.damage(err, cureFormat, fixRepair); err != nil {
			return err
		}
	}
	// A DamageError says that the segments are gone; walk says so as well.
	var d *DamageError
	if err := checkCommitted(v.dir); err != nil && !errors.As(err, &d) {
		return err
	}
	return nil
}

// readMarkers reads the three small files about the end and the beginning.
func (v *verifier) readMarkers() error {
	var err error
	if v.mark, err = readWatermark(v.dir); err != nil {
		return err
	}
	if v.live {
		v.limit = v.mark.seq
		if v.limit == 0 {
			return fmt.Errorf("%w: %s is being opened by a writer and says not yet how far it can be read", ErrLocked, v.dir)
		}
	} else if v.clean, err = readClean(v.dir); err != nil {
		if err := v.damage(err, cureClean, fixRepair); err != nil {
			return err
		}
	}
	if v.pruned, err = readPruned(v.dir); err != nil {
		v.pruned = &prunedMark{first: firstThere(v.dir)}
		return v.damage(err, cureNone, fixBackup)
	}
	return nil
}
