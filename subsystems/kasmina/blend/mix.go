package blend

import (
	"fmt"
	"math"
	"slices"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/guard"
	"github.com/esper-plane/esper/subsystems/detmath"
)

// Logits are what one classification makes of every row of a batch.
type Logits struct {
	Classes int
	Values  []float64 // rows x Classes, row by row
}

// Mix is the blend of one batch: which share the seed has of which element. Set
// makes it ready; before that, and after a Set that failed, it must not be used. It
// reuses its memory and is not safe for concurrent use.
type Mix struct {
	mode           leyline.BlendMode
	source         leyline.LogitSource
	rows, features int
	shares         []float64 // one for all, or one per channel (CHANNEL) or row (CONFIDENCE)
	gates          []float64 // CONFIDENCE: one per row
	clamped        int       // CONFIDENCE: rows whose share the bounds have changed
	sorted         []float64
}

// Set computes the shares of a batch of rows x features under a plan, at an alpha
// within [0,1]. Where the plan takes its logits from the SEED they are given, one
// classification per task; they are never replaced by anything else. The error is a
// *leyline.Refusal: that of the plan; an alpha or a batch that is none; channels that
// are not those of the batch; confidence_gate_missing_logits when logits are missing,
// malformed, of one class, not finite or not one set per row.
func (m *Mix) Set(p *leyline.BlendPlan, alpha float64, rows, features int, logits ...Logits) error {
	m.mode = leyline.BlendUnspecified
	if err := p.Validate(); err != nil {
		return err
	}
	switch {
	case !(alpha >= 0 && alpha <= 1):
		return invalid("alpha", fmt.Sprintf("is %v; want a number from 0 to 1", alpha))
	case rows < 1 || features < 1:
		return invalid("batch", fmt.Sprintf("is %d x %d; want one row and one feature at least", rows, features))
	}
	m.rows, m.features, m.source, m.clamped = rows, features, p.Source, 0
	m.shares, m.gates = m.shares[:0], m.gates[:0]
	switch p.Mode {
	case leyline.BlendChannel:
		if len(p.Channels) != features {
			return invalid("channels", fmt.Sprintf("has %d entries, the host has %d channels", len(p.Channels), features))
		}
		for _, v := range p.Channels {
			m.shares = append(m.shares, float64(alpha*v))
		}
	case leyline.BlendConfidence:
		if err := m.open(p, logits); err != nil {
			return err
		}
		m.confide(p, alpha)
	default: // CONVEX and RESIDUAL, as Validate has seen
		m.shares = append(m.shares, alpha)
	}
	m.mode = p.Mode
	return nil
}

func invalid(field, reason string) *leyline.Refusal {
	r := leyline.Invalid(field, reason)
	r.Subsystem = leyline.SubsystemKasmina
	return r
}

// open computes the gate of every row.
func (m *Mix) open(p *leyline.BlendPlan, logits []Logits) error {
	if p.Source == leyline.LogitsPolicy {
		gate := openness(&p.Gate, margin(p.Logits))
		for range m.rows {
			m.gates = append(m.gates, gate)
		}
		return nil
	}
	if len(logits) == 0 {
		return guard.Logits(p.Mode, 0, nil)
	}
	for _, l := range logits {
		if r := guard.Logits(p.Mode, l.Classes, l.Values); r != nil {
			return r
		}
		if n := len(l.Values) / l.Classes; n != m.rows {
			r := invalid("logits", fmt.Sprintf("are those of %d samples, the batch has %d", n, m.rows))
			r.Kind = leyline.RefusalLogits
			return r
		}
	}
	for i := range m.rows {
		least := math.Inf(1)
		for _, l := range logits {
			least = min(least, margin(l.Values[i*l.Classes:(i+1)*l.Classes]))
		}
		m.gates = append(m.gates, openness(&p.Gate, least))
	}
	return nil
}

// margin is the largest of two or more finite numbers less the second largest, 0
// for a tie.
func margin(logits []float64) float64 {
	first, second := math.Inf(-1), math.Inf(-1)
	for _, v := range logits {
		switch {
		case v > first:
			first, second = v, first
		case v > second:
			second = v
		}
	}
	return min(first-second, math.MaxFloat64) // a difference that overflows is still a margin
}

func openness(g *leyline.ConfidenceGate, margin float64) float64 {
	return detmath.Logistic(float64(g.K * (margin - g.Tau)))
}

// confide turns gates into shares.
func (m *Mix) confide(p *leyline.BlendPlan, alpha float64) {
	for _, gate := range m.gates {
		free := float64(alpha * gate)
		share := min(max(free, p.Gate.Lo), p.Gate.Hi)
		if share != free {
			m.clamped++
		}
		m.shares = append(m.shares, share)
	}
}

// Share returns the effective share of the seed in an element.
func (m *Mix) Share(row, channel int) float64 {
	switch m.mode {
	case leyline.BlendChannel:
		return m.shares[channel]
	case leyline.BlendConfidence:
		return m.shares[row]
	}
	return m.shares[0]
}

// each calls f for every element of the batch with its share.
func (m *Mix) each(f func(i int, share float64)) {
	if m.mode == leyline.BlendUnspecified {
		panic("blend: the mix is not set")
	}
	for r := range m.rows {
		for c := range m.features {
			f(r*m.features+c, m.Share(r, c))
		}
	}
}

// Output writes the mix of host and seed to dst, which may be either of them. All
// three are rows x features long.
func (m *Mix) Output(dst, host, seed []float64) {
	residual := m.mode == leyline.BlendResidual
	m.each(func(i int, e float64) {
		switch {
		case e == 0:
			dst[i] = host[i]
		case residual:
			dst[i] = host[i] + float64(e*seed[i])
		case e == 1:
			dst[i] = seed[i]
		default:
			dst[i] = float64(e*seed[i]) + float64((1-e)*host[i])
		}
	})
}

// SeedGradient writes to dst what the seed is owed of the gradient dy of the output;
// dst may be dy.
func (m *Mix) SeedGradient(dst, dy []float64) {
	m.each(func(i int, e float64) { dst[i] = float64(e * dy[i]) })
}

// HostGradient writes to dst the part of dy that belongs to the host's own output in
// the mix, for a trainer that lets its host learn by that; dst may be dy.
func (m *Mix) HostGradient(dst, dy []float64) {
	residual := m.mode == leyline.BlendResidual
	m.each(func(i int, e float64) {
		if residual {
			dst[i] = dy[i]
			return
		}
		dst[i] = float64((1 - e) * dy[i])
	})
}

// Stats returns what a report tells of the blend.
func (m *Mix) Stats() leyline.BlendStats {
	m.sorted = append(m.sorted[:0], m.shares...)
	slices.Sort(m.sorted)
	n := len(m.sorted)
	sparse := 0
	for _, e := range m.sorted {
		if e <= leyline.SparseShare {
			sparse++
		}
	}
	// Every entry of shares stands for equally many elements, so figures over
	// entries are those over elements.
	s := leyline.BlendStats{
		Mode: m.mode, Source: m.source, Mean: min(detmath.Sum(m.shares)/float64(n), 1), P95: m.sorted[(95*n+99)/100-1],
		Sparsity: float64(sparse) / float64(n),
	}
	if m.mode == leyline.BlendConfidence {
		s.GateMean = min(detmath.Sum(m.gates)/float64(n), 1)
		s.Clamped = float64(m.clamped) / float64(n)
	}
	return s
}
