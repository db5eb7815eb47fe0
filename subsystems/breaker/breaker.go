// Package breaker is the circuit breaker of every subsystem: pure functions from where
// a breaker stands to how it moves. A CLOSED breaker opens at the configured
// number of failures in a row. An OPEN one refuses until its cool-down is over
// and then lets attempts through as HALF_OPEN; there enough successes close it
// and one failure opens it again. A failure while OPEN extends the cool-down; a
// success then says nothing, and a refusal is not a failure: refused attempts
// never keep a breaker open.
//
// In a lockstep run the cool-down counts healthy steps, those of earlier
// incarnations included, so that no decision depends on time. A breaker does not move by itself: that a cool-down has ended is decided
// when somebody asks.
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

// Allow reports whether a breaker lets an attempt through, and how it moved to
// do so: an OPEN one whose cool-down is over becomes HALF_OPEN.
func Allow(b projections.Breaker, now Now) (allowed bool, moved leyline.BreakerMoved, moves bool) {
	if b.State != leyline.BreakerOpen {
		return true, moved, false
	}
	over := now.At >= b.Until
	if now.Lockstep {
		over = now.Steps >= b.UntilStep
	}
	if !over {
		return false, moved, false
	}
	moved = move(b, now, leyline.BreakerHalfOpen, leyline.BreakerTransition, leyline.BreakerCooldownElapsed)
	moved.Successes, moved.Until, moved.UntilStep = 0, 0, 0
	return true, moved, true
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
	if now.Lockstep {
		m.UntilStep = now.Steps + uint64(c.OpenSteps)
	} else {
		m.Until = now.At.Add(c.Open.Duration())
	}
	return m
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
