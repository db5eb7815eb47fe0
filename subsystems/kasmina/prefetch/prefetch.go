// Package prefetch plans the fetching of kernels and judges what came of it.
// Pure: the plane's worker does the fetching.
package prefetch

import (
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/guard"
	"github.com/esper-plane/esper/projections"
)

// Plan asks for the kernel of a blueprint, due within the configured timeout.
func Plan(c *leyline.KasminaConfig, at leyline.Instant, run leyline.RunID, seed leyline.SeedID, bp *leyline.BlueprintRegistered) leyline.PrefetchRequested {
	return leyline.PrefetchRequested{
		Run: run, Seed: seed, Blueprint: bp.Blueprint, Kernel: bp.Kernel, Digest: bp.Digest,
		Deadline: at.Add(c.PrefetchTimeout.Duration()),
	}
}

// Ready judges a kernel that arrived: it must be the one that was registered with
// its blueprint, and it must not be late.
func Ready(s *projections.Seed, bp *leyline.BlueprintRegistered, at leyline.Instant, x leyline.KernelReady) leyline.PrefetchSettled {
	e := leyline.PrefetchSettled{
		Run: x.Run, Seed: x.Seed, Request: x.Request, Outcome: leyline.OutcomeOK, TookNs: x.TookNs,
	}
	if s.Kernel.Deadline != 0 && at > s.Kernel.Deadline {
		e.Outcome, e.Reason = leyline.OutcomeDeadline, string(leyline.NamePrefetchTimeout)
	} else if r := guard.Kernel(bp, x.Digest, x.Bytes); r != nil {
		e.Outcome, e.Reason = leyline.OutcomeFailed, r.Kind.String()
	}
	return e
}

// Failed records why there is no kernel.
func Failed(x leyline.KernelFailed) leyline.PrefetchSettled {
	return leyline.PrefetchSettled{
		Run: x.Run, Seed: x.Seed, Request: x.Request, Outcome: x.Outcome, Reason: x.Reason, TookNs: x.TookNs,
	}
}

// Overdue settles a prefetch whose deadline passed without an answer.
func Overdue(run leyline.RunID, s *projections.Seed) leyline.PrefetchSettled {
	return leyline.PrefetchSettled{
		Run: run, Seed: s.ID, Request: s.Kernel.Request, Outcome: leyline.OutcomeDeadline, Reason: string(leyline.NamePrefetchTimeout),
	}
}
