// Package client is the Go side of a trainer's talk with a plane: the methods of
// replay/workload.Plane over a Unix socket or TCP, with the framed lane for reports
// where the plane has one.
//
// # What it promises
//
// A request is sent again, with the same bytes, when no answer to it came: the plane
// gives the recorded answer to what it has recorded. So an answer is never lost and no
// report counts twice, also when the plane was killed and started again meanwhile.
//
// How long it tries is the trainer's choice (Options.Away): stop gives up after a few
// attempts, wait goes on until the plane is there again, at most for Options.AwayFor.
// Giving up is an [AwayError]; nothing is assumed in place of an answer.
//
// A refusal is a *leyline.Refusal with the kind, field, reason and hint that the plane
// gave. Every other problem is a [ProblemError].
//
// # Pipelining
//
// [Client.Submit] sends a step and [Client.Wait] takes the oldest outstanding answer. At
// most RunOpened.Lag+1 may be outstanding. All other reports demand that none is.
//
// # Goroutines
//
// A client belongs to one trainer: one method at a time, but for Directives, which any
// goroutine may call beside them.
package client
