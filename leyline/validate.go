package leyline

import (
	"fmt"
	"math"
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
	case RollbackReported:
		return x.Run
	case TimerFired:
		return x.Run
	case CompileFallback:
		return x.Run
	}
	return ""
}

// check collects the first problem of an input, field by field in the order of
// the struct, so that an error always names the earliest field.
type check struct{ err *Refusal }

func (c *check) fail(r *Refusal) {
	if c.err == nil {
		c.err = r
	}
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
		c.fail(Missing(field))
	}
}

func needEnum[S members](c *check, field string, e Enum[S]) {
	if e == 0 {
		c.fail(Missing(field))
	} else if err := e.Validate(); err != nil {
		c.fail(Invalid(field, err.Error()))
	}
}

func oneOf[S members](c *check, field string, e Enum[S], want ...Enum[S]) {
	needEnum(c, field, e)
	for _, w := range want {
		if e == w {
			return
		}
	}
	c.fail(Invalid(field, fmt.Sprintf("is %s; want one of %v", e, want)))
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

func distinct[T ~string](c *check, field string, ids []T) {
	for i, id := range ids {
		needID(c, at(field, i), id)
		for j := range i {
			if ids[j] == id {
				c.fail(Invalid(at(field, i), fmt.Sprintf("repeats %q", id)))
			}
		}
	}
}

func at(field string, i int) string { return field + "[" + strconv.Itoa(i) + "]" }

func (e Envelope) check(c *check, field, payloadType string) {
	if e.PayloadType != payloadType {
		c.fail(Invalid(field+".payload_type", fmt.Sprintf("is %q; want %q", clip(e.PayloadType), payloadType)))
	}
	need(c, field+".payload", len(e.Payload) > 0)
	bound(c, field+".payload", len(e.Payload), MaxCommandBytes)
	needID(c, field+".key_id", e.KeyID)
	bound(c, field+".signature", len(e.Signature), 64)
}

func finite(c *check, field string, v float64) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		c.fail(Invalid(field, fmt.Sprintf("is %v; want a finite number", v)))
	}
}
