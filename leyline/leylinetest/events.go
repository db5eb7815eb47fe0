package leylinetest

import (
	"strings"

	"github.com/esper-plane/esper/leyline"
)

// Events returns the cases of every kind of event, by subsystem.
func Events() []Case[leyline.Event] {
	var out []Case[leyline.Event]
	for _, list := range [][]Case[leyline.Event]{
		planeEvents(), runEvents(), rollbackEvents(), policyEvents(), weighedEvents(), commandEvents(), seedEvents(), verificationEvents(), registryEvents(), reportEvents(), cautionEvents(), artifactEvents(),
	} {
		out = append(out, list...)
	}
	return out
}

func planeEvents() []Case[leyline.Event] {
	return []Case[leyline.Event]{
		event[leyline.DependencyViolated]("", within("refusal", "subsystem kind field identifier? reason hint?"), nil),
		event("", "boot origin previous? admin_key boots decider clean? fast_free? catalogue?", func(x *leyline.PlaneBooted) { x.AdminKey = key() }),
		event[leyline.EffectRecovered]("", "effect kind run reissued?", nil),
		event[leyline.ConfigAdopted]("", "digest key"+within("config", "tolaria tamiyo kasmina plane log posture breaker telemetry rules"), nil),
		event("", within("key", "id public issuer kinds kinds[0] runs? runs[0] rate? serial? sheets?")+" by",
			func(x *leyline.KeyEnrolled) { x.Key.Public, x.Key.Sheets = key(), false }),
		event[leyline.BlueprintAdmitted]("", within("blueprint", blueprint), nil),
		event[leyline.BlueprintRetired]("", "blueprint reason", nil),
		event("", "free? total threshold", func(x *leyline.DiskLow) { x.Free = 1 }),
		event("", "free total threshold?", func(x *leyline.DiskRecovered) { x.Free = x.Threshold }),
	}
}

