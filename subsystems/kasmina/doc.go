// Package kasmina decides about execution: whether a command is what it claims
// to be, whether its seed may take the next step of its life, how far a blend
// has come, and what became of a kernel.
//
// # A command
//
// command.received leaves exactly one verdict, command.verified or
// command.rejected. The verifier (package verify) decides whether the command
// is authentic, fresh and new; then the operation must be possible now, and the
// gate on its way must pass. An authentic command spends its nonce whatever
// becomes of it; an unauthentic one spends nothing.
//
// Of a command only the argument of its kind is looked at. What becomes of a kind:
//
//   - SEED: an operation on a seed, below.
//   - PAUSE: one seed on trial, or all of a run, is taken out of the forward pass with
//     nothing in its place, or put back. A paused seed stays as it is: its alpha
//     stands still, nothing is learned of it, and it can only be given up. To be put
//     back it must pass gate G1 again, and its kernel must still be the registered
//     one; else it is culled. The policy may pause single seeds.
//   - EMERGENCY: raises or clears the emergency level, or has the plane empty its kernel
//     cache; what that freed is a later input, cache.cleared, which settles the command.
//   - REGISTRY: gives up every seed on trial and the teacher, or registers or forgets a
//     teacher. The replay ledger, keys, breakers and counts stay as they are.
//   - OPTIMIZER: the trainer makes its optimizer anew now, or its learning rates are
//     multiplied by a factor from the next step on. Either is an order that the
//     trainer acknowledges, as those that Tolaria gives by itself.
//   - ROLLBACK: a rollback to a proven snapshot, by step or by name, like any other but
//     without a deadline, since the trainer may be in the middle of a step.
//   - CIRCUIT_BREAKER: a breaker of the run is forced CLOSED, OPEN or HALF_OPEN.
//   - CONSERVATIVE: Tamiyo enters or leaves conservative mode, in the same record.
//   - POLICY: an imported policy is to decide, in a run or in all without one of their
//     own, or what decided before it again. It must be known, of the digest that the
//     command names, not older than tamiyo.policy_max_age_ms, of an architecture that
//     this version evaluates, and made for the operations, blend modes and blueprints
//     that there are. Then its file is read: Tamiyo says what becomes of it.
//   - STRUCTURAL_PRUNING: refused by name; this plane prunes nothing.
//
// All but SEED and PAUSE are for operators only and are carried out in the record
// that accepts them, partly by Tolaria's controller, so they are settled there. An
// operator is every issuer that is not the policy of this plane.
//
// # A seed
//
// There is no transition but these (leyline.Edges); who says who may ask.
//
//	GERMINATE; DORMANT; G0_SANITY; GERMINATED; policy, operator
//	START_TRAINING; GERMINATED; G1_GRADIENT_HEALTH; TRAINING; policy, operator
//	START_GRAFTING; TRAINING; G2_STABILITY; BLENDING; policy, operator
//	STABILIZE; BLENDING; G3_INTERFACE; SHADOWING; policy, operator
//	EVALUATE; SHADOWING; G4_SYSTEM_IMPACT; PROBATIONARY; policy, operator
//	FOSSILIZE; PROBATIONARY; G4_SYSTEM_IMPACT; FOSSILIZED; policy, operator
//	FINE_TUNE; BLENDING, SHADOWING, PROBATIONARY; G1_GRADIENT_HEALTH; TRAINING; policy, operator
//	CULL; GERMINATED, TRAINING, BLENDING, SHADOWING, PROBATIONARY; none; CULLED; policy, operator
//	CANCEL; GERMINATED, TRAINING, BLENDING, SHADOWING, PROBATIONARY; none; CULLED; policy, operator
//	CANCEL; DORMANT, FOSSILIZED; none; TERMINATED; operator
//	run opened; UNKNOWN; none; DORMANT; plane
//	failure; GERMINATED, TRAINING, BLENDING, SHADOWING, PROBATIONARY; none; CULLED; plane
//	culled; CULLED; none; EMBARGOED; plane
//	embargo over; EMBARGOED; none; RESETTING; plane
//	embargo over; RESETTING; G5_RESET; DORMANT; plane
//	slot closed; DORMANT, FOSSILIZED; none; TERMINATED; plane
//
// Every gate runs in the record of the transition that it guards; only a seed that
// is to become FOSSILIZED moves later, when the trainer has answered, since nothing
// undoes that. A gate that fails after germination culls the seed and closes its
// slot; so do a kernel that cannot be had and a command that the trainer could not
// carry out. A stage that is not the one an operation starts from refuses the
// command and changes nothing, whatever the seed still waits for. The trainer
// learns from the stages in every answer that a culled seed has to go.
//
// FINE_TUNE sends a seed back beside its host: it keeps what it has learned and
// has no part in the host's output, its blend is forgotten, and what was measured
// of it starts anew. CANCEL of a seed that was kept ends its management: it stays
// part of the host, which trains it on, and is reported and measured no more.
// CANCEL of an empty slot closes it. Neither is undone by a rollback: a seed that a
// rollback brings back into a closed slot is culled, or stays unmanaged if it was
// kept by then.
//
// The embargo lasts kasmina.embargo_ms of plane time. In a lockstep run it lasts
// kasmina.embargo_steps healthy steps instead: there time decides nothing but
// deadlines that were missed.
//
// Alpha advances by one step of the schedule with every healthy step while
// BLENDING; the new alpha holds from the next step on.
//
// A gate that stays closed says why by a reason that leyline.GateLevel gives a
// severity, and shows every check that it made. Beside the hard checks G2 asks for
// what a seed is worth after its training: that its own loss has fallen
// (kasmina.min_improvement), its age (kasmina.min_age_steps), and the ratio of its
// gradient to the host's (kasmina.min_gradient_ratio). Each is off, watched or
// enforced; watched it never closes the gate, and is counted. What was never
// measured fails.
//
// In every report the trainer says which stage it holds each seed for. If that is
// not the plane's, and no directive under way explains it, the next gate of the seed
// stays closed.
//
// # A blend
//
// START_GRAFTING carries the plan: mode, schedule and what the mode needs.
// leyline.BlendPlan.Validate judges it, for the rules that propose it as for the
// command that came in; package blend defines what the modes are. A plan with which
// anything is wrong is rejected as unknown_blend_mode, invalid_blend_plan or
// confidence_gate_missing_logits. How many channels a host has is the trainer's to
// know: a vector of another length fails the command, and the seed goes.
//
// The trainer reports what it measured of each blend (BlendStats). Figures that the
// plan and alpha do not allow, and a CONFIDENCE without figures, are refused with the
// whole report: such a trainer blends something else than was verified, and its
// gradients are those of another network. A trainer that had to leave a seed out of a
// step says so (SeedObserved.Failure): seed.failed is CRITICAL, and the seed is culled
// in the same record, also when the step teaches nothing else. A FOSSILIZED seed
// cannot be culled; it is told at every step that has to do without it.
//
// # Isolation
//
// Every step that shows a seed says whether its isolation is violated: the gradient
// that got into the host through the detached input is over kasmina.max_leak, or, where
// kasmina.cosine_mode is enforce, host and seed pull along one line at the graft
// (kasmina.max_cosine). The cosine is asked while a seed trains and blends, and does
// not depend on the size of a layer; over parameters that are not shared it says
// little, which is why it only watches by default. The leak is watched for in every
// seed of the network.
//
// A violation counts for the seed, since it germinated, and for the run; neither count
// is rewound. It fails the next gate, and the rules propose nothing meanwhile. With
// kasmina.strict_isolation the seed is culled at once, after the events that tell why.
// The run's isolation breaker opens at breaker.failures of them; while it is OPEN gate
// G1 lets no seed begin to train, and a seed that G1 lets pass is its success.
// violation_recorded is CRITICAL from the fourth step of a seed on and while the
// breaker is OPEN.
//
// # A kernel
//
// A GERMINATE must name a blueprint that is registered, fits the host and is not
// withdrawn, a mesh with every layer that the blueprint needs, and parameters within
// its bounds. Then its kernel is fetched: prefetch.requested, and one prefetch.settled
// with what became of it.
//
//   - ready: the bytes have the registered digest and size, and the guard digest.
//   - error: they have not, or could not be had. The seed is culled.
//   - timeout: kasmina.prefetch_timeout_ms has passed, which is twice
//     kasmina.kernel_latency_ms or more. The seed is culled.
//   - cancelled: the seed was culled, its run has ended or was rewound, or the plane stops.
//
// Whatever settles a fetch, its job is stopped, however far it is. A result that comes
// nevertheless is recorded as prefetch.late and changes nothing. A rewind asks anew for
// the kernels of seeds that wait for one, and so does the start of a process after a
// shutdown, which has cancelled every fetch and said how many.
//
// The run's breaker of kernels is asked before each fetch. It counts what could not be
// had, what was late, and, where kasmina.latency_mode enforces that, what took longer
// than kasmina.kernel_latency_ms. While it is OPEN a GERMINATE is rejected as
// breaker_denied, with the gate failure of that name, and Tamiyo proposes none; while it
// is HALF_OPEN one fetch is on trial at a time. It is kept in the log's time or, in a
// lockstep run, in healthy steps. A failure while it is OPEN extends it: that is a fetch
// begun before, and what it says of the store is as true as any.
//
// # What a seed is worth
//
// While a seed is PROBATIONARY the answers ask for a probe every
// kasmina.probe_every steps: the trainer judges its network on held-out rows
// with the seed at its alpha and again at alpha 0, and reports both
// (seed.probed). contribution.measured holds the difference and its mean over
// the probes of this stage. On the way to FOSSILIZED gate G4 asks for at least
// kasmina.min_probes of them and a mean of kasmina.min_contribution. A seed that
// was never measured is not kept: the command is refused, and the seed stays
// where it is.
//
// # Whose parameters are whose
//
// A trainer names the host's tensors when it opens a run and a seed's when it answers
// that it has grafted it. Each tensor has one owner at most: the host, a seed on trial,
// or the teacher, whose parameters nobody may update. projections.Registry derives it
// from the plan and the seeds, so a cull releases what a seed owned, a fossilised seed
// leaves it to the host, and a rollback rewinds it. Package ownership judges.
//
// A seed that claims what is somebody's (registry.conflicted says whose), or that is
// about to update another count of numbers than it owns, is culled. A teacher that
// claims what is somebody's is refused. What a rollback brings back and has become the
// teacher's in the meantime is a conflict as well.
//
// A REGISTRY command registers or deregisters the teacher, or resets the registry: every
// seed on trial goes the way of every cull, prefetches that were outstanding are
// cancelled, the teacher is forgotten, and what is left is the host's. Keys, spent
// command ids, sequences, counters and breakers are not the registry's: a reset never
// lets a command be replayed.
package kasmina
