// Package gates holds the gates of a seed's life: pure functions from typed
// facts to a verdict with every check that was made. What was never measured
// fails its check.
package gates

import (
	"math"
	"slices"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/guard"
	"github.com/esper-plane/esper/projections"
)

// Verdict is the outcome of a gate.
type Verdict struct {
	Gate   leyline.Gate
	Passed bool
	Reason string // that of the first enforced check that failed
	Checks []leyline.Check
	Mesh   leyline.MeshCoverage // of G3
}

func begin(g leyline.Gate) *Verdict { return &Verdict{Gate: g, Passed: true} }

// add records a check that is its own reason.
func (v *Verdict) add(name string, value, limit float64, ok bool, mode leyline.RuleMode) {
	v.because(name, name, value, limit, ok, mode)
}

// because records a check and for which reason it closes the gate. A rule that is
// off leaves none; a shadow check never fails the gate.
func (v *Verdict) because(reason, name string, value, limit float64, ok bool, mode leyline.RuleMode) {
	if mode == leyline.RuleOff {
		return
	}
	v.Checks = append(v.Checks, leyline.Check{Name: name, Value: value, Limit: limit, OK: ok, Mode: mode})
	if !ok && mode == leyline.RuleEnforce && v.Passed {
		v.Passed, v.Reason = false, reason
	}
}

func (v *Verdict) must(name string, ok bool) { v.mustFor(name, name, ok) }

func (v *Verdict) mustFor(reason, name string, ok bool) {
	value := 0.0
	if ok {
		value = 1
	}
	v.because(reason, name, value, 1, ok, leyline.RuleEnforce)
}

// staged holds the stage that the trainer reported last against the seed's. Of a
// seed that was not reported in its stage there is nothing to say.
func staged(v *Verdict, s *projections.Seed) {
	reported := s.Isolation.Reported
	if reported == leyline.StageUnknown {
		reported = s.Stage
	}
	v.because(leyline.ReasonStage, "stage", float64(reported), float64(s.Stage), reported == s.Stage, leyline.RuleEnforce)
}

// Sanity is G0: the blueprint is known and allowed (package guard says what that
// is), and the command says where the seed goes.
func Sanity(bp *leyline.BlueprintRegistered, mesh []string) Verdict {
	v := begin(leyline.GateSanity)
	v.must("blueprint_known", bp != nil)
	v.must("blueprint_released", bp != nil && guard.Released(bp) == nil)
	v.must("mesh_present", len(mesh) > 0)
	return *v
}

// GradientHealth is G1: the kernel is verified and was here in time, the trainer
// holds the seed for what it is, nothing has leaked, and the compile breaker lets
// one more kind of code be compiled.
func GradientHealth(c *leyline.KasminaConfig, s *projections.Seed, compile bool) Verdict {
	v := begin(leyline.GateGradientHealth)
	v.mustFor(leyline.ReasonKernel, "kernel_ready", s.Kernel.Ready)
	staged(v, s)
	healthy(v, c, s, compile)
	return *v
}

// Resumption is G1 for a seed that was paused. Its kernel must still be there, and
// still be the one that is registered with its blueprint.
func Resumption(c *leyline.KasminaConfig, s *projections.Seed, bp *leyline.BlueprintRegistered, compile bool) Verdict {
	v := begin(leyline.GateGradientHealth)
	v.mustFor(leyline.ReasonResume, "kernel_ready", s.Kernel.Ready)
	v.mustFor(leyline.ReasonResume, "kernel_digest", bp != nil && s.Kernel.Digest == bp.Digest)
	healthy(v, c, s, compile)
	return *v
}

// healthy is what both forms of G1 ask for beside the kernel itself.
func healthy(v *Verdict, c *leyline.KasminaConfig, s *projections.Seed, compile bool) {
	v.mustFor(leyline.ReasonIsolation, "isolation_intact", !s.Isolation.Violated)
	v.mustFor(leyline.ReasonBreaker, "compile_breaker", compile)
	took, budget := float64(s.Kernel.TookNs)/float64(time.Millisecond), float64(c.KernelLatency)
	v.because(leyline.ReasonKernelLatency, "kernel_latency_ms", took, budget, took <= budget, c.LatencyMode)
}