func runEvents() []Case[leyline.Event] {
	tallied := "tally.steps? tally.host_norm? tally.host_share? tally.seeds?" + within("tally.seeds[0]",
		"seed steps weight? norm? share? alpha? attributed? conflicts? parameters? layers? layers[0].layer layers[0].norm?")
	const assessed = " confirms? confirms[0] first_good? limit? chance? anomaly "
	const optimizer = " before.groups? before.parameters? before.digest? after.groups? after.parameters? after.digest? took_ns?"
	return []Case[leyline.Event]{
		event("", "run incarnation quiet_by"+within("plan", plan), func(x *leyline.RunStarted) { waits(&x.Plan) }),
		event[leyline.WeightsMismatched]("", "run step applied derived?", nil),
		event[leyline.StepOvertaken]("", "run step incarnation rollback", nil),
		event[leyline.RunResumed]("from a snapshot", "run incarnation lineage? snapshot step? lost? quiet_by rollback?"+posture, nil),
		event("from the beginning", "run incarnation lineage? snapshot? step? lost? quiet_by rollback?"+posture,
			func(x *leyline.RunResumed) { x.Snapshot, x.Step = "", 0 }),
		event[leyline.RunEnded]("that went well", "run step? outcome digest", nil),
		event("that failed", "run step? outcome digest?", func(x *leyline.RunEnded) { x.Outcome = leyline.OutcomeFailed }),
		event[leyline.RunHalted]("", "run step? reason detail", nil),
		event("", "run step method weights conflicts? ratio? targets?", func(x *leyline.GradientsCombined) { x.Targets = []float64{0, 0.5, 0.5, 0} }),
		event("as healthy", "run step health loss? delta? loss_ewma grad_ewma conflict_ewma"+
			assessed+"suspect? step_ewma? rate_ewma? samples? "+tallied+" profiled? quiet_by hook_ns?", diverging(leyline.HealthHealthy)),
		event("as not finite", "run step health loss? delta? loss_ewma? grad_ewma? conflict_ewma?"+assessed+"suspect? step_ewma? rate_ewma? samples? "+tallied+" profiled? quiet_by? hook_ns?",
			diverging(leyline.HealthNonFinite)),
		event("as suspect", "run step health loss? delta? loss_ewma grad_ewma conflict_ewma"+assessed+"suspect step_ewma? rate_ewma? samples? "+tallied+" profiled? quiet_by hook_ns?",
			diverging(leyline.HealthSuspect)),
		event("as diverged", "run step health loss? delta? loss_ewma grad_ewma conflict_ewma"+assessed+"suspect step_ewma? rate_ewma? samples? "+tallied+" profiled? quiet_by? hook_ns?",
			diverging(leyline.HealthDiverged)),
		event("as collapsed", "run step health loss? delta? loss_ewma grad_ewma conflict_ewma"+assessed+"suspect step_ewma? rate_ewma? samples? "+tallied+" profiled? quiet_by? hook_ns?",
			diverging(leyline.HealthCollapsed)),
		event[leyline.EpochAssessed]("", "run step? epoch losses accuracies shares.steps? shares.host_norm? shares.host_share? shares.seeds?"+
			within("shares.seeds[0]", "seed stage? steps weight? norm? share? share_delta? alpha? attributed? conflicts? conflict? parameters? mask_fraction?"+
				" layers? layers[0].layer layers[0].norm? jumped? conflicting?")+" shares.compact? shares.jump_limit? shares.conflict_limit? took_ns? budget_ns? hook_ns? hook_budget? streak?", nil),
		event("that was written", "run first last file bytes outcome reason? took_ns?", written),
		event("that could not be written", "run first last file? bytes? outcome reason took_ns?",
			func(x *leyline.ProfileRecorded) { x.Outcome = leyline.OutcomeFailed }),
		event[leyline.EpochFailed]("for a budget", "run step? epoch reason took_ns budget_ns streak?", func(x *leyline.EpochFailed) { x.Reason = leyline.EpochBudget }),
		event("for an answer that was late", "run step? epoch reason took_ns? budget_ns? streak?",
			func(x *leyline.EpochFailed) { x.Reason = leyline.EpochTamiyoTimeout }),
		event[leyline.RateSet]("", "run step policy factor? rates deadline", nil),
		event[leyline.RateAcked]("", "run order outcome reason? took_ns?", nil),
		event[leyline.OptimizerRebuild]("that is asked for", "run step? fence stage reason? detail? order? deadline"+optimizer, nil),
		event("that is left out", "run step? fence stage reason detail? order? deadline?"+optimizer,
			func(x *leyline.OptimizerRebuild) { x.Stage = leyline.RebuildSkipped }),
		event("that has failed", "run step? fence stage reason detail? order deadline?"+optimizer,
			func(x *leyline.OptimizerRebuild) { x.Stage = leyline.RebuildFailed }),
		event("that is done", "run step? fence stage reason? detail? order deadline?"+optimizer,
			func(x *leyline.OptimizerRebuild) { x.Stage = leyline.RebuildDone }),
		event[leyline.TrainerStalled]("", "run step? age_ns", nil),
		event[leyline.TrainerReturned]("", "run step? age_ns", nil),
	}
}

func written(x *leyline.ProfileRecorded) { x.Outcome = leyline.OutcomeOK }

// diverging makes a step one of a row, with the health that the row has reached.
func diverging(h leyline.Health) func(*leyline.TrainingAssessed) {
	return func(x *leyline.TrainingAssessed) { x.Health, x.Anomaly = h, leyline.FaultDiverged }
}

func rollbackEvents() []Case[leyline.Event] {
	return []Case[leyline.Event]{
		event[leyline.SnapshotRegistered]("", "run incarnation step? snapshot tier file bytes digest check? further? fast_bytes?", nil),
		event[leyline.SnapshotRefused]("", "run step? snapshot tier file bytes? reason", nil),
		event("that was registered", "run snapshot tier file why detail? gone? fast_bytes?", func(x *leyline.SnapshotEvicted) { x.Why = leyline.EvictLost }),
		event("that nobody registered", "run snapshot? tier file why detail? gone? fast_bytes?", func(x *leyline.SnapshotEvicted) { x.Why = leyline.EvictOrphaned }),
		event("", "run rollback cause fault_step reached snapshot to_step? tier seen since deadline? level_by? phase_by?",
			func(x *leyline.RollbackStarted) { x.ToStep = x.FaultStep - 1 }),
		event[leyline.RollbackAdvanced]("", "run rollback phase tier took_ns? phase_by? left? reason", nil),
		event[leyline.RollbackFinished]("well", "run rollback outcome reason? snapshot step? tier overran? incarnation lineage digest? check?"+
			" commit_ns? total_ns? within_sla? quiet_by", nil),
		event("in vain", "run rollback outcome reason snapshot step? tier overran? incarnation lineage? digest? check?"+
			" commit_ns? total_ns? within_sla? quiet_by?", func(x *leyline.RollbackFinished) { x.Outcome = leyline.OutcomeFailed }),
		event("", "run from to reason", func(x *leyline.EmergencyEscalated) { x.To = leyline.EmergencyElevated }),
		event("", "run from to reason", func(x *leyline.EmergencyCleared) { x.From = leyline.EmergencyElevated }),
		event[leyline.EmergencyDispatched]("", "run level reason attempt within_ns tokens?", nil),
		event[leyline.EmergencyHeld]("", "run level until", nil),
		event[leyline.EmergencyPublished]("well", "run effect level outcome reason? took_ns? retry?", nil),
		event("in vain", "run effect level outcome reason took_ns? retry?", func(x *leyline.EmergencyPublished) { x.Outcome = leyline.OutcomeFailed }),
	}
}

