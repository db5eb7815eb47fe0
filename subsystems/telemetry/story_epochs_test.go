package telemetry

import l "github.com/esper-plane/esper/leyline"

// epochStory is what is said of epochs and of what they are judged by.
var epochStory = []scene{
	{"an epoch within its budgets", "r1", l.EpochObserved{Run: "r1", Step: 8, Epoch: 1}, []l.Event{
		l.EpochAssessed{
			Run: "r1", Step: 8, Epoch: 1, Losses: []float64{1, 2}, Accuracies: []float64{0.25, 0.75},
			TookNs: 200e6, BudgetNs: 250e6, HookNs: 40e6, HookBudget: 50e6,
		},
	}},
	{"one over both of them fails for its duration", "r1", l.EpochObserved{Run: "r1", Step: 16, Epoch: 2}, []l.Event{
		l.EpochAssessed{Run: "r1", Step: 16, Epoch: 2, TookNs: 300e6, BudgetNs: 250e6, HookNs: 60e6, HookBudget: 50e6, Streak: 1},
		l.EpochFailed{Run: "r1", Step: 16, Epoch: 2, Reason: l.EpochBudget, TookNs: 300e6, BudgetNs: 250e6, Streak: 1},
		l.BreakerMoved{Run: "r1", Breaker: l.BreakerEpochs, Action: l.BreakerCount, From: l.BreakerClosed, To: l.BreakerClosed, Reason: l.BreakerEpochFailed, Failures: 1},
		l.EmergencyEscalated{Run: "r1", From: l.EmergencyNotice, To: l.EmergencyElevated, Reason: l.FaultEpochFailed},
		l.ConservativeEntered{Run: "r1", Step: 16, Reason: l.RiskEpochFailed, By: l.PartyPlane, Wanted: 2},
	}},
	{"one whose answer was slow opens the breaker", "r1", l.EpochObserved{Run: "r1", Step: 24, Epoch: 3}, []l.Event{
		l.EpochAssessed{Run: "r1", Step: 24, Epoch: 3, TookNs: 200e6, HookNs: 60e6, HookBudget: 50e6, Streak: 2},
		l.EpochFailed{Run: "r1", Step: 24, Epoch: 3, Reason: l.EpochHookBudget, TookNs: 60e6, BudgetNs: 50e6, Streak: 2},
		l.BreakerMoved{
			Run: "r1", Breaker: l.BreakerEpochs, Action: l.BreakerTransition, From: l.BreakerClosed, To: l.BreakerOpen, Reason: l.BreakerEpochFailed, Failures: 2, Until: 9e9,
		},
	}},
	{"the breaker refuses the next", "r1", l.EpochObserved{Run: "r1", Step: 32, Epoch: 4}, []l.Event{
		l.EpochAssessed{Run: "r1", Step: 32, Epoch: 4, TookNs: 200e6, Streak: 2},
		l.EpochFailed{Run: "r1", Step: 32, Epoch: 4, Reason: l.EpochBreakerOpen, Streak: 2},
		l.EmergencyEscalated{Run: "r1", From: l.EmergencyElevated, To: l.EmergencyConservative, Reason: l.FaultEpochFailed},
	}},
}

// ratesStory is what is said of learning rates that the plane orders.
var ratesStory = []scene{
	{"a policy orders rates", "r1", l.StepObserved{Run: "r1", Step: 1, LearnRate: 0.1}, []l.Event{
		l.RateSet{Run: "r1", Step: 1, Policy: l.LRCosine, Factor: 0.5, Rates: []float64{0.05}, Deadline: 9e9},
	}},
	{"the trainer has set them, and others are ordered", "r1", l.StepObserved{Run: "r1", Step: 2, LearnRate: 0.05}, []l.Event{
		l.RateAcked{Run: "r1", Order: l.EffectID{Seq: 1}, Outcome: l.OutcomeOK, TookNs: 1500},
		l.RateSet{Run: "r1", Step: 2, Policy: l.LRCosine, Rates: []float64{0}, Deadline: 9e9},
	}},
	{"it cannot set those", "r1", l.StepObserved{Run: "r1", Step: 3, LearnRate: 0.05}, []l.Event{
		l.RateAcked{Run: "r1", Order: l.EffectID{Seq: 2}, Outcome: l.OutcomeFailed, Reason: "it must be above 0", TookNs: 1500},
	}},
	{"it says nothing of others", "r1", l.TimerFired{Run: "r1", Timer: l.TimerRates}, []l.Event{
		l.RateAcked{Run: "r1", Order: l.EffectID{Seq: 3}, Outcome: l.OutcomeDeadline, Reason: "no report acknowledged it in time"},
	}},
	{"and others were overtaken", "r1", l.StepObserved{Run: "r1", Step: 4, LearnRate: 0.05}, []l.Event{
		l.RateAcked{Run: "r1", Order: l.EffectID{Seq: 4}, Outcome: l.OutcomeSuperseded, Reason: "ordered anew"},
	}},
}

