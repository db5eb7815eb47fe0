package telemetry

import (
	"math"

	l "github.com/esper-plane/esper/leyline"
)

var nan = math.NaN()

var policyStory = []scene{
	{"nothing to do", "r1", l.StepObserved{Run: "r1", Step: 10}, []l.Event{
		l.ActionNone{Run: "r1", Step: 10, Reason: l.RiskWarmingUp},
	}},
	{"a proposal passes; conflicts are high but only watched", "r1", l.StepObserved{Run: "r1", Step: 40}, []l.Event{
		l.RiskAssessed{Run: "r1", Step: 40, Kind: l.CommandSeed, Proposed: l.OpGerminate, Effect: l.EffectNone, Reason: l.RiskPolicy, Checks: []l.RiskCheck{
			{Evaluator: l.EvaluatorLoss, Reason: l.RiskLossSpike, Value: 0.01, Limit: 0.15, OK: true, Mode: l.RuleEnforce},
			{Evaluator: l.EvaluatorOptimizer, Reason: l.RiskConflict, Value: 0.8, Limit: 0.5, Mode: l.RuleShadow},
		}},
		l.CommandProposed{Run: "r1", Step: 40, Kind: l.CommandSeed, Why: "the loss has settled",
			Seed: l.SeedCommand{Operation: l.OpGerminate, Seed: "s1", Blueprint: "mlp-8"}},
	}},
	{"conflicts are high and stop a proposal", "r1", l.StepObserved{Run: "r1", Step: 45}, []l.Event{
		l.RiskAssessed{Run: "r1", Step: 45, Kind: l.CommandSeed, Proposed: l.OpGerminate, Effect: l.EffectSlow, Reason: l.RiskConflict, Checks: []l.RiskCheck{
			{Evaluator: l.EvaluatorOptimizer, Reason: l.RiskConflict, Value: 0.8, Limit: 0.5, Mode: l.RuleEnforce},
		}},
	}},
	{"a loss spike stops a proposal", "r1", l.StepObserved{Run: "r1", Step: 50}, []l.Event{
		l.ConservativeEntered{Run: "r1", Step: 50, Reason: l.RiskLossSpike},
		l.RiskAssessed{Run: "r1", Step: 50, Kind: l.CommandSeed, Proposed: l.OpStartGrafting, Effect: l.EffectConservative, Reason: l.RiskLossSpike, Checks: []l.RiskCheck{
			{Evaluator: l.EvaluatorLoss, Reason: l.RiskLossSpike, Value: 0.3, Limit: 0.15, Mode: l.RuleEnforce},
			{Evaluator: l.EvaluatorOptimizer, Reason: l.RiskConflict, Value: 0.1, Limit: 0.5, OK: true, Mode: l.RuleShadow},
		}},
	}},
	{"every evaluator finds something; some only watch", "r1", l.StepObserved{Run: "r1", Step: 55}, []l.Event{
		l.RiskAssessed{Run: "r1", Step: 55, Kind: l.CommandSeed, Proposed: l.OpGerminate, Effect: l.EffectPause, Reason: l.RiskConservative, Checks: []l.RiskCheck{
			{Evaluator: l.EvaluatorConservative, Reason: l.RiskConservative, Value: 1, Mode: l.RuleEnforce},
			{Evaluator: l.EvaluatorBlueprint, Reason: l.RiskBlueprint, Value: 0.9, Limit: 0.8, Mode: l.RuleEnforce},
			{Evaluator: l.EvaluatorLoss, Reason: l.RiskLossSpike, Value: 0.2, Limit: 0.15, Mode: l.RuleShadow},
			{Evaluator: l.EvaluatorDevice, Reason: l.RiskIsolation, Value: 2, Mode: l.RuleEnforce},
			{Evaluator: l.EvaluatorOptimizer, Reason: l.RiskVolatility, Value: 0.5, Limit: 0.1, Mode: l.RuleEnforce},
			{Evaluator: l.EvaluatorOptimizer, Reason: l.RiskConflict, Value: 0.1, Limit: 0.5, OK: true, Mode: l.RuleShadow},
			{Evaluator: l.EvaluatorTimeouts, Reason: l.RiskPolicyStale, Value: 1, Mode: l.RuleShadow},
		}},
	}},
	{"a blueprint in quarantine is proposed; the volatility is only watched", "r1", l.StepObserved{Run: "r1", Step: 60}, []l.Event{
		l.RiskAssessed{Run: "r1", Step: 60, Kind: l.CommandSeed, Proposed: l.OpGerminate, Effect: l.EffectConservative, Reason: l.RiskQuarantine, Checks: []l.RiskCheck{
			{Evaluator: l.EvaluatorBlueprint, Reason: l.RiskQuarantine, Value: 1, Limit: 0.8, Mode: l.RuleEnforce},
			{Evaluator: l.EvaluatorOptimizer, Reason: l.RiskVolatility, Value: 0.5, Limit: 0.1, Mode: l.RuleShadow},
		}},
	}},
	{"a graft is proposed", "r1", l.StepObserved{Run: "r1", Step: 65}, []l.Event{
		l.CommandProposed{Run: "r1", Step: 65, Kind: l.CommandSeed, Why: "the seed has trained",
			Seed: l.SeedCommand{Operation: l.OpStartGrafting, Seed: "s1", Blend: l.BlendPlan{Mode: l.BlendResidual, TotalSteps: 20, Temperature: 2}}},
	}},
	{"two healthy windows later", "r1", l.StepObserved{Run: "r1", Step: 70}, []l.Event{
		l.ConservativeLeft{Run: "r1", Step: 70, Healthy: 2},
	}},
	{"the question goes to the worker: nothing to say yet", "r1", l.StepObserved{Run: "r1", Step: 80}, []l.Event{
		l.PolicyAsked{Run: "r1", Step: 80, Deadline: 9e9},
	}},
	{"the policy answers", "r1", l.PolicyAnswered{Run: "r1", TookNs: 1_500_000, Reason: l.RiskNothingToDo}, []l.Event{
		l.RiskAssessed{Run: "r1", Step: 80, Effect: l.EffectNone, Reason: l.RiskPolicy},
		l.ActionNone{Run: "r1", Step: 80, Reason: l.RiskNothingToDo},
	}},
	{"an answer that nobody waits for: refused, and not measured", "r1", l.PolicyAnswered{Run: "r1", TookNs: 9_000_000}, []l.Event{
		l.DependencyViolated{Refusal: l.Refusal{Kind: l.RefusalUnknownRequest, Field: "request", Identifier: "7.0"}},
	}},
	{"the policy is too late", "r1", l.PolicyFailed{Run: "r1", Outcome: l.OutcomeDeadline, Reason: "no answer in time", TookNs: 25_000_000}, []l.Event{
		l.PolicyMissed{
			Run: "r1", Step: 90, Request: l.EffectID{Seq: 9, Index: 2}, Outcome: l.OutcomeDeadline, Reason: "no answer in time", TookNs: 25_000_000,
		},
		l.ConservativeEntered{Run: "r1", Step: 90, Reason: l.RiskPolicyTimeout},
		l.ActionNone{Run: "r1", Step: 90, Reason: l.RiskPolicyTimeout},
	}},
	{"the policy fails at once: no time was measured", "r1", l.PolicyFailed{Run: "r1", Outcome: l.OutcomeFailed, Reason: "it panicked"}, []l.Event{
		l.PolicyMissed{Run: "r1", Step: 100, Request: l.EffectID{Seq: 10, Index: 2}, Outcome: l.OutcomeFailed, Reason: "it panicked"},
		l.ActionNone{Run: "r1", Step: 100, Reason: l.RiskPolicyFailed},
	}},
}

