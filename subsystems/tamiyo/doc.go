// Package tamiyo decides about adaptation: what the policy would do next,
// whether the risk evaluators allow it, and when to be conservative.
//
// Tamiyo looks once per window: at every step that is a multiple of
// tamiyo.window_steps, unless Tolaria suspects that step. Every window past the
// warm-up leaves window.ended, what was reported of its last step, then policy.weighed,
// what the policy made of it, and risk.assessed, the trace of every evaluator (package
// risk), and then either command.proposed or action.none with its reason. Doing nothing
// is an event, never a command.
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
// With tamiyo.policy_inline the policy (package policy) runs inside the decider, in the
// record of the step. Otherwise the window leaves policy.asked, the shared worker runs
// it within tamiyo.policy_budget_ms, and the rest of the window is decided in the
// record of policy.answered. The rules are pure, so they are asked again there, and
// what they say then counts: a replay under other settings sees it, and a state that
// has moved on is answered for as it is. A different answer before is noted by the
// check policy_stale.
//
// # Safety sheets
//
// Where a process has a catalogue (plane.started), a GERMINATE needs the safety sheet
// of its blueprint: the window leaves metadata.asked, the worker looks the sheet up
// within tamiyo.metadata_budget_ms, and the record of metadata.answered judges its
// signature (package sheet), takes its facts over in the place of those that were
// registered, and goes on with the window. The policy is asked again: the facts may
// have changed what it would do. A run relies on a sheet for tamiyo.metadata_ttl_ms.
//
// # Failures
//
// Whatever is late, cannot be had, counts for nothing or lacks an id is a failure. Each
// is recorded with its reason, CRITICAL (policy.missed, policy.refused,
// metadata.missed), counted by its breaker, makes the run conservative and ends the
// window with action.none. Nothing is proposed in its place. An answer that nobody
// waits for any more, be it that it is late or that a rewind made its question void, is
// recorded as answer.late, and nothing follows.
//
//	breaker    asked before           counts
//	inference  each window            policy.missed, policy.refused; an answer in time
//	metadata   each metadata.asked    metadata.missed; a sheet that counts
//
// An OPEN breaker lets nothing pass: action.none, policy_breaker or metadata_breaker.
// When its cool-down is over one attempt at a time is on trial. A sheet that is on
// trial is looked up even where nothing would be germinated, and whatever the run
// relies on: else nobody would find out that the catalogue is well.
//
// # Budgets
//
// With tamiyo.budget_mode learned, a budget is the longest answer of the run times
// tamiyo.budget_factor once there are tamiyo.budget_samples of them, and stays under
// the one around it. What an answer has taught is recorded (budget.learned). A question
// that was missed teaches nothing, or a slow machine would buy itself time; and in a
// lockstep run nothing is learned, because what was measured would decide.
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
// Conservative mode stops proposals. A rule enters it: a rollback, an enforced loss
// spike, a failure of what is asked of others, a command without an answer, a failed
// epoch, an emergency level from L3 on. conservative.entered says why and what must
// hold before it is left; one more reason (conservative.refreshed) makes healthy
// windows and cool-down count anew. It is left, conservative.left with reason,
// duration and what it was last for, once all of this holds:
//
//   - tamiyo.healthy_windows windows in a row were healthy;
//   - the cool-down since the last reason is over, in plane time, or in training steps
//     of a lockstep run;
//   - both breakers are CLOSED, and the emergency level is below L3;
//   - this record gave no reason for it.
//
// An operator sets it, or takes it over from a rule, by a CONSERVATIVE command;
// tamiyo.conservative has runs begin so. That mode is left by an operator alone.
//
// The mode survives a rollback; a resume returns a rule's to what it was at the
// snapshot, because the windows since then are seen once more, and leaves an
// operator's as it is.
//
// # Field reports
//
// Every command of Tamiyo that was put in force, by the trainer or by the plane
// itself, opens an observation window in the record that says so, and every window
// is closed by exactly one report (SPEC.md 3.11). A command that was declined, or
// that the trainer could not carry out, has none: its verdict and its answer are in
// the log. Windows count epochs, never steps: tamiyo.report_epochs of them, each an
// epoch.observed. A window is closed before that
//
//	when its run ends as planned      and is judged by what there is, a run without epochs by its training loss
//	when its run fails or is halted   ABORTED
//	when a rollback or a resume goes  ABORTED: the network that there is then never knew the command; a window
//	back to before it was opened      that is older goes on, without the epochs that were undone
//	when a run has MaxReportWindows   ABORTED, the oldest
//	open and one more begins
//
// Rollbacks, emergencies, violations of isolation, pauses and culls that fall into
// a window are its follow-ups, each with its record; what concerns one seed counts
// for windows of that seed and of the whole run. The outcome of what is judged is,
// in this order
//
//	REGRESSION  a rollback began, the emergency level rose to L3 or above, the seed's isolation was violated, a
//	            held-out loss is not a finite number, or the command was issued for a loss spike, a quarantine,
//	            a critical hazard, a violation of isolation or a late answer of the plane
//	NEUTRAL     the command is a PAUSE, which is not meant to improve anything, or the loss is the same
//	REGRESSION  the loss is higher than before
//	SUCCESS     it is lower
//
// The loss is the mean over the tasks of the last held-out evaluation less that of
// the last one before the window: the sum of the changes between them. Where either
// is missing it is the running training loss, and the report says so.
//
// Reports are decided after everything else in a record, and no rule reads them. A
// report is handed to the sinks when its record is durable, at least once and always
// under the same id. An attempt that fails is repeated after
// report_backoff_ms * report_backoff_factor^n, n being the attempts that have failed,
// report_retries times, and then given up. Windows, attempts and counters are state
// folded from the log, so they survive a restart. The index of filed reports is
// bounded: a report leaves it with the first one that is filed when its command was
// issued longer than tamiyo.report_retention_hours ago, but not while it is on its way;
// the log keeps it. The windows of a run whose trainer is gone stay open until the run
// is resumed.
package tamiyo
