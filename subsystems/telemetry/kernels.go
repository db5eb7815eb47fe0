package telemetry

import "github.com/esper-plane/esper/leyline"

// kernels reports what becomes of kernels beside the fetches themselves.
func (b *builder) kernels(e leyline.Event) {
	switch x := e.(type) {
	case leyline.PrefetchLate:
		b.at(leyline.SubsystemKasmina, x.Run).event(leyline.NamePrefetchLate, leyline.LevelWarning,
			text(keyRun, x.Run), text(keySeed, x.Seed), name(keyRequest, x.Request), name(keyOutcome, x.Outcome), took(x.TookNs))
	case leyline.PrefetchesCancelled:
		b.at(leyline.SubsystemKasmina, "").event(leyline.NamePrefetchSummary, leyline.LevelWarning,
			text(keyReason, x.Reason), whole(keyRuns, x.Runs), whole(keyRequests, x.Requests))
	case leyline.EmergencyCleaned:
		b.at(leyline.SubsystemKasmina, x.Run).event(leyline.NameEmergencyCleanup, leyline.LevelCritical,
			text(keyRun, x.Run), text(keyCommand, x.Command), whole(keyKernels, x.Kernels), whole(keyBytes, x.Bytes),
			whole(keyKept, x.Kept), took(x.TookNs))
	}
}

// staged reports how a kernel that is ready came to be staged.
func (s *section) staged(x leyline.PrefetchSettled) {
	run, seed := text(keyRun, x.Run), text(keySeed, x.Seed)
	s.metric(leyline.MetricCacheWaitMs, millis(x.WaitNs), run, seed)
	if x.Prewarm.Samples > 0 {
		s.metric(leyline.MetricPrewarmMs, millis(x.Prewarm.P50Ns), run, seed, number(keyShare, 0.5))
		s.metric(leyline.MetricPrewarmMs, millis(x.Prewarm.P95Ns), run, seed, number(keyShare, 0.95))
	}
	if x.Contended {
		s.event(leyline.NameCacheContention, leyline.LevelWarning, run, seed, text(keyBlueprint, x.Blueprint), number(keyWait, millis(x.WaitNs)))
	}
}

// attached says whether a seed's kernel is part of the trainer's network.
func (s *section) attached(run leyline.RunID, seed leyline.SeedID, is bool) {
	s.metric(leyline.MetricKernelAttached, truth(is), text(keyRun, run), text(keySeed, seed))
}
