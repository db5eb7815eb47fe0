// Package tamiyo decides about adaptation: what the rules policy would do next,
// whether the risk evaluators allow it, and when to be conservative.
//
// Tamiyo looks once per window: at every step that is a multiple of
// tamiyo.window_steps, unless Tolaria suspects that step. Every window past the
// warm-up leaves policy.weighed, what the policy made of it, and risk.assessed, the
// trace of every evaluator, and then either command.proposed or action.none with its
// reason. Doing nothing is an event, never a command.
//
// # What a policy is told
//
// policy.weighed says who decided (id, version and digest), every candidate with the
// terms of its score, what was closed to the policy, what its rules in shadow would
// have done, and how much of what it is told was known. Too low a coverage is a
// WARNING; at tamiyo.degraded_critical and below nothing is proposed, for the reason
// degraded_inputs. The running statistics of the features and the marks of seeds that
// train are state: they are rewound with the run.
//
// # Where the policy runs
//
// With tamiyo.policy_budget_ms at 0 the rules (package policy) run inside the
// decider, in the record of the step. Otherwise the window leaves policy.asked,
// the shared worker runs them, and the rest of the window is decided in the
// record of policy.answered. The rules are pure, so they are asked again there,
// and what they say then counts: a replay under other settings sees it, and a
// state that has moved on is answered for as it is. A different answer before is
// noted by the check policy_stale. A policy that is late or fails leaves policy.missed, CRITICAL,
// and conservative mode. Nothing is proposed in its place.
//
// # Whose weights they are
//
// The weights are those of the settings, until an operator has activated a policy
// artifact: for the run, or for all runs that have none of their own. The command is
// judged by Kasmina from what the log says; then the file is read, and policy.loaded says
// what was found. Only if that is what was imported does policy.activated put it into
// force, with its weights, for every window from the next record on; else policy.rejected,
// CRITICAL, leaves everything as it was. A rollback of training never touches this. A
// process that was just started has the file read again when a run is opened or a window
// is due: until policy.confirmed nothing is proposed (policy_unverified), and if the file
// is gone or another one, nothing is proposed until an operator has activated or rolled
// back (policy_unusable, conservative mode). The settings never take its place by
// themselves.
//
// # Proposals
//
// A proposal has no force. The plane's loop signs it and the command arrives as
// the next record, where Kasmina verifies it like anyone else's.
//
// Conservative mode stops proposals. It is entered by a rollback, by an enforced
// loss spike, by a policy or a command without an answer, by a failed epoch and by
// an emergency level from L3 on, and left only after tamiyo.healthy_windows
// consecutive healthy windows below that level; the window that completes them still
// proposes nothing, so the mode is never left in the evaluation that entered it. It survives a
// rollback; a resume returns it to what it was at the snapshot, because the
// windows since then are seen once more.
package tamiyo
