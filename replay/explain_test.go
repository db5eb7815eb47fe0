package replay

import (
	"math"
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
)

// TestWordsSayTheFigures holds the words to what a person looks for first.
func TestWordsSayTheFigures(t *testing.T) {
	const second = 1_000_000_000
	plan := leyline.RunOpened{Workload: "w", Steps: 9, Seeds: []leyline.SeedID{"seed-a"}, Blueprints: []leyline.BlueprintID{"bp-1", "bp-2"}}
	for _, c := range []struct {
		event leyline.Event
		want  string
	}{
		{leyline.TrainingAssessed{Step: 8, Health: leyline.HealthSuspect, Loss: 4.1, Limit: 3, Suspect: 2, LossEWMA: leyline.Moments{Mean: 1}},
			"step 8 is suspect: loss 4.1 is over its limit 3, 2 in a row, running mean 1"},
		{leyline.TrainingAssessed{Step: 9, Health: leyline.HealthDiverged, Loss: 4.5, Limit: 3, Suspect: 3, LossEWMA: leyline.Moments{Mean: 1}},
			"step 9 is diverged: loss 4.5 is over its limit 3, 3 in a row, running mean 1"},
		{leyline.TrainingAssessed{Step: 8, Health: leyline.HealthHealthy, Loss: 4.1, Limit: 3, Suspect: 1, LossEWMA: leyline.Moments{Mean: 2}},
			"step 8 is healthy: loss 4.1 is over its limit 3, 1 in a row (only watched), running mean 2"},
		{leyline.TrainingAssessed{Step: 9, Health: leyline.HealthNonFinite, Loss: math.Inf(1), LossEWMA: leyline.Moments{Mean: 2}},
			"step 9 is non_finite: loss +Inf, running mean 2"},
		{leyline.TrainingAssessed{Step: 7, Health: leyline.HealthHealthy, Loss: 1, Limit: 3, LossEWMA: leyline.Moments{Mean: 1}},
			"step 7 is healthy: loss 1, running mean 1"},
		{leyline.ContributionMeasured{Seed: "seed-a", Step: 70, Probes: 3, Accuracy: 0.125, Loss: 0.25, MeanAccuracy: 0.0625, MeanLoss: -0.5, Next: 80},
			"seed seed-a at step 70: this probe adds 0.125 to accuracy and takes 0.25 off the loss, the mean over 3 is 0.0625 and -0.5; next from step 80"},
		{leyline.PolicyAsked{Step: 40, Deadline: second}, "step 40: the policy is asked, to answer by 1970-01-01T00:00:01.000000Z"},
		{leyline.PolicyMissed{Step: 40, Request: leyline.EffectID{Seq: 9, Index: 2}, Outcome: leyline.OutcomeDeadline, Reason: "late", TookNs: 25_000_000},
			`step 40: the policy did not answer question 9.2: deadline_exceeded after 25ms: "late"`},
		{leyline.TrainerStalled{Step: 12, AgeNs: 2 * second}, "nothing was heard of the trainer for 2s; its last step was 12"},
		{leyline.TrainerReturned{Step: 12, AgeNs: 3 * second}, "the trainer reports again after 3s; its last step was 12"},
		{leyline.SeedMoved{Seed: "seed-a", From: leyline.StageCulled, To: leyline.StageEmbargoed, Step: 12, UntilStep: 112, Cause: "c"},
			`seed seed-a moves from CULLED to EMBARGOED at step 12 by "c", closed until step 112`},
		{leyline.SeedMoved{Seed: "seed-a", From: leyline.StageCulled, To: leyline.StageEmbargoed, Step: 12, Until: second, Cause: "c"},
			`seed seed-a moves from CULLED to EMBARGOED at step 12 by "c", closed until 1970-01-01T00:00:01.000000Z`},
		{leyline.SeedMoved{Seed: "seed-a", From: leyline.StageShadowing, To: leyline.StageProbationary, Step: 60, ProbeFrom: 70, Cause: "c"},
			`seed seed-a moves from SHADOWING to PROBATIONARY at step 60 by "c", to be probed from step 70`},
		{leyline.BlendConfigured{Seed: "seed-a", Plan: leyline.BlendPlan{Mode: leyline.BlendResidual, TotalSteps: 6, Temperature: 2}, Loss: 0.5},
			"seed seed-a will blend RESIDUAL in 6 steps at temperature 2; the running loss before it is 0.5"},
		{leyline.BlendConfigured{Seed: "seed-a", Plan: leyline.BlendPlan{Mode: leyline.BlendChannel, TotalSteps: 6, Temperature: 2, Channels: []float64{0.5, 1}, ChannelCount: 2}, Loss: 0.5},
			"seed seed-a will blend CHANNEL in 6 steps at temperature 2, by the shares of 2 channels; the running loss before it is 0.5"},
		{leyline.BlendConfigured{Seed: "seed-a", Plan: leyline.BlendPlan{
			Mode: leyline.BlendConfidence, TotalSteps: 6, Temperature: 2, Gate: leyline.ConfidenceGate{K: 4, Tau: 0.25, Hi: 1}, Source: leyline.LogitsSeed,
		}, Loss: 0.5}, "seed seed-a will blend CONFIDENCE in 6 steps at temperature 2, by the confidence of the SEED (k 4, tau 0.25) between 0 and 1; the running loss before it is 0.5"},
		{leyline.IsolationAssessed{Seed: "seed-a", Steps: 7, GradNorm: 0.5, Cosine: 0.25, Health: leyline.SeedHealthy},
			"seed seed-a: gradient 0.5, cosine 0.25, leak 0 after 7 steps; HEALTHY"},
		{leyline.IsolationAssessed{Seed: "seed-a", Steps: 7, GradNorm: 0.5, Cosine: 1, Coupled: true, Leak: 0.5, Violated: true, Violations: 2, RunViolations: 3, Health: leyline.SeedUnhealthy},
			"seed seed-a: gradient 0.5, cosine 1 (over the limit), leak 0.5 after 7 steps; UNHEALTHY, isolation violated: 2 times by this seed, 3 in the run"},
		{leyline.SeedFailed{Seed: "seed-a", Step: 9, Failure: leyline.SeedFailureForward, Reason: "its output is NaN"},
			`seed seed-a had no part in step 9: its forward failed: "its output is NaN"`},
		{leyline.RollbackStarted{
			Rollback: "rb-4", Cause: leyline.FaultDiverged, FaultStep: 9, Snapshot: "s-5", ToStep: 5, Tier: leyline.TierFull, Seen: second, Since: 3 * second,
			Deadline: 4 * second,
		}, "rollback rb-4 starts: step 9 showed diverged, back to step 5 of snapshot s-5 (full), 2s after it was seen, by 1970-01-01T00:00:04.000000Z"},
		{leyline.RollbackStarted{
			Rollback: "rb-4", Cause: leyline.FaultNonFinite, FaultStep: 9, Snapshot: "s-5", ToStep: 5, Tier: leyline.TierFull, Seen: second, Since: second,
		}, "rollback rb-4 starts: step 9 showed non_finite, back to step 5 of snapshot s-5 (full), without a deadline"},
		{leyline.CompileFellBack{Run: "r", Step: 7, Seed: seedID, Stage: leyline.FallbackRuntime, Reason: "boom", Count: 2},
			`compiled code of seed seed-a was given up for eager execution at step 7 (runtime), fallback 2 of it: "boom"`},
		{leyline.BreakerMoved{Breaker: leyline.BreakerCompile, From: leyline.BreakerClosed, To: leyline.BreakerOpen, Failures: 3, UntilStep: 40, Reason: leyline.BreakerCompileFallback},
			`breaker compile moves from CLOSED to OPEN with 3 failures in a row, until 40 healthy steps, by compile_fallback`},
		{leyline.BreakerMoved{Breaker: leyline.BreakerKernel, Action: leyline.BreakerCount, From: leyline.BreakerHalfOpen, To: leyline.BreakerHalfOpen, Failures: 3, Successes: 1, Reason: leyline.BreakerSuccess},
			`breaker kernel is HALF_OPEN with 3 failures in a row and 1 successes, by success`},
		{leyline.BreakerMoved{Breaker: leyline.BreakerKernel, Action: leyline.BreakerForced, From: leyline.BreakerOpen, To: leyline.BreakerClosed, Reason: leyline.BreakerOperator},
			`breaker kernel moves from OPEN to CLOSED with 0 failures in a row, forced, by operator`},
		{leyline.PrefetchSettled{Seed: "seed-a", Outcome: leyline.OutcomeOK, Origin: leyline.KernelFromCache, TookNs: 1e6}, `fetching the kernel of seed seed-a ended ok in 1ms, from the cache`},
		{leyline.PrefetchesCancelled{Runs: 1, Requests: 2, Reason: "shutdown"}, `2 fetches of 1 runs were cancelled: "shutdown"`},
		{leyline.EmergencyCleaned{Command: "c", Kernels: 2, Bytes: 1 << 20, Kept: 1, TookNs: 1e6}, `command c has emptied the kernel cache of 2 kernels, 1.0 MiB, in 1ms; 1 stay`},
		{leyline.DiskLow{Free: 1 << 19, Total: 1 << 30, Threshold: 256 << 20},
			"the disk is nearly full, 0.5 MiB of 1024.0 MiB are free, under the limit of 256.0 MiB: new runs are refused"},
		{leyline.KeyWithdrawn{Key: "aa", Issuer: "ada", Reason: "lost", By: "bb"}, `key aa of "ada" is revoked, vouched for by bb: "lost"`},
		{leyline.KeyWithdrawn{Key: "aa", Issuer: "ada", Reason: "lost", By: "bb", Next: "cc"}, `key aa of "ada" is revoked, vouched for by bb, and key cc takes its place: "lost"`},
		{leyline.CommandsRefused{Peer: leyline.PeerTrainer, Others: true, Counts: []leyline.RejectCount{{Reason: leyline.RejectMalformed, N: 5}}},
			`the door has refused 5 malformed of all other peers`},
		{leyline.ClockAlarmed{AmountNs: -600e9, Old: 601e9, New: 1e9},
			"the wall clock was set back by 10m0s, from 1970-01-01T00:10:01.000000Z to 1970-01-01T00:00:01.000000Z; plane time does not follow"},
		{leyline.DiskRecovered{Free: 320 << 20, Total: 1 << 30, Threshold: 256 << 20},
			"the disk has room again, 320.0 MiB of 1024.0 MiB are free: new runs are opened again"},
		{leyline.DiskRecovered{Free: 1 << 19, Total: 1 << 30},
			"the disk is not watched any more, 0.5 MiB of 1024.0 MiB are free: new runs are opened again"},
		{leyline.CommandVerified{Command: "c", Issuer: "ada", Kind: leyline.CommandPause, Pause: leyline.PauseCommand{Action: leyline.PauseStart, Scope: leyline.PauseRun, Reason: "look"}},
			`command c of "ada" is accepted: pause every seed of the run, to be answered by 1970-01-01T00:00:00.000000Z: "look"`},
		{leyline.CommandVerified{Command: "c", Issuer: "ada", Kind: leyline.CommandOptimizer, Optimizer: leyline.OptimizerCommand{Action: leyline.OptimizerScale, Factor: 0.5}},
			`command c of "ada" is accepted: multiply the learning rates by 0.5`},
		{leyline.CommandVerified{Command: "c", Issuer: "ada", Kind: leyline.CommandCircuitBreaker, Breaker: leyline.BreakerCommand{Breaker: leyline.BreakerEpochs, State: leyline.BreakerOpen}},
			`command c of "ada" is accepted: force breaker epochs to OPEN`},
		{leyline.CommandVerified{Command: "c", Issuer: "ada", Kind: leyline.CommandRollback, Rollback: leyline.RollbackCommand{Step: 7}},
			`command c of "ada" is accepted: go back to step 7`},
		{leyline.GateEvaluated{Seed: "s", Gate: leyline.GateInterface, Reason: leyline.ReasonMesh, Mesh: leyline.MeshCoverage{Missing: []string{"b"}, Required: []string{"a", "b"}, Available: []string{"a"}}},
			`gate G3_INTERFACE stops seed s; 0 checks hold; of the layers [a b] the host lacks [b], it has [a]: "mesh_incomplete"`},
		{leyline.RunStarted{Run: "r", Incarnation: 1, Plan: plan}, `run r starts in incarnation 1: "w" for 9 steps; seed slots [seed-a], blueprints [bp-1 bp-2]`},
	} {
		if got := eventWords(c.event); got != c.want {
			t.Errorf("%s\n got %q\nwant %q", c.event.EventKind(), got, c.want)
		}
	}
}

