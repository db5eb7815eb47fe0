package telemetry

import l "github.com/esper-plane/esper/leyline"

// governorStory is what is said of a loss over its limit and of a trainer that
// is silent. The running figures of an unhealthy step are those of the last
// healthy one, so they must not turn up again.
var governorStory = []scene{
	{"a healthy step under a limit", "r1", l.StepObserved{Run: "r1", Step: 60}, []l.Event{
		l.TrainingAssessed{Run: "r1", Step: 60, Health: l.HealthHealthy, Loss: 1, Delta: -0.25, LossEWMA: l.Moments{Mean: 1.25, Var: 0.25, N: 60}, Limit: 4},
	}},
	{"a loss over the limit, only watched: the step counts as healthy", "r1", l.StepObserved{Run: "r1", Step: 61}, []l.Event{
		l.TrainingAssessed{
			Run: "r1", Step: 61, Health: l.HealthHealthy, Loss: 5, Delta: 3.75, LossEWMA: l.Moments{Mean: 2, Var: 2.25, N: 61}, Limit: 4, Anomaly: l.FaultDiverged, Suspect: 1,
		},
	}},
	{"a loss over the limit", "r1", l.StepObserved{Run: "r1", Step: 62}, []l.Event{
		l.GradientsCombined{Run: "r1", Step: 62, Method: l.AggregationPCGrad, Weights: []float64{1, 1}},
		l.TrainingAssessed{
			Run: "r1", Step: 62, Health: l.HealthSuspect, Loss: 7, Delta: 5, LossEWMA: l.Moments{Mean: 2, Var: 2.25, N: 61}, Limit: 6.5, Anomaly: l.FaultDiverged, Suspect: 2,
		},
	}},
	{"training has diverged", "r1", l.StepObserved{Run: "r1", Step: 63}, []l.Event{
		l.TrainingAssessed{
			Run: "r1", Step: 63, Health: l.HealthDiverged, Loss: 9, Delta: 7, LossEWMA: l.Moments{Mean: 2, Var: 2.25, N: 61}, Limit: 6.5, Anomaly: l.FaultDiverged, Suspect: 3,
		},
		l.EmergencyEscalated{Run: "r1", From: l.EmergencyNotice, To: l.EmergencyElevated, Reason: l.FaultDiverged},
		l.RollbackStarted{
			Run: "r1", Rollback: "rb-5", Cause: l.FaultDiverged, FaultStep: 61, Snapshot: "snap-50", ToStep: 50, Tier: l.TierFull, Seen: 3e9, Since: 5e9,
		},
	}},
	{"a loss back at that of guessing", "r1", l.StepObserved{Run: "r1", Step: 62}, []l.Event{
		l.TrainingAssessed{
			Run: "r1", Step: 62, Health: l.HealthSuspect, Loss: 2.25, Limit: 6.5, Chance: 2.5, Anomaly: l.FaultCollapsed, Suspect: 2,
			LossEWMA: l.Moments{Mean: 1, Var: 0.25, N: 61},
		},
	}},
	{"the network has collapsed", "r1", l.StepObserved{Run: "r1", Step: 63}, []l.Event{
		l.TrainingAssessed{
			Run: "r1", Step: 63, Health: l.HealthCollapsed, Loss: 2.5, Limit: 6.5, Chance: 2.5, Anomaly: l.FaultCollapsed, Suspect: 3,
			LossEWMA: l.Moments{Mean: 1, Var: 0.25, N: 61},
		},
	}},
	{"the trainer falls silent", "r1", l.TimerFired{Run: "r1", Timer: l.TimerSilence}, []l.Event{
		l.TrainerStalled{Run: "r1", Step: 63, AgeNs: 10_500_000_000},
	}},
	{"and reports again", "r1", l.StepObserved{Run: "r1", Step: 64}, []l.Event{
		l.TrainerReturned{Run: "r1", Step: 63, AgeNs: 42_000_000_000},
		l.TrainingAssessed{Run: "r1", Step: 64, Health: l.HealthHealthy, Loss: 1, Delta: -1, LossEWMA: l.Moments{Mean: 1.75, Var: 1, N: 62}, GradEWMA: l.Moments{Mean: 1.5, Var: 0.25, N: 62}, RateEWMA: l.Moments{Mean: 8000, N: 60}},
	}},
}