var commandStory = []scene{
	{"a command is accepted; its record has no run, its packet has", "", l.CommandReceived{Peer: l.PeerPlane}, []l.Event{
		l.CommandVerified{
			Run: "r1", Command: "cmd-1", Key: "k1", Issuer: "tamiyo", Kind: l.CommandSeed,
			Seed: l.SeedCommand{Operation: l.OpGerminate, Seed: "s1", Blueprint: "mlp-8"},
		},
	}},
	{"the trainer carries it out: nothing to say", "r1", l.CommandAcked{Run: "r1"}, []l.Event{
		l.CommandSettled{Run: "r1", Command: "cmd-1", Outcome: l.OutcomeOK, TookNs: 3_000_000},
	}},
	{"the trainer cannot carry out another", "r1", l.CommandAcked{Run: "r1"}, []l.Event{
		l.CommandSettled{Run: "r1", Command: "cmd-2", Outcome: l.OutcomeFailed, Reason: "out of memory", TookNs: 3_000_000},
	}},
	{"nobody answers a third", "r1", l.TimerFired{Run: "r1"}, []l.Event{
		l.CommandExpired{Run: "r1", Command: "cmd-3", Outcome: l.OutcomeDeadline},
	}},
	{"a forged command", "", l.CommandReceived{Peer: l.PeerOperator}, []l.Event{
		l.CommandRejected{Key: "k1", Reason: l.RejectInvalidSignature, Detail: "signature does not verify"},
	}},
	{"an authentic command comes too early", "", l.CommandReceived{Peer: l.PeerOperator}, []l.Event{
		l.CommandRejected{
			Run: "r1", Command: "cmd-4", Key: "k1", Issuer: "tamiyo", Kind: l.CommandSeed, Operation: l.OpStartGrafting,
			Reason: l.RejectWrongStage, Detail: "s1 is GERMINATED",
		},
	}},
	{"an operator makes the optimizer anew", "", l.CommandReceived{Peer: l.PeerOperator}, []l.Event{
		l.CommandVerified{
			Run: "r1", Command: "cmd-5", Key: "k2", Issuer: "ada", Kind: l.CommandOptimizer,
			Optimizer: l.OptimizerCommand{Action: l.OptimizerRebuildNow, Reason: "its state is stale"},
		},
	}},
	{"and halves the rates", "", l.CommandReceived{Peer: l.PeerOperator}, []l.Event{
		l.CommandVerified{
			Run: "r1", Command: "cmd-6", Key: "k2", Issuer: "ada", Kind: l.CommandOptimizer,
			Optimizer: l.OptimizerCommand{Action: l.OptimizerScale, Factor: 0.5, Reason: "too fast"},
		},
		l.RatesScaled{Run: "r1", Factor: 0.5, Cause: "cmd-6"},
	}},
	{"a breaker cannot be forced into no state", "", l.CommandReceived{Peer: l.PeerOperator}, []l.Event{
		l.CommandRejected{
			Run: "r1", Command: "cmd-7", Key: "k2", Issuer: "ada", Kind: l.CommandCircuitBreaker,
			Reason: l.RejectBreakerInvalid, Detail: "state is not set",
		},
	}},
	{"a command comes twice; the run is a claim, so the packet has none", "", l.CommandReceived{Peer: l.PeerOperator}, []l.Event{
		l.CommandRejected{
			Run: "r1", Command: "cmd-1", Key: "k1", Issuer: "tamiyo", Kind: l.CommandSeed, Operation: l.OpGerminate,
			Reason: l.RejectNonceReplayed, Detail: "used at record 2",
		},
	}},
}

