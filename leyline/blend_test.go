package leyline_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/leylinetest"
)

// TestPlans: the plans of all vectors are good, those that are to be refused are not.
func TestPlans(t *testing.T) {
	v := leylinetest.Blends()
	for _, c := range v.Cases {
		if err := c.Plan.Validate(); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
	for _, c := range v.Refused {
		err := c.Plan.Validate()
		if r, ok := leyline.AsRefusal(err); c.Of == "plan" && (!ok || r.Kind.String() != c.Kind || r.Field != c.Field) || c.Of == "batch" && err != nil {
			t.Errorf("%s: %v, want %s of %s", c.Name, err, c.Kind, c.Field)
		}
	}
}

// TestPlanKeepsWhatItIsGiven: nothing is clamped or swapped on the way.
func TestPlanKeepsWhatItIsGiven(t *testing.T) {
	channels := []float64{1.5, -1}
	p := leyline.BlendPlan{Mode: leyline.BlendChannel, TotalSteps: 1, Temperature: 1, Channels: channels, ChannelCount: 2}
	if p.Validate() == nil || !slices.Equal(channels, []float64{1.5, -1}) {
		t.Errorf("channels are %v", channels)
	}
}

// TestBlendSettings: a configuration says in its own keys what is wrong with a blend,
// and what it accepts makes a good plan in every mode.
func TestBlendSettings(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		change func(*leyline.TamiyoConfig)
		key    string
	}{
		{func(*leyline.TamiyoConfig) {}, ""},
		{func(c *leyline.TamiyoConfig) { c.BlendMode = leyline.BlendConvex }, ""},
		{func(c *leyline.TamiyoConfig) { c.BlendMode = leyline.BlendConfidence }, ""},
		{func(c *leyline.TamiyoConfig) {
			c.BlendMode, c.BlendChannels = leyline.BlendChannel, []float64{0, 0.5, 1}
		}, ""},
		{func(c *leyline.TamiyoConfig) { c.BlendChannels = []float64{0.5} }, ""}, // kept for another day
		{func(c *leyline.TamiyoConfig) { c.BlendMode = 0 }, "tamiyo.blend_mode"},
		{func(c *leyline.TamiyoConfig) { c.BlendMode = 77 }, "tamiyo.blend_mode"},
		{func(c *leyline.TamiyoConfig) { c.BlendMode = leyline.BlendChannel }, "tamiyo.blend_channels"},
		{func(c *leyline.TamiyoConfig) { c.BlendChannels = []float64{0.5, 1.5} }, "tamiyo.blend_channels"},
		{func(c *leyline.TamiyoConfig) { c.BlendChannels = []float64{nan} }, "tamiyo.blend_channels"},
		{func(c *leyline.TamiyoConfig) { c.BlendChannels = make([]float64, 65) }, "tamiyo.blend_channels"},
		{func(c *leyline.TamiyoConfig) { c.BlendLo, c.BlendHi = 0.6, 0.5 }, "tamiyo.blend_alpha_lo"},
		{func(c *leyline.TamiyoConfig) { c.BlendHi = nan }, "tamiyo.blend_alpha_hi"},
		{func(c *leyline.TamiyoConfig) { c.BlendGateK = -1 }, "tamiyo.blend_gate_k"},
		{func(c *leyline.TamiyoConfig) { c.BlendGateTau = math.Inf(1) }, "tamiyo.blend_gate_tau"},
	} {
		x := leyline.DefaultConfig()
		c.change(&x.Tamiyo)
		var bad *leyline.ConfigError
		err := x.Validate()
		switch {
		case c.key == "" && err != nil:
			t.Errorf("%+v is refused: %v", x.Tamiyo.Plan(), err)
		case c.key == "":
			if err := x.Tamiyo.Plan().Validate(); err != nil {
				t.Errorf("the plan %+v is refused: %v", x.Tamiyo.Plan(), err)
			}
		case !errors.As(err, &bad) || len(bad.Problems) != 1 || bad.Problems[0].Key != c.key || bad.Problems[0].Fix == "":
			t.Errorf("want a mistake in %s: %v", c.key, err)
		}
	}
}

