// Package memlog is a log in memory that keeps the contract of eventlog.Log and
// can be made to fail: it can refuse a write, lose or keep what it refused, and
// be looked at as it would be after a power failure. What it does by chance
// comes from a seed.
//
//	l := memlog.New(eventlog.Origin{Name: "test"}, 0)
//	l.Inject(memlog.Faults{Seed: 1, FailAppendAt: 7})
//	...                  // the Append that holds record 7 poisons the log
//	after := l.Crash()   // what a restart would find
//
// It differs from a log on disk in two points: nothing is left behind by Close,
// and there is no recovery report. The payload of an entry is overwritten at the
// next step of an iteration, so that a caller who keeps it is found out.
package memlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"

	"github.com/esper-plane/esper/eventlog"
)

// Faults is a plan of what goes wrong. The zero value is: nothing.
type Faults struct {
	// Seed decides how much of a failed group survives a crash.
	Seed uint64
	// FailAppendAt makes the Append fail whose group contains this record.
	// 0 means none.
	FailAppendAt uint64
	// FailedButStored says that the whole failed group is on the imagined
	// disk all the same. Otherwise the seed picks a first part of it, which
	// may be nothing and may be everything.
	FailedButStored bool
	// Err is the cause of the failure; nil means syscall.ENOSPC.
	Err error
	// BeforeDurable, if set, is called by Append when a group is written but
	// not durable yet. It may read the log and must not append or close.
	BeforeDurable func(group []eventlog.Entry)
}

// Log is a log in memory. Its methods may be called at any time by anyone.
type Log struct {
	origin eventlog.Origin

	appending sync.Mutex // held during the whole of Append; taken before mu

	mu      sync.Mutex
	records []eventlog.Entry // durable; only ever extended, elements immutable
	lost    []eventlog.Entry // the group whose write failed
	offered []byte           // payload of a record that the log wants to add
	claimed uint64           // number of the record that it will be; 0: none
	faults  Faults
	failure error
	closed  bool
	changed chan struct{} // closed and replaced at every change
}

// New returns a log whose record 1 is the origin. It panics if the origin is
// invalid, which is a mistake in the test that calls it.
func New(o eventlog.Origin, at int64) *Log {
	payload, err := o.MarshalBinary()
	if err != nil {
		panic("memlog: " + err.Error())
	}
	first := eventlog.Entry{Seq: 1, At: at, Kind: eventlog.KindOrigin, Payload: payload, Lag: 1}
	return restore(o, []eventlog.Entry{first})
}

func restore(o eventlog.Origin, records []eventlog.Entry) *Log {
	return &Log{origin: cloneOrigin(o), records: records, changed: make(chan struct{})}
}

func cloneOrigin(o eventlog.Origin) eventlog.Origin {
	o.LogKey, o.AdminKey = bytes.Clone(o.LogKey), bytes.Clone(o.AdminKey)
	if o.Previous != nil {
		p := *o.Previous
		o.Previous = &p
	}
	return o
}

// Inject replaces the plan of faults. A log that is poisoned stays poisoned.
func (l *Log) Inject(f Faults) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = f
}

// Append is as eventlog.Log.Append.
func (l *Log) Append(ctx context.Context, next uint64, entries []eventlog.Entry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.appending.Lock()
	defer l.appending.Unlock()
	group, faults, err := l.begin(next, entries)
	if err != nil || len(group) == 0 {
		return err
	}
	if faults.BeforeDurable != nil {
		faults.BeforeDurable(group)
	}
	return l.settle(group, faults)
}

// begin checks a group and copies it.
func (l *Log) begin(next uint64, entries []eventlog.Entry) ([]eventlog.Entry, Faults, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return nil, Faults{}, eventlog.ErrClosed
	case l.failure != nil:
		return nil, Faults{}, l.failure
	}
	last := l.records[len(l.records)-1]
	next, entries, claimed := l.withClaim(next, entries)
	if err := eventlog.CheckGroup(last.Seq+1, last.At, next, entries); err != nil {
		return nil, Faults{}, err
	}
	if claimed {
		l.offered, l.claimed = nil, 0
	}
	group := make([]eventlog.Entry, len(entries))
	for i, e := range entries {
		e.Payload, e.Lag = append([]byte{}, e.Payload...), uint16(min(i+1, eventlog.MaxLag))
		group[i] = e
	}
	return group, l.faults, nil
}

// Offer lets the log want a record of its own, as eventlog.Log wants one for each
// checkpoint that it signs: the next Claim takes its number. A record that was
// offered before and not claimed is replaced.
func (l *Log) Offer(payload []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.claimed == 0 {
		l.offered = append([]byte{}, payload...)
	}
}

// Claim is as eventlog.Log.Claim: it is false unless something was offered.
func (l *Log) Claim(seq uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.offered == nil || l.claimed != 0 && l.claimed != seq {
		return false
	}
	l.claimed = seq
	return true
}

// withClaim adds the record that was claimed to a group that jumps over it, and
// reports whether it did.
func (l *Log) withClaim(next uint64, group []eventlog.Entry) (uint64, []eventlog.Entry, bool) {
	for i, e := range group {
		if l.claimed == 0 || e.Seq != l.claimed+1 {
			continue
		}
		own := eventlog.Entry{Seq: l.claimed, At: e.At, Kind: eventlog.KindCheckpoint, Payload: l.offered}
		return min(next, own.Seq), slices.Insert(slices.Clone(group), i, own), true
	}
	return next, group, false
}

