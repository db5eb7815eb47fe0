// Package eventlog is an append-only log of records on a local disk: what it
// has acknowledged it returns after any crash, what has changed on the disk it
// notices, and what it once signed it cannot take back. It knows bytes, not
// events.
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
//   - All and Follow yield only durable records, and so does a Reader beside a
//     writer; of a log that was killed, a Reader yields what recovery would keep.
//     Each has its checksum,
//     number, time order and kind checked. They share no lock with the writer
//     and never wait for a sync. Their memory is bounded by the largest record.
//   - One writer: a second Create or Open, in this process or another, gives
//     ErrLocked. Readers take no lock.
//   - After a failed write or sync nothing more is written: the log is poisoned,
//     because the kernel may report the next sync as good although the data is
//     gone.
//   - A changed byte in a segment is never returned as a record.
//   - Every record is a leaf of one RFC 6962 Merkle tree. A checkpoint that was
//     signed covers durable records only, and a log that does not continue its
//     newest checkpoint does not open.
//
// # Duties of the caller
//
//   - Call Append from one goroutine at a time, with groups as large as latency
//     allows: a group costs one sync. Many producers use an Appender.
//   - After ErrPoisoned stop the process, or Close and Open again, and take from
//     the log, not from memory, which records exist. Never write the group again
//     before that.
//   - Copy the payload of an entry that is to outlive the iteration step.
//   - Read Report after Open and tell a person about TornBytes and Reason.
//   - Keep checkpoints elsewhere (Checkpoints.Export): a log that is replaced as
//     a whole, with its checkpoint, by an older copy of itself is consistent in
//     itself.
//
// # Directory
//
//	FORMAT      the text "esper-log 0" and a newline
//	LOCK        locked by the writer; holds its process number for messages
//	CLEAN       exists while the log is closed in order: last record, its leaf
//	            hash, Merkle root, last segment and its length, CRC-32C; text
//	durable     the watermark: last durable record, 24 bytes, rewritten after
//	            each sync and not synced itself, so it may lag and never leads
//	segments/   files of tidwall/wal in its binary format, named by the number
//	            of their first record in 20 digits, and nothing else
//	archive/    segments that Archive has compressed: the same names and .zst
//	hashes      the stored hashes of the tree (in the order of x/mod/sumdb/tlog,
//	            32 bytes each) of all records in sealed segments
//	seals       one line for each sealed segment: its records, length, time and
//	            the tree up to its end, CRC-32C; text
//	checkpoint  the newest signed checkpoint (C2SP tlog-checkpoint)
//	PRUNED      exists when Prune has removed old segments: what is left, and
//	            the origin record that was among them
//	torn/       tails that recovery has cut: segment-offset-n
//	repaired/   what Repair has removed or overwritten: one directory for each
//	            repair, with repair.json, or unfinished.json until it is recorded
//	previous/   the newest checkpoints of the logs that this one was restored from
//
// A process that stops at the wrong moment may leave files that end in .new;
// nobody reads them and the next writer overwrites them. A segment is a sequence
// of entries, each a uvarint (shortest form) with the length of the frame, and
// the frame. Its entries continue those of the segment before it. The last
// segment may be empty, and while a writer has it, or was killed, zeros may
// follow its last record: room that was made durable in advance, because a sync
// that does not change the length of a file is cheaper.
//
// # Frame, version 0, little endian
//
//	offset  size  field
//	     0     4  magic    "ESPR"
//	     4     1  version  0
//	     5     1  kind     1 transition, 2 checkpoint, 3 repair, 4 origin
//	     6     2  lag      see Entry.Lag; 0 is refused
//	     8     4  length   of the payload, at most 16 MiB
//	    12     4  crc      CRC-32C over bytes 0 to 11 and 16 to the end
//	    16     8  seq      number of the record
//	    24     8  at       plane time, nanoseconds since the Unix epoch, signed
//	    32        payload
//
// The checksum covers the fields before it as well as those after it, so that a
// flipped kind, lag or version is noticed. Record 1 is of kind origin; its
// payload is the JSON described at Origin. A later record is of that kind only
// where a log was restored: see Predecessor. The leaf hash of a record is the
// SHA-256 of its frame without the length prefix, and the leaf data of its tree.
//
// # What opening reads
//
// When a segment is full its records are hashed into the tree, and a goroutine
// makes their hashes and then a seal of the segment durable. Open and OpenReader
// read the segments that have no seal, usually the last one: their cost does not
// grow with the log. Of the others they check name, length and order. A changed
// byte in them is noticed by whoever reads it, by Options.CheckAll, and by
// Verify. Seals and hashes are caches: where they are missing, torn or too short, the
// segments are read and they are written again. Hashes that were changed are noticed
// by whoever proves something with them, by Verify, and by Open when it compares the
// tree with the newest checkpoint; Repair makes them again.
//
// # Recovery
//
// Open looks before it changes anything. Behind a clean marker:
//
//	found                                              result
//	everything as the marker says                      opens, Report.Clean
//	any other byte, length, file, number, order or     *DamageError
//	root in what is read; a damaged watermark
//
// Without the marker (the writer was killed, or the power failed):
//
//	found                                              result
//	no damage; zeros behind the last record            tail segment rewritten and
//	                                                   synced; opens
//	last segment empty                                 the same
//	last segment ends in a partial frame or noise,     bytes copied to torn/, cut,
//	no frame in or after which proves that what is     reported; opens
//	cut was acknowledged, nor does the watermark
//	records that the watermark, or a frame after them, *DamageError
//	says were acknowledged are missing or damaged
//	an intact frame with a wrong number, time or kind  *DamageError
//	in the place of the next record
//	damage in another segment, a missing, surplus,     *DamageError
//	renamed or foreign file in segments/
//	record 1 damaged                                   *DamageError
//	watermark missing or unreadable                    as if it were 0
//
// A group is written without waiting between its records, and a power failure
// may leave any of its blocks and not the others. Entry.Lag tells such a group
// from damage: a frame says which record was the last acknowledged one when it
// was written, so that an intact frame behind a gap is either part of the same
// unfinished write, or proof that something acknowledged is gone.
//
// Options.AcceptLoss turns the refusals of the last segment into a cut at the
// first invalid byte. In every state:
//
//	no FORMAT and no segments/                         ErrNotFound
//	FORMAT alone (Create did not finish)               ErrNotFound; Create goes on
//	FORMAT of another version                          ErrVersion
//	FORMAT missing or unreadable beside segments/      *DamageError
//	CLEAN or PRUNED unreadable                         *DamageError
//	checkpoint unreadable, not signed by the log's     *DamageError
//	key, of more records than there are, or of other
//	records
//
// A DamageError means that nothing was changed. The tail is rewritten even
// without damage because what was read may exist only in the page cache, left
// there by a write whose sync failed. A Reader decides by the same rules, except
// that it changes nothing and passes over a torn tail, and over the loss of
// acknowledged records at the end, with a Report that says so.
//
// # What was tried
//
// TestHundredRecords changes a log of 100 records in four segments, one of them
// compressed, and opens it with CheckAll: in order after Close, after a kill with
// zeros behind the records, after a power failure that lost the watermark, and
// the same with a checkpoint of 97 records. -damage.full tries all 147,026 cases;
// none yields a wrong record or a panic.
//
//	change                               refused   told  harmless  nothing left to tell
//	a byte of any segment but the last     34472
//	a byte of the last segment              4044   7800
//	each cut of any segment but the last   17236
//	each cut of the last segment            1430    856      3625  11
//	bytes appended to a segment               52      6         6
//	an earlier record appended               277
//	a record doubled or removed              552                    2
//	two records of one length swapped        176
//	a segment deleted                         16
//	a segment renamed, copied, swapped       199      1
//	CLEAN, FORMAT: changed, cut, longer      785
//	durable: the same                         76               76
//	checkpoint: the same                     514
//	seals, hashes: the same                   64            74734
//	one of the files deleted                   4               12
//
// Told means that records or bytes are missing at the end and Report says so;
// harmless, that all records are there (zeros behind them were hit, or a marker or
// cache that is not needed). Nothing is left to tell where a cut falls exactly
// between two records at the very end and no watermark, marker or checkpoint
// remembers them. Verify reports every change of a cache.
//
// Crash tests stop and fail every operation on the disk, power failures included
// (package faultdisk); TestKilledWriter kills a process, TestPowerCut shuts a real
// file system down. make soak runs them long.
//
// # Above tidwall/wal
//
// tidwall/wal stores the records and begins new segments; this package does
// everything else around it, because it takes damage for data: it syncs the tail
// through a descriptor of its own (so that hashing goes on meanwhile), syncs
// directories, makes room ahead, lends the memory in which the tail is mirrored
// (tailBuffer), and reads the files itself.
//
// # Not promised
//
//   - That a disk which reports a sync and forgets the data is survived. It is
//     noticed when the watermark, a clean marker, a checkpoint or a later frame
//     outlived the data.
//   - Protection of the records behind the newest checkpoint that someone else
//     holds against whoever has the log and its key.
//   - That a payload which is built to look like records of the log cannot make a
//     torn write look like damage: then Open refuses, and loses nothing.
//   - Several writers, network file systems. The locks are those of Linux.
package eventlog
