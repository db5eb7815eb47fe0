package leyline

import "fmt"

// ClockStepped says that the wall clock of the plane's machine went away from plane
// time by more than kasmina.skew_ms at once. Plane time did not follow.
type ClockStepped struct {
	AmountNs int64   // New less Old: negative when the clock was set back
	Old      Instant // where the wall clock was expected
	New      Instant // where it is
}

// InputKind implements Input.
func (ClockStepped) InputKind() InputKind { return InputClockStepped }

// Validate implements Input.
func (x ClockStepped) Validate() error {
	var c check
	checkStep(&c, x.AmountNs, x.Old, x.New)
	return c.result()
}

// ClockAlarmed tells of a step of the wall clock: CRITICAL when it was set back,
// else WARNING.
type ClockAlarmed struct {
	AmountNs int64
	Old      Instant
	New      Instant
	Steps    uint32 // of this log so far, this one included
}

// EventKind implements Event.
func (ClockAlarmed) EventKind() EventKind { return EventClockAlarmed }

// Validate implements Event.
func (x ClockAlarmed) Validate() error {
	var c check
	checkStep(&c, x.AmountNs, x.Old, x.New)
	need(&c, "steps", x.Steps > 0)
	return c.result()
}

func checkStep(c *check, amount int64, old, now Instant) {
	need(c, "amount_ns", amount != 0)
	need(c, "old", old > 0)
	need(c, "new", now > 0)
	if now.Sub(old).Nanoseconds() != amount {
		c.fail(Invalid("amount_ns", fmt.Sprintf("is %d, the clock went from %s to %s", amount, old, now)))
	}
}
