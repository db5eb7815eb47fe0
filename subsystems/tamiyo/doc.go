// Package tamiyo decides about adaptation: what the rules policy would do next,
// whether the risk evaluators allow it, and when to be conservative.
//
// Tamiyo looks once per window (tamiyo.window_steps healthy steps). Every
// window past the warm-up leaves risk.assessed, the trace of every evaluator, and then either
// command.proposed or action.none with its reason. Doing nothing is an event,
// never a command.
//
// A proposal has no force. The plane's loop signs it and the command arrives as
// the next record, where Kasmina verifies it like anyone else's.
//
// Conservative mode stops proposals. It is entered by a rollback and by an
// enforced loss spike, and left only after tamiyo.healthy_windows consecutive
// healthy windows; the window that completes them still proposes nothing, so
// the mode is never left in the evaluation that entered it. It survives a
// rollback; a resume returns it to what it was at the snapshot, because the
// windows since then are seen once more.
package tamiyo
