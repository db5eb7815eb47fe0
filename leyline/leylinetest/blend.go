package leylinetest

import (
	_ "embed" // the vectors
	"encoding"
	"encoding/json"
	"strconv"

	"github.com/esper-plane/esper/leyline"
)

//go:embed testdata/blend.json
var blendVectors []byte

// BlendVectors are the cases that every implementation of the blend modes is held
// to: that of Go, that of Python, and whoever judges a plan.
type BlendVectors struct {
	Schedule []BlendAlpha
	Cases    []BlendCase
	Refused  []BlendRefused
}

// BlendAlpha is a step of an alpha schedule.
type BlendAlpha struct {
	Step, Total        int
	Temperature, Alpha float64
}

// BlendTolerance is how far a number may be from that of a vector, relative to it or
// to 1, whichever is larger.
const BlendTolerance = 1e-12

// BlendCase is a batch with what must come of it.
type BlendCase struct {
	Name, Origin         string
	Plan                 BlendPlan
	Alpha                float64
	Rows, Features       int
	Host, Seed, Upstream []float64
	Logits               []BlendLogits
	Want                 BlendWant
}

// BlendWant is what must come of a batch.
type BlendWant struct {
	Output       []float64
	SeedGradient []float64 `json:"seed_gradient"`
	HostGradient []float64 `json:"host_gradient"`
	Shares       []float64 // one for all, or one per channel or row
	Gates        []float64
	Stats        struct {
		Mean, P95, Sparsity, Clamped float64
		GateMean                     float64 `json:"gate_mean"`
	}
}

// BlendRefused is a plan, or a batch under a good plan, that has to be refused.
type BlendRefused struct {
	Name           string
	Plan           BlendPlan
	Alpha          Number
	Rows, Features int
	Logits         []BlendLogits
	Kind           string // of the refusal
	Field          string // that it names
	Of             string // "plan" or "batch"
	Reject         string // as what Kasmina rejects a command with the plan; empty of a batch
}

// BlendLogits are the logits of one classification.
type BlendLogits struct {
	Classes int
	Values  []Number
}

// Floats are the values as plain numbers.
func (l BlendLogits) Floats() []float64 { return floats(l.Values) }

// Number is a number that may not be finite; JSON writes it as text then.
type Number float64

// UnmarshalJSON reads a number, or "NaN", "Infinity" and "-Infinity".
func (n *Number) UnmarshalJSON(b []byte) error {
	s := string(b)
	if q, err := strconv.Unquote(s); err == nil {
		s = q
	}
	x, err := strconv.ParseFloat(s, 64)
	*n = Number(x)
	return err
}

func floats(ns []Number) []float64 {
	var out []float64
	for _, n := range ns {
		out = append(out, float64(n))
	}
	return out
}

// BlendPlan is a plan as the vectors write it: enums by name, or by a code that is
// no member.
type BlendPlan struct{ leyline.BlendPlan }

// UnmarshalJSON reads a plan.
func (p *BlendPlan) UnmarshalJSON(b []byte) error {
	var raw struct {
		Mode, Source json.RawMessage
		Steps        uint32 `json:"total_steps"`
		Temperature  Number
		Channels     []Number
		Count        uint32 `json:"channel_count"`
		Gate         struct{ K, Tau, Lo, Hi Number }
		Logits       []Number
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	p.BlendPlan = leyline.BlendPlan{
		TotalSteps: raw.Steps, Temperature: float64(raw.Temperature), Channels: floats(raw.Channels), ChannelCount: raw.Count,
		Gate:   leyline.ConfidenceGate{K: float64(raw.Gate.K), Tau: float64(raw.Gate.Tau), Lo: float64(raw.Gate.Lo), Hi: float64(raw.Gate.Hi)},
		Logits: floats(raw.Logits),
	}
	if err := code(raw.Mode, &p.Mode); err != nil {
		return err
	}
	return code(raw.Source, &p.Source)
}

// code reads an enum by name or by code.
func code[E ~uint8, P interface {
	*E
	encoding.TextUnmarshaler
}](raw json.RawMessage, e P) error {
	var n uint8
	if json.Unmarshal(raw, &n) == nil {
		*e = E(n)
		return nil
	}
	return json.Unmarshal(raw, e)
}

// Blends returns the vectors. It panics if the file is damaged.
func Blends() BlendVectors {
	var v BlendVectors
	if err := json.Unmarshal(blendVectors, &v); err != nil {
		panic("leylinetest: blend.json: " + err.Error())
	}
	return v
}

// ofMode leaves of a plan what the mode needs.
func ofMode(p *leyline.BlendPlan, m leyline.BlendMode, source leyline.LogitSource) {
	p.Mode = m
	p.ChannelCount = uint32(len(p.Channels))
	if m != leyline.BlendChannel {
		p.Channels, p.ChannelCount = nil, 0
	}
	p.Gate.Lo = 0 // a bound of its own, also where Hi is left out
	if p.Source = source; m != leyline.BlendConfidence {
		p.Gate = leyline.ConfidenceGate{}
	}
	if source != leyline.LogitsPolicy {
		p.Logits = nil
	}
}
