package replay

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
)

// loopWords says what was decided about the training loop itself.
func loopWords(e leyline.Event) string {
	switch x := e.(type) {
	case leyline.EpochFailed:
		return epochWords(x)
	case leyline.RateSet:
		return fmt.Sprintf("step %d: %s orders the learning rates %v, %s of what was declared, to be acknowledged by %s", x.Step, x.Policy, x.Rates,
			short(x.Factor), x.Deadline)
	case leyline.RateAcked:
		return because(fmt.Sprintf("learning rate order %s ended %s in %s", x.Order, x.Outcome, took(x.TookNs)), x.Reason)
	case leyline.OptimizerRebuild:
		return rebuildWords(x)
	}
	return ""
}

func epochWords(x leyline.EpochFailed) string {
	s := fmt.Sprintf("epoch %d at step %d failed for %s", x.Epoch, x.Step, x.Reason)
	if x.BudgetNs > 0 {
		s += fmt.Sprintf(": %s against %s", took(x.TookNs), took(x.BudgetNs))
	}
	return s + fmt.Sprintf(", %d in a row", x.Streak)
}

func rebuildWords(x leyline.OptimizerRebuild) string {
	s := fmt.Sprintf("step %d: rebuilding the optimizer (fence %s) is %s", x.Step, x.Fence, x.Stage)
	if x.Reason != leyline.RebuildFine {
		s += " for " + x.Reason.String()
	}
	switch x.Stage {
	case leyline.RebuildRequested:
		s += fmt.Sprintf(", to be acknowledged by %s", x.Deadline)
	case leyline.RebuildDone:
		s += fmt.Sprintf(" in %s: %d groups, %d parameters, state %s", took(x.TookNs), x.After.Groups, x.After.Parameters, x.After.Digest.Short())
	}
	return because(s, x.Detail)
}
