package kasmina

import (
	"fmt"
	"slices"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/breaker"
	"github.com/esper-plane/esper/subsystems/kasmina/prefetch"
)

// The reasons for which a fetch is cancelled.
const (
	cancelClosed   = "run_closed"
	cancelRetired  = "seed_retired"
	cancelResumed  = "resumed"
	cancelRollback = "rewound"
	cancelShutdown = "shutdown"
)

// request asks for the kernel of a seed if the breaker lets it.
func request(t *projections.Turn, run leyline.RunID, s *projections.Seed) {
	if !mayFetch(t, run, s) {
		cull(t, run, s, leyline.RejectBreaker.String())
		return
	}
	fetch(t, run, s)
}

// fetch asks for the kernel of a seed. Blueprints are never forgotten, only withdrawn,
// which is no matter of seeds that live.
func fetch(t *projections.Turn, run leyline.RunID, s *projections.Seed) {
	bp := t.State.Plane.Blueprint(s.Blueprint)
	t.Emit(prefetch.Plan(&t.Config().Kasmina, t.Meta.At, run, s.ID, bp, t.State.Kasmina.Run(run).Inflight()+1))
}

// mayFetch asks the run's breaker of kernels for one more attempt; its refusal is
// told as a gate that stays closed. A half-open breaker lets one attempt through at
// a time: the next one is for when it is known what became of that.
func mayFetch(t *projections.Turn, id leyline.RunID, s *projections.Seed) bool {
	run := t.State.Tolaria.Run(id)
	allowed, moved, moves := breaker.Allow(run.Breaker(leyline.BreakerKernel), now(t, run))
	if moves {
		t.Emit(moved)
	}
	b := run.Breaker(leyline.BreakerKernel)
	if b.State == leyline.BreakerHalfOpen && t.State.Kasmina.Run(id).Inflight() > 0 {
		t.Emit(breaker.Deny(b, now(t, run), leyline.BreakerOnTrial))
		allowed = false
	}
	if !allowed {
		t.Emit(leyline.GateEvaluated{
			Run: id, Seed: s.ID, Gate: leyline.GateSanity, Reason: leyline.RejectBreaker.String(),
			Checks: []leyline.Check{{
				Name: leyline.RiskKernelBreaker.String(), Value: float64(b.Failures), Limit: float64(t.Config().Breaker.Failures), Mode: leyline.RuleEnforce,
			}},
		})
	}
	return allowed
}

// settle closes a fetch and tells the breaker of it. A seed without a kernel goes.
func settle(t *projections.Turn, e leyline.PrefetchSettled) {
	t.Emit(e)
	s := t.State.Kasmina.Seed(e.Run, e.Seed)
	count(t, e)
	if e.Outcome != leyline.OutcomeOK {
		cull(t, e.Run, s, e.Reason)
	}
}

// count tells the breaker of kernels what became of a fetch. A kernel that came in
// time, but over its budget, is a failure where that budget is enforced.
func count(t *projections.Turn, e leyline.PrefetchSettled) {
	c, run := t.Config(), t.State.Tolaria.Run(e.Run)
	b := run.Breaker(leyline.BreakerKernel)
	slow := e.TookNs > uint64(c.Kasmina.KernelLatency.Duration()) && c.Kasmina.LatencyMode == leyline.RuleEnforce
	switch {
	case e.Outcome == leyline.OutcomeDeadline:
		t.Emit(breaker.Fail(&c.Breaker, b, now(t, run), leyline.BreakerKernelTimeout))
	case e.Outcome != leyline.OutcomeOK:
		t.Emit(breaker.Fail(&c.Breaker, b, now(t, run), leyline.BreakerKernelFailed))
	case slow:
		t.Emit(breaker.Fail(&c.Breaker, b, now(t, run), leyline.BreakerKernelLatency))
	default:
		if moved, moves := breaker.Succeed(&c.Breaker, b, now(t, run)); moves {
			t.Emit(moved)
		}
	}
}

// kernelReady judges a kernel that arrived, unless nobody waits for it any more.
func kernelReady(t *projections.Turn, x leyline.KernelReady) {
	s := t.State.Kasmina.Seed(x.Run, x.Seed)
	if s.Kernel.Request != x.Request {
		t.Emit(leyline.PrefetchLate{Run: x.Run, Seed: x.Seed, Request: x.Request, Outcome: leyline.OutcomeOK, TookNs: x.TookNs})
		return
	}
	settle(t, prefetch.Ready(&t.Config().Kasmina, s, t.State.Plane.Blueprint(s.Blueprint), t.Meta.At, x, others(t, x.Run)))
}

func kernelFailed(t *projections.Turn, x leyline.KernelFailed) {
	s := t.State.Kasmina.Seed(x.Run, x.Seed)
	if s.Kernel.Request != x.Request {
		t.Emit(leyline.PrefetchLate{Run: x.Run, Seed: x.Seed, Request: x.Request, Outcome: x.Outcome, TookNs: x.TookNs})
		return
	}
	settle(t, prefetch.Failed(s, x, others(t, x.Run)))
}

