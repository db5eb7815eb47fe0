package leyline

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// RunOf returns the run an input concerns, empty when it concerns the plane.
// A command's run is inside its signed bytes and is not read here.
func RunOf(in Input) RunID {
	switch x := in.(type) {
	case RunOpened:
		return x.Run
	case RunClosed:
		return x.Run
	case StepObserved:
		return x.Run
	case EpochObserved:
		return x.Run
	case SeedProbed:
		return x.Run
	case PolicyAnswered:
		return x.Run
	case PolicyFailed:
		return x.Run
	case CommandAcked:
		return x.Run
	case KernelReady:
		return x.Run
	case KernelFailed:
		return x.Run
	case SnapshotTaken:
		return x.Run
	case SnapshotLost:
		return x.Run
	case RollbackReported:
		return x.Run
	case TimerFired:
		return x.Run
	case CompileFallback:
		return x.Run
	case ProfileReported:
		return x.Run
	case EmergencyDelivered:
		return x.Run
	case EmergencyUndelivered:
		return x.Run
	case TeacherRegistered:
		return x.Run
	case TeacherDeregistered:
		return x.Run
	case CacheCleared:
		return x.Run
	case ReportDelivered:
		return x.Run
	case ReportFailed:
		return x.Run
	case MetadataAnswered:
		return x.Run
	case MetadataFailed:
		return x.Run
	case PolicyLoaded:
		return x.Run
	}
	return ""
}

// check collects the first problem of an input or an event, field by field in
// the order of the struct, so that an error always names the earliest field. It
// allocates only once it has found one.
type check struct {
	err   *Refusal
	list  string // that holds the element at hand; empty: the fields are those of the struct
	index int
}

// element moves on to an element of a list: from here on, up to leave, fields
// are those of the element, and "" is the element itself.
func (c *check) element(list string, i int) { c.list, c.index = list, i }

func (c *check) leave() { c.list = "" }

func (c *check) fail(r *Refusal) {
	if c.err != nil {
		return
	}
	if c.list != "" {
		r.Field = under(at(c.list, c.index), r.Field)
	}
	c.err = r
}

// part takes over the problem of a field that validates itself.
func (c *check) part(field string, err error) {
	if err == nil {
		return
	}
	r := Invalid(field, err.Error())
	if inner, ok := AsRefusal(err); ok {
		*r = *inner
		r.Field = under(field, inner.Field)
	}
	c.fail(r)
}

// under names a field of a part; the field "" is the part itself.
func under(part, field string) string {
	if field == "" {
		return part
	}
	return part + "." + field
}

func (c *check) result() error {
	if c.err == nil {
		return nil
	}
	return c.err
}

func needID[T ~string](c *check, field string, id T) {
	if id == "" {
		c.fail(Missing(field))
		return
	}
	if err := CheckID(id); err != nil {
		c.fail(&Refusal{Subsystem: SubsystemPlane, Kind: RefusalInvalidField, Field: field, Reason: err.Error(),
			Identifier: clip(string(id)), Hint: "use 1 to 128 letters, digits and ._:-"})
	}
}

func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "..."
	}
	return s
}

func need(c *check, field string, set bool) {
	if !set {
		c.missing(field)
	}
}

func (c *check) missing(field string) { c.fail(Missing(field)) }

func needEnum[S members](c *check, field string, e Enum[S]) {
	if e == 0 {
		c.fail(Missing(field))
	} else if err := e.Validate(); err != nil {
		c.fail(Invalid(field, err.Error()))
	}
}

// mayEnum demands a known code of a field that may be unset.
func mayEnum[S members](c *check, field string, e Enum[S]) {
	if !e.Known() {
		c.fail(Invalid(field, "is "+e.String()))
	}
}

func oneOf[S members](c *check, field string, e Enum[S], want ...Enum[S]) {
	needEnum(c, field, e)
	for _, w := range want {
		if e == w {
			return
		}
	}
	c.fail(Invalid(field, fmt.Sprintf("is %s; want one of %v", e, slices.Clone(want))))
}

func bound(c *check, field string, n, limit int) {
	if n > limit {
		c.fail(Invalid(field, fmt.Sprintf("has %d entries, at most %d are allowed", n, limit)))
	}
}

// same demands one entry per task.
func same(c *check, field string, n, losses int) {
	if n != losses {
		c.fail(Invalid(field, "has another length than losses"))
	}
}

func text(c *check, field, s string, limit int) {
	if len(s) > limit {
		c.fail(Invalid(field, fmt.Sprintf("is %d bytes long, at most %d are allowed", len(s), limit)))
	}
}

func needText(c *check, field, s string) {
	need(c, field, s != "")
	text(c, field, s, MaxText)
}

func notNaN(c *check, field string, v float64) {
	if math.IsNaN(v) {
		c.fail(Invalid(field, "is NaN"))
	}
}

// notNegative lets NaN and infinities pass: they are what a fault looks like.
func notNegative(c *check, field string, v float64) {
	if v < 0 {
		c.fail(Invalid(field, fmt.Sprintf("is %v; a norm is 0 or more", v)))
	}
}

func unit(c *check, field string, v float64) {
	if !(v >= 0 && v <= 1) {
		c.fail(Invalid(field, fmt.Sprintf("is %v; want a number from 0 to 1", v)))
	}
}

// needIDs demands ids of each element; the list itself may be empty.
func needIDs[T ~string](c *check, list string, ids []T) {
	for i, id := range ids {
		c.element(list, i)
		needID(c, "", id)
	}
	c.leave()
}

func distinct[T ~string](c *check, list string, ids []T) {
	for i, id := range ids {
		c.element(list, i)
		needID(c, "", id)
		if slices.Contains(ids[:i], id) {
			c.fail(Invalid("", fmt.Sprintf("repeats %q", id)))
		}
	}
	c.leave()
}

// units demands numbers from 0 to 1.
func units(c *check, list string, vs []float64) {
	for i, v := range vs {
		c.element(list, i)
		unit(c, "", v)
	}
	c.leave()
}

// mayID demands the syntax of an id of a field that may be empty.
func mayID[T ~string](c *check, field string, id T) {
	if id != "" {
		needID(c, field, id)
	}
}

// finite refuses what no sum of finite numbers is.
func finite(c *check, field string, v float64) {
	if !isFinite(v) {
		c.infinite(field, v)
	}
}

func (c *check) infinite(field string, v float64) {
	c.fail(Invalid(field, fmt.Sprintf("is %v; want a finite number", v)))
}

func isFinite(v float64) bool { return math.Abs(v) <= math.MaxFloat64 }

func at(field string, i int) string { return field + "[" + strconv.Itoa(i) + "]" }

func (e Envelope) check(c *check, field, payloadType string) {
	if e.PayloadType != payloadType {
		c.fail(Invalid(field+".payload_type", fmt.Sprintf("is %q; want %q", clip(e.PayloadType), payloadType)))
	}
	need(c, field+".payload", len(e.Payload) > 0)
	bound(c, field+".payload", len(e.Payload), MaxCommandBytes)
	needID(c, field+".key_id", e.KeyID)
	need(c, field+".signature", len(e.Signature) > 0)
	bound(c, field+".signature", len(e.Signature), 64)
}
