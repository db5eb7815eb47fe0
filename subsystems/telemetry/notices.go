package telemetry

import "github.com/esper-plane/esper/leyline"

// notice returns what is to be told before a packet of a lane is handed out.
func (s *Subscription) notice(i int) (leyline.Packet, bool) {
	priority := leyline.PriorityNormal
	if i == laneHigh {
		priority = leyline.PriorityHigh
		switch s.capNews() {
		case capOver:
			p := s.released.packet(causeCap, priority, false)
			s.released = loss{}
			return p, true
		case capShut:
			return s.held.packet(causeCap, priority, true), true
		}
	}
	l := &s.lanes[i].lost
	if l.packets == 0 {
		return leyline.Packet{}, false
	}
	p := l.packet(causeSlow, priority, false)
	*l = loss{}
	return p, true
}

// capNews is what the reader is to be told of the emergency cap.
//
// enum: local because it is a verdict between two methods and is never stored.
type capNews uint8

const (
	capQuiet capNews = iota
	capOver          // it lets packets pass again, or nothing follows: what it held back, in full
	capShut          // it has begun to hold packets back
)

func (s *Subscription) capNews() capNews {
	switch {
	case s.released.packets > 0:
		return capOver
	case s.held.packets > 0 && s.held.told == 0:
		return capShut
	}
	return capQuiet
}

// release lets the reader be told in full of what the cap has held back.
func (s *Subscription) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened() {
		s.signal()
	}
}

// opened moves what the cap holds back to what is told in full, and reports
// whether there was any.
func (s *Subscription) opened() bool {
	if s.held.packets == 0 {
		return false
	}
	s.released.merge(&s.held)
	s.held = loss{}
	return true
}
