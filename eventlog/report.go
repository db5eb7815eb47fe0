package eventlog

// Report tells in what state a log was found.
type Report struct {
	// Clean says that the last writer closed the log and that everything
	// agrees with the marker it left.
	Clean bool
	// Live says that a writer had the log open (Reader only); LastSeq is then
	// the durable watermark of that moment.
	Live bool
	// FirstSeq is 1, or more if older records were pruned; LastSeq and LastAt
	// are those of the last valid record.
	FirstSeq, LastSeq uint64
	LastAt            int64
	// TornBytes is the length of the tail that is not part of the log: it
	// was cut by Open, or is passed over by a Reader. The tail was, or is, in
	// TornSegment from TornOffset.
	TornBytes   int64
	TornSegment string
	TornOffset  int64
	// ZeroTail is the number of zeros behind the last record that Open cut: the
	// room that the writer had prepared, or a write of which nothing reached
	// the disk. It is no sign of damage.
	ZeroTail int64
	// SavedTo is the file to which Open copied the tail before cutting it,
	// relative to the directory of the log.
	SavedTo string
	// Lost counts records that were acknowledged and are missing or damaged at
	// the end. Open refuses such a log unless it may accept the loss; a Reader
	// shows what is left of it.
	Lost uint64
	// Reason says in words what was wrong. Empty if nothing was.
	Reason string
}

// start is the first record of an iteration that begins at from; 0 stands for
// the first one that was not pruned.
func (r *Report) start(from uint64) uint64 {
	if from == 0 {
		return r.FirstSeq
	}
	return from
}
