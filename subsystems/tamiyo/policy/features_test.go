package policy_test

import (
	"math"
	"slices"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/tamiyo/policy"
)

// known is the norm of a key among those that a window leaves.
func known(f policy.Features, key leyline.NormKey) (leyline.FeatureNorm, bool) {
	for _, n := range f.Norms {
		if n.Key == key {
			return n, true
		}
	}
	return leyline.FeatureNorm{}, false
}

func TestNormaliserBeginsAsSpecified(t *testing.T) {
	q := question()
	q.Track.Step, q.Track.Loss = 1, 1
	f := policy.Featurise(&q)
	n, ok := known(f, leyline.NormLoss)
	if !ok || math.Abs(n.Mean-0.82) > 1e-12 || math.Abs(n.Var-0.0846) > 1e-12 {
		t.Errorf("the loss leaves %+v", n)
	}
	if v := f.Global[0]; v.Feature != leyline.FeatureLoss || !v.Present || math.Abs(v.Value-0.6188528) > 1e-7 {
		t.Errorf("the loss is %+v", v)
	}
}

// TestAbsentValuesTeachNothing: the prototype normalised zeros in the place of what was
// missing.
func TestAbsentValuesTeachNothing(t *testing.T) {
	q := question(seed{ID: "a", Stage: leyline.StageDormant})
	q.Memory.Norms = []leyline.FeatureNorm{{Key: leyline.NormLoss, Mean: 3, Var: 2}, {Key: leyline.NormHook, Mean: 5, Var: 1}}
	f := policy.Featurise(&q)
	for _, key := range []leyline.NormKey{leyline.NormLoss, leyline.NormHook} {
		if n, _ := known(f, key); n != q.Memory.Norms[slices.IndexFunc(q.Memory.Norms, func(n leyline.FeatureNorm) bool { return n.Key == key })] {
			t.Errorf("%s was never measured and is now %+v", key, n)
		}
	}
	for _, key := range []leyline.NormKey{leyline.NormGradNorm, leyline.NormSeedRate, leyline.NormSeedAge, leyline.NormProgress} {
		if n, ok := known(f, key); ok {
			t.Errorf("%s was never measured and has begun: %+v", key, n)
		}
	}
	for _, v := range f.Global {
		if !v.Present && v.Value != 0 {
			t.Errorf("%s is not present and %v", v.Feature, v.Value)
		}
	}
}

func TestNumbersThatAreNoneAreAbsent(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1), -1e300} {
		q := question()
		q.Track.Step, q.Track.Loss = 1, bad
		f := policy.Featurise(&q)
		if _, ok := known(f, leyline.NormLoss); ok || f.Global[0].Present {
			t.Errorf("a loss of %v is %+v", bad, f.Global[0])
		}
	}
}

func TestVectorsHaveTheirShape(t *testing.T) {
	q := question(seed{ID: "a", Stage: leyline.StageDormant}, seed{
		ID: "b", Stage: leyline.StageBlending, Blueprint: "safe", Mesh: []string{"trunk"}, Born: 5, Isolation: projections.Isolation{Steps: 3, GradNorm: 1},
		Parameters: []leyline.Parameter{{Name: "w", Size: 100}},
	})
	q.Step, q.LearnRate = 25, 0.1
	f := policy.Featurise(&q)
	if len(f.Global) != policy.GlobalFeatures || len(f.Seeds) != 2*policy.SeedFeatures || len(f.Blueprints) != 4*policy.BlueprintFeatures || len(f.Layers) != 1 {
		t.Fatalf("%d, %d, %d, %d values", len(f.Global), len(f.Seeds), len(f.Blueprints), len(f.Layers))
	}
	for i, v := range f.Seeds {
		if want := leyline.FeatureSeedRate + leyline.Feature(i%policy.SeedFeatures); v.Feature != want {
			t.Errorf("value %d is %s, want %s", i, v.Feature, want)
		}
	}
	present := func(vs []policy.Value) []bool {
		var out []bool
		for _, v := range vs {
			out = append(out, v.Present)
		}
		return out
	}
	if got := present(f.Seeds[:policy.SeedFeatures]); !slices.Equal(got, []bool{false, false, false, false, true, false, true, false}) {
		t.Errorf("of an empty slot is known %v", got)
	}
	if got := present(f.Seeds[policy.SeedFeatures:]); !slices.Equal(got, []bool{true, true, true, true, true, true, true, true}) {
		t.Errorf("of a seed is known %v", got)
	}
	if v := f.Layers[0]; !v.Present || v.Value != 1 {
		t.Errorf("the only layer is %+v", v)
	}
}