// TestDefaultPlan pins the defaults of SPEC.md 4.6.
func TestDefaultPlan(t *testing.T) {
	c := leyline.DefaultConfig().Tamiyo
	if diff := cmp.Diff(leyline.BlendPlan{Mode: leyline.BlendResidual, TotalSteps: 20, Temperature: 2}, c.Plan()); diff != "" {
		t.Error(diff)
	}
	c.BlendMode = leyline.BlendConfidence
	want := leyline.BlendPlan{
		Mode: leyline.BlendConfidence, TotalSteps: 20, Temperature: 2, Source: leyline.LogitsSeed,
		Gate: leyline.ConfidenceGate{K: 4, Tau: 0.2, Lo: 0, Hi: 1},
	}
	if diff := cmp.Diff(want, c.Plan()); diff != "" {
		t.Error(diff)
	}
}

// FuzzPlan: whatever a command holds, a plan that is accepted keeps every promise of
// its fields, and one that is not is refused by name.
func FuzzPlan(f *testing.F) {
	f.Add(uint8(1), uint32(20), 2.0, []byte{}, uint32(0), 4.0, 0.2, 0.0, 1.0, uint8(0))
	f.Add(uint8(3), uint32(20), 2.0, []byte{0, 128, 255}, uint32(3), 0.0, 0.0, 0.0, 0.0, uint8(0))
	f.Add(uint8(4), uint32(20), 2.0, []byte{}, uint32(0), 4.0, 0.2, 0.9, 0.1, uint8(1))
	f.Add(uint8(4), uint32(20), 2.0, []byte{3, 4}, uint32(0), 4.0, 0.2, 0.0, 1.0, uint8(2))
	f.Fuzz(func(t *testing.T, mode uint8, steps uint32, temperature float64, list []byte, count uint32, k, tau, lo, hi float64, source uint8) {
		p := leyline.BlendPlan{
			Mode: leyline.BlendMode(mode), TotalSteps: steps, Temperature: temperature, ChannelCount: count,
			Gate: leyline.ConfidenceGate{K: k, Tau: tau, Lo: lo, Hi: hi}, Source: leyline.LogitSource(source),
		}
		for _, b := range list {
			x := float64(b) / 200 // beyond 1 too
			if p.Source == leyline.LogitsPolicy {
				p.Logits = append(p.Logits, x)
			} else {
				p.Channels = append(p.Channels, x)
			}
		}
		err := p.Validate()
		if err != nil {
			if r, ok := leyline.AsRefusal(err); !ok || r.Field == "" || r.Reason == "" || strings.Contains(r.Reason, "%!") {
				t.Fatalf("refused as %v", err)
			}
			return
		}
		unit := func(x float64) bool { return x >= 0 && x <= 1 }
		good := steps > 0 && steps <= leyline.MaxBlendSteps && temperature > 0 && !math.IsInf(temperature, 0)
		g := p.Gate
		switch p.Mode {
		case leyline.BlendConvex, leyline.BlendResidual:
			good = good && len(list) == 0 && count == 0 && g == leyline.ConfidenceGate{} && source == 0
		case leyline.BlendChannel:
			good = good && len(p.Channels) > 0 && len(p.Channels) <= leyline.MaxBlendChannels && int(count) == len(p.Channels) &&
				!slices.ContainsFunc(p.Channels, func(x float64) bool { return !unit(x) }) && g == leyline.ConfidenceGate{} && source == 0
		case leyline.BlendConfidence:
			good = good && g.K >= 0 && g.Tau >= 0 && g.K <= leyline.MaxGate && g.Tau <= leyline.MaxGate && unit(g.Lo) && unit(g.Hi) && g.Lo <= g.Hi &&
				count == 0 && len(p.Channels) == 0 && (p.Source == leyline.LogitsSeed && len(p.Logits) == 0 || p.Source == leyline.LogitsPolicy && len(p.Logits) > 1 && len(p.Logits) <= leyline.MaxLogits)
		default:
			good = false
		}
		if !good {
			t.Fatalf("accepted: %+v", p)
		}
	})
}
