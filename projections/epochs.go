package projections

import "github.com/esper-plane/esper/leyline"

// Epochs is what is known of the epochs of a run. It is never rewound: it is
// about the plane and its answers, not about the network.
type Epochs struct {
	Failed uint64 // over all incarnations
	Streak uint32 // failed in a row
	Last   leyline.Step
	Hook   uint64              // slowest answer since the last epoch ended, in nanoseconds
	First  leyline.EpochReason // the first thing that went wrong since the last epoch ended
}

// Waits counts what did not answer in time, and says how long the last answer
// took, in nanoseconds. It is never rewound.
type Waits struct {
	TamiyoTimeouts  uint64 // questions to the policy
	KasminaTimeouts uint64 // accepted commands
	TamiyoNs        uint64 // until the policy answered, or was given up
	KasminaNs       uint64 // until the command was carried out, or had failed
}

// applyEpoch follows what an epoch is judged by.
func (r *Run) applyEpoch(e leyline.Event) {
	switch x := e.(type) {
	case leyline.TrainingAssessed:
		r.Epochs.Hook = x.HookNs
	case leyline.EpochAssessed:
		r.Epochs.Last, r.Epochs.Streak, r.Epochs.Hook, r.Epochs.First = x.Step, x.Streak, 0, leyline.EpochNone
	case leyline.EpochFailed:
		r.Epochs.Failed++
	case leyline.RunResumed: // the wait of a trainer that is gone says nothing
		r.Epochs.Hook, r.Epochs.First = 0, leyline.EpochNone
	default:
		r.applyWait(e)
	}
}

func (r *Run) applyWait(e leyline.Event) {
	switch x := e.(type) {
	case leyline.RiskAssessed:
		r.answered(x.TookNs)
	case leyline.ActionNone:
		r.answered(x.TookNs)
	case leyline.PolicyMissed:
		r.answered(x.TookNs)
		why := leyline.EpochTamiyoError
		if x.Outcome == leyline.OutcomeDeadline {
			why = leyline.EpochTamiyoTimeout
			r.Waits.TamiyoTimeouts++
		}
		r.wrong(why)
	case leyline.CommandSettled:
		if x.TookNs > 0 { // one that the plane carries out itself takes no time
			r.Waits.KasminaNs = x.TookNs
		}
		if x.Outcome != leyline.OutcomeOK {
			r.wrong(leyline.EpochKasminaError)
		}
	case leyline.CommandExpired:
		if x.Outcome == leyline.OutcomeDeadline {
			r.Waits.KasminaTimeouts++
			r.wrong(leyline.EpochKasminaTimeout)
		}
	}
}

// answered notes how long the policy took; 0 says that it was not asked.
func (r *Run) answered(ns uint64) {
	if ns > 0 {
		r.Waits.TamiyoNs = ns
	}
}

// wrong remembers the first thing that went wrong in an epoch.
func (r *Run) wrong(why leyline.EpochReason) {
	if r.Epochs.First == leyline.EpochNone {
		r.Epochs.First = why
	}
}

// loopRun names the run of an event about its training loop.
func loopRun(e leyline.Event) (leyline.RunID, bool) {
	switch x := e.(type) {
	case leyline.EpochFailed:
		return x.Run, true
	case leyline.RiskAssessed:
		return x.Run, true
	case leyline.ActionNone:
		return x.Run, true
	case leyline.PolicyMissed:
		return x.Run, true
	case leyline.CommandSettled:
		return x.Run, true
	case leyline.CommandExpired:
		return x.Run, true
	case leyline.RateSet:
		return x.Run, true
	case leyline.RateAcked:
		return x.Run, true
	case leyline.OptimizerRebuild:
		return x.Run, true
	}
	return emergencyRun(e)
}
