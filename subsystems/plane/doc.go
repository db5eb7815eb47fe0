// Package plane is the single-writer loop: the only place where an input gets
// its position and its time, where records are appended, and where effects
// start.
//
// # The path of an input
//
//	door      validated, stamped once: position, plane time, wall clock
//	decide    package decider, on the head state
//	append    one record = the input and every event it caused
//	commit    the group that holds the record is synced: the commit point
//	release   answer, directives, effects that can be seen from outside
//
// While a group is being synced the loop decides the next one on the head
// state; nothing of it is released before it is durable. Computations (fetch a
// kernel, verify a snapshot, ask the policy, look up a safety sheet) start at decide; actions (a directive, the
// emergency signal, a deletion) start at release. Every completion comes back
// through the door as an input.
//
// The shared worker runs computations, deletions and the publishing of emergency
// levels, at most plane.workers at a time. Staging a rollback and publishing a level
// are urgent and have a place of their own where there are two or more; kernels, snapshots, the policy and safety sheets come after it, deletions last. No class
// waits for more than sixteen starts of higher ones in places that it could have had.
//
// A proposal is signed by the loop at once and becomes the next record of the
// same group, so one sync covers the decision and its verdict.
//
// # Field reports
//
// A report is handed to Options.Reports by the shared worker, behind everything else
// there, when its record is durable; what comes of it is report.delivered or
// report.failed. An attempt that the end of the process breaks off is made again by the
// next one, so a report arrives at least once. Nothing waits for it, a lockstep run
// neither.
//
// # Commands from outside
//
// A command is checked twice. At the door, on the caller's goroutine and beside all
// others, its form and its signature are; what was verified is remembered for this
// very envelope and key (sign.Proof), so that Kasmina, which verifies everything again
// in its order, does not pay for the signature a second time. Replay has no such memory
// and verifies for itself.
//
// A command that fails at the door gets no record: it has earned none. It is counted,
// and once a second the counts of each of sixteen peers, and of all others together,
// are recorded as peer.rejected. The caller has its typed reason at once. A command
// whose signature is good has a record for each verdict, but refusals that spend
// nothing, such as replays, only sixty a minute for each key; the rest are counted too.
// So the log grows by the second, however many commands there are.
//
// # The clock
//
// Plane time never goes back and never leaps while the plane runs. A wall clock that is
// set by more than kasmina.skew_ms is recorded as clock.stepped and changes nothing
// else. At a start plane time begins at the wall clock, or at the last record when the
// wall clock is before it, which is recorded as well.
//
// # If the power fails
//
// Before the commit point nothing has happened: no answer was given. Between
// commit and release the record is durable and its actions are outstanding; the
// next process reads them out of the state, issues idempotent ones again and
// records the others as unknown (effect.recovered). A rollback's clock stands
// still until its run is resumed: the trainer may have died as well.
//
// # A trainer that outlives the plane
//
// A trainer in another process sends again what was not answered, to the next process
// and in the incarnation that it is in. It is handed once more what it may not have
// heard: commands, the order to restore, the order to halt; it knows them by their ids.
// Learning rates are ordered anew with the next step, an order to make the optimizer
// anew is void. If it is not heard of for as long as it had before, it is stalled. A file
// of its run that nobody registered may be the next report's and is left alone.
//
// # A report that is sent again
//
// The same report gets the answer of its record, whether or not the plane was started
// anew since, and adds no record. Weights, and whether a snapshot is due, are those of
// the record; stages, alphas, level, lineage, incarnation and directives are as they are
// now, because the next report is held against those. The state knows the places of the
// newest 128 reports of a run; the content is read from the log by whoever asked. Another
// report in the same place is decided like any other: a step is refused (step_conflict).
//
// # A pipelined trainer
//
// With a lag a trainer sends its steps ahead of their answers, by Submit, which keeps
// their order. It may run a step with what any of its last lag+1 answers said, applies
// weights of its own computing, which are held against those of the plane, and may find
// that a rollback has overtaken the steps that it had on their way. Everything else it
// reports when it has all answers.
//
// # Emergency levels
//
// What a record decides is published once, within tolaria.emergency_dispatch_ms, and
// the outcome is an input. A write that hangs is given up and holds nothing back: the
// loop goes on, the level is tried again, and a write that comes back late writes the
// newest level. The plane does not end while a level is on its way.
//
// # Snapshots
//
// The plane writes no snapshot. It reads what a trainer has written (package
// snapstore), at the door before it is registered and on the worker before it is
// restored, and deletes what was given up. At the start it holds the registry
// against the directories of both tiers: a file that is missing or of another size,
// and one that no registered copy names, is recorded (snapshot.lost) and by that
// repaired. The bytes of what a run could return to are read in the background, and
// a difference is recorded as well. When the plane ends it leaves nothing in shared
// memory that is not registered.
//
// # Kernels
//
// A fetch reads a kernel from the store on the worker, holds its bytes against the
// registered digest and size and its interface against the guard digest, decodes it
// kasmina.prewarm_samples times and looks at every number. What passes is staged in
// the kernel cache (package kernelcache), within kasmina.cache_mib and for
// kasmina.cache_ttl_ms; what does not is staged nowhere. Fetches of one kernel at a
// time share one read. A trainer in this process opens kernels through Plane.Kernels and
// gets the very bytes that were verified. The cache is empty when a process starts, so
// nothing in it was verified by another one.
//
// Decoding keeps nothing: a trainer decodes for itself. It says that a kernel can be
// decoded at all, and how long that takes at the least.
//
// The job of a fetch is cancelled by whatever settles it: a cull, a rewind, the end of
// its run, its deadline, or the shutdown, which records plane.stopping first. Closing the
// file ends a read that waits for a pipe or a network; a read that cannot be ended is
// given up and counted as leaked.
//
// # Lockstep
//
// The answer to a lockstep run waits until the computations that its record
// caused are recorded too. Then no decision depends on how fast a worker was,
// and a run is reproducible. What remains of time are deadlines (of a rollback, a
// kernel, the policy, a command, an order about the optimizer, a broadcast), the cap
// of broadcasts, and the budgets of epochs and answers where they are set: one that
// is broken decides something, and is in the log. Other runs get such results with a later answer.
//
// # Commands from outside
//
// A command that changes a network must not surprise its trainer: what that reports
// next is the network that the last answer described. So Judge lets a command wait for
// the next report of the run and decides it right behind, before the answer to the
// report is captured: the answer tells of it. It waits no longer than the trainer is
// expected to report; EMERGENCY does not wait. What a deadline changes meanwhile is
// not held back.
//
// # Before the first record
//
// Options.Admit sees the recovered state before plane.started is decided and before
// the directories of snapshots are looked at. What it refuses was never there.
//
// # How it is
//
// Health asks the loop itself, past the door, so it is answered while nothing is
// accepted and while a write hangs; it says for how long that has. It reads the
// emergency signal back: a level that nobody can see was not published.
//
// # If the disk fills
//
// The plane looks at the free space before it is handed out and every
// log.free_every_ms. Under log.min_free_mib, while it can still write, it records
// disk.measured, which is CRITICAL; from then on a new run is refused, until a
// quarter more than that is free. A run that was begun goes on and may be resumed:
// stopping it would lose work and free nothing. A measurement that changes nothing
// is not recorded.
//
// # If storage fails
//
// After a failed append the plane is poisoned: the emergency signal is set (the
// one act that is not in the log; the next plane.started records it), every
// caller gets leyline.ErrStorage, and the process must end.
package plane
