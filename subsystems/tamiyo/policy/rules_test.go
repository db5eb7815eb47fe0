package policy_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/tamiyo/policy"
)

// score is that of the best candidate of an operation.
func score(t *testing.T, q policy.Question, op leyline.SeedOperation) float64 {
	t.Helper()
	out, err := policy.Of(&q).Answer(&q)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range out.Candidates {
		if c.Operation == op {
			return c.Score
		}
	}
	t.Fatalf("%s is no candidate among %+v", op, out.Candidates)
	return 0
}

// vacant asks about an empty slot of a run in its middle, whose loss has moved by
// change since the last window.
func vacant(change float64) policy.Question {
	q := question(seed{ID: "a", Stage: leyline.StageDormant})
	q.Plan.Steps, q.Step = 1000, 100
	q.Track.LossEWMA = leyline.Moments{Mean: 1 + change, Var: 0.01, N: 100}
	q.Last = projections.Window{Step: 90, Loss: 1}
	return q
}

// TestScoresFollowTheirFeatures moves one feature at a time, from good to bad, and
// expects a score that never rises and falls in the end.
func TestScoresFollowTheirFeatures(t *testing.T) {
	for _, x := range []struct {
		name   string
		op     leyline.SeedOperation
		ask    func(at float64) policy.Question
		rising bool
	}{
		{"falling", leyline.OpGerminate, func(at float64) policy.Question { return vacant(-at) }, false},
		{"regression", leyline.OpGerminate, func(at float64) policy.Question { return vacant(at) }, false},
		{"volatility", leyline.OpGerminate, func(at float64) policy.Question {
			q := vacant(0)
			q.Track.LossEWMA.Var = at
			return q
		}, false},
		{"risk", leyline.OpGerminate, func(at float64) policy.Question {
			q := vacant(0)
			for i := range q.Blueprints {
				q.Blueprints[i].Risk = at
			}
			return q
		}, false},
		{"novelty", leyline.OpGerminate, func(at float64) policy.Question {
			q := vacant(0)
			n := uint32(10 * at)
			q.Trials = []projections.Trial{{Blueprint: "risky", Germinated: n}, {Blueprint: "safe", Germinated: n}}
			return q
		}, false},
		{"record", leyline.OpGerminate, func(at float64) policy.Question {
			q := vacant(0)
			q.Trials = []projections.Trial{{Blueprint: "safe", Germinated: 1, Fossilized: 1, Gain: at / 50}}
			q.Blueprints[2].Quarantine = true
			return q
		}, true},
		{"runway", leyline.OpGerminate, func(at float64) policy.Question {
			q := vacant(0)
			q.Step, q.Config.Rules.Shadow = leyline.Step(1000*at), nil
			return q
		}, false},
		{"learning", leyline.OpStartGrafting, func(at float64) policy.Question {
			q := question(seed{ID: "a", Stage: leyline.StageTraining, Isolation: projections.Isolation{
				Steps: 60, Quality: leyline.Quality{FirstLoss: 1, Loss: 1 - at/50},
			}})
			q.Memory.Marks = []leyline.SeedMark{{Seed: "a", Loss: 1}}
			q.Config.Rules.Shadow = nil
			return q
		}, false},
		{"overdue", leyline.OpStartGrafting, func(at float64) policy.Question {
			return question(seed{ID: "a", Stage: leyline.StageTraining, Isolation: projections.Isolation{Steps: 60 + uint32(60*at)}})
		}, true},
		{"harm", leyline.OpCull, func(at float64) policy.Question {
			return question(seed{ID: "a", Stage: leyline.StageProbationary, Contribution: measured(2, -at/100)})
		}, true},
	} {
		t.Run(x.name, func(t *testing.T) {
			first := score(t, x.ask(0), x.op)
			last := first
			for i := 1; i <= 20; i++ {
				now := score(t, x.ask(float64(i)/20), x.op)
				if x.rising && now < last || !x.rising && now > last {
					t.Errorf("at %d the score goes from %v to %v", i, last, now)
				}
				last = now
			}
			if x.rising && !(last > first) || !x.rising && !(last < first) {
				t.Errorf("it went from %v to %v", first, last)
			}
		})
	}
}

