package leyline_test

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/leylinetest"
)

// valid is what inputs and events have in common.
type valid interface{ Validate() error }

// forEachCase calls f for every variant of every kind of input and event.
func forEachCase(t *testing.T, f func(t *testing.T, c leylinetest.Case[valid])) {
	for _, c := range leylinetest.Inputs() {
		t.Run(c.Name, func(t *testing.T) { f(t, leylinetest.As(c, func(x leyline.Input) valid { return x })) })
	}
	for _, c := range leylinetest.Events() {
		t.Run(c.Name, func(t *testing.T) { f(t, leylinetest.As(c, func(x leyline.Event) valid { return x })) })
	}
}

// TestEveryKindAndFieldIsClassified fails for a new kind without a case and for
// a new field of which no case says whether it is mandatory.
func TestEveryKindAndFieldIsClassified(t *testing.T) {
	var inputs []leyline.InputKind
	for _, c := range leylinetest.Inputs() {
		inputs = append(inputs, c.Value.InputKind())
	}
	for _, k := range leyline.InputKind(0).Members() {
		if !slices.Contains(inputs, k) {
			t.Errorf("input %s has no case", k)
		}
	}
	var events []leyline.EventKind
	for _, c := range leylinetest.Events() {
		events = append(events, c.Value.EventKind())
	}
	for _, k := range leyline.EventKind(0).Members() {
		if !slices.Contains(events, k) {
			t.Errorf("event %s has no case", k)
		}
	}
	forEachCase(t, func(t *testing.T, c leylinetest.Case[valid]) {
		fields, said := c.Fields(), slices.Concat(c.Mandatory, c.Optional)
		for _, f := range fields {
			if !slices.Contains(said, f) {
				t.Errorf("nothing says whether %s is mandatory", f)
			}
		}
		for i, f := range said {
			if !slices.Contains(fields, f) || slices.Contains(said[:i], f) {
				t.Errorf("%s is no field, or classified twice", f)
			}
		}
	})
}

func TestMandatoryFieldsAreMissed(t *testing.T) {
	forEachCase(t, func(t *testing.T, c leylinetest.Case[valid]) {
		if err := c.Value.Validate(); err != nil {
			t.Fatalf("the whole value is refused: %v", err)
		}
		for _, f := range c.Mandatory {
			r, ok := leyline.AsRefusal(c.Without(f).Validate())
			switch {
			case !ok:
				t.Errorf("nothing is said without %s", f)
			case r.Field != f || r.Kind != leyline.RefusalMissingField && r.Kind != leyline.RefusalInvalidField && r.Kind != leyline.RefusalLogits ||
				r.Subsystem == leyline.SubsystemUnknown || r.Reason == "":
				t.Errorf("without %s: %+v", f, *r)
			}
		}
	})
}

func TestOptionalFieldsAreNotMissed(t *testing.T) {
	forEachCase(t, func(t *testing.T, c leylinetest.Case[valid]) {
		for _, f := range c.Optional {
			if err := c.Without(f).Validate(); err != nil {
				t.Errorf("without %s: %v", f, err)
			}
		}
	})
}

// TestUnknownCodesAreRefused gives every mandatory enum a code that it does not
// have.
func TestUnknownCodesAreRefused(t *testing.T) {
	seen := 0
	forEachCase(t, func(t *testing.T, c leylinetest.Case[valid]) {
		for _, f := range c.Mandatory {
			set := false
			x := c.With(f, func(v reflect.Value) {
				if _, set = v.Interface().(interface{ Known() bool }); set {
					v.SetUint(250)
				}
			})
			if !set {
				continue
			}
			seen++
			if r, ok := leyline.AsRefusal(x.Validate()); !ok || r.Field != f {
				t.Errorf("%s with code 250: %v", f, r)
			}
		}
	})
	if seen < 40 {
		t.Errorf("only %d enums were looked at", seen)
	}
}

// TestIDsAreRefusedForTheirSyntax gives every mandatory id a space.
func TestIDsAreRefusedForTheirSyntax(t *testing.T) {
	seen := 0
	forEachCase(t, func(t *testing.T, c leylinetest.Case[valid]) {
		for _, f := range c.Mandatory {
			id := false
			x := c.With(f, func(v reflect.Value) {
				if id = v.Kind() == reflect.String && v.Type() != reflect.TypeFor[string](); id {
					v.SetString("a b")
				}
			})
			if !id {
				continue
			}
			seen++
			if r, ok := leyline.AsRefusal(x.Validate()); !ok || r.Field != f || r.Identifier != "a b" {
				t.Errorf("%s with a space: %v", f, r)
			}
		}
	})
	if seen < 80 {
		t.Errorf("only %d ids were looked at", seen)
	}
}

