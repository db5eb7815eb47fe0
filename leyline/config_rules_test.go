package leyline

import (
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestRulesNameSettings holds the table of rules against the settings: no rule
// without a setting, and no number with a fraction without a rule, since NaN and
// the infinities are values of its type.
func TestRulesNameSettings(t *testing.T) {
	c := DefaultConfig()
	known := map[string]bool{}
	for _, s := range c.Settings() {
		if known[s.Key] || strings.Count(s.Key, ".") != 1 || strings.HasPrefix(s.Key, ".") || strings.HasSuffix(s.Key, ".") {
			t.Errorf("%q is no key, or the key of two settings", s.Key)
		}
		known[s.Key] = true
		if !strings.HasSuffix(s.Meaning, ".") || strings.ContainsAny(s.Meaning, "\n|") {
			t.Errorf("the meaning of %s is %q, want sentences in one line", s.Key, s.Meaning)
		}
		if _, ok := rules[s.Key]; s.Value.Kind() == reflect.Float64 && !ok {
			t.Errorf("%s has no rule: NaN would be accepted", s.Key)
		}
	}
	for key := range rules {
		if !known[key] {
			t.Errorf("there is a rule for %s, which is no setting", key)
		}
	}
}

// phrases are what a meaning says about the values of its setting, with what
// Allowed then has to say.
var phrases = []struct {
	in *regexp.Regexp
	is string
}{
	{regexp.MustCompile(`\b(\d+) or more`), `^($1 or more|a (whole )?number from $1 to .*)(, |$)`},
	{regexp.MustCompile(`\bgreater than (\d+)`), `greater than $1`},
	{regexp.MustCompile(`\b(\d+) to (\d+)\.`), `from $1 to $2`},
	{regexp.MustCompile(`\[(\d+),(\d+)\]`), `from $1 to $2`},
	{regexp.MustCompile(`\((\d+),(\d+)\]`), `greater than $1, $2 or less`},
	{regexp.MustCompile(`\boff, shadow or enforce\b`), `^off, shadow or enforce$`},
}

// TestMeaningsAgreeWithRules demands that the words of a meaning and the rule say
// the same.
func TestMeaningsAgreeWithRules(t *testing.T) {
	c, seen := DefaultConfig(), make([]bool, len(phrases))
	for _, s := range c.Settings() {
		for i, p := range phrases {
			m := p.in.FindStringSubmatchIndex(s.Meaning)
			if m == nil {
				continue
			}
			seen[i] = true
			if want := string(p.in.ExpandString(nil, p.is, s.Meaning, m)); !regexp.MustCompile(want).MatchString(s.Allowed()) {
				t.Errorf("%s means %q, but what is allowed is %q", s.Key, s.Meaning, s.Allowed())
			}
		}
	}
	if i := slices.Index(seen, false); i >= 0 {
		t.Errorf("no meaning says %v any more", phrases[i].in)
	}
}

// TestRulesKeepTheirWord offers the values at the edges of what the words of a
// rule allow, and those beyond.
func TestRulesKeepTheirWord(t *testing.T) {
	least, span := regexp.MustCompile(`^(\d+) or more`), regexp.MustCompile(`^a (?:whole )?number from (\S+) to ([^\s,]+)`)
	offers := 0
	for key, r := range rules {
		offer := func(x float64, ok bool) {
			t.Helper()
			offers++
			c := DefaultConfig()
			all := c.Settings()
			v := all[slices.IndexFunc(all, func(s Setting) bool { return s.Key == key })].Value
			if v.Kind() != reflect.Float64 && (x < 0 || x > math.MaxUint32) {
				return // its type cannot hold that
			}
			v.Set(reflect.ValueOf(x).Convert(v.Type()))
			if reason, fix := r.broken(v); (reason == "") != ok || (fix == "") != ok {
				t.Errorf("%s = %v: %q, %q; what is allowed is %s", key, x, reason, fix, r.allowed)
			}
		}
		switch {
		case least.MatchString(r.allowed):
			n := parse(t, least.FindStringSubmatch(r.allowed)[1])
			offer(n, true)
			offer(math.MaxUint32, true)
			offer(n-1, false)
		case span.MatchString(r.allowed):
			m := span.FindStringSubmatch(r.allowed)
			lo, hi := parse(t, m[1]), parse(t, m[2])
			offer(lo, true)
			offer(hi, true)
			offer(lo-1, false)
			offer(hi+1, false)
			if !strings.Contains(r.allowed, "whole") {
				offer(math.NaN(), false)
			}
		case strings.Contains(r.allowed, "greater than 0"):
			offer(math.SmallestNonzeroFloat64, true)
			offer(0, false)
			offer(-1, false)
			offer(math.Inf(1), false)
			offer(math.NaN(), false)
		case strings.Contains(r.allowed, "text"): // in TestLogConfigBounds
		case key == "tamiyo.blend_channels": // in TestBlendSettings
		case key == "tamiyo.conservative_effect": // in TestRiskSettings
		case key == "tolaria.opt_rebuild": // in TestOnlyFencesOfSettings
		case strings.HasPrefix(key, "posture."), strings.HasPrefix(key, "telemetry.webhook"): // in TestPostureConfig
		default:
			t.Errorf("%s: nothing tests %q", key, r.allowed)
		}
	}
	if offers < 100 {
		t.Errorf("only %d values were offered", offers)
	}
}

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
	}
}

func parse(t *testing.T, s string) float64 {
	t.Helper()
	x, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// TestOnlyFencesOfSettings: a rebuild at the word of an operator is no setting.
func TestOnlyFencesOfSettings(t *testing.T) {
	for _, f := range FenceUnspecified.Members() {
		c := DefaultConfig()
		c.Tolaria.Rebuild = f
		if err := c.Validate(); (err == nil) != (f != FenceCommand) {
			t.Errorf("tolaria.opt_rebuild = %s: %v", f, err)
		}
	}
}
