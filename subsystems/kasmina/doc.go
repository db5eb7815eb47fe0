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
// controller carries it out in the record that accepts it, so it is settled there. One
// to clean up has the plane empty its kernel cache; what that freed is a later input,
// cache.cleared, which settles the command.
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
// # A kernel
//
// A GERMINATE must name a blueprint that is registered, fits the host and is not
// withdrawn, a mesh with every layer that the blueprint needs, and parameters within
// its bounds. Then its kernel is fetched: prefetch.requested, and one prefetch.settled
// with what became of it.
//
//	ready       the bytes have the registered digest and size, and the guard digest
//	error       they have not, or could not be had: the seed is culled
//	timeout     kasmina.prefetch_timeout_ms has passed; that is twice kasmina.kernel_latency_ms
//	            or more: the seed is culled
//	cancelled   the seed was culled, its run has ended or was rewound, or the plane stops
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
package kasmina
