package guard

import (
	"fmt"
	"slices"

	"github.com/esper-plane/esper/leyline"
)

// Slot is what a pipelined trainer may have known of a seed when it ran a step: what
// any of its last lag+1 answers said.
type Slot struct {
	Seed   leyline.SeedID
	Alphas []float64 // with which it may have been grafted, the present one first; empty: it cannot have been
	Absent bool      // it may have been left out
}

// Piped is Seeds for a pipelined trainer.
func Piped(slots []Slot, seen []leyline.SeedObserved) *leyline.Refusal {
	for i, s := range seen {
		if slices.ContainsFunc(seen[:i], func(o leyline.SeedObserved) bool { return o.Seed == s.Seed }) {
			return refuse(leyline.RefusalInvalidField, fmt.Sprintf("seeds[%d]", i), string(s.Seed), "is reported twice", "report every seed once")
		}
		at := slices.IndexFunc(slots, func(o Slot) bool { return o.Seed == s.Seed })
		if at < 0 || len(slots[at].Alphas) == 0 {
			return refuse(leyline.RefusalUnknownSeed, fmt.Sprintf("seeds[%d]", i), string(s.Seed),
				"is not grafted, and was not in any answer that the step may have been run with", "remove it from the network; the answer lists every seed's stage")
		}
		if !slices.Contains(slots[at].Alphas, s.Alpha) {
			return refuse(leyline.RefusalInvalidField, fmt.Sprintf("seeds[%d].alpha", i), fmt.Sprint(s.Alpha),
				fmt.Sprintf("is in none of the answers that the step may have been run with: %v", slots[at].Alphas), "set every seed's alpha from the latest answer")
		}
	}
	for _, s := range slots {
		if len(s.Alphas) > 0 && !s.Absent && !slices.ContainsFunc(seen, func(o leyline.SeedObserved) bool { return o.Seed == s.Seed }) {
			return refuse(leyline.RefusalMissingSeed, "seeds", string(s.Seed), "is grafted but was not reported", "report every grafted seed in every step")
		}
	}
	return nil
}

// Once refuses a step that was reported already with another content.
func Once(r Run, got leyline.Step) *leyline.Refusal {
	if r.Told == 0 {
		return nil
	}
	return refuse(leyline.RefusalStepConflict, "step", fmt.Sprint(got),
		fmt.Sprintf("was reported with another content, in record %d", r.Told), "send a report again exactly as it was, or report the next step")
}

// Unapplied refuses a step whose weights a synchronous trainer has applied already: it
// has to wait for the answer.
func Unapplied(r Run, applied []float64) *leyline.Refusal {
	if r.Piped || len(applied) == 0 {
		return nil
	}
	return refuse(leyline.RefusalInvalidField, "applied", "", "is set, but the run was opened without a lag", "apply the weights of the answer, or open the run with a lag")
}