func TestCoverageCountsWhatIsMissing(t *testing.T) {
	q := question()
	c := policy.Featurise(&q).Coverage
	var sum float64
	for _, p := range c.Partial {
		sum += p.Share()
	}
	if want := (float64(c.Features) - float64(len(c.Partial)) + sum) / float64(c.Features); math.Abs(c.Mean-want) > 1e-12 {
		t.Errorf("the mean is %v, the shares make %v", c.Mean, want)
	}
	if c.Missing == 0 || c.Mean <= 0 || c.Mean >= 1 {
		t.Errorf("coverage %+v", c)
	}
	names := []string{}
	for _, g := range c.Groups {
		names = append(names, g.Group)
	}
	if !slices.Equal(names, []string{"edges.layer_connects", "node.blueprint", "node.global", "node.layer"}) {
		t.Errorf("groups %v: a group without nodes has no coverage, links between layers always have", names)
	}
	some := question(seed{ID: "a", Stage: leyline.StageDormant})
	if g := policy.Featurise(&some).Coverage.Groups; len(g) != 6 {
		t.Errorf("with a seed: %+v", g)
	}
}

// TestNormsFollowWhatIsMeasured feeds the norms of each window into the next one: they
// stay sorted, one of each key, and follow what is measured.
func TestNormsFollowWhatIsMeasured(t *testing.T) {
	q := question(seed{ID: "a", Stage: leyline.StageDormant})
	for i := range 200 {
		q.Step, q.Track.Step, q.Track.Loss = leyline.Step(i+1), leyline.Step(i+1), 5
		f := policy.Featurise(&q)
		if !slices.IsSortedFunc(f.Norms, func(a, b leyline.FeatureNorm) int { return int(a.Key) - int(b.Key) }) {
			t.Fatalf("norms %+v", f.Norms)
		}
		q.Memory.Norms = f.Norms
	}
	f := policy.Featurise(&q)
	if n, _ := known(f, leyline.NormLoss); math.Abs(n.Mean-5) > 1e-6 || n.Var < 1e-6 {
		t.Errorf("after 200 windows at 5: %+v", n)
	}
}

func TestOptimizerAndHazardHaveTheirColumns(t *testing.T) {
	last := policy.GlobalFeatures - 1
	for _, x := range []struct {
		family  string
		present bool
		value   float64
	}{{"", false, 0}, {"sgd", true, 1.0 / 256}, {"adagrad", true, 5.0 / 256}, {"lion", false, 0}} {
		q := question()
		q.Plan.Optimizer = x.family
		if v := policy.Featurise(&q).Global[last]; v.Feature != leyline.FeatureOptimizer || v.Present != x.present || v.Value != x.value {
			t.Errorf("optimizer %q is %+v", x.family, v)
		}
	}
	q := question()
	q.Blueprints[0].Hazard.Band = leyline.HazardHigh
	f := policy.Featurise(&q)
	for i, want := range []bool{true, false} {
		if v := f.Blueprints[(i+1)*policy.BlueprintFeatures-1]; v.Feature != leyline.FeatureBlueprintHazard || v.Present != want || (v.Value > 0) != want {
			t.Errorf("the hazard of blueprint %d is %+v", i, v)
		}
	}
}
