package telemetry

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
)

// Filter says which packets a subscriber wants. The zero Filter wants all.
type Filter struct {
	Stream  leyline.Stream   // unset: both
	Minimum leyline.Priority // unset: every priority
	Run     leyline.RunID    // only packets of this run; empty: of every run and of none
}

// Validate returns an error for codes that are not members of their enum.
func (f Filter) Validate() error {
	switch {
	case !f.Stream.Known():
		return fmt.Errorf("stream: %w", f.Stream.Validate())
	case !f.Minimum.Known():
		return fmt.Errorf("priority: %w", f.Minimum.Validate())
	}
	return nil
}

// takes reports whether the filter wants packets of a priority.
func (f *Filter) takes(p leyline.Priority) bool {
	one := f.Stream == leyline.StreamEmergency || f.Stream == leyline.StreamNormal
	return p >= f.Minimum && (!one || leyline.StreamOf(p) == f.Stream)
}

// wants reports whether the filter wants a packet of a priority.
func (f *Filter) wants(p *leyline.Packet, priority leyline.Priority) bool {
	return (f.Run == "" || f.Run == p.Run) && f.takes(priority)
}

// priorityOf returns the priority of a packet's highest event. It counts, and
// not what is written on the packet.
func priorityOf(p *leyline.Packet) leyline.Priority { return leyline.PriorityOf(highest(p.Events)) }
