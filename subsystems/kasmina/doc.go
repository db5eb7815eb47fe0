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
// # A seed
//
//	operation        from         gate                 to
//	GERMINATE        DORMANT      G0_SANITY            GERMINATED, kernel requested
//	START_TRAINING   GERMINATED   G1_GRADIENT_HEALTH   TRAINING
//	START_GRAFTING   TRAINING     G2_STABILITY         BLENDING, blend configured
//	STABILIZE        BLENDING     G3_INTERFACE         SHADOWING, alpha 1
//	CULL, CANCEL     any living   none                 CULLED, EMBARGOED
//	embargo over     EMBARGOED    G5_RESET             RESETTING, DORMANT
//
// EVALUATE, FINE_TUNE and FOSSILIZE, and every command kind but SEED, are
// refused by name. A gate that fails after germination culls the seed and
// closes its slot for kasmina.embargo_ms of plane time; so do a kernel that
// cannot be had and a command that the trainer could not carry out. The trainer
// learns from the stages in every answer that a culled seed has to go.
//
// Alpha advances by one step of the schedule with every healthy step while
// BLENDING; the new alpha holds from the next step on.
package kasmina
