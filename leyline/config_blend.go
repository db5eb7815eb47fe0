package leyline

import (
	"fmt"
	"reflect"
	"strings"
)

// defaultGate is the confidence gate of SPEC.md 4.6.
func defaultGate() ConfidenceGate { return ConfidenceGate{K: 4, Tau: 0.2, Lo: 0, Hi: 1} }

func (c *TamiyoConfig) gate() ConfidenceGate {
	return ConfidenceGate{K: c.BlendGateK, Tau: c.BlendGateTau, Lo: c.BlendLo, Hi: c.BlendHi}
}

// Plan is the plan of every blend that the rules propose: what the configured mode
// needs, and nothing else. The rules classify nothing, so a confidence gate is fed
// by the seed.
func (c *TamiyoConfig) Plan() BlendPlan {
	p := BlendPlan{Mode: c.BlendMode, TotalSteps: c.BlendSteps, Temperature: c.BlendTemperature}
	switch c.BlendMode {
	case BlendChannel:
		p.Channels, p.ChannelCount = c.BlendChannels, uint32(len(c.BlendChannels))
	case BlendConfidence:
		p.Gate, p.Source = c.gate(), LogitsSeed
	}
	return p
}

// broken says what is wrong between the settings of a blend. The gate is judged
// whatever the mode, so that a mistake is found before the mode is changed.
func (c *TamiyoConfig) broken() (ConfigProblem, bool) {
	g := c.gate()
	if g.Lo > g.Hi {
		return ConfigProblem{
			Key: "tamiyo.blend_alpha_lo", Other: "tamiyo.blend_alpha_hi", Fix: "lower the first or raise the second",
			Reason: fmt.Sprintf("is %v, above tamiyo.blend_alpha_hi (%v)", g.Lo, g.Hi),
		}, true
	}
	if c.BlendMode == BlendChannel && len(c.BlendChannels) == 0 {
		return ConfigProblem{
			Key: "tamiyo.blend_channels", Other: "tamiyo.blend_mode", Reason: "is empty, but CHANNEL blends by it",
			Fix: "write the share of each channel of the host, or choose another mode",
		}, true
	}
	return ConfigProblem{}, false
}

// brokenChannels demands an alpha vector or nothing.
func brokenChannels(v reflect.Value) (reason, fix string) {
	if v.Len() == 0 {
		return "", ""
	}
	var c check
	checkChannels(&c, "entry ", v.Interface().([]float64))
	if c.err != nil {
		return strings.TrimSpace(c.err.Field) + " " + c.err.Reason, fmt.Sprintf("write 1 to %d numbers from 0 to 1, or an empty list", MaxBlendChannels)
	}
	return "", ""
}
