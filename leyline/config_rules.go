package leyline

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// rules say what a setting may be, by key. An enum needs no rule: its type knows
// its members. A whole number, a text or a list without one may be anything that
// its type holds.
var rules = map[string]rule{
	"tolaria.ewma_alpha":          level(),
	"tolaria.gradvac_beta":        between(0, 1),
	"tolaria.cagrad_c":            between(0, MaxCAGradC),
	"tolaria.qp_reg":              between(0, MaxQPReg),
	"tolaria.nash_max_norm":       between(0, MaxNashNorm),
	"tolaria.snapshot_every":      atLeast(1),
	"tolaria.snapshot_keep":       whole(2, MaxSnapshots/2),
	"tolaria.rollback_fast_ms":    atLeast(1),
	"tolaria.rollback_limit":      atLeast(1),
	"tolaria.rollback_prepare_ms": atLeast(1),
	"tolaria.rollback_commit_ms":  atLeast(1),
	"tolaria.rollback_confirm_ms": atLeast(1),
	"tolaria.fast_bytes_mib":      whole(0, 1<<20),
	"tolaria.fast_percent":        whole(0, 100),
	"tolaria.diverge_loss":        positive(),
	"tolaria.diverge_sigma":       positive(),
	"tolaria.diverge_factor":      between(1, 1e9),
	"tolaria.diverge_steps":       atLeast(1),
	"tolaria.diverge_warmup":      atLeast(1),
	"tolaria.collapse_learned":    share(),
	"tolaria.collapse_band":       share(),
	"tolaria.profile_steps":       whole(1, MaxProfile),
	"tolaria.seed_layers":         whole(0, MaxSeedLayers),
	"tolaria.seed_share_jump":     level(),
	"tolaria.seed_conflict":       level(),
	"tolaria.stall_ms":            atLeast(1),
	"tolaria.stall_factor":        between(1, 1e6),

	"tolaria.lr_period_steps":        atLeast(1),
	"tolaria.lr_restart_factor":      atLeast(1),
	"tolaria.lr_floor":               between(0, 1),
	"tolaria.lr_decay":               number("a number greater than 0, 1 or less", func(x float64) bool { return x > 0 && x <= 1 }),
	"tolaria.lr_decay_epochs":        atLeast(1),
	"tolaria.lr_warmup_floor":        between(0, 1),
	"tolaria.opt_rebuild":            {"off, epoch or n_steps", brokenFence},
	"tolaria.opt_rebuild_steps":      atLeast(1),
	"tolaria.opt_rebuild_backoff_ms": atLeast(1),
	"tolaria.emergency_dispatch_ms":  atLeast(1),
	"tolaria.order_ms":               atLeast(1),

	"tamiyo.window_steps":      atLeast(1),
	"tamiyo.healthy_windows":   atLeast(1),
	"tamiyo.loss_spike":        positive(),
	"tamiyo.volatility":        positive(),
	"tamiyo.conflict":          between(0, 1),
	"tamiyo.blueprint_risk":    between(0, 1),
	"tamiyo.blend_steps":       atLeast(1),
	"tamiyo.blend_temperature": positive(),
	"tamiyo.probes":            atLeast(1),
	"tamiyo.blend_channels":    {fmt.Sprintf("at most %d numbers from 0 to 1", MaxBlendChannels), brokenChannels},
	"tamiyo.blend_gate_k":      between(0, MaxGate),
	"tamiyo.blend_gate_tau":    between(0, MaxGate),
	"tamiyo.blend_alpha_lo":    between(0, 1),
	"tamiyo.blend_alpha_hi":    between(0, 1),
	"tamiyo.degraded_warning":  between(0, 1),
	"tamiyo.degraded_critical": between(0, 1),

	"tamiyo.report_epochs":          whole(1, MaxReportEpochs),
	"tamiyo.report_retries":         whole(0, maxReportRetries),
	"tamiyo.report_backoff_ms":      atLeast(1),
	"tamiyo.report_backoff_factor":  between(1, maxReportFactor),
	"tamiyo.report_timeout_ms":      atLeast(1),
	"tamiyo.report_retention_hours": atLeast(1),
	"tamiyo.report_url_file":        {fmt.Sprintf("UTF-8 text of %d bytes or fewer without NUL bytes", MaxPath), brokenText},
	"tamiyo.report_dir":             {fmt.Sprintf("UTF-8 text of %d bytes or fewer without NUL bytes", MaxPath), brokenText},

	"tamiyo.policy_risk":          between(0, 1),
	"tamiyo.policy_risk_critical": between(0, 1),
	"tamiyo.conservative_effect":  {"hold or pause", brokenHold},
	"tamiyo.blueprint_quarantine": between(0, 1),
	"tamiyo.loss_warning":         positive(),
	"tamiyo.hook_latency_ms":      atLeast(1),
	"tamiyo.step_latency_ms":      atLeast(1),
	"tamiyo.apply_latency_ms":     atLeast(1),
	"tamiyo.finalize_latency_ms":  atLeast(1),
	"tamiyo.pause_windows":        atLeast(1),
	"tamiyo.gpu_util":             between(0, 100),
	"tamiyo.gpu_free_gib":         between(0, 1e6),
	"tamiyo.cpu_util":             between(0, 100),
	"tamiyo.grad_variance":        positive(),
	"tamiyo.risk_rate_factor":     level(),
	"tamiyo.risk_rate_floor":      level(),

	"tamiyo.policy_budget_ms":   atLeast(1),
	"tamiyo.metadata_budget_ms": atLeast(1),
	"tamiyo.catalogue_dir":      {fmt.Sprintf("UTF-8 text of %d bytes or fewer without NUL bytes", MaxPath), brokenText},
	"tamiyo.budget_factor":      between(1.01, 1000),
	"tamiyo.budget_samples":     atLeast(1),

	"kasmina.freshness_ms":        atLeast(1),
	"kasmina.nonce_cap":           atLeast(1),
	"kasmina.nonce_key_share":     level(),
	"kasmina.command_deadline_ms": atLeast(1),
	"kasmina.probe_every":         atLeast(1),
	"kasmina.max_loss_ratio":      positive(),
	"kasmina.min_probes":          atLeast(1),
	"kasmina.min_contribution":    between(-1, 1),
	"kasmina.max_leak":            positive(),
	"kasmina.min_improvement":     between(-1, 1),
	"kasmina.min_gradient_ratio":  between(0, 1e6),
	"kasmina.max_cosine":          between(0, 1),
	"kasmina.cache_mib":           whole(1, 1<<20),
	"kasmina.prewarm_samples":     whole(1, 1000),

	"plane.workers":          whole(1, 1024),
	"plane.worker_queue":     whole(1, 1<<20),
	"plane.shutdown_ms":      atLeast(1),
	"plane.projection_every": atLeast(1),
	"plane.fast_dir":         {fmt.Sprintf("UTF-8 text of %d bytes or fewer without NUL bytes", MaxPath), brokenText},

	"log.segment_mib":        whole(1, 1024),
	"log.checkpoint_records": atLeast(1),
	"log.checkpoint_ms":      atLeast(1),
	"log.checkpoint_dir":     {fmt.Sprintf("UTF-8 text of %d bytes or fewer without NUL bytes", MaxPath), brokenText},
	"log.checkpoint_command": {fmt.Sprintf("at most %d texts, the program first, each of %d bytes or fewer", MaxArguments, MaxPath), brokenCommand},
	"log.free_every_ms":      atLeast(100),

	"posture.frameworks":        {"distinct words, at least one", brokenFrameworks},
	"posture.torch_min":         {"a version in the sense of PEP 440", brokenVersion},
	"posture.torch_below":       {"a version in the sense of PEP 440, after posture.torch_min, or empty", brokenBound},
	"posture.devices":           {"distinct words without an index", brokenDevices},
	"posture.compile_modes":     {"distinct words", brokenNames},
	"posture.matmul_precisions": {"of highest, high, medium", brokenPrecisions},

	"breaker.failures":   atLeast(1),
	"breaker.open_ms":    atLeast(1),
	"breaker.open_steps": atLeast(1),
	"breaker.successes":  atLeast(1),

	"telemetry.emergency_per_min": whole(0, MaxEmergencyPerMin),
	"telemetry.queue_critical":    whole(1, MaxLane),
	"telemetry.queue_high":        whole(1, MaxLane),
	"telemetry.queue_normal":      whole(1, MaxLane),
	"telemetry.subscribers":       whole(1, 1024),
	"telemetry.webhook_file":      {fmt.Sprintf("UTF-8 text of %d bytes or fewer without NUL bytes", MaxPath), brokenText},
	"telemetry.webhook_priority":  {"HIGH or CRITICAL", brokenAlerts},

	"rules.germinate":  weight(),
	"rules.plateau":    weight(),
	"rules.falling":    weight(),
	"rules.regression": weight(),
	"rules.volatility": weight(),
	"rules.conflict":   weight(),
	"rules.pressure":   weight(),
	"rules.record":     weight(),
	"rules.novelty":    weight(),
	"rules.risk":       weight(),
	"rules.tier":       weight(),
	"rules.runway":     weight(),
	"rules.advance":    positiveWeight(),
	"rules.learning":   weight(),
	"rules.overdue":    weight(),
	"rules.harm":       weight(),
	"rules.unhealthy":  weight(),
	"rules.shadow":     {"distinct names of rules", brokenShadow},
}