func policyEvents() []Case[leyline.Event] {
	return []Case[leyline.Event]{
		event[leyline.RiskAssessed]("", "run step proposed? effect reason loss? healthy? checks"+within("checks[0]", riskChecked)+" took_ns? kind?"+
			within("subject", subject)+" unmeasured? risk_index?", nil),
		event[leyline.ActionNone]("", "run step reason request? took_ns?", nil),
		event("to germinate", "run step kind why"+within("seed", germinates)+metadata+noPause+noRates, one),
		event("to pause", "run step kind why"+within("pause", "action scope seed reason")+metadata+noRates+within("seed", noSeed),
			func(x *leyline.CommandProposed) {
				one(x)
				x.Kind, x.Seed = leyline.CommandPause, leyline.SeedCommand{}
				x.Pause = leyline.PauseCommand{Action: leyline.PauseStart, Scope: leyline.PauseSeed, Seed: "seed-a", Reason: "test"}
			}),
		event("to lower the rates", "run step kind why"+within("optimizer", "action factor reason")+metadata+noPause+within("seed", noSeed),
			func(x *leyline.CommandProposed) {
				one(x)
				x.Kind, x.Seed = leyline.CommandOptimizer, leyline.SeedCommand{}
				x.Optimizer = leyline.OptimizerCommand{Action: leyline.OptimizerScale, Factor: 0.5, Reason: "test"}
			}),
		event[leyline.PolicyAsked]("", "run step deadline", nil),
		event("", "run step"+seen(),
			func(x *leyline.WindowEnded) {
				once(&x.Seen.Metrics)
			}),
		event("", "run step request outcome reason took_ns?", func(x *leyline.PolicyMissed) { x.Outcome = leyline.OutcomeFailed }),
	}
}

const (
	checked = "name value? limit? ok? mode"

	riskChecked = "evaluator reason value? limit? ok? mode effect changed?"
	noSeed      = "operation? seed? blueprint? mesh? reason? parameters? " + blend
	noPause     = " pause.action? pause.scope? pause.seed? pause.reason?"
	noRates     = " optimizer.action? optimizer.factor? optimizer.reason?"
	subject     = "seed? blueprint? tier? stage? risk? quarantine? band? handling? resource? provenance? score?"

	germinates = "operation seed blueprint mesh mesh[0]? reason? " + blend + parameters
	grafts     = "operation seed blueprint? mesh? mesh[0]? reason? "
	schedule   = "mode total_steps temperature "
	byChannel  = schedule + "channels channel_count gate.k? gate.tau? gate.lo? gate.hi? source? logits?"
	bySeed     = schedule + "channels? channel_count? gate.k? gate.tau? gate.lo? gate.hi? source logits?"
	byPolicy   = schedule + "channels? channel_count? gate.k? gate.tau? gate.lo? gate.hi? source logits"
	byAlpha    = schedule + "channels? channel_count? gate.k? gate.tau? gate.lo? gate.hi? source? logits?"
	unused     = "operation? seed? blueprint? mesh? mesh[0]? reason? " + blend + parameters
	filled     = " ledger.live? ledger.of_key? ledger.expired?"
	culls      = "operation seed blueprint? mesh? mesh[0]? reason? " + blend + parameters
	settled    = " blueprint? kind? origin? wait_ns? contended? inflight?" + prewarmed
)

