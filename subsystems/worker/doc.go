// Package worker runs slow work beside a single-writer loop: a bounded number of
// jobs at a time, a bounded queue before them, and a deadline per job that
// covers waiting and running together.
//
// # What it promises
//
//   - Submit never waits. It accepts a job or says at once why not.
//   - Every accepted job ends in exactly one State, counted once, and its Done
//     function is called exactly once.
//   - An outcome is never later than the job's deadline, its cancellation or
//     Close, whatever the job does. Go cannot stop a function that ignores its
//     context; such a job is reported at once, its eventual result is discarded,
//     and until it returns it is listed by name as leaked.
//   - A panic in a job is a failed outcome with the text of the panic, or a
//     counter if the job had ended before.
//
// # How much runs at once
//
// With C = Options.Concurrency, at most C jobs run whose outcome is open, and at
// most C more that are leaked or whose Done function is being called. So a few
// stuck jobs do not stop the others, while goroutines and memory stay bounded:
// when C jobs are stuck, each further one holds a place of the C until it
// returns. Jobs start in the order of their submission.
//
// # Life of a job
//
//	Submit -> queued -> running -> Done | Failed
//	             |         |
//	             +---------+-----> TimedOut | Cancelled
//
// The context given to Run carries the values and the cancellation of the
// context given to Submit, and the job's deadline.
package worker
