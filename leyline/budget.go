package leyline

// BudgetMode says where the time budgets of the policy and of the metadata come from.
type BudgetMode = Enum[budgetModes]

type budgetModes struct{}

func (budgetModes) list() []string { return budgetModeNames[:] }

var budgetModeNames = [...]string{"unspecified", "fixed", "learned"}

// The modes: as they are set; or the longest answer that was observed times a factor.
// A lockstep run is always FIXED: no decision may depend on time there.
const (
	BudgetsUnspecified BudgetMode = iota
	BudgetsFixed
	BudgetsLearned
)

// BudgetLearned records what an answer taught about a budget. It comes with the first
// tamiyo.budget_samples answers of a run and with every longer one after them; until
// there are as many, the budget stays what it was set to.
type BudgetLearned struct {
	Run     RunID
	Effect  EffectKind // POLICY or METADATA
	OldNs   uint64     // budget before
	NewNs   uint64     // and from the next question on
	MaxNs   uint64     // longest answer so far
	Samples uint32     // answers so far
}

// EventKind implements Event.
func (BudgetLearned) EventKind() EventKind { return EventBudgetLearned }

// Validate implements Event.
func (x BudgetLearned) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	oneOf(&c, "effect", x.Effect, EffectPolicy, EffectMetadata)
	need(&c, "old_ns", x.OldNs > 0)
	need(&c, "new_ns", x.NewNs > 0)
	need(&c, "max_ns", x.MaxNs > 0)
	need(&c, "samples", x.Samples > 0)
	return c.result()
}
