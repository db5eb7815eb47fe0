// Package worker runs slow work beside a single-writer loop: a bounded number of
// jobs at a time, a bounded queue before them, and a deadline per job that
// covers waiting and running together.
//
// # What it promises
//
//   - Submit never waits. It accepts a job or says at once why not.
//   - Every accepted job ends in exactly one State, counted once, and its Done
//     function is called exactly once.
//   - The deadline, the cancellation and Close reach the work as the end of its
//     context, and the outcome is known at that moment, whatever the job does. Go
//     cannot stop a function that ignores its context; such a job is reported at
//     once, its eventual result is discarded, and until it returns it is listed by
//     name as leaked. Close waits for it no longer than Options.Shutdown.
//   - A panic in a job is a failed outcome with the text of the panic, or a
//     counter if the job had ended before.
//   - Stats is true at one moment: no job is missing from it or in it twice.
//   - A worker without jobs has no goroutine; when Close has returned nil none is
//     left, but for those that are on their way out of their last function.
//
// "At that moment" is within the time that the Go scheduler takes to run a timer
// and a goroutine, and a goroutine of the worker to take its lock.
//
// # How much runs at once
//
// With C = Options.Concurrency, at most C jobs run whose outcome is open. A job
// holds a place from its start until Run and Done have both returned, and there are
// 2C places. So C stuck jobs do not stop the others, while goroutines and memory
// stay bounded: a place is two goroutines at most, one in Run and one in Done, beside
// those that end a context just now. When C jobs are stuck, each further one means
// that one job less runs at a time.
//
// R = Options.Reserved of the C, and of the 2C, are kept free of all but urgent
// jobs. So as long as fewer than R urgent jobs hold a place, the next one starts at
// once, however many other jobs are slow or stuck.
//
// # Classes
//
// A job is Urgent, Normal or Background. Within a class jobs start in the order of
// their submission; among classes the higher one starts first, with one
// exception against starvation: while jobs of a class wait, at most 16 jobs of
// higher classes start before the next of that class does. Starts in reserved
// places, which it could not have had, do not count. Urgent work pays little for
// that: while more of it waits than can run, 88 % of the starts are its own, and
// with reserved places more. Nothing that runs is interrupted for a higher class.
//
// Each class has a queue of its own, of Options.Queue places. So what waits in one
// class never makes Submit refuse a job of another, and a submitter that gets a
// FullError knows that its own class is behind. It may drop the job, do without, or
// come back; the worker keeps nobody waiting. In total 3*Queue jobs may wait. A job
// that ended while it waited keeps its place until its Done function has returned.
//
// # Life of a job
//
//	Submit -> queued -> running -> Done | Failed
//	             |         |
//	             +---------+-----> TimedOut | Cancelled
//
// The context given to Run carries the values and the cancellation of the
// context given to Submit, and the job's deadline.
//
// # Latency
//
// Stats has histograms of how long jobs waited and ran, by outcome, and of how
// long they waited, by class. Their buckets are fixed, two for each doubling from
// 0.1 ms to 78.6 s; Histogram.Quantile is at most half above the truth there.
package worker
