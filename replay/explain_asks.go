package replay

import (
	"fmt"
	"time"

	"github.com/esper-plane/esper/leyline"
)

// askWords tells what Tamiyo asks of others and what becomes of it, and of its caution.
func askWords(e leyline.Event) string {
	switch x := e.(type) {
	case leyline.ConservativeRefreshed:
		return fmt.Sprintf("step %d: reason %d to be conservative: %s, after %s%s", x.Step, x.Times, x.Reason, x.Previous,
			wayOut(x.By, x.Wanted, x.Until, x.UntilStep))
	case leyline.PolicyRefused:
		return fmt.Sprintf("step %d: what the policy would do cannot be weighed (%s): %s", x.Step, x.Reason, x.Refusal.Error())
	case leyline.AnswerLate:
		return fmt.Sprintf("%s %s ended %s in %s, and nobody waits for it any more", x.Effect, x.Request, x.Outcome, took(x.TookNs))
	case leyline.MetadataAsked:
		return fmt.Sprintf("step %d: the safety sheet of blueprint %s is looked up by %s", x.Step, x.Blueprint, x.Deadline)
	case leyline.MetadataSettled:
		f := &x.Facts
		return fmt.Sprintf("step %d: safety sheet %d of blueprint %s, signed by key %s, counts: risk %v, tier %s, hazard %s%s%s", x.Step, f.Serial, f.Blueprint, f.Key,
			f.Risk, f.Tier, f.Hazard.Band, when(f.Quarantine, ", in quarantine", ""), when(f.Approval, ", only with approval", ""))
	case leyline.MetadataMissed:
		return because(fmt.Sprintf("step %d: no safety sheet of blueprint %s counts: %s after %s", x.Step, x.Blueprint, x.Fault, took(x.TookNs)), x.Reason)
	case leyline.BudgetLearned:
		return fmt.Sprintf("the budget of %s goes from %s to %s: the longest of %d answers took %s", x.Effect, time.Duration(x.OldNs), time.Duration(x.NewNs), x.Samples,
			time.Duration(x.MaxNs))
	}
	return ""
}

// wayOut says what must hold before conservative mode is left.
func wayOut(by leyline.Party, wanted uint32, until leyline.Instant, untilStep leyline.Step) string {
	switch {
	case by == leyline.PartyOperator:
		return "; only an operator leaves it"
	case untilStep > 0:
		return fmt.Sprintf("; it takes %d healthy windows, is not left before step %d, and its breakers have to be closed and the level below L3", wanted, untilStep)
	}
	return fmt.Sprintf("; it takes %d healthy windows, is not left before %s, and its breakers have to be closed and the level below L3", wanted, until)
}
