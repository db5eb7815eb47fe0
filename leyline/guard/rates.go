package guard

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
)

// Rates refuses a run under a learning rate policy whose trainer did not declare
// the rate of every parameter group: a policy scales what was declared, and
// nothing stands in for a rate that is missing.
func Rates(p leyline.LRPolicy, groups []leyline.ParamGroup) *leyline.Refusal {
	if p == leyline.LRNone {
		return nil
	}
	hint := fmt.Sprintf("declare groups with their rates, or set tolaria.lr_policy to none instead of %s", p)
	if len(groups) == 0 {
		return refuse(leyline.RefusalMissingField, "groups", "", "are missing, and a learning rate policy is on", hint)
	}
	for i, g := range groups {
		if !(g.Rate > 0) {
			return refuse(leyline.RefusalMissingField, fmt.Sprintf("groups[%d].rate", i), g.Name, "is missing, and a learning rate policy is on", hint)
		}
	}
	return nil
}
