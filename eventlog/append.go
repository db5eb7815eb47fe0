package eventlog

import (
	"context"
	"encoding/binary"
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
	if err := CheckGroup(durable+1, l.lastAt, next, entries); err != nil {
		return err
	}
	if len(entries) == 0 {
		return nil
	}
	if err := l.write(entries); err != nil {
		l.failure = fmt.Errorf("%w: %w", ErrPoisoned, err)
		l.opts.Logger.Error("the log is poisoned", "next", next, "records", len(entries), "error", err)
		l.publish(durable, l.failure)
		return l.failure
	}
	l.lastAt = entries[len(entries)-1].At
	l.lastLeaf = LeafHash(l.frame)
	l.publish(entries[len(entries)-1].Seq, nil)
	return nil
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
// stop anywhere inside, the disk holds a first part of the group and perhaps a
// torn frame after it, nothing of which was acknowledged.
//
// A group that fills a segment is written in parts, one per segment. The
// name of each new segment is made durable before anything is written to it,
// so a crash cannot leave a later segment without an earlier one.
func (l *Log) write(entries []Entry) error {
	l.batch.Clear()
	pending := 0
	for _, e := range entries {
		l.frame = AppendFrame(l.frame[:0], e)
		l.batch.Write(e.Seq, l.frame)
		pending += storedLen(len(e.Payload))
		if l.tailSize+pending < l.opts.SegmentSize {
			continue
		}
		// This record fills the segment: tidwall/wal syncs it and begins
		// the next one.
		if err := l.store.WriteBatch(&l.batch); err != nil {
			return err
		}
		if err := l.syncDir(filepath.Join(l.dir, segmentsName)); err != nil {
			return err
		}
		if err := l.store.ClearCache(); err != nil {
			return err
		}
		l.tail, l.tailSize, pending = e.Seq+1, 0, 0
	}
	if pending > 0 {
		if err := l.store.WriteBatch(&l.batch); err != nil {
			return err
		}
	}
	l.tailSize += pending
	return publishWatermark(l.mark, entries[len(entries)-1].Seq)
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
