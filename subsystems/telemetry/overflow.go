package telemetry

import "github.com/esper-plane/esper/leyline"

// Why packets were not delivered.
const (
	causeSlow = "slow_subscriber" // a lane of the subscriber was full
	causeCap  = "emergency_cap"   // the emergency stream had no token left
)

// loss is a range of packets that were not delivered.
type loss struct {
	from    Position // of the first one
	last    leyline.Seq
	at      leyline.Instant // of the last one
	packets uint64
	told    uint64 // of packets: a notice has said so; Invariant: at most packets
}

// add counts one more lost packet. They are lost in their order.
func (l *loss) add(p *item) {
	if l.packets == 0 {
		l.from = Position{p.Seq, p.index}
	}
	l.last, l.at = p.Seq, p.At
	l.packets++
}

// merge adds packets that were lost after these.
func (l *loss) merge(later *loss) {
	if l.packets == 0 {
		l.from = later.from
	}
	l.last, l.at = later.last, later.at
	l.packets += later.packets
	l.told += later.told
}

// holdBack returns a position that is not behind what a reader was not told of:
// coming back, it is given that from the log.
func (l *loss) holdBack(p Position) Position {
	if l.packets > 0 {
		return minPosition(p, l.from)
	}
	return p
}

// packet tells of a loss, and whether it goes on. No record holds it: its sequence
// number is that of the last record of which a packet was lost. Its event counts
// from the first one lost, its counter what no notice has counted before.
func (l *loss) packet(cause string, p leyline.Priority, ongoing bool) leyline.Packet {
	why, of := text(keyCause, cause), name(keyPriority, p)
	var s section
	s.metric(leyline.MetricDropped, float64(l.packets-l.told), why, of)
	s.event(leyline.NameOverflow, leyline.LevelWarning, why, of, whole(keyFirst, l.from.Seq), whole(keyLast, l.last),
		whole(keyPackets, l.packets), boolean(keyOngoing, ongoing))
	l.told = l.packets
	return leyline.Packet{
		Seq: l.last, At: l.at, Source: leyline.SubsystemPlane, Level: leyline.LevelWarning, Priority: leyline.PriorityHigh,
		Metrics: s.metrics, Events: s.events,
	}
}
