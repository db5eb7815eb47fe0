// Package supervise starts the parts of a process in order and stops them in
// order, each within a bound, and looks at everything a start needs before it
// begins.
//
// # Order
//
// A [Component] may use those before it in the list. [Supervisor.Run] starts them
// one after the other; when one fails, those that were started are stopped in
// reverse, and that failure is the error. Then the work of the process runs. It
// ends when it is done, when the caller's context ends, or when a component ends
// by itself; in each case the components are stopped in reverse.
//
// Nothing is restarted. A part that ends by itself has failed for a reason, such as
// a log that may not be written to any more, and a process that goes on without it
// would be something else than what it says it is. Whoever started the process may
// start it again.
//
// # Bounds
//
// A start and a stop get a context with their budget, and all stops together the
// budget of the supervisor; each gets one more second to notice that its time is
// over. A component that does not return when its time is over
// is left to itself and named in a [StuckError]. What comes before it in the list
// is then not stopped either, because the stuck one may be using it: the lock of a
// data directory ends with the process, and a log without its clean-shutdown marker
// says what is true.
//
// # Preflight
//
// [Preflight] runs checks that change nothing, all of them, and reports every
// problem at once, so that a person mends them all before the next try.
//
// # systemd
//
// [Notifier] speaks sd_notify(3) with whoever started the process. The environment
// is read elsewhere.
package supervise