// TestValidationAllocatesNothing: every event is validated when it is decided
// and when it is read.
func TestValidationAllocatesNothing(t *testing.T) {
	for _, c := range leylinetest.Events() {
		if n := testing.AllocsPerRun(10, func() { _ = c.Value.Validate() }); n != 0 {
			t.Errorf("%s: %v allocations", c.Name, n)
		}
	}
	for _, c := range leylinetest.Inputs() {
		if n := testing.AllocsPerRun(10, func() { _ = c.Value.Validate() }); n != 0 && c.Value.InputKind() == leyline.InputStepObserved {
			t.Errorf("%s: %v allocations", c.Name, n)
		}
	}
}

// TestNumbersOutOfRange holds ranges that no missing field shows.
func TestNumbersOutOfRange(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	healthy := func(change func(*leyline.TrainingAssessed)) leyline.TrainingAssessed {
		m := leyline.Moments{Mean: 1, Var: 1, N: 1}
		x := leyline.TrainingAssessed{
			Run: "r", Step: 1, Health: leyline.HealthHealthy, LossEWMA: m, GradEWMA: m, ConflictEWMA: m, StepEWMA: m, QuietBy: 1,
		}
		change(&x)
		return x
	}
	for field, xs := range map[string][]valid{
		"loss":       {healthy(func(x *leyline.TrainingAssessed) { x.Loss = nan })},
		"delta":      {healthy(func(x *leyline.TrainingAssessed) { x.Delta = inf })},
		"loss_ewma":  {healthy(func(x *leyline.TrainingAssessed) { x.LossEWMA.Mean = nan }), healthy(func(x *leyline.TrainingAssessed) { x.LossEWMA.Var = -1 })},
		"limit":      {healthy(func(x *leyline.TrainingAssessed) { x.Limit = -1 })},
		"weights[1]": {leyline.GradientsCombined{Run: "r", Step: 1, Method: leyline.AggregationSum, Weights: []float64{1, inf}}},
		"ratio": {
			leyline.GradientsCombined{Run: "r", Step: 1, Method: leyline.AggregationSum, Weights: []float64{1}, Ratio: 1.5},
			leyline.GradientsCombined{Run: "r", Step: 1, Method: leyline.AggregationSum, Weights: []float64{1}, Ratio: nan},
		},
		"alpha":      {leyline.BlendStepped{Run: "r", Seed: "s", Alpha: -0.1}, leyline.BlendStepped{Run: "r", Seed: "s", Alpha: nan}},
		"leak":       {leyline.IsolationAssessed{Run: "r", Seed: "s", Steps: 1, Leak: -1, Health: 1}},
		"accuracy":   {leyline.ContributionMeasured{Run: "r", Seed: "s", Step: 1, Probes: 1, Accuracy: nan, Next: 2}},
		"keep_until": {leyline.CommandRejected{Reason: leyline.RejectStale, Detail: "d", KeepUntil: 5, Digest: leyline.Digest{1}}},
		"plan.run":   {otherPlan()},
		"to_step": {leyline.RollbackStarted{
			Run: "r", Rollback: "rb-1", Cause: leyline.FaultNonFinite, FaultStep: 3, Reached: 3, Snapshot: "s", ToStep: 3, Tier: leyline.TierFull, Seen: 1, Since: 1,
		}},
	} {
		for _, x := range xs {
			if r, ok := leyline.AsRefusal(x.Validate()); !ok || r.Field != field || r.Kind != leyline.RefusalInvalidField {
				t.Errorf("%T with a bad %s: %v", x, field, r)
			}
		}
	}
}

// otherPlan starts one run under the plan of another.
func otherPlan() leyline.Event {
	for _, c := range leylinetest.Events() {
		if x, ok := c.Value.(leyline.RunStarted); ok {
			x.Run = "run-2"
			return x
		}
	}
	return nil
}

// TestFaultsAreNoMistake: what a fault looks like is valid.
func TestFaultsAreNoMistake(t *testing.T) {
	nan := math.NaN()
	for _, x := range []valid{
		leyline.TrainingAssessed{Run: "r", Step: 1, Health: leyline.HealthNonFinite, Loss: nan},
		leyline.IsolationAssessed{Run: "r", Seed: "s", Steps: 1, GradNorm: nan, Cosine: nan, Leak: math.Inf(1), MaxLeak: nan, Health: 1},
		leyline.EpochAssessed{Run: "r", Epoch: 1, Losses: []float64{nan}, Accuracies: []float64{0}},
		leyline.ContributionMeasured{Run: "r", Seed: "s", Step: 1, Probes: 1, Loss: nan, MeanLoss: nan, Next: 2},
		leyline.StepObserved{Run: "r", Incarnation: 1, Step: 1, Losses: []float64{nan}, Gram: []float64{nan}, Samples: 1},
	} {
		if err := x.Validate(); err != nil {
			t.Errorf("%T: %v", x, err)
		}
	}
}
