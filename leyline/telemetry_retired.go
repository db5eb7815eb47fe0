package leyline

import (
	"slices"
	"strings"
)

// Retired returns the names of SPEC.md that must not be emitted.
func Retired() []RetiredName { return slices.Clone(retired) }

// DescribeRetired returns what covers a name that must not be emitted; false
// when nothing does.
func DescribeRetired(name string) (RetiredName, bool) {
	for _, r := range retired {
		family, open := strings.CutSuffix(r.Name, "*")
		if r.Name == name || open && strings.HasPrefix(name, family) {
			return r, true
		}
	}
	return RetiredName{}, false
}

// Reasons that several names share.
const (
	whyGraphs   = "no trainer reports CUDA graphs"
	whyFallback = "nothing here falls back: what fails is said to have failed"
	whyBus      = "there is no message bus: the log and the telemetry streams take its place"
	whySuper    = "there is no supervisor: the plane is one process, and its log says what happened"
	whyGPU      = "the plane has no accelerator and keeps kernels in its own memory; what a trainer holds on one is its own"
	whyTwice    = "it would say the same twice"
)

var retired = []RetiredName{
	{"tolaria.graph.*", "", whyGraphs},
	{"tolaria.train.graph_enabled", "", whyGraphs},
	{"tolaria.graph_enabled", "", whyGraphs},
	{"tolaria.graph_skipped_compile", "", whyGraphs},
	{"tolaria.graph_fallback", "", whyGraphs},
	{"tolaria.graph_shape_changed", "", whyGraphs},
	{"tolaria.graph_disabled_after_failures", "", whyGraphs},
	{"tolaria.mode.conservative", string(MetricTamiyoConservative), "there is one conservative mode, and it is Tamiyo's"},
	{"tolaria.conservative_mode_entered", string(NameConservativeEntered), "there is one conservative mode, and it is Tamiyo's"},
	{"tolaria.conservative_mode_cleared", string(NameConservativeExited), "there is one conservative mode, and it is Tamiyo's"},
	{"tolaria.emergency.bypass_applied_total", string(NameEmergencyHeld), "a signal over the cap waits in the log until it is published"},
	{"tolaria.emergency.bypass_dropped_total", string(MetricEmergencyUnsent), "a signal waits in the log until it is published and is never dropped"},
	{"tolaria.emergency.shared_signal_mode", "", "the signal has one form, the mapped file"},
	{"tolaria.emergency.last_escalation", string(NameEmergencyEscalated), whyTwice},
	{"tolaria.tamiyo_timeout", string(NamePolicyTimeout), whyTwice},
	{"tolaria.tamiyo_error", string(NamePolicyFailed), whyTwice},
	{"tolaria.kasmina_timeout", string(NameCommandExpired), whyTwice},
	{"tolaria.kasmina_error", string(NameCommandFailed), whyTwice},
	{"zero_samples", string(NameDependencyViolation), "a report without samples is refused"},

	{"tamiyo.fallback.*", "", whyFallback},
	{"tamiyo.gnn.feature_coverage.*", string(MetricFeatureCoverage), "the group is an attribute, so that names are a closed list"},
	{"tamiyo.field_reports.retry_index_load_errors", "", "field reports are events of the log and have no index of their own"},
	{"tamiyo.field_reports.window_load_errors", "", "observation windows are state folded from the log and are not loaded"},
	{"tamiyo_fallback_seed", "", whyFallback},
	{"tamiyo_fallback_blueprint", "", whyFallback},
	{"tamiyo_synthetic_pause", "", "no pause is made up: doing nothing is an event of its own"},
	{"tamiyo.coverage.*", string(MetricFeatureCoverage), "the group is an attribute, so that names are a closed list"},
	{"tamiyo.command_rejected", string(NameCommandRejected), whyTwice},
	{"tamiyo.timeout_*", string(NamePolicyTimeout), whyTwice},
	{"field_report_sidecar_validation_warning", "", "field reports are events of the log and have no sidecar"},

	{"kasmina.prefetch.latency_ms", string(MetricPrefetchLastMs), "a mean over history is a fold over packets"},
	{"kasmina.fallback.*", "", whyFallback},
	{"kasmina.cache.gpu_size", string(MetricKernelCacheSize), whyGPU},
	{"kasmina.cache.gpu_capacity", string(MetricKernelCacheBytes), whyGPU},
	{"kasmina.cache.gpu_hit_rate", string(MetricKernelCacheHits), whyGPU},
	{"kasmina.cache.gpu_evictions", string(MetricKernelCacheEvicted), whyGPU},
	{"kasmina.cache.telemetry_size", "", "telemetry is computed from records and cached nowhere"},
	{"kasmina.rollback.latency_ms", string(MetricRollbackTotalMs), whyTwice},
	{"kasmina.seed.kernel_latency_ms", string(MetricKernelFetchMs), "the seed is an attribute there"},
	{"kasmina.seed.last_kernel_latency_ms", string(MetricKernelFetchMs), "the seed is an attribute there"},
	{"kasmina.seed.fallback_used", "", whyFallback},
	{"kasmina.seed.isolation.dot", string(MetricSeedCosine), "over disjoint parameters a dot product says nothing"},
	{"kasmina.telemetry.dropped_total", string(MetricDropped), "no packet is dropped on its way out of a subsystem"},
	{"seed_queue_dropped", string(NameOverflow), "no packet is dropped on its way out of a subsystem"},
	{"nonce_ledger_truncated", string(NameCommandRejected), "a full ledger rejects and forgets nothing that could be replayed"},
	{"unsupported_command", string(NameCommandRejected), "it is a reason of a rejection"},
	{"unsupported_seed_operation", string(NameCommandRejected), "it is a reason of a rejection"},
	{"command_validation_failed", string(NameCommandRejected), "it is a reason of a rejection"},
	{"confidence_gate_fallback", "", whyFallback},
	{"fallback_applied", "", whyFallback},
	{"fallback_status_rejected", "", whyFallback},
	{"tamiyo_fallback_requested", "", whyFallback},

	{"oona.emergency_published", string(MetricPublished), whyBus},
	{"oona.emergency_rate_dropped", string(MetricCapped), whyBus},
	{"oona.emergency_tokens_remaining", string(MetricTokens), whyBus},
	{"oona.*", "", whyBus},
	{"weatherlight.emergency.level", string(MetricEmergencyLevel), whySuper},
	{"weatherlight.rollback.deadline_latency_ms", string(MetricRollbackTotalMs), whySuper},
	{"weatherlight.*", "", whySuper},
	{"rollback_deadline_triggered", string(NameRollbackFailed), whySuper},
	{"emergency_signal_received", string(NameEmergencyEscalated), whySuper},
	{"emergency_last_reason", string(NameEmergencyEscalated), whySuper},
	{"worker_error", string(MetricWorkerEnded), whySuper},
	{"urza.*", "", "there is no catalogue service: blueprints are registered in the log"},
	{"urabrask.*", "", "there is no safety service here"},
}
