package leyline

import "fmt"

// ProfileReported says what became of the trace of a profile window: the steps
// First to Last, which the trainer has run and timed.
type ProfileReported struct {
	Run         RunID
	Incarnation Incarnation
	First       Step
	Last        Step
	File        string // name within the run's trace directory; same syntax as an id. Empty when there is none
	Bytes       uint64
	Outcome     Outcome // OK, or FAILED: there is no trace
	Reason      string  // of a failure
	TookNs      uint64  // to write it
}

// ProfileRecorded records it. A trace that could not be written is a WARNING:
// nothing of the training depends on it.
type ProfileRecorded struct {
	Run     RunID
	First   Step
	Last    Step
	File    string
	Bytes   uint64
	Outcome Outcome
	Reason  string
	TookNs  uint64
}

// InputKind implements Input.
func (ProfileReported) InputKind() InputKind { return InputProfileReported }

// EventKind implements Event.
func (ProfileRecorded) EventKind() EventKind { return EventProfileRecorded }

// Validate implements Input.
func (x ProfileReported) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "incarnation", x.Incarnation > 0)
	x.Recorded().check(&c)
	return c.result()
}

// Validate implements Event.
func (x ProfileRecorded) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	x.check(&c)
	return c.result()
}

// check demands a file of a trace that there is, and a reason where there is none.
func (x ProfileRecorded) check(c *check) {
	need(c, "first", x.First > 0)
	if x.Last < x.First {
		c.fail(Invalid("last", fmt.Sprintf("is %d, before the first step %d", x.Last, x.First)))
	}
	oneOf(c, "outcome", x.Outcome, OutcomeOK, OutcomeFailed)
	if x.Outcome == OutcomeOK {
		needID(c, "file", x.File)
		need(c, "bytes", x.Bytes > 0)
	} else {
		need(c, "reason", x.Reason != "")
	}
	mayID(c, "file", x.File)
	text(c, "reason", x.Reason, MaxText)
}

// Recorded is the event of a report.
func (x ProfileReported) Recorded() ProfileRecorded {
	return ProfileRecorded{
		Run: x.Run, First: x.First, Last: x.Last, File: x.File, Bytes: x.Bytes, Outcome: x.Outcome, Reason: x.Reason, TookNs: x.TookNs,
	}
}
