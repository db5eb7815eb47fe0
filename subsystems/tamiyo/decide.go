package tamiyo

import (
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// Decide emits Tamiyo's events for an input that the guard admitted. It runs
// after Tolaria, so it sees what Tolaria decided about the same input.
func Decide(t *projections.Turn, in leyline.Input) {
	switch x := in.(type) {
	case leyline.StepObserved:
		if t.Config().Tamiyo.Enabled {
			step(t, x)
		}
	case leyline.PolicyAnswered:
		answered(t, x)
	case leyline.PolicyFailed:
		missed(t, x)
	case leyline.MetadataAnswered:
		found(t, x)
	case leyline.MetadataFailed:
		lost(t, x)
	case leyline.RunOpened:
		begun(t, x)
		opened(t, x.Run)
	case leyline.EpochObserved:
		epoch(t, x)
	case leyline.TimerFired:
		late(t, x)
	case leyline.PolicyLoaded:
		loaded(t, x)
	}
}
