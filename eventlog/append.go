package eventlog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
)

// Append adds entries to the log and returns when all of them are durable:
// with nil they will be found after any crash. next must be Next(), the
// entries must be numbered from it without gaps, and times must not decrease;
// otherwise ErrOutOfOrder. An entry that no log may hold gives ErrInvalid. A
// context that has ended gives its error. In all these cases nothing was
// changed. Once begun, a write is not interrupted.
//
// If a write or a sync fails the log is poisoned: the error wraps ErrPoisoned
// and the cause, and every later Append returns it. The entries are then
// neither durable nor gone: after a restart the log holds some first part of
// them, possibly all.
func (l *Log) Append(ctx context.Context, next uint64, entries []Entry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.lock == nil:
		return ErrClosed
	case l.failure != nil:
		return l.failure
	}
	durable := l.state.Load().durable
	next, entries, claimed := l.withClaim(next, entries)
	if err := CheckGroup(durable+1, l.lastAt, next, entries); err != nil {
		return err
	}
	if claimed {
		l.notary.settle()
	}
	if len(entries) == 0 {
		return nil
	}
	err := l.sealer.failed()
	if err == nil {
		err = l.write(entries)
	}
	if err != nil {
		return l.poison(err)
	}
	l.publish(entries[len(entries)-1].Seq, nil)
	l.notary.grown()
	return nil
}

// poison makes the first failure final and wakes those who wait for more
// records. The caller holds l.mu.
func (l *Log) poison(cause error) error {
	if l.failure == nil {
		durable := l.state.Load().durable
		l.failure = fmt.Errorf("%w: %w", ErrPoisoned, cause)
		l.opts.Logger.Error("the log is poisoned", "next", durable+1, "error", cause)
		l.publish(durable, l.failure)
	}
	return l.failure
}

// fail poisons the log from outside of Append.
func (l *Log) fail(cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lock != nil {
		_ = l.poison(cause) // told to whoever appends or follows
	}
}

// CheckGroup is the rule by which every log accepts or refuses a group: want
// is the number the log continues with, lastAt the time of its last record.
func CheckGroup(want uint64, lastAt int64, next uint64, entries []Entry) error {
	if next != want {
		return fmt.Errorf("%w: the log continues with record %d, not %d", ErrOutOfOrder, want, next)
	}
	for i, e := range entries {
		switch {
		case e.Seq != next+uint64(i):
			return fmt.Errorf("%w: entry %d of the group is numbered %d, not %d", ErrOutOfOrder, i, e.Seq, next+uint64(i))
		case e.At < lastAt:
			return fmt.Errorf("%w: record %d has time %d, before %d", ErrOutOfOrder, e.Seq, e.At, lastAt)
		case !e.Kind.Valid() || e.Kind == KindOrigin:
			return fmt.Errorf("%w: record %d is of kind %v", ErrInvalid, e.Seq, e.Kind)
		case len(e.Payload) > MaxPayload:
			return fmt.Errorf("%w: record %d has %d bytes, more than %d", ErrInvalid, e.Seq, len(e.Payload), MaxPayload)
		}
		lastAt = e.At
	}
	return nil
}

// write stores a group that was checked, and publishes the watermark. If we
// stop anywhere inside, the disk holds some of the group's records and perhaps a
// torn frame between or after them, nothing of which was acknowledged, and whose
// lags say so.
//
// A group that fills a segment is written in parts, one per segment, each of
// which is durable before the next one is written. The name of each new segment
// is made durable before anything is written to it, so a crash cannot leave a
// later segment without an earlier one.
func (l *Log) write(entries []Entry) error {
	durable := l.state.Load().durable
	for rest := entries; len(rest) > 0; {
		part, bytes := l.fit(rest, durable)
		if err := l.writePart(part, bytes); err != nil {
			return err
		}
		rest = rest[len(part):]
	}
	last := entries[len(entries)-1]
	l.lastAt, l.lastKind = last.At, last.Kind
	if err := publishWatermark(l.mark, last.Seq); err != nil {
		return err
	}
	l.merkle.acknowledge()
	return nil
}

// fit encodes as many of the entries as the tail segment takes, the last of
// which may fill it, into the batch. It returns them and their stored length.
func (l *Log) fit(entries []Entry, durable uint64) (part []Entry, bytes int) {
	l.batch.Clear()
	l.frames.clear()
	for i, e := range entries {
		e.Lag = lagOf(e.Seq, durable)
		l.batch.Write(e.Seq, l.frames.add(e))
		bytes += storedLen(len(e.Payload))
		if l.tail.size+int64(bytes) >= int64(l.opts.SegmentSize) {
			return entries[:i+1], bytes
		}
	}
	return entries, bytes
}

// writePart writes and syncs what fit has encoded, hashes it meanwhile, and
// begins the next segment when this one is full.
func (l *Log) writePart(part []Entry, bytes int) error {
	if err := l.tail.prepare(bytes, int64(l.opts.SegmentSize)); err != nil {
		return err
	}
	hashes := l.merkle.hashing(&l.frames)
	err := l.store.WriteBatch(&l.batch)
	if err == nil {
		err = l.tail.f.Sync()
	}
	computed := hashes()
	if err != nil {
		return err
	}
	l.merkle.adopt(computed)
	l.lastLeaf = computed.leaves[len(computed.leaves)-1]
	l.tail.size += int64(bytes)
	if l.tail.size < int64(l.opts.SegmentSize) {
		return nil
	}
	return l.roll(part[len(part)-1])
}

// roll goes on to the segment that tidwall/wal has begun after last.
func (l *Log) roll(last Entry) error {
	if err := l.fsys.SyncDir(filepath.Join(l.dir, segmentsName)); err != nil {
		return err
	}
	if err := l.store.ClearCache(); err != nil {
		return err
	}
	l.lendBuffer()
	full := l.tail
	l.tail = tail{first: last.Seq + 1}
	if err := l.tail.open(l.fsys, l.dir); err != nil {
		return errors.Join(err, full.close())
	}
	l.sealer.jobs <- freshSeal{
		seal{first: full.first, next: last.Seq + 1, bytes: full.size, at: last.At, origin: l.originSeq, tree: l.merkle.snapshot()},
		l.merkle.cut(last.Seq + 1),
	}
	return full.close()
}

// lendBuffer prepares the memory in which tidwall/wal mirrors a new segment.
// Small segments are left alone: they cost little to mirror.
func (l *Log) lendBuffer() {
	const slack = 1 << 20 // a segment is longer than its size by a record
	if l.opts.SegmentSize >= slack {
		l.buffer.lend(l.wal, l.opts.SegmentSize+slack)
	}
}

// publish replaces the state and wakes those who follow.
func (l *Log) publish(durable uint64, err error) {
	old := l.state.Swap(&state{durable: durable, err: err, changed: make(chan struct{})})
	close(old.changed)
}

// appendPrefixed appends a frame as tidwall/wal stores it.
func appendPrefixed(dst, frame []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(frame)))
	return append(dst, frame...)
}
