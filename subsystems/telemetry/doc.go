// Package telemetry turns records into packets and routes packets to two
// streams and any number of subscribers. It holds no sink, starts no goroutine
// and reads no clock: callers pull packets and bring them to wherever they are
// wanted. Sinks are in packages of their own; [AppendJSON] is the one encoding
// of a packet for all of them.
//
// Every name is a constant of leyline with a row that says its meaning, unit,
// kind, attribute keys and, for events, levels; see leyline.Metrics.
//
// # Packets are a projection
//
// [Packets] is a pure function of one record. The same record gives the same
// packets, in the same order, on every machine and at every time, so telemetry
// can be computed again for any point of history and losing a packet loses
// nothing that the log does not still hold. What a record cannot say is not in
// its packets: there is no process gauge here and no state from one record to
// the next.
//
// What is promised of the packets of a record:
//
//   - At most one packet per subsystem, in the order plane, Tolaria, Tamiyo,
//     Kasmina, trainer; a subsystem with nothing to say sends none.
//   - Source is who decided ([Source]); a refusal belongs to who refused. A
//     metric whose name begins with a subsystem is in that subsystem's packet:
//     measurements of the trainer are reported by Tolaria and Kasmina, and
//     tamiyo.loss_delta by Tamiyo although Tolaria computed it.
//   - Metrics measured by the input come first, then what each event says, in
//     the order of the events.
//   - Level is the highest level among the packet's events, INFO without any;
//     Priority is leyline.PriorityOf of it.
//   - Run is the record's run or, for a record that has none, the run that all
//     of the packet's events agree on, else empty. The run that a rejected
//     command merely claims is an attribute, not the packet's run.
//   - A name always has the same attribute keys in the same order, and a
//     metric's name always has the same unit. A value that is not known is
//     empty, never left out. Values are at most leyline.MaxText bytes of valid
//     UTF-8.
//   - A measured duration of zero was not measured and is left out. Other
//     values are given as they are: a loss may be NaN or infinite.
//   - An input that was refused gives its violation and no measurement, as it
//     leaves no other trace in any projection.
//
// Nine kinds of event say nothing here, because other events or the audit say
// it: key.enrolled, blueprint.admitted, action.none, policy.requested and
// policy.confirmed (activation or refusal is told), window.ended (its
// figures are those of the step, told from the report),
// emergency.dispatched (what came of it is), field_report.opened (what closes the
// window is) and field_report.measured (its mean is in the report). Of
// snapshot.evicted only losses and what the fast tier holds are told, of
// rollback.advanced only that the fast tier was given up. An effect that was issued again after a
// restart is not reported either, only one whose fate is unknown. Settled
// commands have an event when they failed, and isolation one when a leak was
// larger than ever before in the seed's stage. On a step whose loss is over its limit, as on one
// that is not finite, the loss is reported and the running figures, which are
// those of the last healthy step, are not.
//
// Gauges show what the record decided; where one occurs twice in a packet the
// last one holds. A rollback or a resume rewinds seeds to stages, alphas and
// contributions that its record does not repeat; a reader that keeps gauges per
// run forgets kasmina.seed.*, kasmina.gate.* and kasmina.blend.* when it sees
// tolaria.rollback.restored or tolaria.run.resumed.
//
// # Counters
//
// A metric that the catalogue calls a counter is an increment: of how many there were,
// never a running total: a total over history is a fold over packets, and
// [Counters] is that fold. It gives the same totals in whatever order packets are
// added, as long as each is added once. Attributes of counters are enums, and
// runs and seeds that a plane has admitted, never what a stranger claimed, so
// that nobody can make the fold grow.
//
// # Routing
//
// [Router] holds three bounded first-in-first-out lanes. CRITICAL and HIGH form
// the emergency stream, NORMAL is the normal stream:
//
//	highest event   lane      stream     when the lane is full
//	CRITICAL        CRITICAL  emergency  the newcomer is refused
//	WARNING, ERROR  HIGH      emergency  the oldest makes room
//	otherwise       NORMAL    normal     the oldest makes room
//
// The lane follows from the packet's events and not from the level or priority
// written on it, so a label can neither hide a CRITICAL nor take its place. The
// CRITICAL lane is reserved: nothing else enters it, and what is in it stays
// until it is read. Each loss is counted per lane with the first and the last
// sequence number lost. For CRITICAL packets [Router.TakeGap] hands these to
// the reader, who computes the packets again:
//
//	for {
//		p, ok := router.NextEmergency()
//		if !ok {
//			break
//		}
//		deliver(p)
//	}
//	if gap, lost := router.TakeGap(); lost {
//		for each record r from gap.First to gap.Last {
//			deliver those of Packets(r) that are CRITICAL and were not delivered
//		}
//	}
//
// (Seq, Source) identifies a packet computed from a record.
//
// A CRITICAL packet is delivered before every waiting HIGH one, so packets of
// one stream are in order within a lane and not across lanes. Memory is fixed
// by [Limits] when a router is made; routing and reading allocate nothing.
//
// # Subscribers
//
// A [Hub] gives the packets of each released record to its subscribers. Each has
// lanes of its own, so that a slow one harms nobody else, and a [Filter].
// Publishing never waits. What happens to a subscriber that does not keep up:
//
//	lane      when it is full
//	CRITICAL  it is cut off: Next hands out what waits and then returns a *SlowError
//	HIGH      the oldest makes room, and a notice says so
//	NORMAL    the same
//
// A notice is a packet with the event telemetry.overflow, level WARNING, that
// names the first and the last record and counts what was lost between them, and
// says whether that goes on. No record holds it, so its Index is -1. It comes
// before what follows the loss. Its counter is, as all are, an increment: what no
// notice before it has counted. A full lane loses its oldest sixteenth at once, so
// that notices stay few.
//
// Each [Delivery] has a [Cursor]: what the reader has with it. A reader comes back
// with it, after a SlowError, a lost connection or a restart of the plane, and
// [Hub.SubscribeFrom] serves it from the log, in the log's order, until it has
// caught up; then it goes on live. Packets overtake each other only between
// lanes, so a cursor holds one position per lane, and nothing is handed out twice
// or left out, whatever was waiting when the reader went. A cursor is not past a
// loss that the reader was not told of: that is served from the log.
//
// # Emergency cap
//
// A token bucket lets a number of HIGH packets a minute pass to the subscribers,
// in the time of the packets ([HubOptions].EmergencyPerMin). CRITICAL packets
// always pass and use up tokens. Once a packet was held back, none passes before
// an eighth of the bucket is full again, at least two tokens. The subscribers are
// told twice, in band:
//
//	when                            ongoing  first          last, packets
//	the first packet is held back   true     of that packet  so far
//	packets may pass again, or the
//	subscription ends               false    the same        of all
//
// The first notice does not wait for anything, so that a cap is never silent, also
// when no record follows. A reader who finds both waiting is given the second
// alone. What is held back is counted, and the log still has it; what is served
// from the log is not capped. A reader who comes back with the cursor of the first
// notice is served what was held back. NORMAL packets have no part in this: a
// warning never sends what follows it to the emergency stream.
//
// # No OTLP exporter
//
// With go.opentelemetry.io/otel v1.47.0 the metrics exporter over HTTP links 22
// modules, gRPC among them, into a program. A collector that wants OTLP scrapes the
// Prometheus page (cmd/internal/metrics) instead.
//
// # Bounds
//
// Memory is bounded: a lane grows up to its limit and no further, a hub has a
// limited number of subscribers, and reading the log holds one batch.
package telemetry
