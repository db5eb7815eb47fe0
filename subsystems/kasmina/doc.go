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
// An EMERGENCY command raises or clears the emergency level of a run. Tolaria's
// controller carries it out in the record that accepts it, so it is settled there.
//
// # A seed
//
//	operation        from         gate                 to
//	GERMINATE        DORMANT      G0_SANITY            GERMINATED, kernel requested
//	START_TRAINING   GERMINATED   G1_GRADIENT_HEALTH   TRAINING
//	START_GRAFTING   TRAINING     G2_STABILITY         BLENDING, blend configured
//	STABILIZE        BLENDING     G3_INTERFACE         SHADOWING, alpha 1
//	EVALUATE         SHADOWING    G4_SYSTEM_IMPACT     PROBATIONARY, probes begin
//	FOSSILIZE        PROBATIONARY G4_SYSTEM_IMPACT     FOSSILIZED once the trainer has answered, for good
//	CULL, CANCEL     on trial     none                 CULLED, EMBARGOED
//	embargo over     EMBARGOED    G5_RESET             RESETTING, DORMANT
//
// FINE_TUNE, and every command kind but SEED and EMERGENCY, are refused by name. A gate that
// fails after germination culls the seed and closes its slot; so do a kernel
// that cannot be had and a command that the trainer could not carry out. The
// trainer learns from the stages in every answer that a culled seed has to go.
//
// The embargo lasts kasmina.embargo_ms of plane time. In a lockstep run it lasts
// kasmina.embargo_steps healthy steps instead: there time decides nothing but
// deadlines that were missed.
//
// Alpha advances by one step of the schedule with every healthy step while
// BLENDING; the new alpha holds from the next step on.
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
