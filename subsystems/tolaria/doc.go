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
// # An epoch
//
// An epoch is judged when its evaluation comes in. It has failed when its breaker
// lets none pass, when it took longer than tolaria.epoch_budget_ms, when a policy or
// a command was late or failed in it, or when its slowest answer took longer than
// tolaria.hook_budget_ms, and the first of these is the reason. The answers are
// measured by the trainer, who waits for them. Times decide here, also in a lockstep
// run, so the budgets are off until they are set. A failed epoch makes the run
// conservative, raises the emergency level and counts against the breaker of epochs;
// one that the breaker refused does not count. It never rolls the network back, since
// nothing is wrong with it. tolaria.emergency_failed_epochs in a row halt the run.
//
// # Orders about the optimizer
//
// A learning rate policy (package lr) orders the rates of every parameter group with
// the answer to the step that is the first to use them, whenever they change. At a
// fence the trainer is told to make its optimizer anew from its own state. Its word on
// either comes with its next report. Rates that were not set are ordered again; a
// rebuild that lost groups, parameters or state has failed, and failures back off
// through a breaker. A rollback, a resume or the end of the run voids what is open.
//
// # Emergency levels
//
// A fault or a failed epoch raises the level, a good epoch lowers it again, an
// operator may do both: what an operator raised, and L4, only an operator clears. The
// controller (Control) comes last in every record and publishes the level that it
// ends with.
//
// # Silence
//
// A trainer that reports no step for longer than tolaria.stall_ms (in a lockstep
// run, where answers may be held, the policy's and a kernel's budget come on top)
// and tolaria.stall_factor mean steps is stalled (trainer.stalled); its next step
// ends that (trainer.returned). Whether it is slow, hung or dead is not guessed,
// and nothing else is decided for it.
//
// # Snapshots
//
// A snapshot has a copy in the full tier, on disk, and may have one of the same
// bytes in the fast tier, in shared memory. A copy is registered when the plane has
// read its file and the state that it holds is not in doubt. Full copies are kept by
// number, fast ones by bytes: over all runs they never exceed the budget, the least
// recently used go first, and a run's newest proven snapshot is not given up for a
// newer one; what does not fit is refused. A run that ends gives its memory back.
//
// # A rollback
//
// The target is the newest snapshot at or before the last healthy step that a
// later healthy step has proven good, so the faulty state is never restored. It is
// restored from the fast tier where it has a copy there.
//
//	rollback.started            prepare: the worker reads the bytes and checks the digest
//	rollback.advanced{commit}   the trainer stages a copy and reports
//	rollback.finished           confirm: the digest restored equals the digest saved
//
// Of a fast copy of leyline.QuickFrom bytes and more the worker looks at size and
// header only: there is time to read it once, and the trainer does. Of a full copy of
// that size it takes the checksum; the trainer takes the digest before it takes over.
//
// The phases of a fast rollback have 150, 250 and 100 ms; what one leaves goes to the
// next. A fast tier that fails in whatever way, or takes longer over a phase, is given
// up (rollback.advanced{prepare} with the phase it was left in) and the same snapshot
// is prepared from the full tier, within the 12 s that count from the fault over
// every attempt. A full copy that cannot be prepared gives way to the next older
// proven snapshot.
//
// The state is rewound by rollback.finished with outcome OK, not before: until
// then the run refuses steps. A commit that failed, a passed deadline, no proven
// snapshot left, or too many rollbacks to one snapshot halt the run at L4. With
// tolaria.emergency_on_rollback_deadline off a passed deadline raises L3 instead, and
// the rollback is tried again without one, until tolaria.rollback_limit.
//
// A rollback under way settles everything else: a step, a snapshot and a command are
// refused, so a second fault cannot begin a second rollback; a report of a phase or
// a tier that was given up, a second report, and one that comes after the deadline
// are recorded and refused. A command that was issued before a rollback succeeded is
// rejected after it, whoever issued it.
//
// A resume is the same rewind without a fault: it keeps the lineage, so the
// repeated steps draw the same random orders. A resume during a rollback
// completes that rollback, lineage included.
package tolaria
