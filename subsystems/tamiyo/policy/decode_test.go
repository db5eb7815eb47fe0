package policy_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/tamiyo/policy"
)

var somebody = leyline.PolicyIdentity{ID: "hetgnn", Version: "1", Digest: leyline.Digest{1}}

// network is an answer of the shape of SPEC.md 3.4: 32 actions, 3 blend modes, a
// schedule, 4 parameters and 5 classes of risk. It prefers one operation.
func network(q *policy.Question, op leyline.SeedOperation) leyline.PolicyOutput {
	out := leyline.PolicyOutput{
		Actions: make([]float64, 32), Blends: []float64{0, 1, 0}, Schedule: []float64{-1, 1}, Params: []float64{0, 0, 0, 0},
		Seeds: make([]float64, len(q.Seeds)), Blueprints: make([]float64, len(q.Blueprints)), Risk: make([]float64, 5), Value: 0.5,
	}
	out.Actions[op] = 1
	return out
}

func decode(t *testing.T, q policy.Question, out leyline.PolicyOutput) policy.Choice {
	t.Helper()
	c, err := policy.Decode(&q, somebody, out)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// training is a run with two seeds that may both be grafted.
func training() policy.Question {
	s := projections.Isolation{Steps: 100}
	return question(seed{ID: "a", Stage: leyline.StageTraining, Isolation: s}, seed{ID: "b", Stage: leyline.StageTraining, Isolation: s})
}

func TestSeedsAreChosenByTheirScores(t *testing.T) {
	q := training()
	out := network(&q, leyline.OpStartGrafting)
	for _, x := range []struct {
		scores []float64
		want   leyline.SeedID
	}{{[]float64{0.1, 2.5}, "b"}, {[]float64{2.5, 0.1}, "a"}, {[]float64{1, 1}, "a"}, {[]float64{-2, -1}, "b"}} {
		out.Seeds = x.scores
		if c := decode(t, q, out); c.Command.Seed != x.want || c.Weighed.SeedScore != slices.Max(x.scores) {
			t.Errorf("%v chooses %+v", x.scores, c.Command)
		}
	}
}

func TestWhatIsNotOpenIsMasked(t *testing.T) {
	q := training()
	out := network(&q, leyline.OpGerminate)
	out.Actions[leyline.OpStartGrafting] = 0.5
	c := decode(t, q, out)
	if c.Command.Operation != leyline.OpStartGrafting || !c.Weighed.Masked {
		t.Errorf("chooses %s, masked %v", c.Command.Operation, c.Weighed.Masked)
	}
	if want := uint32(1 | 1<<leyline.OpStartGrafting | 1<<leyline.OpCull); c.Weighed.Open != want {
		t.Errorf("open is %b, want %b", c.Weighed.Open, want)
	}
	out = network(&q, 31) // an action that this plane does not have
	if c := decode(t, q, out); c.Command.Operation != leyline.OpUnknown || c.Reason != leyline.RiskPolicyWaits || !c.Weighed.Masked {
		t.Errorf("an unknown action chooses %+v for %s", c.Command, c.Reason)
	}
}

func TestSchedules(t *testing.T) {
	q := training()
	for _, x := range []struct {
		raw        []float64
		start, end float64
		swapped    bool
		steps      uint32
	}{
		{[]float64{1.5, -2.5}, 0, 1, true, 20}, {[]float64{0, 0}, 0.5, 0.5, false, 1}, {[]float64{-1, 0}, 0, 0.5, false, 10},
		{[]float64{0.5, -0.5}, 0.25, 0.75, true, 10}, {nil, 0, 1, false, 20},
	} {
		out := network(&q, leyline.OpStartGrafting)
		out.Schedule = x.raw
		c := decode(t, q, out)
		w := c.Weighed
		if w.Start != x.start || w.End != x.end || w.Swapped != x.swapped || c.Command.Blend.TotalSteps != x.steps {
			t.Errorf("%v: from %v to %v, swapped %v, %d steps", x.raw, w.Start, w.End, w.Swapped, c.Command.Blend.TotalSteps)
		}
	}
}

func TestBlendsSayWhoseTheyAre(t *testing.T) {
	for _, x := range []struct {
		name   string
		change func(out *leyline.PolicyOutput, q *policy.Question)
		mode   leyline.BlendMode
		from   leyline.ChoiceSource
		logits leyline.LogitSource
	}{
		{"the policy's", func(*leyline.PolicyOutput, *policy.Question) {}, leyline.BlendResidual, leyline.SourcePolicy, 0},
		{"the settings'", func(o *leyline.PolicyOutput, _ *policy.Question) { o.Blends = nil }, leyline.BlendResidual, leyline.SourceConfig, 0},
		{"channels that nobody has", func(o *leyline.PolicyOutput, _ *policy.Question) { o.Blends = []float64{0, 1, 9} }, leyline.BlendResidual, leyline.SourcePolicy, 0},
		{"channels of the policy", func(o *leyline.PolicyOutput, _ *policy.Question) {
			o.Blends, o.Channels = []float64{0, 1, 9}, []float64{0.5, 1}
		}, leyline.BlendChannel, leyline.SourcePolicy, 0},
		{"channels of the settings", func(o *leyline.PolicyOutput, q *policy.Question) {
			o.Blends, q.Config.Tamiyo.BlendChannels = []float64{0, 1, 9}, []float64{1}
		}, leyline.BlendChannel, leyline.SourcePolicy, 0},
		{"confidence of the seed", func(o *leyline.PolicyOutput, _ *policy.Question) { o.Blends = []float64{0, 1, 0, 2} }, leyline.BlendConfidence, leyline.SourcePolicy, leyline.LogitsSeed},
		{"confidence of the policy", func(o *leyline.PolicyOutput, _ *policy.Question) {
			o.Blends, o.Logits = []float64{0, 1, 0, 2}, []float64{1, 0}
		}, leyline.BlendConfidence, leyline.SourcePolicy, leyline.LogitsPolicy},
	} {
		q := training()
		out := network(&q, leyline.OpStartGrafting)
		x.change(&out, &q)
		c := decode(t, q, out)
		if b := c.Command.Blend; b.Mode != x.mode || c.Weighed.Blend != x.from || b.Source != x.logits || b.Validate() != nil {
			t.Errorf("%s: %+v by the %s", x.name, b, c.Weighed.Blend)
		}
	}
}

// TestAnswersThatAreNone changes one thing of a good answer.
func TestAnswersThatAreNone(t *testing.T) {
	q := training()
	empty := question(seed{ID: "a", Stage: leyline.StageDormant})
	for _, x := range []struct {
		name   string
		q      policy.Question
		op     leyline.SeedOperation
		change func(*leyline.PolicyOutput)
		field  string
	}{
		{"no actions", q, 0, func(o *leyline.PolicyOutput) { o.Actions = nil }, "actions"},
		{"too many actions", q, 0, func(o *leyline.PolicyOutput) { o.Actions = make([]float64, 33) }, "actions"},
		{"no number", q, 0, func(o *leyline.PolicyOutput) { o.Actions[3] = math.NaN() }, "actions[3]"},
		{"an infinity", q, 0, func(o *leyline.PolicyOutput) { o.Seeds[1] = math.Inf(1) }, "seeds[1]"},
		{"half a schedule", q, 0, func(o *leyline.PolicyOutput) { o.Schedule = []float64{1} }, "schedule"},
		{"one class of risk", q, 0, func(o *leyline.PolicyOutput) { o.Risk = []float64{1} }, "risk"},
		{"a value that is none", q, 0, func(o *leyline.PolicyOutput) { o.Value = math.Inf(-1) }, "value"},
		{"channels beyond 1", q, 0, func(o *leyline.PolicyOutput) { o.Channels = []float64{1.5} }, "channels[0]"},
		{"65 channels", q, 0, func(o *leyline.PolicyOutput) { o.Channels = make([]float64, 65) }, "channels"},
		{"one logit", q, 0, func(o *leyline.PolicyOutput) { o.Logits = []float64{1} }, "logits"},
		{"of another run", q, 0, func(o *leyline.PolicyOutput) { o.Seeds = o.Seeds[:1] }, "seeds"},
		{"of another catalogue", q, 0, func(o *leyline.PolicyOutput) { o.Blueprints = append(o.Blueprints, 1) }, "blueprints"},
		{"no seed among two", q, leyline.OpStartGrafting, func(o *leyline.PolicyOutput) { o.Seeds = nil }, "seeds"},
		{"no kind among two", empty, leyline.OpGerminate, func(o *leyline.PolicyOutput) { o.Blueprints = nil }, "blueprints"},
	} {
		out := network(&x.q, x.op)
		x.change(&out)
		_, err := policy.Decode(&x.q, somebody, out)
		if r, ok := leyline.AsRefusal(err); !ok || r.Field != x.field {
			t.Errorf("%s: %v", x.name, err)
		}
	}
	if _, err := policy.Decode(&q, leyline.PolicyIdentity{ID: "nobody"}, network(&q, 0)); err == nil {
		t.Error("an answer of a policy without a version was taken")
	}
}

func TestParametersLieWithinTheirBounds(t *testing.T) {
	q := question(seed{ID: "a", Stage: leyline.StageDormant})
	for i := range q.Blueprints {
		q.Blueprints[i].Parameters = []leyline.ParameterBounds{{Name: "rate", Min: 0.1, Max: 0.5}, {Name: "width", Min: 8, Max: 8}}
	}
	out := network(&q, leyline.OpGerminate)
	out.Params = []float64{-7, 0.5, 1}
	c := decode(t, q, out)
	got := c.Command.Parameters
	if len(got) != 2 || got[0] != (leyline.ParameterValue{Name: "rate", Value: 0.1}) || got[1] != (leyline.ParameterValue{Name: "width", Value: 8}) {
		t.Errorf("sets %+v", got)
	}
	out.Params = []float64{0}
	if got := decode(t, q, out).Command.Parameters; len(got) != 1 || math.Abs(got[0].Value-0.3) > 1e-12 {
		t.Errorf("sets %+v", got)
	}
}

// TestRiskIsAnExpectation: the prototype took the probability of the likeliest class,
// so being sure that there is no risk was the highest risk.
func TestRiskIsAnExpectation(t *testing.T) {
	for _, x := range []struct {
		logits []float64
		score  float64
		index  uint32
	}{
		{[]float64{60, 0, 0, 0, 0}, 0, 0}, {[]float64{0, 0, 0, 0, 60}, 1, 4}, {[]float64{0, 0, 0, 0, 0}, 0.5, 0},
		{[]float64{-60, -60, 3, -60, -60}, 0.5, 2}, {[]float64{0, math.Log(3)}, 0.75, 1},
	} {
		r := policy.RiskOf(x.logits)
		if !r.Known || math.Abs(r.Score-x.score) > 1e-12 || r.Index != x.index {
			t.Errorf("%v: %+v", x.logits, r)
		}
	}
	if r := policy.RiskOf(nil); r.Known {
		t.Errorf("without classes: %+v", r)
	}
}

func TestGivingUpSaysWhy(t *testing.T) {
	q := training()
	out := network(&q, leyline.OpCull)
	if c := decode(t, q, out); !strings.Contains(c.Why, "TRAINING after 100 steps") || c.Command.Reason == "" {
		t.Errorf("culls %+v: %s", c.Command, c.Why)
	}
}