// rebuildStory is what is said of rebuilds of the optimizer.
var rebuildStory = []scene{
	{"a rebuild is asked for", "r1", l.EpochObserved{Run: "r1", Step: 8, Epoch: 1}, []l.Event{
		l.OptimizerRebuild{Run: "r1", Step: 8, Fence: l.FenceEpoch, Stage: l.RebuildRequested, Deadline: 9e9},
	}},
	{"the next fence comes too soon", "r1", l.EpochObserved{Run: "r1", Step: 16, Epoch: 2}, []l.Event{
		l.OptimizerRebuild{Run: "r1", Step: 16, Fence: l.FenceEpoch, Stage: l.RebuildSkipped, Reason: l.RebuildTooSoon},
	}},
	{"the rebuild is done", "r1", l.StepObserved{Run: "r1", Step: 17}, []l.Event{
		l.OptimizerRebuild{
			Run: "r1", Step: 8, Fence: l.FenceEpoch, Stage: l.RebuildDone, Order: l.EffectID{Seq: 1}, TookNs: 2_500_000,
			Before: l.OptimizerState{Groups: 2, Parameters: 10}, After: l.OptimizerState{Groups: 2, Parameters: 10},
		},
	}},
	{"another loses a group, and the breaker opens", "r1", l.StepObserved{Run: "r1", Step: 33}, []l.Event{
		l.OptimizerRebuild{
			Run: "r1", Step: 32, Fence: l.FenceSteps, Stage: l.RebuildFailed, Reason: l.RebuildGroupsLost, Detail: "2 groups before, 1 after",
			Order: l.EffectID{Seq: 4}, TookNs: 1_500_000,
		},
		l.BreakerMoved{
			Run: "r1", Breaker: l.BreakerOptimizer, Action: l.BreakerTransition, From: l.BreakerClosed, To: l.BreakerOpen, Reason: l.BreakerRebuildFailed, Failures: 3, UntilStep: 50,
		},
	}},
}

// emergencyStory is what is said of an emergency level on its way out.
var emergencyStory = []scene{
	{"a level rises and is published", "r1", l.EpochObserved{Run: "r1", Step: 8, Epoch: 1}, []l.Event{
		l.EmergencyEscalated{Run: "r1", From: l.EmergencyNotice, To: l.EmergencyElevated, Reason: l.FaultEpochFailed},
		l.EmergencyDispatched{Run: "r1", Level: l.EmergencyElevated, Reason: l.FaultEpochFailed, Attempt: 1, WithinNs: 2e9, Tokens: 59},
	}},
	{"the signal hangs", "r1", l.EmergencyUndelivered{Run: "r1"}, []l.Event{
		l.EmergencyPublished{
			Run: "r1", Effect: l.EffectID{Seq: 1, Index: 1}, Level: l.EmergencyElevated, Outcome: l.OutcomeDeadline, Reason: "timed out after 2s", TookNs: 2e9, Retry: 5e9,
		},
	}},
	{"an operator raises it, and no token is left", "", l.CommandReceived{}, []l.Event{
		l.EmergencyEscalated{Run: "r1", From: l.EmergencyElevated, To: l.EmergencyConservative, Reason: l.FaultOperator},
		l.EmergencyHeld{Run: "r1", Level: l.EmergencyConservative, Until: 9e9},
	}},
	{"an operator clears it", "", l.CommandReceived{}, []l.Event{
		l.EmergencyCleared{Run: "r1", From: l.EmergencyConservative, To: l.EmergencyNotice, Reason: l.FaultOperator},
	}},
}