func TestGerminationWaitsForItsTime(t *testing.T) {
	for _, x := range []struct {
		name string
		q    policy.Question
		want leyline.SeedOperation
	}{
		{"on a plateau", vacant(0), leyline.OpGerminate},
		{"while the loss falls fast near the beginning", vacant(-0.3), leyline.OpUnknown},
		{"while it rises fast", func() policy.Question { q := vacant(0.5); q.Config.Rules.Regression = 2; return q }(), leyline.OpUnknown},
		{"in the first window", func() policy.Question { q := vacant(0); q.Last = projections.Window{}; return q }(), leyline.OpGerminate},
		{"when no trial would be over in time", func() policy.Question { q := vacant(0); q.Step, q.Config.Rules.Shadow = 950, nil; return q }(), leyline.OpUnknown},
		{"under pressure", func() policy.Question {
			q := vacant(0).With(0, []leyline.Reading{{Metric: leyline.TrainGPUMemUsedGB, Value: 100}, {Metric: leyline.TrainGPUMemFreeGB, Value: 0}})
			q.Config.Rules.Pressure = 3
			return q
		}(), leyline.OpUnknown},
	} {
		c := policy.Next(x.q)
		if c.Command.Operation != x.want || x.want == leyline.OpUnknown && c.Reason != leyline.RiskPolicyWaits {
			t.Errorf("%s: %s for %s: %+v", x.name, c.Command.Operation, c.Reason, c.Output.Candidates)
		}
	}
}

func TestHarmfulSeedsAreGivenUpEarly(t *testing.T) {
	s := seed{ID: "a", Stage: leyline.StageProbationary, Contribution: measured(2, -0.02)}
	if c := policy.Next(question(s)); c.Command.Operation != leyline.OpCull {
		t.Errorf("after 2 probes of 3 at -2 points: %s for %s", c.Command.Operation, c.Reason)
	}
	s.Contribution.Accuracy = -0.001
	if c := policy.Next(question(s)); c.Command.Operation != leyline.OpUnknown {
		t.Errorf("after 2 probes of 3 at -0.1 points: %s", c.Command.Operation)
	}
}

// TestShadowRulesDecideNothing puts every rule into the shadow, one at a time: what is
// chosen is what it is without the rule, and what it would have done is told.
func TestShadowRulesDecideNothing(t *testing.T) {
	for _, r := range leyline.TermUnspecified.Members() {
		for _, q := range []policy.Question{
			vacant(0), vacant(-0.3), vacant(0.3), training(),
			question(seed{ID: "a", Stage: leyline.StageProbationary, Contribution: measured(2, -0.02)}),
		} {
			without := q
			q.Config.Rules.Shadow = []string{r.String()}
			without.Config.Rules = off(without.Config.Rules, r)
			got, want := policy.Next(q), policy.Next(without)
			if !reflect.DeepEqual(got.Command, want.Command) || got.Reason != want.Reason {
				t.Errorf("%s in shadow: %+v, without it %+v", r, got.Command, want.Command)
			}
			if got.Weighed.Differs != (len(got.Weighed.Acted) > 0) || len(got.Weighed.Acted) > 1 {
				t.Errorf("%s: differs %v, acted %v", r, got.Weighed.Differs, got.Weighed.Acted)
			}
		}
	}
	q := vacant(-0.3)
	q.Config.Rules.Shadow = []string{leyline.TermFalling.String()}
	c := policy.Next(q)
	if c.Command.Operation != leyline.OpGerminate || !slices.Equal(c.Weighed.Acted, []leyline.PolicyRule{leyline.TermFalling}) {
		t.Errorf("with falling in shadow: %s, acted %v", c.Command.Operation, c.Weighed.Acted)
	}
}

