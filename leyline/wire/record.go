package wire

import (
	"fmt"
	"reflect"
	"strconv"

	"github.com/esper-plane/esper/leyline"
)

// MaxRecordBytes bounds the payload of a record.
const MaxRecordBytes = 16 << 20

// recordLimits bounds the structure of a record. Depth follows from the types:
// record, events, event, config.adopted, configuration, section.
var recordLimits = Limits{Bytes: MaxRecordBytes, Depth: 16, Elements: 4 << 20, Length: MaxRecordBytes}

// AppendRecord appends the payload of a record's log frame to dst. Sequence and
// time belong to the frame and are not in the payload. On an error, which is an
// *EncodeError, dst is returned as it was.
func AppendRecord(dst []byte, r leyline.Record) ([]byte, error) {
	e := begin(dst, false)
	out, err := e.end(dst, encodeRecord(e, r))
	if n := len(out) - len(dst); n > MaxRecordBytes {
		out, err = dst, &EncodeError{Problem: fmt.Sprintf("has %d bytes, at most %d are allowed", n, MaxRecordBytes)}
	}
	if err != nil {
		err.What = recordName(r.Seq)
		return dst, err
	}
	return out, nil
}

func recordName(seq leyline.Seq) string { return "record " + strconv.FormatUint(uint64(seq), 10) }

func encodeRecord(e *encoder, r leyline.Record) *EncodeError {
	e.array(6)
	e.int(int64(r.Wall))
	e.string(string(r.Run))
	if r.Input == nil {
		return &EncodeError{Path: "input", Problem: "is missing"}
	}
	if err := encodeKind(e, inputs[:], uint8(r.Input.InputKind()), r.Input); err != nil {
		return err.under("input")
	}
	return encodeEvents(e, r.Events)
}

// AppendEvents appends exactly the bytes that AppendRecord stores for the
// events, so that replay can compare what it decided with what was stored.
func AppendEvents(dst []byte, evs []leyline.Event) ([]byte, error) {
	e := begin(dst, false)
	out, err := e.end(dst, encodeEvents(e, evs))
	if err != nil {
		err.What = "events"
		return dst, err
	}
	return out, nil
}

func encodeEvents(e *encoder, evs []leyline.Event) *EncodeError {
	e.array(len(evs))
	for i, ev := range evs {
		if err := encodeEvent(e, ev); err != nil {
			return err.under("events[" + strconv.Itoa(i) + "]")
		}
	}
	return nil
}

func encodeEvent(e *encoder, ev leyline.Event) *EncodeError {
	if ev == nil {
		return &EncodeError{Problem: "is missing"}
	}
	e.array(3)
	return encodeKind(e, events[:], uint8(ev.EventKind()), ev)
}

// encodeKind writes kind, version and body.
func encodeKind[I any](e *encoder, table [][]stored[I], kind uint8, v I) *EncodeError {
	rv := reflect.ValueOf(v)
	if int(kind) >= len(table) || len(table[kind]) == 0 {
		return &EncodeError{Problem: fmt.Sprintf("has kind %d, which is not registered", kind)}
	}
	last := len(table[kind]) - 1
	s := &table[kind][last]
	if rv.Type() != s.typ {
		return &EncodeError{Problem: fmt.Sprintf("is a %s, want %s", rv.Type(), s.typ)}
	}
	e.uint(uint64(kind))
	e.uint(uint64(last + firstVersion))
	return s.codec.encode(e, rv)
}

// DecodeRecord decodes a payload that AppendRecord made. Input and Events hold
// values, never pointers, and nothing in the result aliases payload. An error
// is a *DecodeError. Accepted bytes are exactly those AppendRecord makes of the
// result.
//
// Every event is valid: one that lacks a mandatory field was never decided, so
// bytes that hold it are refused, by its position, kind and field. The input is
// as it came in, which may be anything: that it was refused is a valid event.
func DecodeRecord(seq leyline.Seq, at leyline.Instant, payload []byte) (leyline.Record, error) {
	return decodeJudged(seq, at, payload, leyline.Event.Validate)
}

// decodeJudged decodes a record whose events judge accepts.
func decodeJudged(seq leyline.Seq, at leyline.Instant, payload []byte, judge func(leyline.Event) error) (leyline.Record, error) {
	r := leyline.Record{Seq: seq, At: at}
	err := decodeWhole(payload, recordLimits, false, func(d *decoder) *DecodeError { return decodeRecord(d, &r, judge) })
	if err != nil {
		err.What = recordName(seq)
		return leyline.Record{}, err
	}
	return r, nil
}

func decodeRecord(d *decoder, r *leyline.Record, judge func(leyline.Event) error) *DecodeError {
	if err := d.tuple(6, "a record"); err != nil {
		return err
	}
	if err := (intCodec{}).decode(d, reflect.ValueOf(&r.Wall).Elem()); err != nil {
		return err.under("wall")
	}
	run, err := d.bytes(shapeStr)
	if err != nil {
		return err.under("run")
	}
	r.Run = leyline.RunID(run)
	if r.Input, _, err = decodeKind(d, inputs[:]); err != nil {
		return err.under("input")
	}
	if r.Events, err = decodeEvents(d, judge); err != nil {
		return err
	}
	return nil
}

// leastEvent is the shortest event: array, kind, version, empty body.
const leastEvent = 4

func decodeEvents(d *decoder, judge func(leyline.Event) error) ([]leyline.Event, *DecodeError) {
	n, err := d.array(leastEvent)
	if err != nil {
		return nil, err.under("events")
	}
	if n == 0 {
		return nil, nil
	}
	evs := make([]leyline.Event, n)
	for i := range evs {
		if evs[i], err = decodeEvent(d, judge); err != nil {
			return nil, err.under("events[" + strconv.Itoa(i) + "]")
		}
	}
	return evs, nil
}

func decodeEvent(d *decoder, judge func(leyline.Event) error) (leyline.Event, *DecodeError) {
	start := d.off
	if err := d.tuple(3, "an event"); err != nil {
		return nil, err
	}
	ev, present, err := decodeKind(d, events[:])
	if err != nil {
		return nil, err
	}
	if present {
		if err := judge(ev); err != nil {
			return nil, invalid(start, ev, err)
		}
	}
	return ev, nil
}

// invalid refuses an event for the field that its Validate named.
func invalid(start int, ev leyline.Event, err error) *DecodeError {
	kind := ev.EventKind()
	if r, ok := leyline.AsRefusal(err); ok {
		return refuse(start, "is a %s whose %s %s", kind, r.Field, r.Reason)
	}
	return refuse(start, "is no valid %s: %v", kind, err)
}

// decodeKind reads kind, version and body, and says whether the version is the one
// that is written.
func decodeKind[I any](d *decoder, table [][]stored[I]) (v I, present bool, err *DecodeError) {
	start := d.off
	kind, err := d.want(shapeUint)
	if err != nil {
		return v, false, err.under("kind")
	}
	if kind >= uint64(len(table)) || len(table[kind]) == 0 {
		return v, false, refuse(start, "has unknown kind %d", kind)
	}
	versions := table[kind]
	start = d.off
	version, err := d.want(shapeUint)
	if err != nil {
		return v, false, err.under("version")
	}
	if version < firstVersion || version-firstVersion >= uint64(len(versions)) {
		return v, false, refuse(start, "has unknown version %d of kind %d", version, kind)
	}
	v, err = versions[version-firstVersion].decode(d)
	return v, version-firstVersion == uint64(len(versions)-1), err
}