// TestEveryKindHasWords fails when a kind of event is told by its Go fields.
func TestEveryKindHasWords(t *testing.T) {
	for _, e := range everyEvent() {
		if got := eventWords(e); strings.HasPrefix(got, "{") {
			t.Errorf("%s is told as %q", e.EventKind(), got)
		}
	}
	for i, k := range leyline.EventUnspecified.Members() {
		if i >= len(everyEvent()) || everyEvent()[i].EventKind() != k {
			t.Errorf("%s is not tried", k)
		}
	}
}

// everyEvent lists one event of every kind, in the order of kinds.
func everyEvent() []leyline.Event {
	return []leyline.Event{
		leyline.DependencyViolated{}, leyline.PlaneBooted{}, leyline.EffectRecovered{}, leyline.ConfigAdopted{}, leyline.KeyEnrolled{},
		leyline.BlueprintAdmitted{}, leyline.RunStarted{}, leyline.RunResumed{}, leyline.RunEnded{}, leyline.RunHalted{},
		leyline.GradientsCombined{}, leyline.TrainingAssessed{}, leyline.EpochAssessed{}, leyline.ConservativeEntered{},
		leyline.ConservativeLeft{}, leyline.RiskAssessed{}, leyline.ActionNone{}, leyline.CommandProposed{}, leyline.CommandVerified{},
		leyline.CommandRejected{}, leyline.CommandSettled{}, leyline.CommandExpired{}, leyline.GateEvaluated{}, leyline.SeedMoved{},
		leyline.BlendConfigured{}, leyline.BlendStepped{}, leyline.IsolationAssessed{}, leyline.PrefetchRequested{},
		leyline.PrefetchSettled{}, leyline.SnapshotRegistered{}, leyline.SnapshotRefused{}, leyline.SnapshotEvicted{},
		leyline.RollbackStarted{}, leyline.RollbackAdvanced{}, leyline.RollbackFinished{}, leyline.EmergencyEscalated{},
		leyline.EmergencyCleared{}, leyline.EmergencyPublished{}, leyline.ContributionMeasured{}, leyline.PolicyAsked{},
		leyline.PolicyMissed{}, leyline.TrainerStalled{}, leyline.TrainerReturned{}, leyline.DiskLow{}, leyline.DiskRecovered{},
		leyline.CompileFellBack{}, leyline.BreakerMoved{}, leyline.ProfileRecorded{}, leyline.EpochFailed{}, leyline.RateSet{}, leyline.RateAcked{}, leyline.OptimizerRebuild{},
		leyline.EmergencyDispatched{}, leyline.EmergencyHeld{},
		leyline.SeedFailed{},
		leyline.KeyWithdrawn{}, leyline.CommandsRefused{}, leyline.ClockAlarmed{},
		leyline.ParametersRegistered{}, leyline.RegistryConflicted{}, leyline.TeacherEnrolled{}, leyline.TeacherForgotten{}, leyline.RegistryReset{},
		leyline.BlueprintRetired{}, leyline.PrefetchLate{}, leyline.PrefetchesCancelled{}, leyline.EmergencyCleaned{},
		leyline.SeedPaused{}, leyline.SeedResumed{}, leyline.RatesScaled{}, leyline.PolicyWeighed{},
		leyline.FieldReportOpened{}, leyline.FieldReportFiled{}, leyline.FieldReportDelivered{}, leyline.FieldReportDeferred{}, leyline.FieldReportRetried{},
		leyline.FieldReportDropped{},
		leyline.MetadataAsked{}, leyline.MetadataSettled{}, leyline.MetadataMissed{}, leyline.PolicyRefused{}, leyline.AnswerLate{},
		leyline.ConservativeRefreshed{}, leyline.BudgetLearned{},
		leyline.WindowEnded{}, leyline.FieldReportMeasured{},
		leyline.PolicyAdmitted{}, leyline.PolicyRequested{}, leyline.PolicyActivated{}, leyline.PolicyReverted{}, leyline.PolicyConfirmed{}, leyline.PolicyRejected{},
		leyline.WeightsMismatched{}, leyline.StepOvertaken{},
	}
}

