package replay

import (
	"encoding/binary"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
)

// A record that comes out the same is never decoded as a whole: its input is
// decoded, and its events are compared as they are stored. That makes replay
// half as fast again.

// whole decodes a record. Its errors name it.
func whole(e Entry) (leyline.Record, error) { return wire.DecodeRecord(e.Seq, e.At, e.Payload) }

// split decodes a record without its events and returns those as stored. The
// events may be none that can be decoded.
func (p *pass) split(e Entry) (leyline.Record, []byte, error) {
	if at := eventsAt(e.Payload); at > 0 {
		// With an empty list of events in place of its own the record is decoded
		// by its one decoder. If that finds no events, the list was cut off
		// exactly: whatever eventsAt says, it cannot lead to a wrong answer.
		p.head = append(append(p.head[:0], e.Payload[:at]...), emptyArray)
		if r, err := wire.DecodeRecord(e.Seq, e.At, p.head); err == nil && len(r.Events) == 0 {
			return r, e.Payload[at:], nil
		}
	}
	r, err := whole(e)
	if err != nil {
		return r, nil, err
	}
	events, err := wire.AppendEvents(nil, r.Events)
	r.Events = nil
	return r, events, err
}

// emptyArray is the msgpack array without elements.
const emptyArray = 0x90

// beforeEvents is how many values of a record stand before its events: wall,
// run, and kind, version and body of the input.
const beforeEvents = 5

// eventsAt returns where the events of a stored record begin, or 0 if b does not
// look like one. It skips values and checks nothing.
func eventsAt(b []byte) int {
	off := 1 // behind the head of the record
	for values := uint64(beforeEvents); values > 0; values-- {
		if off >= len(b) {
			return 0
		}
		f := &forms[b[off]]
		body := off + 1 + f.head
		if body > len(b) {
			return 0
		}
		n := f.fixed + bigEndian(b[off+1:off+1+f.count])
		switch {
		case f.array:
			values += n
			off = body
		case n > uint64(len(b)-body):
			return 0
		default:
			off = body + int(n)
		}
	}
	return off
}

// form says how the first byte of a msgpack value leads to the next value.
type form struct {
	head  int    // bytes behind the first that belong to the head
	count int    // of these, bytes that hold the length of the body
	fixed uint64 // length of the body, when the first byte holds it
	array bool   // the length counts values
}

var forms = msgpackForms()

func msgpackForms() (t [256]form) {
	for n := range 16 {
		t[0x90+n] = form{fixed: uint64(n), array: true}
	}
	for n := range 32 {
		t[0xa0+n].fixed = uint64(n)
	}
	for i, n := range []int{1, 2, 4} { // bin and str with a length of n bytes
		t[0xc4+i] = form{head: n, count: n}
		t[0xd9+i] = form{head: n, count: n}
	}
	for i, n := range []int{1, 2, 4, 8} { // unsigned and signed integers
		t[0xcc+i].head, t[0xd0+i].head = n, n
	}
	t[0xcb].head = 8 // float64
	t[0xdc] = form{head: 2, count: 2, array: true}
	t[0xdd] = form{head: 4, count: 4, array: true}
	return t
}

// bigEndian reads up to 8 bytes.
func bigEndian(b []byte) uint64 {
	var w [8]byte
	copy(w[8-len(b):], b)
	return binary.BigEndian.Uint64(w[:])
}
