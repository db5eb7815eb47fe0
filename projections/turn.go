package projections

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
)

// Turn is one record being decided. Deciders read State and emit events; every
// event is applied at once, so a later decider sees what an earlier one
// decided.
type Turn struct {
	State *State
	Meta  leyline.Meta
	// Proven reports whether this process found a signature good before. It only saves
	// a decider time; nil: it has found none.
	Proven func(public []byte, env leyline.Envelope) bool
	events []leyline.Event
}

// NewTurn moves s to the record m and returns the turn.
func NewTurn(s *State, m leyline.Meta) *Turn {
	s.Begin(m)
	return &Turn{State: s, Meta: m}
}

// Emit decides an event. It panics on one that is invalid: deciders are pure
// functions of state and input, and the guard has admitted both, so such an event
// is a mistake in a rule and would be decided again however often it is tried.
// There is no caller who could do better than to stop: the process ends before
// anything of the record is durable, and nothing is put in the event's place. A
// replay of a crafted log, which gets here as well, recovers and names the record.
func (t *Turn) Emit(e leyline.Event) {
	if err := e.Validate(); err != nil {
		panic(fmt.Sprintf("projections: record %d: a rule decided an invalid %s: %v", t.Meta.Seq, e.EventKind(), err)) // Invariant: deciders emit valid events
	}
	t.State.Apply(t.Meta, len(t.events), e)
	t.events = append(t.events, e)
}

// Config is the configuration in force.
func (t *Turn) Config() *leyline.ExecutionConfig { return &t.State.Plane.Config }

// Events returns what was decided so far, in order.
func (t *Turn) Events() []leyline.Event { return t.events }
