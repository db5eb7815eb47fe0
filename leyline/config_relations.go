package leyline

import (
	"fmt"
	"reflect"
)

// relations hold between two settings. The first thirteen are the hierarchy of time
// budgets: what is inside another one is over before that is, or it could never be
// told what was late.
//
//	epoch
//	    hook: the slowest answer of the epoch, as the trainer waited for it
//	        policy, on the shared worker
//	        safety sheet, from the catalogue
//	silence of a trainer, before it is stalled
//	    hook
//	    policy, safety sheet: also where no budget of the hook is set
//	command: until the trainer must have answered it
//	    prefetch: until its kernel must be there
//	        kernel, before it counts as late, twice over
//	rollback from the full tier
//	    rollback from the fast tier
//	        prepare, commit, confirm: together, see TolariaConfig
//	freshness of a command
//	    skew of the clocks
//	time for which a safety sheet is relied on
//	    safety sheet, from the catalogue
//
// The others are of demands that have to be met. What no other budget is around is not
// here: an emergency level is dispatched while nobody waits, an order about the
// optimizer and the stop of a process are each measured by themselves.
var relations = []relation{
	{low: "tolaria.hook_budget_ms", high: "tolaria.epoch_budget_ms", off: true},
	{low: "tolaria.hook_budget_ms", high: "tolaria.stall_ms", off: true},
	{low: "tamiyo.policy_budget_ms", high: "tolaria.hook_budget_ms", off: true, moot: "tamiyo.policy_inline"},
	{low: "tamiyo.metadata_budget_ms", high: "tolaria.hook_budget_ms", off: true, moot: "tamiyo.catalogue_dir"},
	{low: "tamiyo.policy_budget_ms", high: "tolaria.epoch_budget_ms", off: true, moot: "tamiyo.policy_inline"},
	{low: "tamiyo.metadata_budget_ms", high: "tolaria.epoch_budget_ms", off: true, moot: "tamiyo.catalogue_dir"},
	{low: "tamiyo.policy_budget_ms", high: "tolaria.stall_ms", moot: "tamiyo.policy_inline"},
	{low: "tamiyo.metadata_budget_ms", high: "tolaria.stall_ms", moot: "tamiyo.catalogue_dir"},
	{low: "kasmina.prefetch_timeout_ms", high: "kasmina.command_deadline_ms"},
	{low: "kasmina.kernel_latency_ms", high: "kasmina.prefetch_timeout_ms", times: 2},
	{low: "tolaria.rollback_fast_ms", high: "tolaria.rollback_full_ms"},
	{low: "kasmina.skew_ms", high: "kasmina.freshness_ms"},
	{low: "tamiyo.metadata_budget_ms", high: "tamiyo.metadata_ttl_ms", off: true, moot: "tamiyo.catalogue_dir"},
	{low: "kasmina.min_train_steps", high: "tamiyo.train_steps", otherwise: "gate G2 would cull every seed"},
	{low: "kasmina.min_probes", high: "tamiyo.probes", otherwise: "gate G4 would cull every seed"},
	{low: "kasmina.min_observe_steps", high: "tamiyo.shadow_steps", otherwise: "gate G4 would cull every seed"},
}

// relation demands that one setting stays under another: an inner budget under
// the one around it, or a number of times within it, or, where otherwise says what
// would happen, a demand at or under what is done for it.
type relation struct {
	low, high string
	otherwise string
	times     uint64 // 0: it is enough to be less
	off       bool   // 0 means of either that there is no such budget
	moot      string // a switch that is on, or a text that is empty, where the inner budget is not used; empty: it always is
}

// words are what relates the first to the second, and the second to the first.
func (r relation) words() (low, high string) {
	switch {
	case r.otherwise != "":
		return "at most", "at least"
	case r.times > 0:
		return fmt.Sprintf("at most 1/%d of", r.times), fmt.Sprintf("at least %d times", r.times)
	}
	return "less than", "more than"
}

// suffix says when a relation does not hold.
func (r relation) suffix() string {
	s := ""
	if r.off {
		s = " unless either is 0"
	}
	if r.moot != "" {
		s += ", where " + r.moot + " has it used"
	}
	return s
}

// idle reports whether a setting says that an inner budget is not used.
func idle(v reflect.Value) bool {
	if v.Kind() == reflect.String {
		return v.Len() == 0
	}
	return v.Bool()
}

// problem says what is wrong with the values of the two settings. Its key is that
// of the inner budget, or of what is done too little.
func (r relation) problem(low, high uint64) (ConfigProblem, bool) {
	switch {
	case r.off && (low == 0 || high == 0):
		return ConfigProblem{}, false
	case r.times > 0 && low*r.times > high:
		return ConfigProblem{
			Key: r.low, Other: r.high, Fix: "lower the first or raise the second",
			Reason: fmt.Sprintf("is %d, and %s (%d) is not %d times as much", low, r.high, high, r.times),
		}, true
	case r.otherwise == "" && r.times == 0 && low >= high:
		return ConfigProblem{
			Key: r.low, Other: r.high, Fix: "lower the first or raise the second",
			Reason: fmt.Sprintf("is %d, not less than %s (%d) around it", low, r.high, high),
		}, true
	case r.otherwise != "" && high < low:
		return ConfigProblem{
			Key: r.high, Other: r.low, Fix: "raise the first or lower the second",
			Reason: fmt.Sprintf("is %d, less than %s (%d): %s", high, r.low, low, r.otherwise),
		}, true
	}
	return ConfigProblem{}, false
}
