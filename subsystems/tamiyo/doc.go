// Package tamiyo decides about adaptation: what the rules policy would do next,
// whether the risk evaluators allow it, and when to be conservative.
//
// Tamiyo looks once per window: at every step that is a multiple of
// tamiyo.window_steps, unless Tolaria suspects that step. Every window past the
// warm-up leaves window.ended, what was reported of its last step, then risk.assessed,
// the trace of every evaluator (package risk), and then either command.proposed or
// action.none with its reason. Doing nothing is an event, never a command.
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
// # Proposals
//
// A proposal has no force. The plane's loop signs it and the command arrives as
// the next record, where Kasmina verifies it like anyone else's.
//
// # What becomes of a proposal
//
// It goes out as it is unless an evaluator has an effect on it:
//
//   - optimizer: a command that multiplies the learning rates by
//     tamiyo.risk_rate_factor goes out instead. What is about training (loss,
//     latencies, volatility, variance, conflicts) lowers them again in each window
//     that shows it, down to tamiyo.risk_rate_floor of what they were; what is about a
//     proposal (its risk, its blueprint) lowers them once. A run that has declared no
//     rates is not slowed, and what an operator scales is the operator's: action.none
//     says so.
//   - hold: nothing goes out.
//   - pause, conservative: the seed on trial that the proposal is about is paused. A
//     seed whose isolation is violated is paused whatever was proposed, also when that
//     is nothing. Without a seed to pause nothing goes out.
//
// A command of another kind is made anew: nothing of what was proposed is in it but
// the seed. risk.assessed says what was proposed.
//
// Tamiyo takes its own measures back. A seed that it paused is resumed, and rates that
// it lowered are given back, after tamiyo.healthy_windows healthy windows outside of
// conservative mode; rates not in the window behind one that lowered them or would
// have. A seed that was paused for its isolation is not measured any more and cannot
// prove itself: it is given up after tamiyo.pause_windows windows. What an operator has
// paused or scaled stays as it is, and Kasmina refuses the policy to touch it.
//
// # Conservative mode
//
// Conservative mode stops proposals. It is entered by a rollback, by an evaluator
// whose effect it is, by a policy or a command without an answer, by a failed epoch and by
// an emergency level from L3 on, and left only after tamiyo.healthy_windows
// consecutive healthy windows below that level; the window that completes them still
// proposes nothing, so the mode is never left in the evaluation that entered it. It survives a
// rollback; a resume returns it to what it was at the snapshot, because the
// windows since then are seen once more.
package tamiyo
