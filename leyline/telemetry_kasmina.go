package leyline

// The metrics of Kasmina that records carry.
const (
	MetricCommandsAccepted    MetricName = "kasmina.command_verifier.accepted_total"
	MetricCommandsRejected    MetricName = "kasmina.command_verifier.rejections_total"
	MetricKernelFetchMs       MetricName = "kasmina.kernel.fetch_latency_ms"
	MetricPrefetchRequests    MetricName = "kasmina.prefetch.requests_total"
	MetricPrefetchLastMs      MetricName = "kasmina.prefetch.last_latency_ms"
	MetricIsolationViolations MetricName = "kasmina.isolation.violations"
	MetricSeedViolations      MetricName = "kasmina.seed.isolation_violations"
	MetricSeedStage           MetricName = "kasmina.seed.stage"
	MetricSeedAlpha           MetricName = "kasmina.seed.alpha"
	MetricSeedAlphaSteps      MetricName = "kasmina.seed.alpha_steps"
	MetricSeedLeak            MetricName = "kasmina.seed.isolation.leak"
	MetricSeedCosine          MetricName = "kasmina.seed.isolation.cosine"
	MetricSeedGradNorm        MetricName = "kasmina.seed.isolation.seed_norm"
	MetricHostGradNorm        MetricName = "kasmina.seed.isolation.host_norm"
	MetricContribution        MetricName = "kasmina.seed.contribution"
	MetricContributionLoss    MetricName = "kasmina.seed.contribution_loss"
	MetricGateEvaluations     MetricName = "kasmina.gate.evaluations_total"
	MetricGatePassed          MetricName = "kasmina.gate.passed"
	MetricGateValue           MetricName = "kasmina.gate.value"
	MetricGateLimit           MetricName = "kasmina.gate.limit"
	MetricGateShadow          MetricName = "kasmina.gate.shadow_failures_total"
	MetricBlendConfigurations MetricName = "kasmina.blend.configurations_total"
	MetricBlendCompletions    MetricName = "kasmina.blend.completions_total"
	MetricBlendTotalSteps     MetricName = "kasmina.blend.total_steps"
	MetricBlendTemperature    MetricName = "kasmina.blend.temperature"
	MetricBlendLoss           MetricName = "kasmina.blend.loss_before"
	MetricBlendComplete       MetricName = "kasmina.blend.complete"
	MetricBlendAlphaMean      MetricName = "kasmina.blend.alpha_mean"
	MetricBlendAlphaP95       MetricName = "kasmina.blend.alpha_p95"
	MetricBlendSparsity       MetricName = "kasmina.blend.sparsity"
	MetricBlendGateMean       MetricName = "kasmina.blend.gate_mean"
	MetricBlendClamped        MetricName = "kasmina.blend.clamped_fraction"
	MetricIsolationCoupled    MetricName = "kasmina.isolation.coupled_total"
	MetricRunViolations       MetricName = "kasmina.isolation.violations_in_run"
	MetricSeedHealth          MetricName = "kasmina.seed.health"
	MetricSeedFailures        MetricName = "kasmina.seed.failures_total"
	MetricValidationMs        MetricName = "kasmina.command_verifier.validation_latency_ms"
	MetricLedgerSize          MetricName = "kasmina.nonce_ledger.size"
	MetricLedgerEvictions     MetricName = "kasmina.nonce_ledger.evictions_total"
	MetricLedgerTTL           MetricName = "kasmina.nonce_ledger.ttl_seconds"
)

// setIsolation are the settings that a violation of isolation is judged by.
const setIsolation = "kasmina.max_leak kasmina.cosine_mode kasmina.max_cosine"