// others counts what stays outstanding in a run when one fetch is closed.
func others(t *projections.Turn, run leyline.RunID) uint32 {
	return t.State.Kasmina.Run(run).Inflight() - 1
}

// cancel closes the fetch that a seed waits for, if it does.
func cancel(t *projections.Turn, run leyline.RunID, s *projections.Seed, why string) bool {
	if s.Kernel.Request.IsZero() {
		return false
	}
	t.Emit(leyline.PrefetchSettled{
		Run: run, Seed: s.ID, Request: s.Kernel.Request, Outcome: leyline.OutcomeSuperseded, Reason: why,
		Blueprint: s.Blueprint, Inflight: others(t, run),
	})
	return true
}

// voided closes the fetches of seeds that a rewind has taken out of the state.
func voided(t *projections.Turn, run leyline.RunID, why string) {
	slots := t.State.Kasmina.Run(run)
	for len(slots.Void) > 0 {
		v := slots.Void[0]
		t.Emit(leyline.PrefetchSettled{
			Run: run, Seed: v.Seed, Request: v.Request, Outcome: leyline.OutcomeSuperseded, Reason: why,
			Blueprint: v.Blueprint, Inflight: slots.Inflight(),
		})
	}
}

// stop cancels every fetch of a plane that stops, and sums that up. Seeds that
// waited are served again when the plane starts.
func stop(t *projections.Turn) {
	e := leyline.PrefetchesCancelled{Reason: cancelShutdown}
	for i := range t.State.Kasmina.Runs {
		slots := &t.State.Kasmina.Runs[i]
		before := e.Requests
		for j := range slots.Seeds {
			if cancel(t, slots.Run, &slots.Seeds[j], cancelShutdown) {
				e.Requests++
			}
		}
		if e.Requests > before {
			e.Runs++
		}
	}
	if e.Requests > 0 {
		t.Emit(e)
	}
}

// resumeFetches asks again for the kernels whose fetches the last shutdown has
// cancelled.
func resumeFetches(t *projections.Turn) {
	for i := range t.State.Kasmina.Runs {
		slots := &t.State.Kasmina.Runs[i]
		if run := t.State.Tolaria.Run(slots.Run); run.Status == leyline.RunStatusOpen {
			refetch(t, slots)
		}
	}
}

// refetch asks for the kernel of every seed that waits for one and has no fetch.
func refetch(t *projections.Turn, slots *projections.Slots) {
	for i := range slots.Seeds {
		s := &slots.Seeds[i]
		if s.Stage == leyline.StageGerminated && !s.Kernel.Ready && s.Kernel.Request.IsZero() {
			request(t, slots.Run, s)
		}
	}
}

// cleaned closes the command that had the kernel cache emptied.
func cleaned(t *projections.Turn, x leyline.CacheCleared) {
	p := *t.State.Kasmina.PendingEffect(x.Effect)
	t.Emit(leyline.EmergencyCleaned{
		Run: x.Run, Command: p.Command, Kernels: x.Kernels, Bytes: x.Bytes, Kept: x.Kept, TookNs: x.TookNs,
	})
	t.Emit(leyline.CommandSettled{Run: x.Run, Command: p.Command, Outcome: leyline.OutcomeOK, TookNs: x.TookNs})
}

// plantable checks what a blueprint asks of a GERMINATE: that it is not withdrawn,
// that the mesh has every layer it needs, and that it knows the parameters.
func (d *dispatch) plantable(bp *leyline.BlueprintRegistered) (leyline.RejectReason, string) {
	c := &d.v.Command.Seed
	if d.State.Plane.Withdrawn(bp.Blueprint) {
		return leyline.RejectWithdrawn, fmt.Sprintf("blueprint %q was withdrawn: nothing is germinated of it", bp.Blueprint)
	}
	for _, layer := range bp.Mesh {
		if !slices.Contains(c.Mesh, layer) {
			return leyline.RejectMissingMesh, fmt.Sprintf("the mesh lacks layer %q, which blueprint %q needs", layer, bp.Blueprint)
		}
	}
	return parameters(bp, c.Parameters)
}

// parameters holds what a command sets against the bounds of the blueprint.
func parameters(bp *leyline.BlueprintRegistered, set []leyline.ParameterValue) (leyline.RejectReason, string) {
	for i, p := range set {
		b := bounds(bp, p.Name)
		switch {
		case i > 0 && p.Name <= set[i-1].Name:
			return leyline.RejectParameter, fmt.Sprintf("parameter %q is not in ascending order of names", p.Name)
		case b == nil:
			return leyline.RejectParameter, fmt.Sprintf("blueprint %q has no parameter %q", bp.Blueprint, p.Name)
		case !(p.Value >= b.Min && p.Value <= b.Max):
			return leyline.RejectParameter, fmt.Sprintf("parameter %q is %v, not within %v and %v", p.Name, p.Value, b.Min, b.Max)
		}
	}
	return leyline.RejectNone, ""
}

func bounds(bp *leyline.BlueprintRegistered, name string) *leyline.ParameterBounds {
	for i := range bp.Parameters {
		if bp.Parameters[i].Name == name {
			return &bp.Parameters[i]
		}
	}
	return nil
}