// settle makes a group durable, or fails as planned.
func (l *Log) settle(group []eventlog.Entry, f Faults) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.wake()
	if f.FailAppendAt < group[0].Seq || f.FailAppendAt > group[len(group)-1].Seq {
		l.records = append(l.records, group...)
		return nil
	}
	cause := f.Err
	if cause == nil {
		cause = syscall.ENOSPC
	}
	l.lost = group
	l.failure = fmt.Errorf("%w: %w", eventlog.ErrPoisoned, cause)
	return l.failure
}

func (l *Log) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// Next is as eventlog.Log.Next.
func (l *Log) Next() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return uint64(len(l.records)) + 1
}

// Origin is as eventlog.Log.Origin.
func (l *Log) Origin() eventlog.Origin { return cloneOrigin(l.origin) }

// Leaf is as eventlog.Log.Leaf.
func (l *Log) Leaf(seq uint64) ([32]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return [32]byte{}, eventlog.ErrClosed
	case seq == 0 || seq > uint64(len(l.records)):
		return [32]byte{}, fmt.Errorf("%w: record %d", eventlog.ErrNotFound, seq)
	}
	return eventlog.LeafHash(eventlog.AppendFrame(nil, l.records[seq-1])), nil
}

// All is as eventlog.Log.All.
func (l *Log) All(from uint64) iter.Seq2[eventlog.Entry, error] {
	return func(yield func(eventlog.Entry, error) bool) {
		v := l.view()
		if v.closed {
			yield(eventlog.Entry{}, eventlog.ErrClosed)
			return
		}
		var lent lender
		defer lent.reclaim()
		for i := max(from, 1) - 1; i < uint64(len(v.records)); i++ {
			if !yield(lent.lend(v.records[i]), nil) {
				return
			}
		}
	}
}

// lender hands out entries whose payload is valid until the next one.
type lender struct{ buf []byte }

func (l *lender) lend(e eventlog.Entry) eventlog.Entry {
	l.reclaim()
	l.buf = append(l.buf[:0], e.Payload...)
	e.Payload = l.buf
	return e
}

// reclaim overwrites what was lent.
func (l *lender) reclaim() {
	for i := range l.buf {
		l.buf[i] = 0xDB
	}
}

// view is what a reader sees at one moment.
type view struct {
	records []eventlog.Entry
	closed  bool
	failure error
	changed <-chan struct{}
}

func (l *Log) view() view {
	l.mu.Lock()
	defer l.mu.Unlock()
	return view{l.records, l.closed, l.failure, l.changed}
}

// Follow is as eventlog.Log.Follow.
func (l *Log) Follow(ctx context.Context, from uint64) iter.Seq2[eventlog.Entry, error] {
	return func(yield func(eventlog.Entry, error) bool) {
		var lent lender
		defer lent.reclaim()
		for seq := max(from, 1); ; seq++ {
			e, err := l.await(ctx, seq)
			if !yield(lent.lend(e), err) || err != nil {
				return
			}
		}
	}
}

// await returns record seq when it is durable.
func (l *Log) await(ctx context.Context, seq uint64) (eventlog.Entry, error) {
	for {
		v := l.view()
		switch {
		case ctx.Err() != nil:
			return eventlog.Entry{}, ctx.Err()
		case v.closed:
			return eventlog.Entry{}, eventlog.ErrClosed
		case seq <= uint64(len(v.records)):
			return v.records[seq-1], nil
		case v.failure != nil:
			return eventlog.Entry{}, v.failure
		}
		select {
		case <-v.changed:
		case <-ctx.Done():
		}
	}
}

// Close is as eventlog.Log.Close.
func (l *Log) Close() error {
	l.appending.Lock()
	defer l.appending.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.closed = true
		l.wake()
	}
	return l.failure
}

// Crash returns the log that a restart after a power failure would find: every
// acknowledged record and, of a group whose write failed, the first part that
// the plan says. It leaves l as it is, and always gives the same answer.
func (l *Log) Crash() *Log {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := len(l.lost)
	if !l.faults.FailedButStored && kept > 0 {
		kept = rand.New(rand.NewPCG(l.faults.Seed, l.lost[0].Seq)).IntN(kept + 1)
	}
	return restore(l.origin, append(l.records[:len(l.records):len(l.records)], l.lost[:kept]...))
}

// CrashAt returns a log that holds exactly the records up to n. It panics if
// record n is not durable in l, which is a mistake in the test that calls it.
func (l *Log) CrashAt(n uint64) *Log {
	v := l.view()
	if n == 0 || n > uint64(len(v.records)) {
		panic(fmt.Sprintf("memlog: CrashAt(%d) of a log with records 1 to %d", n, len(v.records)))
	}
	return restore(l.origin, v.records[:n:n])
}

// Reopen returns the log that Open would find after Close. It is an error if l
// is not closed, or was poisoned: that is what Crash is for.
func (l *Log) Reopen() (*Log, error) {
	v := l.view()
	if !v.closed || v.failure != nil {
		return nil, errors.New("memlog: cannot reopen a log that was not closed in order")
	}
	return restore(l.origin, v.records[:len(v.records):len(v.records)]), nil
}