// off turns a rule off. Only its shadow list is emptied, as the test replaces it.
func off(c leyline.RulesConfig, r leyline.PolicyRule) leyline.RulesConfig {
	c.Shadow = nil
	v := reflect.ValueOf(&c).Elem()
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("toml") == r.String() {
			v.Field(i).SetFloat(0)
		}
	}
	return c
}

// TestMachinesDecideNothingInLockstep: pressure differs from machine to machine.
func TestMachinesDecideNothingInLockstep(t *testing.T) {
	q := vacant(0).With(0, []leyline.Reading{{Metric: leyline.TrainGPUMemUsedGB, Value: 100}, {Metric: leyline.TrainGPUMemFreeGB, Value: 0}})
	q.Config.Rules.Pressure = 5
	q.Plan.Lockstep = true
	c := policy.Next(q)
	if c.Command.Operation != leyline.OpGerminate || !slices.Contains(c.Weighed.Acted, leyline.TermPressure) {
		t.Errorf("in lockstep: %s, acted %v", c.Command.Operation, c.Weighed.Acted)
	}
}

// TestOrderOfSeedsMattersOnlyBetweenEquals shuffles the slots: the best score stays
// what it is, and so does the seed that has it alone.
func TestOrderOfSeedsMattersOnlyBetweenEquals(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var seeds []seed
		for i := range 1 + r.IntN(8) {
			seeds = append(seeds, seed{
				ID: leyline.SeedID(fmt.Sprintf("s%d", i)), Stage: leyline.Stage(1 + r.IntN(7)), Complete: r.IntN(2) == 0,
				Isolation: projections.Isolation{Steps: uint32(r.IntN(200))}, Contribution: measured(uint32(r.IntN(5)), float64(r.IntN(9)-4)/200),
				Kernel: projections.Kernel{Ready: r.IntN(2) == 0},
			})
		}
		before := policy.Next(question(seeds...))
		shuffled := slices.Clone(seeds)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		after := policy.Next(question(shuffled...))
		if before.Output.Value != after.Output.Value || before.Command.Operation != after.Command.Operation && !tied(before) {
			t.Fatalf("%+v became %+v", before.Command, after.Command)
		}
		if before.Command.Seed != after.Command.Seed && !tied(before) {
			t.Fatalf("seed %s became %s; candidates %+v", before.Command.Seed, after.Command.Seed, before.Output.Candidates)
		}
		if again := policy.Next(question(seeds...)); !reflect.DeepEqual(before, again) {
			t.Fatalf("one question, two answers: %+v and %+v", before, again)
		}
	}
}

// tied reports whether the best score is that of two things that could be done. Empty
// slots are alike.
func tied(c policy.Choice) bool {
	all := c.Output.Candidates
	return c.Command.Operation == leyline.OpGerminate || len(all) > 1 && all[0].Score == all[1].Score
}

func TestIdentitySaysWhatDecides(t *testing.T) {
	c, other := leyline.DefaultConfig(), leyline.DefaultConfig()
	other.Kasmina.MinContribution = 0.5 // a setting of a seed's life: a what-if shows where it first matters
	id := func(c leyline.ExecutionConfig) leyline.PolicyIdentity {
		return policy.Rules{Weights: c.Rules}.Identity(&c)
	}
	was := id(c)
	if was.ID != "rules" || was.Version != "2" || was.Validate() != nil || was != id(other) {
		t.Errorf("the rules are %+v", was)
	}
	seen := []leyline.Digest{was.Digest}
	for _, change := range []func(*leyline.ExecutionConfig){
		func(c *leyline.ExecutionConfig) { c.Rules.Plateau = 2 },
		func(c *leyline.ExecutionConfig) { c.Rules.Shadow = nil },
		func(c *leyline.ExecutionConfig) { c.Rules.Unhealthy = 0 },
	} {
		c := leyline.DefaultConfig()
		change(&c)
		if d := id(c).Digest; slices.Contains(seen, d) {
			t.Error("another policy has the same digest")
		} else {
			seen = append(seen, d)
		}
	}
}
