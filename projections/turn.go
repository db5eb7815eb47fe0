package projections

import "github.com/esper-plane/esper/leyline"

// Turn is one record being decided. Deciders read State and emit events; every
// event is applied at once, so a later decider sees what an earlier one
// decided.
type Turn struct {
	State  *State
	Meta   leyline.Meta
	events []leyline.Event
}

// NewTurn moves s to the record m and returns the turn.
func NewTurn(s *State, m leyline.Meta) *Turn {
	s.Begin(m)
	return &Turn{State: s, Meta: m}
}

// Emit decides an event.
func (t *Turn) Emit(e leyline.Event) {
	t.State.Apply(t.Meta, len(t.events), e)
	t.events = append(t.events, e)
}

// Config is the configuration in force.
func (t *Turn) Config() *leyline.ExecutionConfig { return &t.State.Plane.Config }

// Events returns what was decided so far, in order.
func (t *Turn) Events() []leyline.Event { return t.events }