// rule is what one setting may be. Without broken it may be anything that its
// type holds.
type rule struct {
	allowed string // in words
	broken  func(v reflect.Value) (reason, fix string)
}

// ruleOf returns the rule of a setting: that of its key, else that of its type.
func ruleOf(key string, v reflect.Value) rule {
	if r, ok := rules[key]; ok {
		return r
	}
	if e, ok := v.Interface().(interface{ names() []string }); ok {
		return memberOf(e.names())
	}
	switch v.Kind() {
	case reflect.Bool:
		return rule{allowed: "true or false"}
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return rule{allowed: "0 or more"}
	}
	return rule{allowed: "anything"}
}

// names returns the names of all members except the unset zero.
func (Enum[S]) names() []string {
	var s S
	return s.list()[1:]
}

// memberOf demands a member of an enum.
func memberOf(names []string) rule {
	last := len(names) - 1
	words := strings.Join(names[:last], ", ") + " or " + names[last]
	return rule{words, func(v reflect.Value) (reason, fix string) {
		if err := v.Interface().(interface{ Validate() error }).Validate(); err != nil {
			return err.Error(), "write " + words
		}
		return "", ""
	}}
}

var float64Type = reflect.TypeFor[float64]()

// number demands a number for which ok holds.
func number(words string, ok func(float64) bool) rule {
	return rule{words, func(v reflect.Value) (reason, fix string) {
		if ok(v.Convert(float64Type).Float()) {
			return "", ""
		}
		return fmt.Sprintf("is %v", v.Interface()), "write " + words
	}}
}

