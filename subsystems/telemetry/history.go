package telemetry

import (
	"context"
	"fmt"

	"github.com/esper-plane/esper/leyline"
)

// history is the part of a subscription that is read from the log. It belongs
// to the reader.
type history struct {
	log   Log
	after Cursor      // what the reader had when it came
	next  leyline.Seq // the record to read next
	last  leyline.Seq // the last one read, 0 if none
	batch []item      // read and not handed out yet
	taken int         // of batch
}

// newHistory begins one record early: that the log holds it shows that the
// cursor belongs to the log.
func newHistory(log Log, after Cursor) *history {
	return &history{log: log, after: after, next: max(after.lowest().Seq, 2) - 1}
}

// batchMost bounds how many packets are read ahead. The batch ends with a
// record, so it can be longer by the packets of one.
const batchMost = 256

// BeyondError says that a reader claims to have more than there is: its cursor
// belongs to another log, or to what was lost with the end of this one.
type BeyondError struct {
	After Cursor
	Last  leyline.Seq // of the log
}

func (e *BeyondError) Error() string {
	return fmt.Sprintf("%s is past the end of the stream, record %d: it belongs to another log", e.After, e.Last)
}

// fromLog returns the next packet from the log; false when the subscription has
// caught up and is live. Any error but the context's ends the subscription.
func (s *Subscription) fromLog(ctx context.Context) (Delivery, bool, error) {
	h := s.past
	for !h.waiting() {
		live, err := s.readOn(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			s.past = nil
			s.hub.leave(s)
			return Delivery{}, false, err
		case err != nil:
			return Delivery{}, false, err
		case live:
			s.past = nil
			return Delivery{}, false, nil
		}
	}
	p := h.batch[h.taken]
	h.batch[h.taken] = item{}
	h.taken++
	return Delivery{p.Packet, p.index, h.after.past(Position{p.Seq, p.index + 1})}, true, nil
}

// readOn reads the next batch, and at the end of the log makes the subscription
// live. Behind the last record a log may hold what is none, such as a checkpoint;
// what was published must be there.
func (s *Subscription) readOn(ctx context.Context) (live bool, err error) {
	h, from := s.past, s.past.next
	upto, shown := s.hub.published()
	if more, err := h.read(ctx, &s.filter); more || err != nil {
		return false, err
	}
	switch {
	case len(h.batch) > 0:
		return false, nil // first what was read
	case shown < h.next:
		h.next = max(h.next, upto+1)
	case h.next == from:
		return false, fmt.Errorf("cannot read on after record %d: the log ends there, and record %d was published", from-1, shown)
	}
	published, err := s.hub.attach(s, h.next-1)
	if err != nil || published >= h.next {
		return false, err
	}
	return true, h.within(max(h.last, published))
}

// waiting reports whether something was read and not handed out.
func (h *history) waiting() bool { return h.taken < len(h.batch) }

// within reports a cursor from past the end of everything.
func (h *history) within(last leyline.Seq) error {
	if h.after.highest().Compare(Position{Seq: last + 1}) > 0 {
		return &BeyondError{After: h.after, Last: last}
	}
	return nil
}

// read fills the batch; false when the log holds no more.
func (h *history) read(ctx context.Context, f *Filter) (more bool, err error) {
	h.batch, h.taken = h.batch[:0], 0
	for r, err := range h.log.Records(h.next) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return false, err
		}
		h.add(r, f)
		h.next, h.last = r.Seq+1, r.Seq
		if len(h.batch) >= batchMost {
			return true, nil
		}
	}
	return false, nil
}

// add takes the packets of a record that the reader wants and does not have.
func (h *history) add(r leyline.Record, f *Filter) {
	packets := Packets(r)
	for i := range packets {
		p := priorityOf(&packets[i])
		if f.wants(&packets[i], p) && h.after.of(p).Compare(Position{r.Seq, i}) <= 0 {
			h.batch = append(h.batch, item{Packet: packets[i], index: i})
		}
	}
}
