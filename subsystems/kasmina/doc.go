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
//   - EMERGENCY: raises or clears the emergency level.
//   - OPTIMIZER: the trainer makes its optimizer anew now, or its learning rates are
//     multiplied by a factor from the next step on. Either is an order that the
//     trainer acknowledges, as those that Tolaria gives by itself.
//   - ROLLBACK: a rollback to a proven snapshot, by step or by name, like any other but
//     without a deadline, since the trainer may be in the middle of a step.
//   - CIRCUIT_BREAKER: a breaker of the run is forced CLOSED, OPEN or HALF_OPEN.
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
package kasmina
