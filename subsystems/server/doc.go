// Package server is the HTTP side of a plane: probes, and whatever handlers its
// caller gives it.
//
// # Life
//
//	New         checks the options; nothing is opened
//	Start       listens; /healthz and /readyz answer from here on
//	Open        the routes answer from here on; before, they say 503 "starting"
//	Drain       the routes say 503 "stopping"; requests under way are waited for, streams go on
//	EndStreams  streams are waited for, which end with their source
//	Stop        closes the listeners, then every connection
//
// A server is therefore started before the plane and stopped after it, so that a
// long recovery and a slow stop can be watched, and Open and Drain stand around
// the time in which the plane takes requests. EndStreams comes when the source of
// the streams was closed, behind the plane: their clients get its last words. Each of
// them may be called twice, and each waits no longer than its context: then it cuts
// who is left, whoever does not read or does not end, and says how many those were.
// No client can make it fail.
//
// # Where it listens
//
// "unix:PATH" is a socket with mode 0600 in a directory with mode 0700, which is
// made when it is missing and the one above it is there; a directory that others can
// enter is refused. A socket
// that a dead process left behind is replaced, one that answers is not.
// "HOST:PORT" is TCP, plain or with TLS 1.3. Beyond loopback it takes TLS with tokens or
// certificates of clients, or tokens behind a proxy of which the options say that it is
// there: nobody comes in unproven, and no token travels in clear ([Options.Guarded]).
// The files of certificates are read again when they change; see [TLSOptions].
//
// # Who it is
//
//	uid:1000    at a unix socket the kernel says which user has connected: that of the
//	            plane, or root; another one is closed, with a line in the log
//	cert:NAME   over TLS, the name in the client's certificate
//	token:NAME  over TCP, the name beside the token that was sent
//
// [PeerOf] tells a handler. At a loopback address without tokens and certificates there
// is no name: that could be anybody on the machine, who may look and command with a key,
// but speaks for no trainer.
//
// # What every request passes
//
//	header    at most MaxHeader bytes, else 431
//	host      on TCP: localhost, the address that was connected to, or one of Hosts;
//	          else 421, which stops a web page that rebinds its own name to this machine
//	length    a body in chunks is refused (411) and its connection closed: no proxy and no
//	          server can disagree on where it ends; a compressed one is refused too (415)
//	token     over TCP where there are any: all compared in constant time, else 401; probes
//	          are no exception. A token that is sent at a socket must be right as well
//	origin    a browser may not send anything but GET, HEAD or OPTIONS from elsewhere: 403
//	route     404; 405 with Allow; 503 outside Open and Drain
//	body      at most MaxBody bytes, else reading it fails and ProblemOf says 413
//	panic     500, logged with its stack; after the first byte the connection is cut instead
//
// GET and HEAD must change nothing; that is the duty of who gives a handler.
// Header, body, answer and idle time are bounded. A route marked Stream may take
// any time, but each of its writes must get through within WriteTimeout, or by the
// deadlines that its handler sets instead.
//
// # Who has a connection
//
// Each listener has room for MaxConnections, of which one process at a socket, or one
// address over TCP, takes at most MaxPerPeer: one more of its own closes its idle ones, or
// is closed itself. A peer that has sent no whole header
// yet, or none since its last answer, is idle; in a full room the one that has been
// idle for longest is closed for the next. So neither silent peers nor those of
// another listener keep probes from being answered.
//
// # Errors
//
// Every error is a problem document (RFC 9457) with the members kind, field and
// hint; [ProblemOf] makes one of any error, and knows a status for each kind of
// refusal. Only what net/http refuses before there is a request (bytes that are
// no HTTP, a header beyond four times MaxHeader) is answered in its plain text.
//
// # Probes
//
// GET /healthz asks the checks that are Live: a process that fails them should be
// replaced. GET /readyz asks all: a process that fails them takes no work now. A
// check that does not answer within CheckTimeout has failed; there is never more
// than one look per check under way, however many ask.
package server