func TestInputsAreNamed(t *testing.T) {
	for _, c := range []struct {
		in   leyline.Input
		want string
	}{
		{leyline.SeedProbed{Run: "r", Step: 70, Seed: "seed-a", Alpha: 1}, "seed.probed of run r, step 70, seed seed-a at alpha 1"},
		{leyline.PolicyAnswered{Run: "r", Request: leyline.EffectID{Seq: 9, Index: 2}, Reason: leyline.RiskNothingToDo},
			"policy.answered of run r, question 9.2: nothing for nothing_to_do"},
		{leyline.PolicyAnswered{Run: "r", Request: leyline.EffectID{Seq: 9}, Command: leyline.SeedCommand{Operation: leyline.OpEvaluate, Seed: "seed-a"}},
			"policy.answered of run r, question 9.0: EVALUATE of seed seed-a"},
		{leyline.PolicyFailed{Run: "r", Request: leyline.EffectID{Seq: 9}, Outcome: leyline.OutcomeDeadline},
			"policy.failed of run r, question 9.0: deadline_exceeded"},
		{leyline.MetadataFailed{Run: "r", Request: leyline.EffectID{Seq: 9}, Fault: leyline.SheetMissing}, "metadata.failed of run r, lookup 9.0: missing"},
		{leyline.PeerRejected{Peer: leyline.PeerOperator, PeerName: "eve", Counts: []leyline.RejectCount{{Reason: leyline.RejectUnknownKey, N: 2}, {Reason: leyline.RejectInvalidSignature, N: 70}}},
			`peer.rejected, 2 unknown_key, 70 invalid_signature of operator "eve"`},
		{leyline.ClockStepped{AmountNs: -600e9}, "clock.stepped, by -10m0s"},
		{leyline.DiskMeasured{Free: 1 << 19, Total: 1 << 30}, "disk.measured, 0.5 MiB of 1024.0 MiB are free"},
	} {
		if got := inWords(c.in); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
