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
