package replay

import (
	"fmt"
	"strings"

	"github.com/esper-plane/esper/leyline"
)

// weighedWords says what a policy chose, what made the score of each thing it could
// have chosen, and how much of what it is told was known.
func weighedWords(x leyline.PolicyWeighed) string {
	parts := []string{fmt.Sprintf("step %d: policy %s chooses %s", x.Step, x.Policy, chosenWords(x))}
	for i := range x.Candidates {
		parts = append(parts, candidateWords(&x.Candidates[i]))
	}
	if x.Masked {
		parts = append(parts, "what it scored highest was not open to it")
	}
	if x.Swapped {
		parts = append(parts, "the ends of its schedule were swapped")
	}
	if x.Differs {
		parts = append(parts, fmt.Sprintf("with the rules that only watch it would be %s", orNothing(x.Shadow)))
	}
	if len(x.Acted) > 0 {
		parts = append(parts, fmt.Sprintf("would alone have changed it: %v", x.Acted))
	}
	known := fmt.Sprintf("%.0f %% of its features were known", 100*x.Coverage.Mean)
	if x.Degraded != leyline.LevelUnspecified {
		known += fmt.Sprintf(" (%s)", x.Degraded)
	}
	return strings.Join(append(parts, known), "; ")
}

func chosenWords(x leyline.PolicyWeighed) string {
	if x.Operation == leyline.OpUnknown {
		return fmt.Sprintf("to do nothing for %s", x.Reason)
	}
	s := fmt.Sprintf("%s of seed %s", x.Operation, x.Seed)
	if x.Blueprint != "" {
		s += fmt.Sprintf(" as %s", x.Blueprint)
	}
	if x.Blend != leyline.SourceUnspecified {
		s += fmt.Sprintf(", blended as the %s says from %.3g to %.3g of its window", x.Blend, x.Start, x.End)
	}
	return s
}

func candidateWords(c *leyline.Candidate) string {
	s := fmt.Sprintf("%s of %s", c.Operation, c.Seed)
	if c.Blueprint != "" {
		s += fmt.Sprintf(" as %s", c.Blueprint)
	}
	s += fmt.Sprintf(" scores %+.3f", c.Score)
	var terms []string
	for _, t := range c.Terms {
		w := fmt.Sprintf("%s %+.3f", t.Rule, t.Part)
		if t.Mode == leyline.RuleShadow {
			w += " (only watches)"
		}
		terms = append(terms, w)
	}
	if len(terms) == 0 {
		return s
	}
	return s + ": " + strings.Join(terms, ", ")
}

func orNothing(op leyline.SeedOperation) string {
	if op == leyline.OpUnknown {
		return "to do nothing"
	}
	return op.String()
}
