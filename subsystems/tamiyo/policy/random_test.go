package policy_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/tamiyo/policy"
)

// draws counts what the random policy chooses over so many steps.
func draws(t *testing.T, q policy.Question, n int) map[string]int {
	t.Helper()
	q.Config.Tamiyo.Policy = leyline.PolicyRandom
	got := map[string]int{}
	for step := range n {
		q.Step = leyline.Step(step)
		c := policy.Next(q)
		if c.Policy.ID != policy.RandomID || c.Reason == leyline.RiskPolicyInvalid {
			t.Fatalf("step %d: %s: %s", step, c.Policy, c.Why)
		}
		if c.Weighed.Masked || c.Weighed.Open&(1<<c.Command.Operation) == 0 {
			t.Fatalf("step %d: %s is not open (%b)", step, c.Command.Operation, c.Weighed.Open)
		}
		got[fmt.Sprintf("%s %s %s", c.Command.Operation, c.Command.Seed, c.Command.Blueprint)]++
	}
	return got
}

// TestRandomDrawsEvenly: everything that is open and to wait come up as often as one
// another, and nothing else ever does.
func TestRandomDrawsEvenly(t *testing.T) {
	empty := seed{ID: "a", Stage: leyline.StageDormant}
	for _, x := range []struct {
		name  string
		seeds []seed
		want  []string
	}{
		{"no slot", nil, []string{"UNKNOWN  "}},
		{"one slot, two kinds", []seed{empty}, []string{"UNKNOWN  ", "GERMINATE a risky", "GERMINATE a safe"}},
		{
			"two slots, two kinds",
			[]seed{empty, {ID: "b", Stage: leyline.StageDormant}},
			[]string{"UNKNOWN  ", "GERMINATE a risky", "GERMINATE a safe", "GERMINATE b risky", "GERMINATE b safe"},
		},
		{
			"a seed that could go on",
			[]seed{{ID: "a", Stage: leyline.StageTraining, Isolation: projections.Isolation{Steps: 1000}}, {ID: "b", Stage: leyline.StageDormant}},
			[]string{"UNKNOWN  ", "START_GRAFTING a ", "CULL a "},
		},
		{
			"one that is too young",
			[]seed{{ID: "a", Stage: leyline.StageTraining}, {ID: "b", Stage: leyline.StageDormant}},
			[]string{"UNKNOWN  ", "CULL a "},
		},
		{"paused", []seed{{ID: "a", Stage: leyline.StageTraining, Paused: true}}, []string{"UNKNOWN  "}},
	} {
		t.Run(x.name, func(t *testing.T) {
			const each = 2000
			got := draws(t, question(x.seeds...), each*len(x.want))
			for _, w := range x.want {
				// six standard deviations of a share of 1/k
				if n := got[w]; n < each-270 || n > each+270 {
					t.Errorf("%q came up %d times, want about %d", w, n, each)
				}
				delete(got, w)
			}
			if len(got) != 0 {
				t.Errorf("drawn besides: %v", got)
			}
		})
	}
}

// TestRandomIsAFunctionOfSeedLineageAndStep, and of nothing else: a run that was stopped
// and resumed, which has another incarnation, draws on as if it never had been.
func TestRandomIsAFunctionOfSeedLineageAndStep(t *testing.T) {
	list := func(change func(*policy.Question)) []leyline.SeedCommand {
		q := question(seed{ID: "a", Stage: leyline.StageDormant}, seed{ID: "b", Stage: leyline.StageDormant})
		q.Config.Tamiyo.Policy, q.Plan.Seed = leyline.PolicyRandom, 7
		change(&q)
		var out []leyline.SeedCommand
		for step := range leyline.Step(40) {
			q.Step = step
			out = append(out, policy.Next(q).Command)
		}
		return out
	}
	want := list(func(*policy.Question) {})
	if d := cmp.Diff(want, list(func(q *policy.Question) { q.Incarnation, q.Run = 9, "run-9" })); d != "" {
		t.Errorf("another incarnation draws otherwise:\n%s", d)
	}
	for name, change := range map[string]func(*policy.Question){
		"seed":    func(q *policy.Question) { q.Plan.Seed++ },
		"lineage": func(q *policy.Question) { q.Lineage++ },
	} {
		if cmp.Equal(want, list(change)) {
			t.Errorf("another %s draws the same", name)
		}
	}
}

// TestRandomIsNotTheRules: their identities differ, and that of random does not depend
// on the weights that it does not read.
func TestRandomIsNotTheRules(t *testing.T) {
	q := question()
	c := q.Config
	rules, random := policy.Of(&q).Identity(&c), policy.Random{}.Identity(&c)
	if rules == random || rules.Digest == random.Digest {
		t.Errorf("rules %v, random %v", rules, random)
	}
	c.Rules.Germinate++
	if again := (policy.Random{}).Identity(&c); again != random {
		t.Errorf("the identity has become %v", again)
	}
}
