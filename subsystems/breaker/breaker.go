// Package breaker is the circuit breaker of every subsystem: pure functions from where
// a breaker stands to how it moves. A CLOSED breaker opens at the configured
// number of failures in a row. An OPEN one refuses until its cool-down is over
// and then lets attempts through as HALF_OPEN; there enough successes close it
// and one failure opens it again. A failure while OPEN extends the cool-down; a
// success then says nothing, and a refusal is not a failure: refused attempts
// never keep a breaker open. An operator may force any of the three states.
//
// Whatever is done to a breaker is told by a leyline.BreakerMoved, a refusal and a
// success that only counts included; its action says what it was (SPEC.md 4.7):
//
//	asked while OPEN      denied        cooling_down
//	asked after that      transition    cooldown_elapsed   HALF_OPEN
//	failure               count, or transition to OPEN, or extend while OPEN
//	success               count, or transition to CLOSED   success, stabilised
//	forced                forced        operator
//
// Time is that of the log: a cool-down ends at an instant that the move holds. In a
// lockstep run it counts healthy steps, those of earlier incarnations included, so
// that no decision depends on time. A breaker does not move by itself: that a
// cool-down has ended is decided when somebody asks.
package breaker

import (
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// Now is where a run stands when a breaker is asked.
type Now struct {
	Run      leyline.RunID
	At       leyline.Instant
	Steps    uint64 // healthy steps over all incarnations: a rewind does not make a cool-down longer
	Lockstep bool
}

// Allow reports whether a breaker lets an attempt through, and what is to be told
// of that: an OPEN one whose cool-down is over becomes HALF_OPEN, one that is not
// denies. moves is false when there is nothing to tell.
func Allow(b projections.Breaker, now Now) (allowed bool, moved leyline.BreakerMoved, moves bool) {
	if b.State != leyline.BreakerOpen {
		return true, moved, false
	}
	over := now.At >= b.Until
	if now.Lockstep {
		over = now.Steps >= b.UntilStep
	}
	if !over {
		return false, Deny(b, now, leyline.BreakerCoolingDown), true
	}
	moved = move(b, now, leyline.BreakerHalfOpen, leyline.BreakerTransition, leyline.BreakerCooldownElapsed)
	moved.Successes, moved.Until, moved.UntilStep = 0, 0, 0
	return true, moved, true
}

// Deny tells that an attempt was refused, and leaves the breaker as it is.
func Deny(b projections.Breaker, now Now, why leyline.BreakerReason) leyline.BreakerMoved {
	return move(b, now, b.State, leyline.BreakerDenied, why)
}

// Fail counts a failure.
func Fail(c *leyline.BreakerConfig, b projections.Breaker, now Now, reason leyline.BreakerReason) leyline.BreakerMoved {
	m := move(b, now, b.State, leyline.BreakerCount, reason)
	m.Failures, m.Successes = b.Failures+1, 0
	switch {
	case b.State == leyline.BreakerOpen:
		m.Action = leyline.BreakerExtend
	case b.State == leyline.BreakerHalfOpen, m.Failures >= c.Failures:
		m.Action, m.To = leyline.BreakerTransition, leyline.BreakerOpen
	default:
		return m
	}
	cool(c, now, &m)
	return m
}

// cool begins a cool-down.
func cool(c *leyline.BreakerConfig, now Now, m *leyline.BreakerMoved) {
	if now.Lockstep {
		m.UntilStep = now.Steps + uint64(c.OpenSteps)
	} else {
		m.Until = now.At.Add(c.Open.Duration())
	}
}

// Force sets a breaker to CLOSED, OPEN or HALF_OPEN, also where it stands there
// already; false for any other state, which is none. A forced OPEN has as many
// failures as open one, and cools down from now on like any other; a forced CLOSED
// and HALF_OPEN begin to count anew.
func Force(c *leyline.BreakerConfig, b projections.Breaker, now Now, to leyline.BreakerState) (leyline.BreakerMoved, bool) {
	if to.Validate() != nil {
		return leyline.BreakerMoved{}, false
	}
	m := move(b, now, to, leyline.BreakerForced, leyline.BreakerOperator)
	m.Failures, m.Successes, m.Until, m.UntilStep = 0, 0, 0, 0
	if to == leyline.BreakerOpen {
		m.Failures = c.Failures
		cool(c, now, &m)
	}
	return m, true
}

// Succeed counts a success; false when it changes nothing.
func Succeed(c *leyline.BreakerConfig, b projections.Breaker, now Now) (leyline.BreakerMoved, bool) {
	m := move(b, now, b.State, leyline.BreakerCount, leyline.BreakerSuccess)
	switch {
	case b.State == leyline.BreakerClosed && b.Failures > 0:
		m.Failures = 0
	case b.State == leyline.BreakerHalfOpen && b.Successes+1 >= c.Successes:
		m.Action, m.Reason = leyline.BreakerTransition, leyline.BreakerStabilised
		m.To, m.Failures, m.Successes = leyline.BreakerClosed, 0, 0
	case b.State == leyline.BreakerHalfOpen:
		m.Successes++
	default:
		return m, false
	}
	return m, true
}

func move(b projections.Breaker, now Now, to leyline.BreakerState, how leyline.BreakerAction, why leyline.BreakerReason) leyline.BreakerMoved {
	return leyline.BreakerMoved{
		Run: now.Run, Breaker: b.ID, Action: how, From: b.State, To: to, Reason: why,
		Failures: b.Failures, Successes: b.Successes, Until: b.Until, UntilStep: b.UntilStep,
	}
}
