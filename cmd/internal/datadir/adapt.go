package datadir

import (
	"context"
	"iter"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay"
	"github.com/esper-plane/esper/subsystems/plane"
)

// planeLog is an event log as the plane sees it: transitions only.
type planeLog struct{ log *eventlog.Log }

// Append implements plane.Log.
func (l planeLog) Append(ctx context.Context, next leyline.Seq, entries []plane.Entry) error {
	group := make([]eventlog.Entry, len(entries))
	for i, e := range entries {
		group[i] = eventlog.Entry{Seq: uint64(e.Seq), At: int64(e.At), Kind: eventlog.KindTransition, Payload: e.Payload}
	}
	return l.log.Append(ctx, uint64(next), group)
}

// All implements plane.Log.
func (l planeLog) All(from leyline.Seq) iter.Seq2[plane.Entry, error] {
	return func(yield func(plane.Entry, error) bool) {
		for e, err := range (source{l.log}).All(from) {
			if !yield(plane.Entry(e), err) {
				return
			}
		}
	}
}

// Claim implements plane.Log.
func (l planeLog) Claim(next leyline.Seq) bool { return l.log.Claim(uint64(next)) }

// Next implements plane.Log.
func (l planeLog) Next() leyline.Seq { return leyline.Seq(l.log.Next()) }

// Leaf implements plane.Log.
func (l planeLog) Leaf(seq leyline.Seq) (leyline.Digest, error) {
	d, err := l.log.Leaf(uint64(seq))
	return d, err
}

// source is an event log, or a reader of one, as replay sees it: transitions
// only.
type source struct {
	log interface {
		All(from uint64) iter.Seq2[eventlog.Entry, error]
	}
}

// All implements replay.Source.
func (s source) All(from leyline.Seq) iter.Seq2[replay.Entry, error] {
	return func(yield func(replay.Entry, error) bool) {
		for e, err := range s.log.All(uint64(from)) {
			if err == nil && e.Kind != eventlog.KindTransition {
				continue
			}
			if !yield(replay.Entry{Seq: leyline.Seq(e.Seq), At: leyline.Instant(e.At), Payload: e.Payload}, err) {
				return
			}
		}
	}
}
