package tamiyo

import (
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// epoch makes a run conservative whose epoch has just failed.
func epoch(t *projections.Turn, x leyline.EpochObserved) {
	for _, e := range t.Events() {
		if f, ok := e.(leyline.EpochFailed); ok {
			enter(t, t.State.Tamiyo.Run(x.Run), f.Step, leyline.RiskEpochFailed)
		}
	}
}

// late makes a run conservative whose trainer has just let the deadline of a
// command pass.
func late(t *projections.Turn, x leyline.TimerFired) {
	if x.Timer == leyline.TimerCommand {
		enter(t, t.State.Tamiyo.Run(x.Run), t.State.Tolaria.Run(x.Run).Track.Step, leyline.RiskCommandTimeout)
	}
}

func enter(t *projections.Turn, p *projections.Policy, at leyline.Step, why leyline.RiskReason) {
	if !p.Caution.Conservative {
		t.Emit(leyline.ConservativeEntered{Run: p.Run, Step: at, Reason: why})
	}
}
