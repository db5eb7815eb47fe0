// Package tolaria decides about training: it combines task gradients, judges
// every step, admits and evicts snapshots, and rolls a run back.
//
// # A step
//
// A healthy step yields gradients.combined (weights from the Gram matrix, with
// PCGrad's random orders drawn from the seed in the input) and
// training.assessed (running means). A step with a NaN or an infinity among
// its losses or inner products is a fault: no weights, a rollback.
//
// A step whose loss is over its limit is anomalous. The limit is the largest of
// an absolute loss, so many standard deviations above the running mean, and a
// multiple of that mean; it needs a history first. An anomalous step is trained
// on, but teaches nothing: the running means, blends and isolation stand still,
// no snapshot is proven by it or taken of it, and no policy is asked. After
// tolaria.diverge_steps of them in a row training has diverged: a rollback to
// before the first of them.
//
// # Silence
//
// A trainer that reports no step for longer than tolaria.stall_ms (in a lockstep
// run, where answers may be held, the policy's and a kernel's budget come on top)
// and tolaria.stall_factor mean steps is stalled (trainer.stalled); its next step
// ends that (trainer.returned). Whether it is slow, hung or dead is not guessed,
// and nothing else is decided for it.
//
// # A rollback
//
// The target is the newest snapshot at or before the last healthy step that a
// later healthy step has proven good, so the faulty state is never restored.
//
//	rollback.started            prepare: the worker reads the bytes and checks the digest
//	rollback.advanced{commit}   the trainer restores into a staging copy, swaps, reports
//	rollback.finished           confirm: the digest restored equals the digest saved
//
// The state is rewound by rollback.finished with outcome OK, not before: until
// then the run refuses steps. A failed prepare falls back to the next older
// proven snapshot, whose budget counts from the same start; a failed commit, a passed deadline,
// no proven snapshot left, or too many rollbacks to one snapshot halt the run
// at L4. A report that comes after the deadline is recorded and too late.
//
// A resume is the same rewind without a fault: it keeps the lineage, so the
// repeated steps draw the same random orders. A resume during a rollback
// completes that rollback, lineage included.
package tolaria