var seedStory = []scene{
	{"a seed germinates and its kernel is fetched", "", l.CommandReceived{Peer: l.PeerPlane}, []l.Event{
		l.GateEvaluated{Run: "r1", Seed: "s1", Gate: l.GateSanity, Passed: true},
		l.SeedMoved{Run: "r1", Seed: "s1", From: l.StageDormant, To: l.StageGerminated, Step: 40, Blueprint: "mlp-8", Cause: "cmd-1"},
		l.PrefetchRequested{Run: "r1", Seed: "s1", Blueprint: "mlp-8", Kernel: "mlp-8.safetensors"},
	}},
	{"the kernel is here", "r1", l.KernelReady{Run: "r1"}, []l.Event{
		l.PrefetchSettled{Run: "r1", Seed: "s1", Request: l.EffectID{Seq: 2, Index: 2}, Outcome: l.OutcomeOK, TookNs: 4_500_000},
	}},
	{"a blend is configured and steps once", "r1", l.StepObserved{Run: "r1"}, []l.Event{
		l.BlendConfigured{Run: "r1", Seed: "s1", Source: "tamiyo", Plan: l.BlendPlan{Mode: l.BlendConvex, TotalSteps: 20, Temperature: 2}, Loss: 0.75},
		l.SeedMoved{Run: "r1", Seed: "s1", From: l.StageTraining, To: l.StageBlending, Step: 100, Blueprint: "mlp-8", Cause: "cmd-3"},
		l.BlendStepped{Run: "r1", Seed: "s1", AlphaStep: 1, Alpha: 0.0109375},
	}},
	{"the schedule has come to its end", "r1", l.StepObserved{Run: "r1"}, []l.Event{
		l.BlendStepped{Run: "r1", Seed: "s1", AlphaStep: 20, Alpha: 1, Complete: true},
	}},
	{"the seed leaks, more than ever in its stage", "r1", l.StepObserved{Run: "r1"}, []l.Event{
		l.IsolationAssessed{Run: "r1", Seed: "s1", Steps: 7, Leak: 0.5, MaxLeak: 0.5, Violated: true, News: true, Violations: 1, RunViolations: 1, Breaker: l.BreakerClosed, Health: l.SeedUnhealthy},
	}},
	{"and leaks again, but less: counted only", "r1", l.StepObserved{Run: "r1"}, []l.Event{
		l.IsolationAssessed{Run: "r1", Seed: "s1", Steps: 8, Leak: 0.25, MaxLeak: 0.5, Violated: true, Violations: 2, RunViolations: 2, Breaker: l.BreakerClosed, Health: l.SeedUnhealthy},
	}},
	{"a gate fails on a leak and the seed is culled", "r1", l.StepObserved{Run: "r1"}, []l.Event{
		l.GateEvaluated{Run: "r1", Seed: "s1", Gate: l.GateInterface, Reason: l.ReasonIsolation, Checks: []l.Check{
			{Name: "mesh", Value: 1, Limit: 1, OK: true, Mode: l.RuleEnforce},
			{Name: "latency", Value: 20, Limit: 10, Mode: l.RuleShadow},
			{Name: "leak", Value: 0.5, Limit: 1e-6, Mode: l.RuleEnforce},
		}},
		l.SeedMoved{Run: "r1", Seed: "s1", From: l.StageBlending, To: l.StageCulled, Step: 101, Blueprint: "mlp-8", Cause: "G3_INTERFACE"},
		l.SeedMoved{Run: "r1", Seed: "s1", From: l.StageCulled, To: l.StageEmbargoed, Step: 101, Blueprint: "mlp-8", Cause: "G3_INTERFACE"},
	}},
	{"the embargo is over and the slot is empty again", "r1", l.TimerFired{Run: "r1"}, []l.Event{
		l.SeedMoved{Run: "r1", Seed: "s1", From: l.StageEmbargoed, To: l.StageResetting, Step: 140, Cause: "timer"},
		l.GateEvaluated{Run: "r1", Seed: "s1", Gate: l.GateReset, Passed: true},
		l.SeedMoved{Run: "r1", Seed: "s1", From: l.StageResetting, To: l.StageDormant, Step: 140, Cause: "G5_RESET"},
	}},
	{"a gate fails without saying on what", "r1", l.TimerFired{Run: "r1"}, []l.Event{
		l.GateEvaluated{Run: "r1", Seed: "s2", Gate: l.GateReset, Reason: "not clean"},
	}},
	{"the host lacks a layer", "r1", l.CommandReceived{}, []l.Event{
		l.GateEvaluated{
			Run: "r1", Seed: "s2", Gate: l.GateInterface, Reason: l.ReasonMesh, Checks: []l.Check{{Name: "mesh_missing_layers", Value: 1, Mode: l.RuleEnforce}},
			Mesh: l.MeshCoverage{Missing: []string{"layer2"}, Required: []string{"layer1", "layer2"}, Available: []string{"layer1"}},
		},
	}},
	{"a seed is paused", "", l.CommandReceived{}, []l.Event{l.SeedPaused{Run: "r1", Seed: "s1", Step: 120, Cause: "cmd-8"}}},
	{"and resumed", "", l.CommandReceived{}, []l.Event{l.SeedResumed{Run: "r1", Seed: "s1", Step: 130, Blueprint: "mlp-8", Cause: "cmd-9"}}},
	{"a kernel could not be read", "r1", l.KernelFailed{Run: "r1"}, []l.Event{
		l.PrefetchSettled{Run: "r1", Seed: "s2", Request: l.EffectID{Seq: 9}, Outcome: l.OutcomeFailed, Reason: "digest mismatch", TookNs: 1_000_000},
	}},
	{"a kernel is late", "r1", l.TimerFired{Run: "r1"}, []l.Event{
		l.PrefetchSettled{Run: "r1", Seed: "s2", Request: l.EffectID{Seq: 10}, Outcome: l.OutcomeDeadline},
	}},
	{"a rollback makes a prefetch void", "r1", l.RollbackReported{Run: "r1"}, []l.Event{
		l.PrefetchSettled{Run: "r1", Seed: "s2", Request: l.EffectID{Seq: 11}, Outcome: l.OutcomeSuperseded},
	}},
	{"a seed is put on probation", "", l.CommandReceived{Peer: l.PeerPlane}, []l.Event{
		l.SeedMoved{Run: "r1", Seed: "s1", From: l.StageShadowing, To: l.StageProbationary, Step: 200, Blueprint: "mlp-8", ProbeFrom: 210, Cause: "cmd-7"},
	}},
	{"its contribution is measured the second time", "r1", l.SeedProbed{Run: "r1", Seed: "s1", Step: 220}, []l.Event{
		l.ContributionMeasured{
			Run: "r1", Seed: "s1", Step: 220, Probes: 2, Accuracy: 0.03125, Loss: 0.0625, MeanAccuracy: 0.015625, MeanLoss: -0.125, Next: 230,
		},
	}},
}