// Stability is G2: the seed has trained long enough, has gradients, those never
// reached the host, and none of its compiled code was given up; fallbacks counts
// how often it was, here and below. age is the steps since it germinated. Beyond
// that it is good enough, as far as the quality criteria are asked.
func Stability(c *leyline.KasminaConfig, s *projections.Seed, age leyline.Step, fallbacks uint32) Verdict {
	v := begin(leyline.GateStability)
	staged(v, s)
	v.add("trained_steps", float64(s.Isolation.Steps), float64(c.MinTrainSteps), s.Isolation.Steps >= c.MinTrainSteps, leyline.RuleEnforce)
	g := s.Isolation.GradNorm
	v.add("gradient_norm", g, 0, g > 0 && !math.IsInf(g, 0), leyline.RuleEnforce)
	leak(v, c, s)
	fallen(v, c, fallbacks)
	quality(v, c, s, age)
	return *v
}

// Interface is G3: the alpha schedule has ended, the host has every layer that
// the seed was grafted behind, and isolation held while blending.
func Interface(c *leyline.KasminaConfig, s *projections.Seed, layers []string, fallbacks uint32) Verdict {
	v := begin(leyline.GateInterface)
	staged(v, s)
	v.must("blend_complete", s.Complete)
	v.Mesh = leyline.MeshCoverage{Required: s.Mesh, Available: layers}
	for _, m := range s.Mesh {
		if !slices.Contains(layers, m) {
			v.Mesh.Missing = append(v.Mesh.Missing, m)
		}
	}
	missing := len(v.Mesh.Missing)
	v.because(leyline.ReasonMesh, "mesh_missing_layers", float64(missing), 0, missing == 0 && len(s.Mesh) > 0, leyline.RuleEnforce)
	leak(v, c, s)
	fallen(v, c, fallbacks)
	return *v
}

// fallen holds it against a seed that its compiled code was given up.
func fallen(v *Verdict, c *leyline.KasminaConfig, fallbacks uint32) {
	v.because(leyline.ReasonFallback, "compile_fallbacks", float64(fallbacks), 0, fallbacks == 0, c.FallbackMode)
}

func leak(v *Verdict, c *leyline.KasminaConfig, s *projections.Seed) {
	ok := s.Isolation.Steps > 0 && s.Isolation.MaxLeak <= c.MaxLeak && !s.Isolation.Violated
	v.because(leyline.ReasonIsolation, "isolation_leak", s.Isolation.MaxLeak, c.MaxLeak, ok, leyline.RuleEnforce)
}

// SystemImpact is G4: the seed has run at full alpha for long enough, isolation
// held, and the host's running loss is no worse than it was before the seed
// changed anything. loss is the running loss now.
func SystemImpact(c *leyline.KasminaConfig, s *projections.Seed, loss float64, fallbacks uint32) Verdict {
	v := begin(leyline.GateSystemImpact)
	staged(v, s)
	v.add("observed_steps", float64(s.Isolation.Steps), float64(c.MinObserveSteps), s.Isolation.Steps >= c.MinObserveSteps, leyline.RuleEnforce)
	leak(v, c, s)
	fallen(v, c, fallbacks)
	impact(v, c, s, loss)
	return *v
}

// Permanence is G4 on the way to FOSSILIZED: as SystemImpact, and what the seed
// adds was measured and is enough.
func Permanence(c *leyline.KasminaConfig, s *projections.Seed, loss float64, fallbacks uint32) Verdict {
	v := begin(leyline.GateSystemImpact)
	staged(v, s)
	leak(v, c, s)
	fallen(v, c, fallbacks)
	impact(v, c, s, loss)
	m := s.Contribution
	v.must("probe_losses_finite", !math.IsNaN(m.Loss) && !math.IsInf(m.Loss, 0))
	v.add("probes", float64(m.Probes), float64(c.MinProbes), m.Probes >= c.MinProbes, leyline.RuleEnforce)
	v.add("contribution", m.Accuracy, c.MinContribution, m.Probes > 0 && m.Accuracy >= c.MinContribution, c.ContributionMode)
	return *v
}

func impact(v *Verdict, c *leyline.KasminaConfig, s *projections.Seed, loss float64) {
	ratio := math.Inf(1) // never measured
	switch {
	case s.LossBefore > 0:
		ratio = loss / s.LossBefore
	case loss == 0:
		ratio = 1 // a host that makes no mistakes makes none with the seed either
	}
	v.add("loss_ratio", ratio, c.MaxLossRatio, ratio <= c.MaxLossRatio, leyline.RuleEnforce)
}

// Reset is G5: nothing of the former seed is left in the slot.
func Reset(s *projections.Seed) Verdict {
	v := begin(leyline.GateReset)
	v.must("kernel_detached", !s.Kernel.Ready && s.Kernel.Request.IsZero())
	v.add("alpha", s.Alpha, 0, s.Alpha == 0, leyline.RuleEnforce)
	v.mustFor(leyline.ReasonIsolation, "isolation_intact", !s.Isolation.Violated)
	return *v
}
