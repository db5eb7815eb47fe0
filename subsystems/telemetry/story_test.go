package telemetry

import l "github.com/esper-plane/esper/leyline"

// A scene is one record of a story, with what happens in it in words.
type scene struct {
	what   string
	run    l.RunID // of the record
	input  l.Input
	events []l.Event
}

// A story is a sequence of records. Together the stories hold every kind of
// event and reach every metric and every event that the catalogue of leyline calls
// emitted, at every level it may have; contract_test.go holds them to that.
type story struct {
	name   string
	scenes []scene
}

// records numbers the scenes from 2, since record 1 is the log's origin, one
// second apart.
func (s story) records() []l.Record {
	out := make([]l.Record, len(s.scenes))
	for i, c := range s.scenes {
		seq := l.Seq(i + 2)
		out[i] = l.Record{Seq: seq, At: l.Instant(seq) * 1e9, Run: c.run, Input: c.input, Events: c.events}
	}
	return out
}

var stories = []story{
	{"plane", planeStory}, {"training", trainingStory}, {"rollback", rollbackStory},
	{"policy", policyStory}, {"risk", riskStory}, {"commands", commandStory}, {"seeds", seedStory}, {"governor", governorStory}, {"epochs", epochStory}, {"rates", ratesStory}, {"rebuild", rebuildStory}, {"emergency", emergencyStory},
	{"compile", compileStory}, {"blend", blendStory}, {"verifier", verifierStory},
	{"registry", registryStory}, {"kernels", kernelStory}, {"weighed", weighedStory}, {"reports", reportStory}, {"asks", askStory}, {"artifacts", artifactStory},
}

var planeStory = []scene{
	{"the first start", "", l.PlaneStarted{Boot: "b1", Decider: 1, Clean: true, Build: l.Build{Version: "v0.1.0"}}, []l.Event{
		l.PlaneBooted{Boot: "b1", Origin: "esper/test", Boots: 1, Decider: 1, Clean: true},
	}},
	{"a configuration, a key and a blueprint: for the audit, not for telemetry", "", l.ConfigApplied{}, []l.Event{
		l.ConfigAdopted{}, l.KeyEnrolled{}, l.BlueprintAdmitted{},
	}},
	{"a start after a crash; one effect is issued again, of one the fate is unknown", "",
		l.PlaneStarted{Boot: "b2", TornBytes: 77, Signal: l.EmergencyHalt, SignalText: "disk full", Build: l.Build{Version: "v0.1.0"}},
		[]l.Event{
			l.PlaneBooted{Boot: "b2", Origin: "esper/test", Boots: 2, Decider: 1},
			l.EffectRecovered{Effect: l.EffectID{Seq: 40, Index: 1}, Kind: l.EffectPrefetch, Run: "r1", Reissued: true},
			l.EffectRecovered{Effect: l.EffectID{Seq: 41, Index: 2}, Kind: l.EffectCommand, Run: "r1"},
		}},
	{"a step of an unknown run: no measurement of a refused step is reported", "r9",
		l.StepObserved{Run: "r9", Step: 4, ForwardNs: 1_000_000, Seeds: []l.SeedObserved{{Seed: "s1"}}}, []l.Event{
			l.DependencyViolated{Refusal: l.Refusal{
				Subsystem: l.SubsystemTolaria, Kind: l.RefusalUnknownRun, Field: "run", Identifier: "r9",
				Reason: "was never opened", Hint: "open it first",
			}},
		}},
	{"a refusal in which nobody is named is the plane's", "", l.KeyAdded{}, []l.Event{
		l.DependencyViolated{Refusal: l.Refusal{Kind: l.RefusalInvalidSignature, Field: "envelope.signature"}},
	}},
	{"the disk is nearly full", "", l.DiskMeasured{Free: 1 << 20, Total: 1 << 30}, []l.Event{
		l.DiskLow{Free: 1 << 20, Total: 1 << 30, Threshold: 256 << 20},
	}},
	{"there is room again", "", l.DiskMeasured{Free: 1 << 29, Total: 1 << 30}, []l.Event{
		l.DiskRecovered{Free: 1 << 29, Total: 1 << 30, Threshold: 256 << 20},
	}},
}

