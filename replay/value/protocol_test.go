package value

import (
	"fmt"
	"strings"
	"testing"
)

// protocolDigest pins the protocol: whoever changes it begins another experiment, and
// rows that were made under the old one are refused. It is changed before the first
// run of an experiment and never after.
const protocolDigest = "ce078d6d760b0c625408e5b42ef7c063bc2dce0d9616d3b596aade27173684f1"

func TestProtocolIsFixed(t *testing.T) {
	if got := ProtocolDigest().String(); got != protocolDigest {
		t.Errorf("the protocol hashes to %s, the experiment was made under %s", got, protocolDigest)
	}
}

// TestProtocolSaysWhatIsDone holds the numbers of the code against the text.
func TestProtocolSaysWhatIsDone(t *testing.T) {
	text := strings.Join(strings.Fields(Protocol()), " ")
	want := []string{
		fmt.Sprintf("through %d judgements", judgements), fmt.Sprintf("a family of %d,", family()),
		fmt.Sprintf("adjusted p is below %g.", level), "lies within one point either way", "9,999 resamples",
	}
	for _, s := range Studies() {
		want = append(want, fmt.Sprintf("`%s`: seeds %d to %d, %d steps each", s.Workload, s.First, s.First+uint64(s.Seeds)-1, s.Steps))
	}
	for _, a := range Arms() {
		want = append(want, fmt.Sprintf("- `%s`", a))
	}
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("the protocol does not say %q", w)
		}
	}
	if margin != 1 || resamples != 9999 || Confidence != 0.95 {
		t.Error("the code has other numbers than the protocol")
	}
}

func TestArms(t *testing.T) {
	primary := 0
	for _, a := range Arms() {
		if a.primary() {
			primary++
		}
	}
	if Arms()[0] != Rules || primary != 4 || family() != 8 {
		t.Errorf("arms %v, %d primary, a family of %d", Arms(), primary, family())
	}
	if _, err := Arm("best").prepare(Studies()[0], nil); err == nil {
		t.Error("an unknown arm was prepared")
	}
	if _, known := StudyOf("digits"); known {
		t.Error("the protocol has a workload that it does not have")
	}
}

// TestMatchedArms holds what the controls are made of against the run they match.
func TestMatchedArms(t *testing.T) {
	study, _ := StudyOf("penguins")
	plain, err := Never.prepare(study, nil)
	ok(t, err)
	host, err := plain.spec.Parameters()
	ok(t, err)
	per, err := plain.spec.StepWork()
	ok(t, err)
	rules := &Row{Parameters: host + 1072, Modules: []string{"residual-mlp-16"}, Work: 400*per + 1}
	for _, a := range Arms() {
		x, err := a.prepare(study, rules)
		ok(t, err)
		has, err := x.spec.Parameters()
		ok(t, err)
		grows, steps := a == Rules || a == Random, study.Steps
		if a == Longer {
			steps = 401
		}
		if x.config.Tamiyo.Enabled != grows || x.steps != steps {
			t.Errorf("%s: enabled %t, %d steps", a, x.config.Tamiyo.Enabled, x.steps)
		}
		switch a {
		case Modules:
			if has != rules.Parameters {
				t.Errorf("%s: %d parameters, want %d", a, has, rules.Parameters)
			}
		case Wider:
			if has < rules.Parameters || has > rules.Parameters+2*x.spec.Net.Hidden+20 {
				t.Errorf("%s: %d parameters, want %d or a unit more", a, has, rules.Parameters)
			}
		default:
			if has != host {
				t.Errorf("%s: %d parameters, want %d", a, has, host)
			}
		}
	}
	// A rules run that kept nothing is matched by the host as it is, and is never
	// given fewer steps than it had.
	nothing := &Row{Parameters: host, Work: 1}
	for _, a := range []Arm{Wider, Modules, Longer} {
		x, err := a.prepare(study, nothing)
		ok(t, err)
		if x.spec.Net != plain.spec.Net || len(x.spec.Modules) != 0 || x.steps != study.Steps {
			t.Errorf("%s of nothing: %+v", a, x)
		}
	}
}
