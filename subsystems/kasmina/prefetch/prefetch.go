// Package prefetch plans the fetching of kernels and judges what came of it.
// Pure: the plane's worker does the fetching.
package prefetch

import (
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/guard"
	"github.com/esper-plane/esper/projections"
)

// Plan asks for the kernel of a blueprint, due within the configured timeout, which
// is at least twice the latency budget. inflight counts the fetches of the run, this
// one included.
func Plan(c *leyline.KasminaConfig, at leyline.Instant, run leyline.RunID, seed leyline.SeedID, bp *leyline.BlueprintRegistered, inflight uint32) leyline.PrefetchRequested {
	return leyline.PrefetchRequested{
		Run: run, Seed: seed, Blueprint: bp.Blueprint, Kernel: bp.Kernel, Digest: bp.Digest, Guard: bp.Guard, Bytes: bp.Bytes,
		Deadline: at.Add(c.PrefetchTimeout.Duration()), Inflight: inflight,
	}
}

// Ready judges a kernel that arrived: it must be the one that was registered with
// its blueprint, built for what is registered, and it must not be late.
func Ready(c *leyline.KasminaConfig, s *projections.Seed, bp *leyline.BlueprintRegistered, at leyline.Instant, x leyline.KernelReady, inflight uint32) leyline.PrefetchSettled {
	e := leyline.PrefetchSettled{
		Run: x.Run, Seed: x.Seed, Request: x.Request, Outcome: leyline.OutcomeOK, TookNs: x.TookNs,
		Blueprint: s.Blueprint, Origin: x.Origin, WaitNs: x.WaitNs, Contended: x.WaitNs > uint64(c.CacheWaitWarn.Duration()),
		Prewarm: x.Prewarm, Inflight: inflight,
	}
	if s.Kernel.Deadline != 0 && at > s.Kernel.Deadline {
		e.Outcome, e.Reason = leyline.OutcomeDeadline, string(leyline.NamePrefetchTimeout)
		return e
	}
	r := guard.Kernel(bp, x.Digest, x.Bytes)
	if r == nil {
		r = guard.KernelGuard(bp, x.Guard)
	}
	if r != nil {
		e.Outcome, e.Reason, e.Kind = leyline.OutcomeFailed, r.Kind.String(), r.Kind
	}
	return e
}

// Failed records why there is no kernel.
func Failed(s *projections.Seed, x leyline.KernelFailed, inflight uint32) leyline.PrefetchSettled {
	return leyline.PrefetchSettled{
		Run: x.Run, Seed: x.Seed, Request: x.Request, Outcome: x.Outcome, Reason: x.Reason, TookNs: x.TookNs,
		Blueprint: s.Blueprint, Kind: x.Kind, Inflight: inflight,
	}
}

// Overdue settles a fetch whose deadline passed without an answer.
func Overdue(run leyline.RunID, s *projections.Seed, inflight uint32) leyline.PrefetchSettled {
	return leyline.PrefetchSettled{
		Run: run, Seed: s.ID, Request: s.Kernel.Request, Outcome: leyline.OutcomeDeadline, Reason: string(leyline.NamePrefetchTimeout),
		Blueprint: s.Blueprint, Inflight: inflight,
	}
}
