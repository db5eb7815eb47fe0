package replay

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/subsystems/decider"
)

// eventful is a history with everything that links records: a seed that is
// germinated by hand and then grafted, probed and judged by the policy, losses
// over their limit, a rollback, a silent trainer, a question that the policy
// does not answer, and a restart with a resume.
func eventful(t testing.TB) *history {
	h := begin(t, decider.Version)
	c := h.config
	c.Tamiyo.ShadowSteps, c.Tamiyo.Probes, c.Kasmina.MinProbes = 4, 2, 2
	c.Kasmina.MinObserveSteps, c.Kasmina.ProbeEvery = 2, 2
	c.Tolaria.DivergeWarmup, c.Tolaria.DivergeLoss = 4, 5
	c.Tamiyo.BlueprintRisk = 0.05 // the policy germinates nothing beside
	h.configure(c)
	h.steps(3)
	h.command("by-hand", leyline.SeedCommand{Operation: leyline.OpGerminate, Seed: seedID, Blueprint: "bp-1", Mesh: []string{"trunk"}})
	h.grow(40)
	for range c.Tolaria.DivergeSteps {
		h.worry()
	}
	h.rollback()
	h.steps(2)
	h.timer()
	h.steps(8)
	c.Tamiyo.PolicyInline, c.Tamiyo.PolicyBudget = false, 20
	h.configure(c)
	h.ask(func(p leyline.PolicyFailed) leyline.Input { return p })
	h.ask(func(p leyline.PolicyFailed) leyline.Input {
		return leyline.PolicyAnswered{Request: p.Request, Run: p.Run, Reason: leyline.RiskWarmingUp, TookNs: 3}
	})
	h.boot("b2", decider.Version)
	again := h.run().Plan
	again.Resume = true
	h.feed(again)
	h.inc = h.run().Incarnation
	h.steps(1)
	h.sign()
	return h
}

// sign names in every command the proposal that it was signed for, as a plane
// does.
func (h *history) sign() {
	for i := range h.log {
		x, ok := h.log[i].Input.(leyline.CommandReceived)
		if !ok {
			continue
		}
		c, err := wire.DecodeCommand(x.Envelope.Payload)
		must(h.t, err)
		if id, own := strings.CutPrefix(string(c.ID), "cmd-"); own {
			must(h.t, x.Cause.UnmarshalText([]byte(id)))
			h.log[i].Input = x
		}
	}
}

// grow trains n steps and measures what is due.
func (h *history) grow(n int) {
	for range n {
		h.steps(1)
		slots := h.state.Kasmina.Run(runID)
		for _, id := range h.state.Kasmina.ProbesDue(runID, h.run().Track.Step) {
			h.feed(leyline.SeedProbed{
				Run: runID, Incarnation: h.inc, Step: h.run().Track.Step, Seed: id, Alpha: slots.Seed(id).Alpha, Samples: 10, TookNs: 5,
				Losses: []float64{1, 1}, Accuracies: []float64{0.75, 0.5}, LossesAt0: []float64{1.5, 1}, AccuracyAt0: []float64{0.5, 0.5},
			})
		}
	}
}

// worry reports a step with a loss over every limit.
func (h *history) worry() {
	x := h.report()
	for i := range x.Losses {
		x.Losses[i] += 50
	}
	h.feed(x)
}

// timer fires what is due next.
func (h *history) timer() {
	next, ok := h.state.NextTimer()
	if !ok {
		h.t.Fatal("no timer is armed")
	}
	h.at = next.Due.Add(time.Millisecond)
	h.feed(next)
}

// ask trains until the policy is asked, and ends the question.
func (h *history) ask(end func(leyline.PolicyFailed) leyline.Input) {
	for range 10 {
		h.steps(1)
		if id := h.state.Tamiyo.Run(runID).Asked.Effect; !id.IsZero() {
			h.feed(end(leyline.PolicyFailed{Request: id, Run: runID, Outcome: leyline.OutcomeDeadline, Reason: "too late", TookNs: 2e7}))
			return
		}
	}
	h.t.Fatal("the policy was never asked")
}

// traced explains a record.
func traced(t testing.TB, h *history, seq leyline.Seq) Trace {
	t.Helper()
	x, err := TraceRecord(t.Context(), h.entries(), nil, seq)
	must(t, err)
	return x
}

// where returns the newest record before limit that holds an event.
func (h *history) where(what string, holds func(leyline.Event) bool) leyline.Seq {
	h.t.Helper()
	for i := len(h.log) - 1; i >= 0; i-- {
		for _, e := range h.log[i].Events {
			if holds(e) {
				return h.log[i].Seq
			}
		}
	}
	h.t.Fatalf("no record holds %s", what)
	return 0
}

// of returns the newest record that holds an event of a kind.
func (h *history) of(kind leyline.EventKind) leyline.Seq {
	h.t.Helper()
	return h.where(kind.String(), func(e leyline.Event) bool { return e.EventKind() == kind })
}

// proposed returns the newest record that proposes an operation.
func (h *history) proposed(op leyline.SeedOperation) leyline.Seq {
	h.t.Helper()
	return h.where(op.String(), func(e leyline.Event) bool {
		x, ok := e.(leyline.CommandProposed)
		return ok && x.Seed.Operation == op
	})
}

// chain renders links, newest or oldest first as they come.
func chain(links []Link) string {
	var b strings.Builder
	for _, l := range links {
		fmt.Fprintf(&b, "%s %s\n", l.Kind, l.How)
	}
	return b.String()
}
