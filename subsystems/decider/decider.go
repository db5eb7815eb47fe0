// Package decider is the one order in which a record is decided:
//
//	guard, plane, Tolaria, Tamiyo, Kasmina, Tamiyo's part in commands, emergency controller,
//	field reports
//
// The guard judges the input against the state. If it refuses, the record holds
// dependency.violated and nothing else. Otherwise each decider emits its
// events; every event is applied to the state at once, so a later decider sees
// what an earlier one decided, and feedback to an earlier one is a later input.
// The emergency controller is Tolaria's; it comes last because whatever raised or
// lowered a level is published with the record that did. Field reports are Tamiyo's;
// they look back on everything that the record decided, and nothing reads them.
//
// The plane and replay call the same Decide. It is a pure function of state,
// position, time and input: no clock, no randomness, no I/O.
package decider

import (
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/kasmina"
	"github.com/esper-plane/esper/subsystems/tamiyo"
	"github.com/esper-plane/esper/subsystems/tolaria"
)

// Version numbers the rules. It rises with every change that can make Decide
// return other events for the same state and input. Replay re-decides only
// records that were decided by its own version.
const Version uint32 = 7

// Decide returns the events of one record and advances s by them.
func Decide(s *projections.State, m leyline.Meta, in leyline.Input) []leyline.Event {
	return DecideProven(s, m, in, nil)
}

// DecideProven is Decide for a caller that has verified signatures already: proven
// reports which. It may only be true of a signature for which sign.Verify returns nil,
// so it changes no decision, and only saves the time.
func DecideProven(s *projections.State, m leyline.Meta, in leyline.Input, proven func(public []byte, env leyline.Envelope) bool) []leyline.Event {
	t := projections.NewTurn(s, m)
	t.Proven = proven
	if r := admit(s, in); r != nil {
		t.Emit(leyline.DependencyViolated{Refusal: *r})
		return t.Events()
	}
	if by := overtaken(s, in); by != "" {
		x := in.(leyline.StepObserved)
		t.Emit(leyline.StepOvertaken{Run: x.Run, Step: x.Step, Incarnation: x.Incarnation, Rollback: by})
		s.End(in)
		return t.Events()
	}
	in = present(s, in)
	own(t, in)
	tolaria.Decide(t, in)
	tamiyo.Decide(t, in)
	kasmina.Decide(t, in)
	tamiyo.Control(t)
	if halted := tolaria.Control(t); halted != "" {
		kasmina.Closed(t, halted)
	}
	tamiyo.Report(t, in)
	s.End(in)
	return t.Events()
}
