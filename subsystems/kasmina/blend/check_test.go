package blend

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
)

// TestReportedFigures holds a report against its plan.
func TestReportedFigures(t *testing.T) {
	base := leyline.BlendPlan{Mode: leyline.BlendConvex, TotalSteps: 20, Temperature: 2}
	confidence := base
	confidence.Mode, confidence.Source = leyline.BlendConfidence, leyline.LogitsSeed
	confidence.Gate = leyline.ConfidenceGate{K: 4, Tau: 0.2, Lo: 0.1, Hi: 0.9}
	channel := base
	channel.Mode, channel.Channels, channel.ChannelCount = leyline.BlendChannel, []float64{0.2, 1}, 2
	type stats = leyline.BlendStats
	for _, c := range []struct {
		name  string
		plan  leyline.BlendPlan
		alpha float64
		s     stats
		field string
	}{
		{"nothing of a mode without a gate", base, 0.5, stats{}, ""},
		{"what alpha says", base, 0.5, stats{Mode: leyline.BlendConvex, Mean: 0.5, P95: 0.5}, ""},
		{"another mode", base, 0.5, stats{Mode: leyline.BlendResidual, Mean: 0.5, P95: 0.5}, "blend.mode"},
		{"another alpha", base, 0.5, stats{Mode: leyline.BlendConvex, Mean: 0.6, P95: 0.5}, "blend.mean"},
		{"NaN", base, 0.5, stats{Mode: leyline.BlendConvex, Mean: math.NaN(), P95: 0.5}, "blend.mean"},
		{"a gate of a mode without", base, 0.5, stats{Mode: leyline.BlendConvex, Mean: 0.5, P95: 0.5, GateMean: 0.1}, "blend.gate_mean"},
		{"a source of a mode without", base, 0.5, stats{Mode: leyline.BlendConvex, Source: leyline.LogitsSeed, Mean: 0.5, P95: 0.5}, "blend.source"},
		{"channels", channel, 0.5, stats{Mode: leyline.BlendChannel, Mean: 0.3, P95: 0.5}, ""},
		{"channels beyond the largest", channel, 0.5, stats{Mode: leyline.BlendChannel, Mean: 0.3, P95: 0.6}, "blend.p95"},
		{"channels below the smallest", channel, 0.5, stats{Mode: leyline.BlendChannel, Mean: 0.05, P95: 0.5}, "blend.mean"},
		{"no gate of CONFIDENCE", confidence, 0.5, stats{}, "blend"},
		{"the gate of another source", confidence, 0.5, stats{Mode: leyline.BlendConfidence, Source: leyline.LogitsPolicy, Mean: 0.3, P95: 0.4}, "blend.source"},
		{"within the bounds", confidence, 0.5, stats{Mode: leyline.BlendConfidence, Source: leyline.LogitsSeed, Mean: 0.3, P95: 0.5, GateMean: 0.5}, ""},
		{"over alpha", confidence, 0.5, stats{Mode: leyline.BlendConfidence, Source: leyline.LogitsSeed, Mean: 0.3, P95: 0.51}, "blend.p95"},
		{"under the least share", confidence, 0.5, stats{Mode: leyline.BlendConfidence, Source: leyline.LogitsSeed, Mean: 0.05, P95: 0.5}, "blend.mean"},
		{"alpha under the least share", confidence, 0, stats{Mode: leyline.BlendConfidence, Source: leyline.LogitsSeed, Mean: 0.1, P95: 0.1, Clamped: 1}, ""},
		{"over the largest share", confidence, 1, stats{Mode: leyline.BlendConfidence, Source: leyline.LogitsSeed, Mean: 0.5, P95: 0.95}, "blend.p95"},
	} {
		var got leyline.Refusal
		if r := Check(&c.plan, c.alpha, c.s); r != nil {
			got = *r
		}
		want := leyline.Refusal{Field: c.field}
		if c.field != "" {
			want.Kind = leyline.RefusalBlendStats
		}
		if diff := cmp.Diff(want, leyline.Refusal{Kind: got.Kind, Field: got.Field}); diff != "" {
			t.Errorf("%s: %s (%s)", c.name, diff, got.Reason)
		}
	}
}
