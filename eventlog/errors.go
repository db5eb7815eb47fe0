package eventlog

import (
	"errors"
	"fmt"
)

// Errors of opening a log.
var (
	// ErrExists says that Create found a log in the directory.
	ErrExists = errors.New("eventlog: a log exists already")
	// ErrNotFound says that the directory holds no log, or that the sequence
	// number asked for is not in the log.
	ErrNotFound = errors.New("eventlog: not found")
	// ErrPruned says that the record asked for was removed on purpose. Its hash
	// is still part of every proof.
	ErrPruned = errors.New("eventlog: pruned")
	// ErrLocked says that another handle or process has the log open for
	// writing.
	ErrLocked = errors.New("eventlog: locked")
	// ErrWrongKey says that the key for checkpoints is not the one that the
	// origin of the log names.
	ErrWrongKey = errors.New("eventlog: not the key of this log")
	// ErrVersion says that the log, or a frame of it, has a format version
	// that this program does not read.
	ErrVersion = errors.New("eventlog: unknown format version")
)

// Errors of using a log.
var (
	// ErrOutOfOrder says that the entries do not continue the log. Nothing
	// was changed.
	ErrOutOfOrder = errors.New("eventlog: out of order")
	// ErrInvalid says that an entry, an origin or an option breaks a rule
	// that is independent of the state of the log. Nothing was changed.
	ErrInvalid = errors.New("eventlog: invalid")
	// ErrPoisoned says that an earlier write or sync failed. It is wrapped
	// together with the cause and returned for ever: only opening the log
	// again tells what is on the disk.
	ErrPoisoned = errors.New("eventlog: poisoned by a failed write")
	// ErrClosed says that the log was closed.
	ErrClosed = errors.New("eventlog: closed")
	// ErrFrame says that bytes are not a frame.
	ErrFrame = errors.New("eventlog: bad frame")
)

// DamageError says that stored bytes are not what was written, and where. A
// function that returns it has changed nothing.
type DamageError struct {
	Segment string // file name, relative to the directory of the log
	Offset  int64  // where the first wrong byte may be
	Seq     uint64 // record that was expected there; 0 if no record is concerned
	Reason  string // what is wrong
}

// Error names the place, what is wrong there, and what a person can do.
func (e *DamageError) Error() string {
	record := ""
	if e.Seq != 0 {
		record = fmt.Sprintf(", record %d", e.Seq)
	}
	return fmt.Sprintf("eventlog: damage in %s at offset %d%s: %s (nothing was changed; keep a copy of the directory, then restore the log from a backup)",
		e.Segment, e.Offset, record, e.Reason)
}