var trainingStory = []scene{
	{"a run opens", "r1", l.RunOpened{Run: "r1"}, []l.Event{
		l.RunStarted{Run: "r1", Incarnation: 1, Plan: l.RunOpened{
			Run: "r1", Workload: "penguins", Framework: "go-gonum", Posture: l.Posture{Version: "1", Device: "cpu", Compile: l.SwitchOff}, Tasks: []l.TaskID{"species", "sex"},
			Seeds: []l.SeedID{"s1"}, Blueprints: []l.BlueprintID{"mlp-8", "mlp-16"}, Parameters: 421, Steps: 300, Drills: []l.Drill{{Name: "nan", Step: 9}},
		}},
	}},
	{"a first step without conflict, with nothing measured before it", "r1",
		l.StepObserved{Run: "r1", Step: 1, ForwardNs: 1_250_000}, []l.Event{
			l.GradientsCombined{Run: "r1", Step: 1, Method: l.AggregationPCGrad, Weights: []float64{1, 1}},
			l.TrainingAssessed{Run: "r1", Step: 1, Health: l.HealthHealthy, Loss: 1.5, LossEWMA: l.Moments{Mean: 1.5, N: 1}},
		}},
	{"a step with a grafted seed and a conflict that PCGrad resolves", "r1",
		l.StepObserved{
			Run: "r1", Step: 2, ForwardNs: 1_000_000, PreviousNs: 2_500_000,
			Seeds: []l.SeedObserved{{Seed: "s1", Alpha: 0.5, GradNorm: 0.25, HostNorm: 2, Cosine: -0.125, Leak: 1e-9}},
		}, []l.Event{
			l.GradientsCombined{Run: "r1", Step: 2, Method: l.AggregationPCGrad, Weights: []float64{0.5, 1}, Conflicts: 1, Ratio: 1},
			l.TrainingAssessed{Run: "r1", Step: 2, Health: l.HealthHealthy, Loss: 1, Delta: -0.5, LossEWMA: l.Moments{Mean: 1.4, Var: 0.04, N: 2}},
			l.IsolationAssessed{Run: "r1", Seed: "s1", Steps: 1, Leak: 1e-9, MaxLeak: 1e-9, Health: l.SeedHealthy},
		}},
	{"the same conflict, only summed", "r1", l.StepObserved{Run: "r1", Step: 3}, []l.Event{
		l.GradientsCombined{Run: "r1", Step: 3, Method: l.AggregationSum, Weights: []float64{1, 1}, Conflicts: 1, Ratio: 1},
	}},
	{"an epoch", "r1", l.EpochObserved{Run: "r1", Step: 3, Epoch: 1}, []l.Event{
		l.EpochAssessed{Run: "r1", Step: 3, Epoch: 1, Losses: []float64{1, 2}, Accuracies: []float64{0.5, 0.75}},
	}},
	{"an epoch with seeds in the network, one of which changed abruptly", "r1", l.EpochObserved{Run: "r1", Step: 6, Epoch: 2}, []l.Event{
		l.EpochAssessed{Run: "r1", Step: 6, Epoch: 2, Losses: []float64{1, 2}, Accuracies: []float64{0.5, 0.75}, Shares: sharesOf(false)},
	}},
	{"the same in the compact form", "r1", l.EpochObserved{Run: "r1", Step: 6, Epoch: 2}, []l.Event{
		l.EpochAssessed{Run: "r1", Step: 6, Epoch: 2, Losses: []float64{1, 2}, Accuracies: []float64{0.5, 0.75}, Shares: sharesOf(true)},
	}},
	{"a step of four microbatches", "r1", l.StepObserved{Run: "r1", Step: 7, Microbatches: 4}, []l.Event{
		l.GradientsCombined{Run: "r1", Step: 7, Method: l.AggregationSum, Weights: []float64{1, 1}},
	}},
	{"a run of a framework that declares everything", "r1", l.RunOpened{Run: "r1"}, []l.Event{
		l.RunStarted{Run: "r1", Incarnation: 1, Plan: l.RunOpened{Run: "r1", Workload: "w", Framework: "torch", Optimizer: "adamw", Posture: l.Posture{
			Version: "2.9", Device: "cuda:0", Compile: l.SwitchOn, CompileMode: "default", TF32: l.SwitchOff, AMP: l.SwitchOn, Foreach: l.SwitchOn, PinMemory: l.SwitchOff,
		}}},
	}},
	{"a step that is profiled", "r1", l.StepObserved{Run: "r1", Step: 4}, []l.Event{
		l.TrainingAssessed{Run: "r1", Step: 4, Health: l.HealthHealthy, Loss: 1, LossEWMA: l.Moments{Mean: 1.25, Var: 0.04, N: 3}, Profiled: true},
	}},
	{"the profile is written", "r1", l.ProfileReported{Run: "r1"}, []l.Event{
		l.ProfileRecorded{Run: "r1", First: 1, Last: 4, File: "r1-1-1.trace.json", Bytes: 4096, Outcome: l.OutcomeOK},
	}},
	{"the next cannot be", "r1", l.ProfileReported{Run: "r1"}, []l.Event{
		l.ProfileRecorded{Run: "r1", First: 5, Last: 9, Outcome: l.OutcomeFailed, Reason: "no space left on device"},
	}},
	{"a pipelined trainer of four ranks opens a run", "r1", l.RunOpened{Run: "r1"}, []l.Event{
		l.RunStarted{Run: "r1", Incarnation: 1, Plan: l.RunOpened{
			Run: "r1", Workload: "w", Framework: "torch", Posture: l.Posture{Version: "2.9", Device: "cpu", Compile: l.SwitchOff}, Lag: 4, Ranks: 4,
		}},
	}},
	{"its ranks wait for each other", "r1", l.StepObserved{Run: "r1", Step: 8, BarrierNs: 12_000_000}, []l.Event{
		l.GradientsCombined{Run: "r1", Step: 8, Method: l.AggregationSum, Weights: []float64{1, 1}},
	}},
	{"for very long", "r1", l.StepObserved{Run: "r1", Step: 9, BarrierNs: 11_000_000_000}, []l.Event{
		l.GradientsCombined{Run: "r1", Step: 9, Method: l.AggregationSum, Weights: []float64{1, 1}},
	}},
	{"it has applied other weights", "r1", l.StepObserved{Run: "r1", Step: 10}, []l.Event{
		l.GradientsCombined{Run: "r1", Step: 10, Method: l.AggregationSum, Weights: []float64{1, 1}},
		l.WeightsMismatched{Run: "r1", Step: 10, Applied: []float64{1, 0.5}, Derived: []float64{1, 1}},
	}},
	{"weights although there were none", "r1", l.StepObserved{Run: "r1", Step: 11}, []l.Event{
		l.WeightsMismatched{Run: "r1", Step: 11, Applied: []float64{1, 2}},
	}},
	{"a rollback overtakes a step of it", "r1", l.StepObserved{Run: "r1", Step: 12}, []l.Event{
		l.StepOvertaken{Run: "r1", Step: 12, Incarnation: 1, Rollback: "rb-9"},
	}},
	{"the run ends", "r1", l.RunClosed{Run: "r1", Step: 300, Outcome: l.OutcomeOK}, []l.Event{
		l.RunEnded{Run: "r1", Step: 300, Outcome: l.OutcomeOK, Digest: l.Digest{0xab}},
	}},
}

