package replay

import (
	"slices"
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/decider"
)

// mgdaOf is a solver for two tasks.
func mgdaOf(c *leyline.TolariaConfig, x *leyline.StepObserved) leyline.Solution {
	if c.Aggregation != leyline.AggregationMGDA {
		return leyline.Solution{}
	}
	a, b, d := x.Gram[0], x.Gram[1], x.Gram[3]
	w := max(0, min(1, (d-b)/(a+d-2*b)))
	return leyline.Solution{Method: leyline.AggregationMGDA, Weights: []float64{w, 1 - w}}
}

// What would have been under a method that needs a solver is found with one, and
// without one such steps are refused.
func TestWhatIfUnderAMethodThatNeedsASolver(t *testing.T) {
	h := incident(t)
	combined := h.find(leyline.EventGradientsCombined)
	other := h.config
	other.Tolaria.Aggregation = leyline.AggregationMGDA
	steps := uint64(0)
	for _, r := range h.log {
		if slices.ContainsFunc(r.Events, func(e leyline.Event) bool { return e.EventKind() == leyline.EventGradientsCombined }) {
			steps++
		}
	}
	r := replayed(t, h.entries(), Options{Mode: WhatIf, Config: &other, Solver: mgdaOf})
	if r.Differences < steps || r.Divergence.Seq != combined.Seq {
		t.Fatalf("%d differences over %d steps: %s", r.Differences, steps, r.Divergence)
	}
	if text := r.Divergence.String(); !strings.Contains(text, "combined by mgda with weights") || strings.Contains(text, "refused") {
		t.Errorf("the first difference is\n%s", text)
	}
	r = replayed(t, h.entries(), Options{Mode: WhatIf, Config: &other})
	if text := r.Divergence.String(); !strings.Contains(text, "mgda: there is no solution") {
		t.Errorf("without a solver the first difference is\n%s", text)
	}
	r = replayed(t, h.entries(), Options{Config: &other, Solver: mgdaOf})
	if r.Divergence == nil || !strings.Contains(r.Divergence.String(), "combined by mgda") {
		t.Errorf("redecide: %s", r.Divergence)
	}
}

// A recorded solution whose weights were changed is found by replay: the step is
// refused instead of given them.
func TestChangedWeightsAreFound(t *testing.T) {
	h := incident(t)
	at := slices.IndexFunc(h.log, func(r leyline.Record) bool { return r.Seq == h.find(leyline.EventGradientsCombined).Seq })
	s := &projections.State{}
	for _, r := range h.log[:at] {
		s.ApplyRecord(r)
	}
	s.Plane.Config.Tolaria.Aggregation = leyline.AggregationMGDA
	x := h.log[at].Input.(leyline.StepObserved)
	x.Solution = mgdaOf(&s.Plane.Config.Tolaria, &x)
	good := clone(s)
	if e := decider.Decide(good, meta(h.log[at]), x); e[0].EventKind() != leyline.EventGradientsCombined {
		t.Fatalf("the right weights: %+v", e)
	}
	x.Solution.Weights = []float64{x.Solution.Weights[0] + 1e-3, x.Solution.Weights[1] - 1e-3}
	e := decider.Decide(s, meta(h.log[at]), x)
	if v, ok := e[0].(leyline.DependencyViolated); !ok || v.Refusal.Kind != leyline.RefusalWeights || !strings.Contains(v.Refusal.Reason, "kkt residual") {
		t.Errorf("changed weights: %+v", e)
	}
}
