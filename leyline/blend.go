package leyline

import "fmt"

// Bounds on a blend.
const (
	MaxBlendSteps    = 1 << 30 // of an alpha schedule
	MaxBlendChannels = 64      // entries of an alpha vector
	MaxLogits        = 64      // classes of one classification
	MaxGate          = 1e6     // steepness and margin of a confidence gate
)

// LogitSource says whose classification a CONFIDENCE blend is gated by.
type LogitSource = Enum[logitSources]

type logitSources struct{}

func (logitSources) list() []string { return logitSourceNames[:] }

var logitSourceNames = [...]string{"UNSPECIFIED", "SEED", "POLICY"}

// The sources: what the seed itself makes of every sample, or one classification
// that the policy has put into the plan, for all samples alike.
const (
	LogitsUnspecified LogitSource = iota
	LogitsSeed
	LogitsPolicy
)

// SeedFailure says what went wrong with a seed in a step.
type SeedFailure = Enum[seedFailures]

type seedFailures struct{}

func (seedFailures) list() []string { return seedFailureNames[:] }

var seedFailureNames = [...]string{"none", "forward", "blend", "logits"}

// The failures: the seed's own pass, the mixing of its output into the host's, and
// a confidence gate without logits that it could be computed from.
const (
	SeedFailureNone SeedFailure = iota
	SeedFailureForward
	SeedFailureBlend
	SeedFailureLogits
)

// BlendPlan fixes how a seed's output is mixed into its host's, and how alpha
// rises: alpha(step) = logistic((step - total/2)/T). The modes are defined in
// package blend. What a mode does not need is unset.
type BlendPlan struct {
	Mode         BlendMode
	TotalSteps   uint32         // optimizer steps from configured to complete, 1 to MaxBlendSteps
	Temperature  float64        // T, in steps, greater than 0
	Channels     []float64      // CHANNEL: the share of each channel of the host, 1 to MaxBlendChannels, each in [0,1]
	ChannelCount uint32         // CHANNEL: how many there are, so that a vector that was cut is noticed
	Gate         ConfidenceGate // CONFIDENCE
	Source       LogitSource    // CONFIDENCE
	Logits       []float64      // CONFIDENCE by the POLICY: its classification, 2 to MaxLogits finite numbers
}

// ConfidenceGate makes the share of a seed depend on how sure a classification is:
// clamp(alpha * logistic(K*(margin - Tau)), Lo, Hi), where the margin is the largest
// logit less the second largest.
type ConfidenceGate struct {
	K   float64 // steepness, [0,MaxGate]
	Tau float64 // margin at which the gate is half open, in logits, [0,MaxGate]
	Lo  float64 // least share, [0,1]
	Hi  float64 // largest share, [0,1], not below Lo
}

// BlendStats is what a trainer measured of a blend in one step. The effective share
// of an element of the output is what the mode makes of alpha there (package blend).
// A Mode that is unset says that nothing was blended, or nothing measured.
type BlendStats struct {
	Mode     BlendMode
	Source   LogitSource // CONFIDENCE: whose logits the gate was computed from
	Mean     float64     // of the effective share over all elements, [0,1]
	P95      float64     // its 95th percentile by the nearest rank, [0,1]
	Sparsity float64     // part of the elements with a share of SparseShare or less, [0,1]
	GateMean float64     // CONFIDENCE: mean of the gate over the samples, before alpha and bounds, [0,1]
	Clamped  float64     // CONFIDENCE: part of the samples whose share the bounds have changed, [0,1]
}

// SparseShare is the share at which, and below which, an element hardly sees the seed.
const SparseShare = 1e-3

func (x *BlendStats) check(c *check) {
	mayEnum(c, "blend.mode", x.Mode)
	mayEnum(c, "blend.source", x.Source)
	for _, f := range [...]struct {
		name  string
		value float64
	}{
		{"blend.mean", x.Mean}, {"blend.p95", x.P95}, {"blend.sparsity", x.Sparsity}, {"blend.gate_mean", x.GateMean}, {"blend.clamped", x.Clamped},
	} {
		unit(c, f.name, f.value)
	}
	if x.Mode == BlendUnspecified && *x != (BlendStats{}) {
		c.fail(Missing("blend.mode"))
	}
}

// checkFailure demands words for a failure, and no figures of a blend that failed.
func (s *SeedObserved) checkFailure(c *check) {
	mayEnum(c, "failure", s.Failure)
	if s.Failure == SeedFailureNone {
		return
	}
	needText(c, "why", s.Why)
	if s.Blend.Mode != BlendUnspecified {
		c.fail(Invalid("blend", "is told of a seed that had no part in the step"))
	}
}