// sharesOf are the shares of a host and two seeds.
func sharesOf(compact bool) l.Shares {
	return l.Shares{
		Steps: 8, HostNorm: 2, HostShare: 0.5, Compact: compact, JumpLimit: 0.3, ConflictLimit: 0.5,
		Seeds: []l.SeedShare{
			{
				Seed: "s1", Stage: l.StageBlending, Steps: 8, Weight: 0.375, Norm: 1.5, Share: 0.375, ShareDelta: 0.375, Alpha: 0.5, Attributed: 1,
				Conflicts: 6, Conflict: 0.75, Parameters: 100, MaskFraction: 0.125, Layers: []l.LayerNorm{{Layer: "out", Norm: 1.25}}, Jumped: true, Conflicting: true,
			},
			{Seed: "s2", Stage: l.StageFossilized, Steps: 8, Weight: 1, Norm: 0.5, Share: 0.125, ShareDelta: -0.125, Alpha: 1, Parameters: 100, MaskFraction: 0.125},
		},
	}
}

var rollbackStory = []scene{
	{"a snapshot is registered and an old one given up", "r1", l.SnapshotTaken{Run: "r1"}, []l.Event{
		l.SnapshotRegistered{Run: "r1", Step: 50, Snapshot: "snap-50", Tier: l.TierFull, Bytes: 4096},
		l.SnapshotEvicted{Run: "r1", Snapshot: "snap-0", Tier: l.TierFull, Why: l.EvictSurplus, Gone: true},
	}},
	{"its copy in shared memory takes the place of an older one", "r1", l.SnapshotTaken{Run: "r1"}, []l.Event{
		l.SnapshotEvicted{Run: "r1", Snapshot: "snap-40", Tier: l.TierFast, Why: l.EvictNoRoom},
		l.SnapshotRegistered{Run: "r1", Step: 50, Snapshot: "snap-50", Tier: l.TierFast, Bytes: 4096, Further: true, FastBytes: 8192},
	}},
	{"another does not fit there", "r1", l.SnapshotTaken{Run: "r1"}, []l.Event{
		l.SnapshotRefused{Run: "r1", Step: 55, Snapshot: "snap-55", Tier: l.TierFast, Reason: "its 9 bytes do not fit"},
	}},
	{"a copy on disk is gone", "r1", l.SnapshotLost{Run: "r1"}, []l.Event{
		l.SnapshotEvicted{Run: "r1", Snapshot: "snap-30", Tier: l.TierFull, File: "snap-30", Why: l.EvictLost, Detail: "the file is missing", FastBytes: 8192},
	}},
	{"a file in shared memory is nobody's", "r1", l.SnapshotLost{Run: "r1"}, []l.Event{
		l.SnapshotEvicted{Run: "r1", Tier: l.TierFast, File: "stray", Why: l.EvictOrphaned, Detail: "no registered snapshot names it", FastBytes: 8192},
	}},
	{"a snapshot whose bytes are not what they were", "r1", l.SnapshotTaken{Run: "r1"}, []l.Event{
		l.SnapshotRefused{Run: "r1", Step: 60, Snapshot: "snap-60", Tier: l.TierFull, Reason: "digest mismatch"},
	}},
	{"a step goes wrong and a rollback begins", "r1", l.StepObserved{Run: "r1", Step: 61}, []l.Event{
		l.TrainingAssessed{Run: "r1", Step: 61, Health: l.HealthNonFinite, Loss: nan, LossEWMA: l.Moments{Mean: 1.2, N: 60}},
		l.EmergencyEscalated{Run: "r1", From: l.EmergencyNotice, To: l.EmergencyElevated, Reason: l.FaultNonFinite},
		l.RollbackStarted{Run: "r1", Rollback: "rb-4", Cause: l.FaultNonFinite, FaultStep: 61, Snapshot: "snap-50", ToStep: 50, Tier: l.TierFull},
	}},
	{"the signal is out", "r1", l.EmergencyDelivered{Run: "r1"}, []l.Event{
		l.EmergencyPublished{Run: "r1", Effect: l.EffectID{Seq: 4, Index: 1}, Level: l.EmergencyElevated, Outcome: l.OutcomeOK, TookNs: 80_000},
	}},
	{"the bytes are staged", "r1", l.RollbackReported{Run: "r1"}, []l.Event{
		l.RollbackAdvanced{Run: "r1", Rollback: "rb-4", Phase: l.PhaseCommit, TookNs: 5_000_000},
	}},
	{"the trainer has restored them in time", "r1", l.RollbackReported{Run: "r1"}, []l.Event{
		l.RollbackFinished{
			Run: "r1", Rollback: "rb-4", Outcome: l.OutcomeOK, Snapshot: "snap-50", Step: 50, Incarnation: 2, Lineage: 1,
			CommitNs: 12_000_000, TotalNs: 20_000_000, WithinSLA: true,
		},
		l.EmergencyCleared{Run: "r1", From: l.EmergencyElevated, To: l.EmergencyNotice, Reason: l.FaultRecovered},
	}},
	{"the fast tier is too slow", "r1", l.TimerFired{Run: "r1"}, []l.Event{
		l.RollbackAdvanced{Run: "r1", Rollback: "rb-7", Phase: l.PhasePrepare, Tier: l.TierFull, Left: l.PhasePrepare, Reason: l.FaultPhaseOverrun},
	}},
	{"a rollback is served by the fast tier", "r1", l.RollbackReported{Run: "r1"}, []l.Event{
		l.RollbackFinished{Run: "r1", Rollback: "rb-7", Outcome: l.OutcomeOK, Snapshot: "snap-50", Step: 50, Tier: l.TierFast, Incarnation: 2, TotalNs: 40e6, WithinSLA: true},
	}},
	{"another rollback is restored, but late", "r1", l.RollbackReported{Run: "r1"}, []l.Event{
		l.RollbackFinished{Run: "r1", Rollback: "rb-8", Outcome: l.OutcomeOK, Snapshot: "snap-50", Step: 50, Incarnation: 3, TotalNs: 13e9},
	}},
	{"the trainer stopped and is resumed", "r1", l.RunOpened{Run: "r1", Resume: true}, []l.Event{
		l.RunResumed{Run: "r1", Incarnation: 4, Lineage: 2, Snapshot: "snap-50", Step: 50, Lost: 55},
	}},
	{"a rollback misses its deadline and the run is halted", "r1", l.TimerFired{Run: "r1"}, []l.Event{
		l.RollbackFinished{Run: "r1", Rollback: "rb-9", Outcome: l.OutcomeDeadline, Reason: l.FaultRollbackDeadline, Snapshot: "snap-50", TotalNs: 12e9},
		l.EmergencyEscalated{Run: "r1", From: l.EmergencyElevated, To: l.EmergencyHalt, Reason: l.FaultRollbackDeadline},
		l.RunHalted{Run: "r1", Step: 61, Reason: l.FaultRollbackDeadline, Detail: "commit took too long"},
	}},
	{"the signal could not be published", "r1", l.EmergencyUndelivered{Run: "r1"}, []l.Event{
		l.EmergencyPublished{Run: "r1", Effect: l.EffectID{Seq: 10, Index: 1}, Level: l.EmergencyHalt, Outcome: l.OutcomeFailed, Reason: "no such file"},
	}},
}
