package guard_test

import (
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/guard"
)

func TestRatesMustBeDeclaredForAPolicy(t *testing.T) {
	declared := []leyline.ParamGroup{{Name: "trunk", Rate: 0.1}, {Name: "heads", Rate: 0.3}}
	for _, x := range []struct {
		policy leyline.LRPolicy
		groups []leyline.ParamGroup
		field  string
	}{
		{leyline.LRNone, nil, ""},
		{leyline.LRCosine, declared, ""},
		{leyline.LRCosine, nil, "groups"},
		{leyline.LRConstant, []leyline.ParamGroup{declared[0], {Name: "heads"}}, "groups[1].rate"},
	} {
		r := guard.Rates(x.policy, x.groups)
		if (r == nil) != (x.field == "") || r != nil && (r.Field != x.field || r.Kind != leyline.RefusalMissingField) {
			t.Errorf("%s of %v: %v", x.policy, x.groups, r)
		}
	}
}
