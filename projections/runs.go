package projections

import "github.com/esper-plane/esper/leyline"

// runOfEvent returns the run whose projection an event changes; false for an event
// that changes none.
func runOfEvent(e leyline.Event) (leyline.RunID, bool) {
	switch x := e.(type) {
	case leyline.EffectRecovered:
		return x.Run, true
	case leyline.RunResumed:
		return x.Run, true
	case leyline.RunEnded:
		return x.Run, true
	case leyline.RunHalted:
		return x.Run, true
	case leyline.GradientsCombined:
		return x.Run, true
	case leyline.TrainingAssessed:
		return x.Run, true
	case leyline.EpochAssessed:
		return x.Run, true
	case leyline.TrainerStalled:
		return x.Run, true
	case leyline.TrainerReturned:
		return x.Run, true
	case leyline.SnapshotRegistered:
		return x.Run, true
	case leyline.SnapshotEvicted:
		return x.Run, true
	case leyline.RollbackStarted:
		return x.Run, true
	case leyline.RollbackAdvanced:
		return x.Run, true
	case leyline.RollbackFinished:
		return x.Run, true
	case leyline.BreakerMoved:
		return x.Run, true
	case leyline.CompileFellBack:
		return x.Run, true
	case leyline.RatesScaled:
		return x.Run, true
	}
	return loopRun(e)
}
