// Package sse serves the telemetry streams as server-sent events (WHATWG HTML,
// section 9.2), at GET /v1/telemetry.
//
// # Request
//
//	stream=emergency|normal|both   which stream; without it both
//	priority=NORMAL|HIGH|CRITICAL  nothing below this
//	run=RUN                        packets of this run only
//	after=CURSOR                   begin after this; without it with what comes next
//
// A cursor is the id of an event or the number of a record. The header
// Last-Event-ID, which browsers send when they come back, is a cursor too and
// wins over the parameter. Any other parameter is refused, and so is a query that is
// not well-formed. HEAD gets the header of the stream.
//
// # Response
//
//	retry: 2000
//
//	id: 17
//	event: HIGH
//	data: {"seq":17,...}
//
//	: 15s
//
// The event's name is the packet's priority and its data one packet as
// telemetry.AppendJSON writes it. A comment comes when there was nothing to say
// for the heartbeat interval. The stream ends after one of
//
//	event: cut     the client was too slow for CRITICAL packets; it has what came before, and goes on with the id
//	event: end     the plane stops; when the log has failed the detail of its data says so
//	event: failed  the log cannot be read, or the cursor belongs to another log; then the id is reset
//
// An id says what the client has, per lane, so that coming back with it neither
// repeats nor leaves out a packet. Notices of lost packets are events as well.
//
// # Clients that do not read
//
// Each write has a deadline. A client that takes nothing for so long is
// disconnected, since nothing can be said through a full connection; it comes
// back with the last id that it saw. A client that is merely slow is told of what
// its lanes lose, or is cut off, by the rules of telemetry.Hub. The number of
// clients is bounded.
//
// Refusals are problem documents (RFC 9457): 400 for a bad parameter, 404 for a cursor
// past the end of the log, 405 for another method, 503 with Retry-After when there is
// no room or the plane stops.
package sse
