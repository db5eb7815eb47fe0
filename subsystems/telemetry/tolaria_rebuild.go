package telemetry

import "github.com/esper-plane/esper/leyline"

// rebuild reports what became of a fence of the optimizer.
func (b *builder) rebuild(e leyline.Event) {
	x, ok := e.(leyline.OptimizerRebuild)
	if !ok {
		return
	}
	s, run := b.at(leyline.SubsystemTolaria, x.Run), text(keyRun, x.Run)
	s.duration(leyline.MetricOptRebuildMs, x.TookNs, run)
	switch x.Stage {
	case leyline.RebuildDone:
		s.count(leyline.MetricOptRebuilds, run)
	case leyline.RebuildFailed:
		s.count(leyline.MetricOptRebuildFailures, run)
		s.event(leyline.NameRebuildFailed, leyline.LevelWarning, run, whole(keyStep, x.Step), name(keyRequest, x.Order), name(keyReason, x.Reason),
			text(keyDetails, x.Detail), took(x.TookNs))
	case leyline.RebuildSkipped:
		s.count(leyline.MetricOptRebuildSkipped, run)
	}
}