func kasminaMetrics() []MetricInfo {
	const seed, blended = "run seed_id", "run seed_id mode logits"
	const setBlend = "tamiyo.blend_mode tamiyo.blend_channels tamiyo.blend_gate_k tamiyo.blend_gate_tau tamiyo.blend_alpha_lo tamiyo.blend_alpha_hi"
	return []MetricInfo{
		counter(MetricCommandsAccepted, "run kind operation", "Commands that were accepted"),
		counter(MetricCommandsRejected, "reason", "Commands that were declined").set(setVerifier),
		gauge(MetricKernelFetchMs, UnitMs, seed, "How long a seed's kernel took to be fetched and verified").set("kasmina.kernel_latency_ms kasmina.prefetch_timeout_ms"),
		counter(MetricPrefetchRequests, "run status", "Prefetches by the state that they reached"),
		gauge(MetricPrefetchLastMs, UnitMs, "run", "How long the last prefetch took until it ended, however it ended"),
		counter(MetricIsolationViolations, "run", "Steps of seeds whose isolation was violated").set(setIsolation),
		counter(MetricSeedViolations, seed, "Steps in which a seed's isolation was violated").set(setIsolation),
		gauge(MetricSeedStage, UnitState, seed, "Stage of a seed").codes(stages{}),
		gauge(MetricSeedAlpha, UnitRatio, seed, "Share of a seed in the host's output"),
		gauge(MetricSeedAlphaSteps, UnitCount, seed, "Steps of its alpha schedule that a seed has taken"),
		gauge(MetricSeedLeak, UnitGrad, seed, "Norm of the gradient that reached the host through a seed's detached input").set("kasmina.max_leak"),
		gauge(MetricSeedCosine, UnitRatio, seed, "Cosine of host and seed gradients at the graft boundary, -1 to 1"),
		gauge(MetricSeedGradNorm, UnitGrad, seed, "Norm of the gradient of a seed's parameters"),
		gauge(MetricHostGradNorm, UnitGrad, seed, "Norm of the host's gradient beside a seed"),
		gauge(MetricContribution, UnitRatio, "run seed_id figure", "Held-out accuracy with a seed less accuracy without it, -1 to 1").set("kasmina.min_contribution kasmina.min_probes kasmina.contribution_mode"),
		gauge(MetricContributionLoss, UnitLoss, "run seed_id figure", "Held-out loss without a seed less loss with it"),
		counter(MetricGateEvaluations, "run gate passed", "Verdicts of gates"),
		gauge(MetricGatePassed, UnitBool, "run seed_id gate", "Whether a seed passed a gate when it was last judged").set(setGates),
		gauge(MetricGateValue, UnitValue, "run seed_id gate check", "What a check of a gate last measured"),
		gauge(MetricGateLimit, UnitValue, "run seed_id gate check", "What a check of a gate was last held against").set(setGates),
		counter(MetricGateShadow, "run gate check", "Checks of gates that failed and would have closed one, were they enforced").set(setGates),
		counter(MetricBlendConfigurations, "run mode", "Blends that were configured"),
		counter(MetricBlendCompletions, "run", "Blends whose alpha schedule came to its end"),
		gauge(MetricBlendTotalSteps, UnitCount, seed, "Steps of a seed's alpha schedule").set("tamiyo.blend_steps"),
		gauge(MetricBlendTemperature, UnitTemperature, seed, "Temperature of a seed's alpha schedule").set("tamiyo.blend_temperature"),
		gauge(MetricBlendLoss, UnitLoss, seed, "Running loss before a seed changed the host's output"),
		gauge(MetricBlendComplete, UnitBool, seed, "Whether a seed's alpha schedule has come to its end"),
		gauge(MetricBlendAlphaMean, UnitRatio, blended, "Effective share of a seed, as measured: the mean over the elements of the output").set(setBlend),
		gauge(MetricBlendAlphaP95, UnitRatio, blended, "Effective share of a seed, as measured: the 95th percentile over the elements of the output").set(setBlend),
		gauge(MetricBlendSparsity, UnitRatio, blended, "Part of the output that hardly sees a seed, as measured: a share of 0.001 or less"),
		gauge(MetricBlendGateMean, UnitRatio, blended, "Confidence gate of a seed, as measured: the mean over the samples").set(setBlend),
		gauge(MetricBlendClamped, UnitRatio, blended, "Part of the samples in which the bounds have changed a seed's share").set("tamiyo.blend_alpha_lo tamiyo.blend_alpha_hi"),
		counter(MetricIsolationCoupled, seed, "Steps in which the gradients of host and seed were closer to one line than is allowed").set("kasmina.cosine_mode kasmina.max_cosine"),
		gauge(MetricRunViolations, UnitCount, "run", "Violations of isolation in a run, over all of its seeds and incarnations").set(setIsolation),
		gauge(MetricSeedHealth, UnitState, seed, "Health of a seed").codes(seedHealths{}),
		counter(MetricSeedFailures, "run seed_id failure", "Steps that had to do without a seed, because it failed"),
		gauge(MetricValidationMs, UnitMs, "", "How long checking form and signature of the last command took at the door"),
		gauge(MetricLedgerSize, UnitCount, "", "Nonces that are kept against replay").set(setVerifier),
		counter(MetricLedgerEvictions, "", "Nonces that were let go of because they could not be replayed any more"),
		gauge(MetricLedgerTTL, UnitSeconds, "", "How long a nonce is kept after its command was issued").set("kasmina.freshness_ms kasmina.skew_ms"),
	}
}

// The metrics of Kasmina that no record carries yet.
const (
	MetricSeedsActive MetricName = "kasmina.seeds.active"
)

func kasminaReserved() []MetricInfo {
	table := []MetricInfo{
		gauge(MetricSeedsActive, UnitCount, "run", "Seeds that occupy a slot"),
	}
	for i := range table {
		table[i] = table[i].reserved(SubsystemKasmina)
	}
	return table
}
