// Package lane is the framed lane: a unix socket at which trainers of the same machine
// report in the frames of leyline/frame, with the bodies, answers and problems of the
// HTTP routes and the same service behind them. It saves a trainer with short steps what
// HTTP costs.
//
// # Life
//
//	New    checks the options; nothing is opened
//	Start  listens; a hello is answered with a problem of kind "starting"
//	Open   hellos are welcome
//	Drain  a hello is answered with "stopping"; what was taken is answered, then each
//	       connection gets a last answer of status 503 and kind "stopping", and is closed
//	Stop   drains, closes the socket, then every connection
//
// Each may be called twice and waits no longer than its context; who is left then is cut.
//
// # Who may connect
//
// The socket has mode 0600 in a directory with mode 0700. The kernel says which user has
// connected: that of the plane, or root; another one is closed, with a line in the log.
// It is the principal "uid:1000", and reports for the runs that this principal has opened.
// The hello of a run that somebody else has opened is refused.
//
// # A connection
//
// is for one run. Its requests are handed to the plane one after the other, as they come,
// and answered in that order; the next one is taken while earlier ones wait to be durable,
// until Window are out. Then nothing is read until one was answered. The first thing that
// is wrong with the frames themselves, their length or time, is answered by a problem and
// ends the connection; what is wrong with a report is answered and ends nothing.
//
//	hello   whole within HelloTimeout of the connection, at most frame.MaxHello bytes
//	frame   whole within ReadTimeout of its first byte, at most frame.MaxFrame bytes
//	answer  read by the peer within WriteTimeout
//	idle    IdleTimeout before the first report that was accepted, and after the run was
//	        closed; between them a trainer may be silent for as long as it likes
//
// A panic of the service is one answer of status 500, logged with its stack.
//
// # Bounds
//
// There are at most MaxConnections, of which one process has at most MaxPerPeer. In a full
// lane the one that has waited longest without an open run makes way; where every one has
// an open run, the next one gets a problem of kind "too_many_lanes".
package lane
