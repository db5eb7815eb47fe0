package leyline

import (
	"errors"
	"reflect"
	"slices"
	"testing"
)

// TestRelations sets the two settings of every relation to one value and to
// neighbours.
func TestRelations(t *testing.T) {
	for _, r := range relations {
		for _, c := range []struct {
			low, high uint64
			ok        bool
		}{{4, 5, r.times == 0}, {5, 5, r.otherwise != ""}, {6, 5, false}, {4, 8, true}, {4, 7, r.times == 0}} {
			if p, broken := r.problem(c.low, c.high); broken == c.ok || broken && (p.Reason == "" || p.Fix == "" || p.Key == p.Other) {
				t.Errorf("%s = %d, %s = %d: %+v, %v", r.low, c.low, r.high, c.high, p, broken)
			}
		}
		if _, broken := r.problem(4, 0); broken == r.off {
			t.Errorf("%s = 0: broken %v, off %v", r.high, broken, r.off)
		}
	}
}

// TestBudgetsNest gives every inner budget of the whole configuration the value of the
// one around it: both are named, in one problem, and one less is fine.
func TestBudgetsNest(t *testing.T) {
	for _, r := range relations {
		if r.otherwise != "" || r.times > 0 {
			continue
		}
		with := func(inner uint64, used bool) []ConfigProblem {
			c := DefaultConfig()
			all := c.Settings()
			if r.off && valueOf(all, r.high).Uint() == 0 {
				valueOf(all, r.high).SetUint(1_000)
			}
			if r.moot != "" {
				v := valueOf(all, r.moot)
				if v.Kind() == reflect.String {
					v.SetString(map[bool]string{true: "catalogue"}[used])
				} else {
					v.SetBool(!used)
				}
			}
			valueOf(all, r.low).SetUint(valueOf(all, r.high).Uint() - 1 + inner)
			var bad *ConfigError
			if err := c.Validate(); err != nil && !errors.As(err, &bad) {
				t.Fatal(err)
			}
			if bad == nil {
				return nil
			}
			return slices.DeleteFunc(bad.Problems, func(p ConfigProblem) bool { return p.Key != r.low || p.Other != r.high })
		}
		if p := with(0, true); len(p) != 0 {
			t.Errorf("%s one less than %s: %+v", r.low, r.high, p)
		}
		if p := with(1, true); len(p) != 1 {
			t.Errorf("%s as much as %s: %+v", r.low, r.high, p)
		}
		if p := with(1, false); r.moot != "" && len(p) != 0 {
			t.Errorf("%s as much as %s while it is not used: %+v", r.low, r.high, p)
		}
	}
}