func commandEvents() []Case[leyline.Event] {
	const unset = " emergency.action? emergency.level? emergency.reason? pause.action? pause.scope? pause.seed? pause.reason?" +
		" optimizer.action? optimizer.factor? optimizer.reason? breaker.breaker? breaker.state? breaker.reason? rollback.snapshot? rollback.step? rollback.reason?" +
		" conservative.mode? conservative.reason?" +
		" policy.action? policy.scope? policy.policy.id? policy.policy.version? policy.policy.digest? policy.reason?"
	const verified = "run command key issuer kind sequence issued_at deadline keep_until digest" + unset + filled + signed
	needs := func(names string) string { // the fields that a kind of command does need
		all := verified
		for _, n := range strings.Fields(names) {
			all = strings.Replace(all, " "+n+"?", " "+n, 1)
		}
		return all + within("seed", unused)
	}
	return []Case[leyline.Event]{
		verdict("to germinate", verified+within("seed", germinates), func(*leyline.CommandVerified) {}),
		verdict("to graft", verified+within("seed", grafts+within("blend", byAlpha)+parameters), func(x *leyline.CommandVerified) {
			x.Seed.Operation = leyline.OpStartGrafting
			ofMode(&x.Seed.Blend, leyline.BlendConvex, leyline.LogitsUnspecified)
		}),
		verdict("to cull", verified+within("seed", culls), func(x *leyline.CommandVerified) { x.Seed.Operation = leyline.OpCull }),
		verdict("to pause a seed", needs("pause.action pause.scope pause.seed pause.reason"), func(x *leyline.CommandVerified) {
			x.Kind, x.Pause.Scope = leyline.CommandPause, leyline.PauseSeed
		}),
		verdict("to pause a run", needs("pause.action pause.scope pause.reason"), func(x *leyline.CommandVerified) {
			x.Kind, x.Pause.Scope, x.Pause.Seed = leyline.CommandPause, leyline.PauseRun, ""
		}),
		verdict("to make the optimizer anew", needs("optimizer.action optimizer.reason"), func(x *leyline.CommandVerified) {
			x.Kind, x.Optimizer.Action, x.Optimizer.Factor = leyline.CommandOptimizer, leyline.OptimizerRebuildNow, 0
		}),
		verdict("to scale rates", needs("optimizer.action optimizer.factor optimizer.reason"), func(x *leyline.CommandVerified) {
			x.Kind, x.Optimizer.Action = leyline.CommandOptimizer, leyline.OptimizerScale
		}),
		verdict("to force a breaker", needs("breaker.breaker breaker.state breaker.reason"), func(x *leyline.CommandVerified) { x.Kind = leyline.CommandCircuitBreaker }),
		verdict("to roll back", needs("rollback.reason"), func(x *leyline.CommandVerified) { x.Kind, x.Rollback.Step = leyline.CommandRollback, 0 }),
		verdict("to be conservative", needs("conservative.mode conservative.reason"), func(x *leyline.CommandVerified) { x.Kind = leyline.CommandConservative }),
		verdict("to raise the level", needs("emergency.action emergency.level emergency.reason"), func(x *leyline.CommandVerified) { x.Kind = leyline.CommandEmergency }),
		verdict("to let a policy decide in a run", needs("policy.action policy.scope policy.policy.id policy.policy.version policy.policy.digest policy.reason"),
			func(x *leyline.CommandVerified) {
				x.Kind, x.Policy.Action, x.Policy.Scope = leyline.CommandPolicy, leyline.PolicyActivate, leyline.PolicyOfRun
			}),
		event("that is authentic", "run? command key issuer kind operation? seed? reason detail sequence issued_at keep_until digest"+filled,
			func(x *leyline.CommandRejected) { x.Reason = leyline.RejectWrongStage }),
		event("that is not", "run? command? key? issuer? kind? operation? seed? reason detail sequence? issued_at? keep_until? digest"+filled,
			func(x *leyline.CommandRejected) { x.Sequence, x.KeepUntil = 0, 0 }),
		event[leyline.CommandSettled]("", "run command outcome reason? took_ns?", nil),
		event("", "run command outcome", func(x *leyline.CommandExpired) { x.Outcome = leyline.OutcomeDeadline }),
		event[leyline.PrefetchRequested]("", "run seed blueprint kernel digest deadline guard bytes inflight", nil),
		event[leyline.PrefetchSettled]("well", "run seed request outcome reason? took_ns?"+settled, nil),
		event("in vain", "run seed request outcome reason took_ns?"+settled, func(x *leyline.PrefetchSettled) { x.Outcome = leyline.OutcomeDeadline }),
		event[leyline.PrefetchLate]("", "run seed request outcome took_ns?", nil),
		event[leyline.PrefetchesCancelled]("", "runs requests reason", nil),
		event[leyline.EmergencyCleaned]("", "run command kernels? bytes? kept? took_ns?", nil),
	}
}