func atLeast(least uint32) rule {
	return number(fmt.Sprintf("%d or more", least), func(x float64) bool { return x >= float64(least) })
}

func whole(lo, hi uint32) rule {
	return number(fmt.Sprintf("a whole number from %d to %d", lo, hi), func(x float64) bool { return x >= float64(lo) && x <= float64(hi) })
}

func between(lo, hi float64) rule {
	return number("a number from "+plain(lo)+" to "+plain(hi), func(x float64) bool { return x >= lo && x <= hi })
}

// plain writes a number without an exponent.
func plain(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

func level() rule {
	return number("a number greater than 0, 1 or less", func(x float64) bool { return x > 0 && x <= 1 })
}

func share() rule {
	return number("a number greater than 0 and less than 1", func(x float64) bool { return x > 0 && x < 1 })
}

func positive() rule {
	return number("a finite number greater than 0", func(x float64) bool { return x > 0 && !math.IsInf(x, 1) })
}

// brokenText demands text that can be stored and that a system takes as a path or
// an argument.
func brokenText(v reflect.Value) (reason, fix string) {
	switch s := v.String(); {
	case len(s) > MaxPath:
		return fmt.Sprintf("is %d bytes long", len(s)), fmt.Sprintf("write %d bytes or fewer", MaxPath)
	case !utf8.ValidString(s) || strings.ContainsRune(s, 0):
		return fmt.Sprintf("is %q", s), "write UTF-8 text without NUL bytes"
	}
	return "", ""
}

// brokenCommand demands a program and arguments that a system can start, or
// nothing.
func brokenCommand(v reflect.Value) (reason, fix string) {
	switch {
	case v.Len() > MaxArguments:
		return fmt.Sprintf("has %d entries", v.Len()), fmt.Sprintf("write %d or fewer", MaxArguments)
	case v.Len() > 0 && v.Index(0).Len() == 0:
		return "names no program", "write the program first, or an empty list"
	}
	for i := range v.Len() {
		if reason, fix := brokenText(v.Index(i)); reason != "" {
			return fmt.Sprintf("entry %d %s", i, reason), fix // one problem for a key
		}
	}
	return "", ""
}
