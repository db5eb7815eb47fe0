// Package tamiyo decides about adaptation: what the rules policy would do next,
// whether the risk evaluators allow it, and when to be conservative.
//
// Tamiyo looks once per window: at every step that is a multiple of
// tamiyo.window_steps, unless Tolaria suspects that step. Every window past the
// warm-up leaves risk.assessed, the trace of every evaluator, and then either
// command.proposed or action.none with its reason. Doing nothing is an event,
// never a command.
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
// Conservative mode stops proposals. It is entered by a rollback, by an enforced
// loss spike, by a policy or a command without an answer, by a failed epoch and by
// an emergency level from L3 on, and left only after tamiyo.healthy_windows
// consecutive healthy windows below that level; the window that completes them still
// proposes nothing, so the mode is never left in the evaluation that entered it. It survives a
// rollback; a resume returns it to what it was at the snapshot, because the
// windows since then are seen once more.
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
//	            held-out loss is not a finite number, or the command was issued for a loss spike, a quarantine or
//	            a violation of isolation
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
