package eventlog

import (
	"fmt"

	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/eventlog/internal/disk"
)

// Limits of Options.SegmentSize.
//
// constant: local because a log knows bytes and imports nothing of esper; the
// plane passes the size of its configuration.
const (
	defaultSegmentSize = 20 << 20
	maxSegmentSize     = 1 << 30
)

// Options says how a log is opened. The zero value is good.
type Options struct {
	// SegmentSize is the number of bytes after which a new segment file is
	// begun; a segment is longer than that by at most one record. The tail
	// segment is held in memory once. 0 means 20 MiB, more than 1 GiB is
	// refused. It may differ from one opening to the next.
	SegmentSize int

	// AcceptLoss lets Open go on where it would refuse because records that
	// were acknowledged are missing or damaged at the very end of a log that
	// was not closed. Everything from the first invalid byte is then copied
	// to torn/ and cut, and Report.Reason tells what was lost. It is for a
	// person who has read the DamageError and has no backup; it excuses
	// nothing behind a clean-shutdown marker or outside the last segment.
	AcceptLoss bool

	// CheckAll makes Open read every segment, also those that have a seal.
	CheckAll bool

	// Checkpoints says whether, when and with which key the log signs.
	Checkpoints Checkpoints

	// Logger hears about recovery and about poisoning. Nil means silence.
	Logger hclog.Logger

	fsys disk.FS           // nil: the file system of the machine
	wrap func(store) store // nil: none; between the log and tidwall/wal
}

func (o *Options) disk() disk.FS {
	if o.fsys == nil {
		return disk.OS{}
	}
	return o.fsys
}

// withDefaults returns a copy in which every zero has its documented meaning,
// or the first contradiction.
func (o Options) withDefaults() (Options, error) {
	if o.SegmentSize < 0 || o.SegmentSize > maxSegmentSize {
		return o, fmt.Errorf("%w: segment size %d is not between 0 and %d", ErrInvalid, o.SegmentSize, maxSegmentSize)
	}
	if o.SegmentSize == 0 {
		o.SegmentSize = defaultSegmentSize
	}
	if o.Checkpoints.Records == 0 {
		o.Checkpoints.Records = defaultCheckpointRecords
	}
	if o.Checkpoints.Age == 0 {
		o.Checkpoints.Age = defaultCheckpointAge
	}
	if o.Checkpoints.Age < 0 {
		return o, fmt.Errorf("%w: age of a checkpoint %v is negative", ErrInvalid, o.Checkpoints.Age)
	}
	if o.Logger == nil {
		o.Logger = hclog.NewNullLogger()
	}
	return o, nil
}
