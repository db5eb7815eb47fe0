package telemetry

import l "github.com/esper-plane/esper/leyline"

// kernelStory is what is said of kernels on their way and of the breaker before them.
var kernelStory = []scene{
	{"two kernels of one blueprint are fetched at once: the second one waits for the first", "r1", l.KernelReady{Run: "r1"}, []l.Event{
		l.PrefetchSettled{
			Run: "r1", Seed: "s2", Request: l.EffectID{Seq: 3}, Outcome: l.OutcomeOK, TookNs: 200_000_000, Blueprint: "bp-1",
			Origin: l.KernelFromFlight, WaitNs: 150_000_000, Contended: true, Prewarm: l.Prewarm{Samples: 5, P50Ns: 1_000_000, P95Ns: 2_000_000}, Inflight: 1,
		},
	}},
	{"a kernel cannot be had for the third time: the breaker opens", "r1", l.KernelFailed{Run: "r1"}, []l.Event{
		l.PrefetchSettled{Run: "r1", Seed: "s1", Request: l.EffectID{Seq: 4}, Outcome: l.OutcomeFailed, Reason: "kernel_missing", Kind: l.RefusalMissingKernel, Blueprint: "bp-1"},
		l.BreakerMoved{
			Run: "r1", Breaker: l.BreakerKernel, Action: l.BreakerTransition, From: l.BreakerClosed, To: l.BreakerOpen,
			Reason: l.BreakerKernelFailed, Failures: 3, Until: 60_000_000_000,
		},
	}},
	{"germination is denied", "r1", l.CommandReceived{}, []l.Event{
		l.BreakerMoved{
			Run: "r1", Breaker: l.BreakerKernel, Action: l.BreakerDenied, From: l.BreakerOpen, To: l.BreakerOpen,
			Reason: l.BreakerCoolingDown, Failures: 3, Until: 60_000_000_000,
		},
		l.GateEvaluated{Run: "r1", Seed: "s1", Gate: l.GateSanity, Reason: "breaker_denied", Checks: []l.Check{
			{Name: "kernel_breaker", Value: 3, Limit: 3, Mode: l.RuleEnforce},
		}},
	}},
	{"half open, a success counts", "r1", l.KernelReady{Run: "r1"}, []l.Event{
		l.BreakerMoved{
			Run: "r1", Breaker: l.BreakerKernel, Action: l.BreakerCount, From: l.BreakerHalfOpen, To: l.BreakerHalfOpen,
			Reason: l.BreakerSuccess, Failures: 3, Successes: 1,
		},
	}},
	{"an operator forces it", "r1", l.CommandReceived{}, []l.Event{
		l.BreakerMoved{Run: "r1", Breaker: l.BreakerKernel, Action: l.BreakerForced, From: l.BreakerHalfOpen, To: l.BreakerClosed, Reason: l.BreakerOperator},
	}},
	{"a kernel comes that nobody waits for any more", "r1", l.KernelReady{Run: "r1"}, []l.Event{
		l.PrefetchLate{Run: "r1", Seed: "s1", Request: l.EffectID{Seq: 5}, Outcome: l.OutcomeOK, TookNs: 3_000_000},
	}},
	{"a shutdown cancels what is outstanding", "", l.PlaneStopping{Boot: "b1"}, []l.Event{
		l.PrefetchSettled{Run: "r1", Seed: "s1", Request: l.EffectID{Seq: 6}, Outcome: l.OutcomeSuperseded, Reason: "shutdown", Blueprint: "bp-1"},
		l.PrefetchesCancelled{Runs: 1, Requests: 1, Reason: "shutdown"},
	}},
	{"an operator has the cache emptied", "r1", l.CacheCleared{Run: "r1"}, []l.Event{
		l.EmergencyCleaned{Run: "r1", Command: "cmd-9", Kernels: 2, Bytes: 4096, Kept: 1, TookNs: 1_000_000},
	}},
	{"a blueprint is withdrawn", "", l.BlueprintWithdrawn{}, []l.Event{l.BlueprintRetired{Blueprint: "bp-1", Reason: "it leaks"}}},
}
