package telemetry

import "github.com/esper-plane/esper/leyline"

// Why packets were not delivered.
const (
	causeSlow = "slow_subscriber" // a lane of the subscriber was full
	causeCap  = "emergency_cap"   // the emergency stream had no token left
)

// loss is a range of records of which packets were not delivered.
type loss struct {
	first, last leyline.Seq
	at          leyline.Instant // of the last one
	packets     uint64
}

// add counts one more lost packet. The oldest packet of a lane makes room, so
// sequence numbers rise.
func (l *loss) add(seq leyline.Seq, at leyline.Instant) {
	if l.packets == 0 {
		l.first = seq
	}
	l.last, l.at = seq, at
	l.packets++
}

// merge adds a later loss.
func (l *loss) merge(m loss) {
	if l.packets == 0 {
		*l = m
		return
	}
	l.last, l.at = m.last, m.at
	l.packets += m.packets
}

// packet tells of a loss. No record holds it: its sequence number is that of the
// last record of which a packet was lost.
func (l *loss) packet(cause string, p leyline.Priority) leyline.Packet {
	why, of := text(keyCause, cause), name(keyPriority, p)
	var s section
	s.metric(leyline.MetricDropped, float64(l.packets), why, of)
	s.event(leyline.NameOverflow, leyline.LevelWarning, why, of, whole(keyFirst, l.first), whole(keyLast, l.last), whole(keyPackets, l.packets))
	return leyline.Packet{
		Seq: l.last, At: l.at, Source: leyline.SubsystemPlane, Level: leyline.LevelWarning, Priority: leyline.PriorityHigh,
		Metrics: s.metrics, Events: s.events,
	}
}