// Validate returns a *Refusal that names the first field that is wrong. It is the
// one judgement of a plan: Tamiyo's proposals, Kasmina's verdict and the events that
// hold a plan all ask it. Nothing is clamped, swapped or put in the place of what is
// missing; a field that the mode does not need has to be unset, for whoever set it
// meant another mode. A mode that is none is refused as unknown_blend_mode, logits of
// the policy that are none as confidence_gate_missing_logits.
func (p BlendPlan) Validate() error {
	if err := p.Mode.Validate(); err != nil {
		return &Refusal{
			Subsystem: SubsystemKasmina, Kind: RefusalBlendMode, Field: "mode", Identifier: p.Mode.String(),
			Reason: err.Error(), Hint: "name the mode; none is put in its place",
		}
	}
	var c check
	need(&c, "total_steps", p.TotalSteps > 0)
	if p.TotalSteps > MaxBlendSteps {
		c.fail(Invalid("total_steps", fmt.Sprintf("is %d, at most %d are allowed", p.TotalSteps, MaxBlendSteps)))
	}
	if !(p.Temperature > 0) || !isFinite(p.Temperature) {
		c.fail(Invalid("temperature", fmt.Sprintf("is %v; want a finite number greater than 0", p.Temperature)))
	}
	p.checkChannels(&c)
	p.checkConfidence(&c)
	return c.result()
}

func (p *BlendPlan) checkChannels(c *check) {
	if p.Mode != BlendChannel {
		p.unused(c, "channels", len(p.Channels) > 0)
		p.unused(c, "channel_count", p.ChannelCount > 0)
		return
	}
	checkChannels(c, "channels", p.Channels)
	if int(p.ChannelCount) != len(p.Channels) {
		c.fail(Invalid("channel_count", fmt.Sprintf("is %d, but there are %d channels", p.ChannelCount, len(p.Channels))))
	}
}

func checkChannels(c *check, list string, channels []float64) {
	need(c, list, len(channels) > 0)
	bound(c, list, len(channels), MaxBlendChannels)
	units(c, list, channels)
}

func (p *BlendPlan) checkConfidence(c *check) {
	if p.Mode != BlendConfidence {
		p.unused(c, "gate", p.Gate != ConfidenceGate{})
		p.unused(c, "source", p.Source != LogitsUnspecified)
		p.unused(c, "logits", len(p.Logits) > 0)
		return
	}
	p.Gate.check(c, "gate.")
	needEnum(c, "source", p.Source)
	if p.Source != LogitsPolicy {
		p.unused(c, "logits", len(p.Logits) > 0)
		return
	}
	bound(c, "logits", len(p.Logits), MaxLogits)
	if bad := LogitsProblem(len(p.Logits), p.Logits); bad != "" {
		c.fail(&Refusal{
			Subsystem: SubsystemKasmina, Kind: RefusalLogits, Field: "logits", Reason: bad,
			Hint: "send the policy's logits, or let the seed's own decide",
		})
	}
}

func (p *BlendPlan) unused(c *check, field string, set bool) {
	if set {
		c.fail(Invalid(field, fmt.Sprintf("is set, but %s does not use it", p.Mode)))
	}
}

func (g *ConfidenceGate) check(c *check, prefix string) {
	for _, f := range [...]struct {
		name  string
		value float64
		most  float64
	}{{"k", g.K, MaxGate}, {"tau", g.Tau, MaxGate}, {"lo", g.Lo, 1}, {"hi", g.Hi, 1}} {
		if !(f.value >= 0 && f.value <= f.most) {
			c.fail(Invalid(prefix+f.name, fmt.Sprintf("is %v; want a number from 0 to %v", f.value, f.most)))
		}
	}
	if g.Lo > g.Hi {
		c.fail(Invalid(prefix+"lo", fmt.Sprintf("is %v, above %shi (%v)", g.Lo, prefix, g.Hi)))
	}
}

// LogitsProblem says what is wrong with logits, classes of them per sample, row by
// row; empty when every sample has a margin: two or more logits, all finite.
func LogitsProblem(classes int, logits []float64) string {
	switch {
	case len(logits) == 0:
		return "are missing"
	case classes < 2:
		return fmt.Sprintf("are %d per sample; a margin needs 2 or more", classes)
	case len(logits)%classes != 0:
		return fmt.Sprintf("are %d, no multiple of %d per sample", len(logits), classes)
	}
	for i, v := range logits {
		if !isFinite(v) {
			return fmt.Sprintf("hold %v for class %d of sample %d", v, i%classes, i/classes)
		}
	}
	return ""
}
