// Package eventlog is an append-only log of records on a local disk: what it
// has acknowledged it returns after any crash, and what has changed on the disk
// it notices. It knows bytes, not events.
//
//	l, err := eventlog.Create(dir, eventlog.Origin{Name: "plane-7"}, now, eventlog.Options{})
//	...
//	err = l.Append(ctx, l.Next(), []eventlog.Entry{
//		{Seq: l.Next(), At: now, Kind: eventlog.KindTransition, Payload: payload},
//	})
//	// err == nil: the record is durable, and only now may anything happen.
//	for e, err := range l.All(1) { ... }
//
// # Guarantees
//
//   - When Append returns nil, all its records are durable: a sync of the
//     segment, and of the directory where a segment was begun, came before.
//   - Records are numbered from 1 without gaps; times never decrease. A crash
//     leaves all acknowledged records and some first part of the group that was
//     being written.
//   - All, Follow and Reader yield only durable records, each with its checksum,
//     number, time order and kind checked. They share no lock with the writer
//     and never wait for a sync.
//   - One writer: a second Create or Open, in this process or another, gives
//     ErrLocked. Readers take no lock.
//   - After a failed write or sync nothing more is written: the log is poisoned,
//     because the kernel may report the next sync as good although the data is
//     gone.
//   - A changed byte in a segment is never returned as a record.
//
// # Duties of the caller
//
//   - Call Append from one goroutine at a time, with groups as large as latency
//     allows: a group costs one sync.
//   - After ErrPoisoned stop the process, or Close and Open again, and take from
//     the log, not from memory, which records exist. Never write the group again
//     before that.
//   - Copy the payload of an entry that is to outlive the iteration step.
//   - Read Report after Open and tell a person about TornBytes and Reason.
//   - Keep an anchor (sequence number and Leaf) elsewhere: a log that is replaced
//     as a whole by an older copy of itself is consistent in itself.
//
// # Directory
//
//	FORMAT      the text "esper-log 0" and a newline
//	LOCK        locked by the writer; holds its process number for messages
//	CLEAN       exists while the log is closed in order: last record, its leaf
//	            hash, last segment and its length, CRC-32C; text
//	durable     the watermark: last durable record, 24 bytes, rewritten after
//	            each sync and not synced itself, so it may lag and never leads
//	segments/   files of tidwall/wal in its binary format, named by the number
//	            of their first record in 20 digits, and nothing else
//	torn/       tails that recovery has cut: segment-offset-n
//
// A process that stops at the wrong moment may leave segments.new, tail.new,
// FORMAT.new or CLEAN.new; nobody reads them and the next writer overwrites
// them. A segment is a sequence of entries, each a uvarint (shortest form) with
// the length of the frame, and the frame. Its entries continue those of the
// segment before it. The last segment may be empty.
//
// # Frame, version 0, little endian
//
//	offset  size  field
//	     0     4  magic    "ESPR"
//	     4     1  version  0
//	     5     1  kind     1 transition, 2 checkpoint, 3 repair, 4 origin
//	     6     2  flags    0; anything else is refused
//	     8     4  length   of the payload, at most 16 MiB
//	    12     4  crc      CRC-32C over bytes 0 to 11 and 16 to the end
//	    16     8  seq      number of the record
//	    24     8  at       plane time, nanoseconds since the Unix epoch, signed
//	    32        payload
//
// The checksum covers the fields before it as well as those after it, so that a
// flipped kind, flag or version is noticed. Record 1, and no other, is of kind
// origin; its payload is the JSON described at Origin. The leaf hash of a record
// is the SHA-256 of its frame without the length prefix.
//
// # Recovery
//
// Open reads every frame before it changes anything. Behind a clean marker:
//
//	found                                              result
//	everything as the marker says                      opens, Report.Clean
//	any other byte, length, file, number or order      *DamageError
//
// Without the marker (the writer was killed, or the power failed):
//
//	found                                              result
//	no damage                                          tail segment rewritten and
//	                                                   synced; opens
//	last segment empty                                 the same
//	last segment ends in a partial frame, zeros or     bytes copied to torn/, cut,
//	noise, after which no intact frame follows, and    reported; opens
//	the watermark does not say that they were more
//	records that the watermark says were acknowledged  *DamageError
//	are missing or damaged
//	an intact frame after damage in the last segment,  *DamageError
//	or a frame with a wrong number, time or kind
//	damage in another segment, a missing, surplus,     *DamageError
//	renamed or foreign file in segments/
//	record 1 damaged                                   *DamageError
//	watermark missing or unreadable                    as if it were 0
//
// Options.AcceptLoss turns the second and third refusal of the last segment into
// a cut at the first invalid byte. In every state:
//
//	no FORMAT and no segments/                         ErrNotFound
//	FORMAT alone (Create did not finish)               ErrNotFound; Create goes on
//	FORMAT of another version                          ErrVersion
//	FORMAT missing or unreadable beside segments/      *DamageError
//	CLEAN unreadable                                   *DamageError
//
// A DamageError means that nothing was changed. The tail is rewritten even
// without damage because what was read may exist only in the page cache, left
// there by a write whose sync failed. A Reader decides by the same rules, except
// that it changes nothing and passes over a torn tail, and over the loss of
// acknowledged records at the end, with a Report that says so.
//
// # Not promised
//
//   - That a disk which reports a sync and forgets the data is survived. It is
//     noticed when the watermark, a clean marker or an anchor outlived the data.
//   - That a power failure during a write always opens by itself: if a later
//     block of an unacknowledged group reached the disk and an earlier one did
//     not, the log cannot tell this from damage and refuses.
//   - Protection against someone who rewrites the log with new checksums; that is
//     what leaf hashes and signed checkpoints are for.
//   - Group commit, retention, several writers, network file systems. The locks
//     are those of Linux.
package eventlog
