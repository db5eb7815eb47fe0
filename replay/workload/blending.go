package workload

import (
	"fmt"
	"slices"

	"gonum.org/v1/gonum/blas/blas64"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/kasmina/blend"
)

// newPlan is how a seed blends that no SetBlend has told: by what its block adds.
func newPlan() leyline.BlendPlan {
	return leyline.BlendPlan{Mode: leyline.BlendResidual, TotalSteps: 1, Temperature: 1}
}

// mixing is how a seed's output becomes part of the host's, and what came of it in
// the last pass.
type mixing struct {
	plan    leyline.BlendPlan
	mix     blend.Mix
	logits  []blas64.General // per task: what the heads make of the seed's output; CONFIDENCE only
	heard   []blend.Logits   // views of logits
	mixed   bool             // in the last pass it had a part in the output
	failure leyline.SeedFailure
	why     string // of a failure
}

// SetBlend fixes how a seed's output is mixed into the host's from the next Step on;
// until it is called a seed blends by RESIDUAL. The plan's channels must be those of
// the trunk. Errors: ErrUnknownSlot, a *leyline.Refusal of the plan.
func (n *Net) SetBlend(slot string, plan leyline.BlendPlan) error {
	s := n.find(slot)
	if s == nil {
		return fmt.Errorf("cannot set the blend of %q: %w", slot, ErrUnknownSlot)
	}
	if err := n.checkPlan(&plan); err != nil {
		return fmt.Errorf("cannot set the blend of %q: %w", slot, err)
	}
	n.setPlan(s, plan)
	return nil
}

func (n *Net) checkPlan(p *leyline.BlendPlan) error {
	if err := p.Validate(); err != nil {
		return err
	}
	if c := len(p.Channels); p.Mode == leyline.BlendChannel && c != n.cfg.Hidden {
		return leyline.Invalid("channels", fmt.Sprintf("has %d entries, the trunk has %d channels", c, n.cfg.Hidden))
	}
	return nil
}

func (n *Net) setPlan(s *seed, p leyline.BlendPlan) {
	s.mixing = mixing{plan: p}
	s.plan.Channels, s.plan.Logits = slices.Clone(p.Channels), slices.Clone(p.Logits)
	if p.Source != leyline.LogitsSeed {
		return
	}
	for _, task := range n.data.Tasks {
		s.logits = append(s.logits, matrix(n.cfg.Batch, task.Classes))
		s.heard = append(s.heard, blend.Logits{Classes: task.Classes})
	}
}

// mixIn runs a seed on the rows at hand and mixes it into current, if it has a part in
// the output. A seed that fails has none in this pass. Where the host's own numbers
// are not finite nothing is held against a seed: they go through as they are.
func (n *Net) mixIn(s *seed, current blas64.General, alpha float64, mixes bool) {
	s.run(top(n.tr.x, current.Rows), current)
	used := len(current.Data)
	sound := finite(current.Data)
	if sound && !finite(s.tr.y.Data[:used]) {
		s.fail(leyline.SeedFailureForward, "its output is not finite, while what it reads is")
		return
	}
	if !mixes {
		return
	}
	n.classify(s, current.Rows)
	if err := s.mix.Set(&s.plan, alpha, current.Rows, current.Cols, s.heard...); err != nil {
		if sound {
			s.refused(err)
		}
		return
	}
	s.mixed = true
	if s.plan.Mode == leyline.BlendResidual {
		s.mix.Output(current.Data, current.Data, s.tr.y.Data[:used])
	} else {
		s.mix.Output(current.Data, current.Data, s.joined.Data[:used])
	}
}

// classify computes the seed's own classification of every row: what the heads, as
// in its auxiliary loss, make of its output.
func (n *Net) classify(s *seed, rows int) {
	for t := range s.logits {
		z := top(s.logits[t], rows)
		n.head(t).forward(z, top(s.joined, rows))
		s.heard[t].Values = z.Data
	}
}

func (s *seed) fail(what leyline.SeedFailure, why string) { s.failure, s.why = what, why }

// refused turns what package blend refuses into a failure.
func (s *seed) refused(err error) {
	what := leyline.SeedFailureBlend
	if r, ok := leyline.AsRefusal(err); ok && r.Kind == leyline.RefusalLogits {
		what = leyline.SeedFailureLogits
	}
	s.fail(what, clipReason(err))
}

// teaches reports whether the last pass has a gradient for the seed: it learns, and it
// has not failed. One whose mix was given up because the host has gone mad has none
// either.
func (s *seed) teaches() bool {
	return s.Mode.learns() && s.failure == leyline.SeedFailureNone && (s.mixed || s.Mode == ModeTraining)
}

// finite reports whether all numbers are.
func finite(v []float64) bool {
	for _, x := range v {
		if x-x != 0 {
			return false
		}
	}
	return true
}
