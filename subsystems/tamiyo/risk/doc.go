// Package risk holds the eleven risk evaluators (SPEC.md 3.8): small pure functions,
// run in a fixed order, that say what becomes of a proposal.
//
// Every evaluator leaves a check in the trace for each thing it looked at, also when
// it finds nothing: the value, the limit, and what the check did to the outcome. What
// was not measured is not judged; it is listed as unmeasured, and nothing stands in
// for it. A rule has a mode: off leaves no check, shadow records what it would have
// found and does nothing, enforce acts. In a lockstep run, where no decision may
// depend on measured time, the rules about latencies and devices only watch whatever
// their mode is, and the trace says SHADOW of them.
//
// # Effects
//
// A check that does not hold and is enforced has an effect. Effects rise in gravity:
// none, optimizer (a SEED command becomes one that lowers the learning rates), hold
// (nothing goes out), pause (it becomes a PAUSE of the seed), conservative (the same,
// and conservative mode is entered). The gravest stands, so the outcome is the same
// as that of folding the effects in order. Some checks concern SEED proposals alone
// and have an effect only while one stands.
//
// The reason of the decision is that of the first check with an effect, but a rule
// that forces its reason overwrites an earlier one: the last that does wins. Forced
// are policy_risk_critical, bp_quarantine, bsds_handling_quarantine,
// bsds_hazard_critical, loss_spike, hook_budget, step_latency_high,
// kasmina_apply_slow, kasmina_finalize_slow and optimizer_hint.
//
// Against SPEC.md 3.8: conservative mode holds a proposal unless
// tamiyo.conservative_effect says pause, because a pause takes a seed out of the
// network and so is itself a change. A loss is judged by the rise of its running mean
// since the last window, not by that of one held-out evaluation. A policy that is late
// never gets here: that its answer is missing is decided without it.
//
// # Health
//
// A window is healthy when no enforced check about training fails: loss, latencies,
// isolation, devices, volatility, variance, conflicts, the learning rate. What is
// wrong with a proposal, with a blueprint or with the policy says nothing about
// training. Conservative mode is left after healthy windows in a row only.
package risk
