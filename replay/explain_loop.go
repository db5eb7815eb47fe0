package replay

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
)

// loopWords says what was decided about the training loop itself.
func loopWords(e leyline.Event) string {
	if x, ok := e.(leyline.EpochFailed); ok {
		return epochWords(x)
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