func seedEvents() []Case[leyline.Event] {
	const moved = "run seed from to step? until? until_step? cause "
	const configured = "run seed loss? source"
	gate := within("checks[0]", checked)
	const coverage = " mesh.missing? mesh.missing[0]? mesh.required? mesh.required[0]? mesh.available? mesh.available[0]?"
	along := func(from, to leyline.Stage) func(*leyline.SeedMoved) {
		return func(x *leyline.SeedMoved) { x.From, x.To = from, to }
	}
	return []Case[leyline.Event]{
		event[leyline.GateEvaluated]("that passed", "run seed gate passed? reason? checks"+gate+coverage, nil),
		event("that failed", "run seed gate passed? reason checks"+gate+coverage, func(x *leyline.GateEvaluated) { x.Passed = false }),
		event("into training", moved+"blueprint mesh mesh[0]? probe_from?", along(leyline.StageGerminated, leyline.StageTraining)),
		event("into probation", moved+"blueprint mesh mesh[0]? probe_from", along(leyline.StageShadowing, leyline.StageProbationary)),
		event("into an empty slot", "run seed from? to step? until? until_step? cause blueprint? mesh? mesh[0]? probe_from?",
			along(leyline.StageResetting, leyline.StageDormant)),
		event("by alpha", configured+within("plan", byAlpha), func(x *leyline.BlendConfigured) { ofMode(&x.Plan, leyline.BlendResidual, leyline.LogitsUnspecified) }),
		event("by channel", configured+within("plan", byChannel), func(x *leyline.BlendConfigured) { ofMode(&x.Plan, leyline.BlendChannel, leyline.LogitsUnspecified) }),
		event("by the seed's confidence", configured+within("plan", bySeed), func(x *leyline.BlendConfigured) { ofMode(&x.Plan, leyline.BlendConfidence, leyline.LogitsSeed) }),
		event("by the policy's confidence", configured+within("plan", byPolicy), func(x *leyline.BlendConfigured) { ofMode(&x.Plan, leyline.BlendConfidence, leyline.LogitsPolicy) }),
		event[leyline.BlendStepped]("", "run seed alpha_step? alpha? complete? total_steps temperature", nil),
		event[leyline.IsolationAssessed]("", "run seed steps grad_norm? cosine? leak? max_leak? violated? quality.first_loss? quality.loss? quality.ratio? quality.ratio_steps? reported? coupled? news? violations? run_violations? breaker? health", nil),
		event[leyline.SeedFailed]("", "run seed step failure reason", nil),
		event[leyline.CompileFellBack]("", "run step? seed? stage reason count", nil),
		event[leyline.BreakerMoved]("that counted", "run breaker action from to reason failures? successes? until? until_step?", nil),
		event("that opened", "run breaker action from to reason failures? successes? until until_step?",
			func(x *leyline.BreakerMoved) { x.To, x.UntilStep = leyline.BreakerOpen, 0 }),
		event[leyline.SeedPaused]("", "run seed step? cause by", nil),
		event[leyline.SeedResumed]("", "run seed step? blueprint cause", nil),
		event[leyline.RatesScaled]("", "run factor cause by", nil),
		event[leyline.ContributionMeasured]("", "run seed step probes accuracy? loss? mean_accuracy? mean_loss? next", nil),
	}
}

// one leaves one entry of each list that has to be ascending, and only the argument of
// a SEED command.
func one(x *leyline.CommandProposed) {
	x.Pause, x.Optimizer = leyline.PauseCommand{}, leyline.OptimizerCommand{}
	x.Metadata.Scores, x.Metadata.Coverage = x.Metadata.Scores[:1], x.Metadata.Coverage[:1]
}

// seen are the paths of a StepSeen with one reading and one extra figure.
func seen() string {
	return within("seen", "step_ns? learn_rate? metrics.readings? metrics.extra?") +
		within("seen.metrics.readings[0]", "metric value?") + within("seen.metrics.extra[0]", "name value?")
}

func once(m *leyline.TrainingMetrics) { m.Readings, m.Extra = m.Readings[:1], m.Extra[:1] }
