package projections

import "github.com/esper-plane/esper/leyline"

// Budget is what the answers to a run have taught about a time budget.
type Budget struct {
	LearnedNs uint64 // in force; 0: that of the configuration is
	MaxNs     uint64 // longest answer
	Samples   uint32
}

// Budgets are those of a run that learns them. They are never rewound: they are about
// the machine, not about the network.
type Budgets struct{ Policy, Metadata Budget }

// Of returns the budget of a question, of which there are two kinds.
func (b *Budgets) Of(k leyline.EffectKind) *Budget {
	if k == leyline.EffectMetadata {
		return &b.Metadata
	}
	return &b.Policy
}

func (t *Tamiyo) applyBudget(e leyline.Event) {
	if x, ok := e.(leyline.BudgetLearned); ok {
		*t.Run(x.Run).Budgets.Of(x.Effect) = Budget{LearnedNs: x.NewNs, MaxNs: x.MaxNs, Samples: x.Samples}
	}
}
