package eventlog

import (
	"context"
	"errors"
	"fmt"
	"iter"
)

// Next returns the sequence number that the next Append must begin with. It is
// never 0.
func (l *Log) Next() uint64 { return l.state.Load().durable + 1 }

// Origin returns the content of record 1.
func (l *Log) Origin() Origin { return l.origin.clone() }

// Recovery tells how Open found the log and what it did about it.
func (l *Log) Recovery() Report { return l.recovery }

// Leaf returns the leaf hash of a durable record; a record
// that is not durable gives ErrNotFound. It costs a read of up to one segment,
// or nothing if the record is in the last one.
func (l *Log) Leaf(seq uint64) ([32]byte, error) {
	s := l.state.Load()
	switch {
	case errors.Is(s.err, ErrClosed):
		return [32]byte{}, ErrClosed
	case seq == 0 || seq > s.durable:
		return [32]byte{}, fmt.Errorf("%w: record %d", ErrNotFound, seq)
	}
	if leaf, ok := l.merkle.leaf(seq); ok {
		return leaf, nil
	}
	frame, err := readFrame(l.dir, seq)
	if err != nil {
		return [32]byte{}, err
	}
	return LeafHash(frame), nil
}

// All yields the records that are durable when the iteration begins, in order,
// starting with record from; 0 means the first that was not pruned. It reads the segment files itself:
// it takes no lock of the writer and never waits for a sync. The payload of an
// entry is valid until the next step. An error, such as a *DamageError or
// ErrClosed, is the last thing yielded.
func (l *Log) All(from uint64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		s := l.state.Load()
		if errors.Is(s.err, ErrClosed) {
			yield(Entry{}, ErrClosed)
			return
		}
		readRange(l.dir, l.recovery.start(from), s.durable)(yield)
	}
}

// Follow yields what All does, and then each record as it becomes durable. It
// ends by yielding an error: that of the context, ErrClosed after Close, or
// ErrPoisoned when no more records can come. Records that are durable come
// before ErrPoisoned.
func (l *Log) Follow(ctx context.Context, from uint64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		c := cursor{next: l.recovery.start(from)}
		defer c.close()
		untilDone := func(e Entry, err error) bool {
			if ended := ctx.Err(); ended != nil {
				yield(Entry{}, ended)
				return false
			}
			return yield(e, err)
		}
		for {
			s, err := l.await(ctx, c.next)
			if err == nil {
				err = c.resume(l.dir)
			}
			if err != nil {
				yield(Entry{}, err)
				return
			}
			if !c.drain(s.durable, untilDone) {
				return
			}
		}
	}
}

// resume makes the cursor ready to read record c.next, by opening its segment
// or by looking again at the one that it has open.
func (c *cursor) resume(dir string) error {
	if c.f == nil {
		return c.seek(dir, c.next)
	}
	c.refresh()
	return nil
}

// await returns a state in which record seq is durable.
func (l *Log) await(ctx context.Context, seq uint64) (*state, error) {
	for {
		s := l.state.Load()
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(s.err, ErrClosed):
			return nil, s.err
		case s.durable >= seq:
			return s, nil
		case s.err != nil:
			return nil, s.err
		}
		select {
		case <-s.changed:
		case <-ctx.Done():
		}
	}
}
