package cli

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/telemetry"
)

// evaluatorLive is one way to make an evaluator find something in a run of the real
// loop: a plane, its log on disk, and the built-in trainer on penguins.
type evaluatorLive struct {
	by  leyline.RiskEvaluator
	why leyline.RiskReason
	// How it is provoked. A word that begins with -- is a flag of esper run; all others
	// are settings.
	with string
	// What is expected: the telemetry event and its level, what becomes of the proposal,
	// for which reason, and what goes out.
	event   leyline.EventName
	level   leyline.Level
	effect  leyline.RiskEffect
	reason  leyline.RiskReason
	out     string
	prepare func(t *testing.T, dir string) // what stands beside the run; may be nil
}

// Runs in which measured times count. The limits are far above what the machine of a
// test does by itself, and below what the drills do.
const (
	timed   = "--live tamiyo.latency_mode=enforce tamiyo.hook_latency_ms=150 tamiyo.apply_latency_ms=150 tamiyo.finalize_latency_ms=150 tamiyo.step_latency_ms=10000"
	devices = "--live tamiyo.device_mode=enforce"
)

// grown makes a blueprint of one's own the only kind that is left: the shipped one
// fails in the run, and a kind that has failed is not tried again.
const grown = "--blueprints=mine --fault=seed-nan@60 kasmina.embargo_steps=5"

var evaluatorsLive = []evaluatorLive{
	// A calm run has a risk of 0.2 here.
	{by: leyline.EvaluatorPolicyRisk, why: leyline.RiskPolicyElevated, with: "--fault=noisy-gradients@36 tamiyo.policy_risk=0.3 tolaria.diverge_loss=20",
		event: leyline.NamePolicyRiskElevated, level: leyline.LevelWarning, effect: leyline.EffectSlow, reason: leyline.RiskPolicyElevated, out: "OPTIMIZER scale"},
	{by: leyline.EvaluatorPolicyRisk, why: leyline.RiskPolicyCritical, with: "--fault=noisy-gradients@36 tamiyo.policy_risk=0.3 tamiyo.policy_risk_critical=0.4 tolaria.diverge_loss=20",
		event: leyline.NamePolicyRiskCritical, level: leyline.LevelCritical, effect: leyline.EffectConservative, reason: leyline.RiskPolicyCritical, out: "nothing: policy_risk_critical"},

	{by: leyline.EvaluatorConservative, why: leyline.RiskConservative, with: "--fault=loss-jump@41 tamiyo.warmup_steps=10 tamiyo.train_steps=20",
		effect: leyline.EffectHold, reason: leyline.RiskConservative, out: "nothing: conservative_mode"},

	{by: leyline.EvaluatorTimeouts, with: "--workload=multimnist --steps=50 --fault=policy-timeout@50 tamiyo.policy_budget_ms=100",
		event: leyline.NamePolicyTimeout, level: leyline.LevelCritical, out: "nothing: policy_timeout"},
	{by: leyline.EvaluatorTimeouts, with: "--catalogue=sheets", prepare: hangingSheet,
		event: leyline.NameMetadataTimeout, level: leyline.LevelCritical, out: "nothing: metadata_timeout"},

	{by: leyline.EvaluatorBlueprint, why: leyline.RiskBlueprint, with: grown, prepare: mine("--risk=0.6", "--band=low"),
		event: leyline.NameBlueprintRisk, level: leyline.LevelWarning, effect: leyline.EffectSlow, reason: leyline.RiskBlueprint, out: "OPTIMIZER scale"},
	{by: leyline.EvaluatorBlueprint, why: leyline.RiskQuarantine, with: grown, prepare: mine("--risk=0.85", "--band=low"),
		event: leyline.NameBlueprintQuarantine, level: leyline.LevelCritical, effect: leyline.EffectConservative, reason: leyline.RiskQuarantine, out: "nothing: bp_quarantine"},

	{by: leyline.EvaluatorBSDS, why: leyline.RiskHazardHigh, with: grown, prepare: mine("--risk=0.3", "--hazard=0.7", "--band=high"),
		event: leyline.NameBSDSHigh, level: leyline.LevelWarning, effect: leyline.EffectSlow, reason: leyline.RiskHazardHigh, out: "OPTIMIZER scale"},
	{by: leyline.EvaluatorBSDS, why: leyline.RiskHazardCritical, with: grown, prepare: mine("--risk=0.3", "--hazard=0.9", "--band=critical"),
		event: leyline.NameBSDSCritical, level: leyline.LevelCritical, effect: leyline.EffectConservative, reason: leyline.RiskHazardCritical, out: "nothing: bsds_hazard_critical"},
	{by: leyline.EvaluatorBSDS, why: leyline.RiskHandling, with: "--catalogue=sheets", prepare: signedSheet("--handling=quarantine"),
		event: leyline.NameBSDSQuarantine, level: leyline.LevelCritical, effect: leyline.EffectConservative, reason: leyline.RiskHandling, out: "nothing: bsds_handling_quarantine"},

	{by: leyline.EvaluatorLoss, why: leyline.RiskLossSpike, with: "--fault=loss-jump@41 tamiyo.warmup_steps=30",
		event: leyline.NameLossSpike, level: leyline.LevelWarning, effect: leyline.EffectConservative, reason: leyline.RiskLossSpike, out: "nothing: loss_spike"},
	{by: leyline.EvaluatorLoss, why: leyline.RiskLossWarning, with: "--fault=loss-jump@31 tamiyo.warmup_steps=30 tamiyo.loss_warning=0.02 tamiyo.loss_spike=5 tamiyo.loss_warning_mode=enforce",
		event: leyline.NameLossWarning, level: leyline.LevelWarning, effect: leyline.EffectSlow, reason: leyline.RiskLossWarning, out: "OPTIMIZER scale"},

	{by: leyline.EvaluatorLatency, why: leyline.RiskHook, with: "--fault=slow-hook@119 --fault=slow-hook@129 --fault=slow-hook@139 " + timed,
		event: leyline.NameTamiyoHookBudget, level: leyline.LevelWarning, effect: leyline.EffectPause, reason: leyline.RiskHook, out: "PAUSE pause seed-a"},
	{by: leyline.EvaluatorLatency, why: leyline.RiskStepLatency, with: "--fault=slow-step@119 --fault=slow-step@129 --fault=slow-step@139 " + timed + " tamiyo.step_latency_ms=150",
		event: leyline.NameStepLatencyHigh, level: leyline.LevelWarning, effect: leyline.EffectPause, reason: leyline.RiskStepLatency, out: "PAUSE pause seed-a"},
	{by: leyline.EvaluatorLatency, why: leyline.RiskApply, with: "--fault=slow-apply@39 tolaria.lr_policy=cosine " + timed,
		event: leyline.NameApplySlow, level: leyline.LevelWarning, effect: leyline.EffectSlow, reason: leyline.RiskApply, out: "OPTIMIZER scale"},
	{by: leyline.EvaluatorLatency, why: leyline.RiskFinalize, with: "--fault=slow-finalize@119 --fault=slow-finalize@129 --fault=slow-finalize@139 " + timed,
		event: leyline.NameFinalizeSlow, level: leyline.LevelWarning, effect: leyline.EffectSlow, reason: leyline.RiskFinalize, out: "OPTIMIZER scale"},

	{by: leyline.EvaluatorDevice, why: leyline.RiskIsolation, with: "--fault=leak@55",
		event: leyline.NameIsolationViolations, level: leyline.LevelWarning, effect: leyline.EffectPause, reason: leyline.RiskIsolation, out: "PAUSE pause seed-a"},
	{by: leyline.EvaluatorDevice, why: leyline.RiskDevice, with: "--gpu-readings=gpu.csv " + devices, prepare: busyGPU,
		event: leyline.NameDevicePressure, level: leyline.LevelWarning, effect: leyline.EffectPause, reason: leyline.RiskDevice, out: "nothing: device_pressure_high"},
	{by: leyline.EvaluatorDevice, why: leyline.RiskCPU, with: "--fault=cpu-load@1 tamiyo.cpu_util=1 " + devices,
		event: leyline.NameCPUPressure, level: leyline.LevelWarning, effect: leyline.EffectSlow, reason: leyline.RiskCPU, out: "OPTIMIZER scale"},

	{by: leyline.EvaluatorOptimizer, why: leyline.RiskVolatility, with: "--fault=noisy-gradients@36 tamiyo.volatility_mode=enforce tolaria.diverge_loss=20",
		event: leyline.NameVolatilityHigh, level: leyline.LevelWarning, effect: leyline.EffectSlow, reason: leyline.RiskVolatility, out: "OPTIMIZER scale"},
	{by: leyline.EvaluatorOptimizer, why: leyline.RiskGradVariance, with: "--fault=noisy-gradients@40 tamiyo.grad_variance_mode=enforce tolaria.diverge_loss=20",
		event: leyline.NameGradVarianceHigh, level: leyline.LevelWarning, effect: leyline.EffectSlow, reason: leyline.RiskGradVariance, out: "OPTIMIZER scale"},
	{by: leyline.EvaluatorOptimizer, why: leyline.RiskConflict, with: "--fault=task-conflict@31 tamiyo.conflict_mode=enforce",
		event: leyline.NameConflictHigh, level: leyline.LevelWarning, effect: leyline.EffectSlow, reason: leyline.RiskConflict, out: "OPTIMIZER scale"},
	{by: leyline.EvaluatorOptimizer, why: leyline.RiskOptimizerHint, with: "--fault=loss-jump@41 --fault=rate-zero@41 tamiyo.loss_mode=shadow tamiyo.loss_warning=0.02",
		event: leyline.NameOptimizerHint, level: leyline.LevelWarning, effect: leyline.EffectSlow, reason: leyline.RiskOptimizerHint, out: "OPTIMIZER scale"},

	// The last two tell how training is; what they find acts by the mode that they keep.
	{by: leyline.EvaluatorStabilisation, why: leyline.RiskUnstable, with: "--fault=loss-jump@41 tamiyo.warmup_steps=30",
		effect: leyline.EffectConservative, reason: leyline.RiskLossSpike, out: "nothing: loss_spike"},
	{by: leyline.EvaluatorRecovery, why: leyline.RiskNotRecovered, with: "--fault=loss-jump@41 tamiyo.warmup_steps=10 tamiyo.train_steps=20",
		effect: leyline.EffectHold, reason: leyline.RiskConservative, out: "nothing: conservative_mode"},
}

// TestEvaluatorsLive makes every evaluator find something in a run of its own. The
// check is in the trace with what it changed, telemetry tells it, another decision
// goes out, explain names it, and a replay decides the same.
func TestEvaluatorsLive(t *testing.T) {
	for _, x := range evaluatorsLive {
		t.Run(fmt.Sprintf("%s/%s", x.by, x.why), func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "data")
			if x.prepare != nil {
				x.prepare(t, filepath.Dir(data))
			}
			args := []string{"run", "--data", data, "--steps", "140", "--set=rules.germinate=100", "--set=rules.learning=0"}
			for _, w := range strings.Fields(x.with) {
				w = strings.NewReplacer("=mine", "="+filepath.Join(filepath.Dir(data), "mine"), "=sheets", "="+filepath.Join(filepath.Dir(data), "sheets"), "gpu.csv", filepath.Join(filepath.Dir(data), "gpu.csv")).Replace(w)
				if !strings.HasPrefix(w, "--") {
					w = "--set=" + w
				}
				args = append(args, w)
			}
			esper(t, exitOK, args...)
			x.check(t, data)
		})
	}
}

func (x evaluatorLive) check(t *testing.T, data string) {
	t.Helper()
	log := records(t, data)
	at := slices.IndexFunc(log, x.fired)
	if at < 0 {
		t.Fatalf("it never fired for its reason; the windows were\n%s", windows(log))
	}
	r := log[at]
	if x.event != "" && !slices.ContainsFunc(telemetry.Packets(r), func(p leyline.Packet) bool { return tells(p, x.event, x.level) }) {
		t.Errorf("telemetry of record %d has no %s of level %s", r.Seq, x.event, x.level)
	}
	if why := esper(t, exitOK, "replay", "--explain", fmt.Sprint(r.Seq), data); x.why != leyline.RiskNone && (!strings.Contains(why, x.by.String()) || !strings.Contains(why, x.why.String())) {
		t.Errorf("the explanation names neither %s nor %s:\n%s", x.by, x.why, why)
	}
	if !followed(log[at:], x.out) {
		t.Errorf("record %d decides %q, and nothing came of it", r.Seq, x.out)
	}
	if out := esper(t, exitOK, "replay", data); !strings.Contains(out, "identical") {
		t.Errorf("replay says %s", out)
	}
}

// followed reports whether the command was signed, let pass by Kasmina and carried out:
// the trainer has set the rates that the plane made of it, or the seed is paused.
func followed(log []leyline.Record, out string) bool {
	return strings.HasPrefix(out, "nothing") || slices.ContainsFunc(log, func(r leyline.Record) bool {
		return slices.ContainsFunc(r.Events, func(e leyline.Event) bool {
			switch e := e.(type) {
			case leyline.RateAcked:
				return strings.HasPrefix(out, "OPTIMIZER") && e.Outcome == leyline.OutcomeOK
			case leyline.SeedPaused:
				return strings.HasPrefix(out, "PAUSE") && e.By == leyline.PartyPolicy
			}
			return false
		})
	})
}

// fired reports whether a record is a window in which the check did not hold, and what
// was decided is what is expected of that.
func (x evaluatorLive) fired(r leyline.Record) bool {
	return wentOut(r) == x.out && slices.ContainsFunc(r.Events, func(e leyline.Event) bool {
		switch e.(type) {
		case leyline.PolicyMissed, leyline.MetadataMissed:
			return x.by == leyline.EvaluatorTimeouts // who is late is not weighed at all
		}
		a, ok := e.(leyline.RiskAssessed)
		return ok && a.Effect == x.effect &&
			a.Reason == x.reason && slices.ContainsFunc(a.Checks, x.found)
	})
}

// found reports whether a check is the one that is meant, did not hold, and changed the
// decision where it can.
func (x evaluatorLive) found(c leyline.RiskCheck) bool {
	return c.Evaluator == x.by && c.Reason == x.why && !c.OK && c.Mode == leyline.RuleEnforce && (c.Changed || c.Effect == leyline.EffectNone)
}

// wentOut says what was decided in a record.
func wentOut(r leyline.Record) string {
	for _, e := range r.Events {
		switch e := e.(type) {
		case leyline.ActionNone:
			return "nothing: " + e.Reason.String()
		case leyline.CommandProposed:
			switch e.Kind {
			case leyline.CommandPause:
				return fmt.Sprintf("%s %s %s", e.Kind, e.Pause.Action, e.Pause.Seed)
			case leyline.CommandOptimizer:
				return fmt.Sprintf("%s %s", e.Kind, e.Optimizer.Action)
			}
			return fmt.Sprintf("%s %s", e.Kind, e.Seed.Operation)
		}
	}
	return ""
}

// tells reports whether a packet has an event with its level, and the figures of it.
func tells(p leyline.Packet, name leyline.EventName, level leyline.Level) bool {
	return slices.ContainsFunc(p.Events, func(e leyline.TelemetryEvent) bool {
		have := map[string]string{}
		for _, a := range e.Attrs {
			have[a.Key] = a.Value
		}
		return e.Name == name && e.Level == level && have["run"] != "" && have["step"] != "" && (have["value"] != "" && have["limit"] != "" || have["reason"] != "")
	})
}

// windows tells how every window of a log was decided.
func windows(log []leyline.Record) string {
	var b strings.Builder
	for _, r := range log {
		for _, e := range r.Events {
			if a, ok := e.(leyline.RiskAssessed); ok {
				fmt.Fprintf(&b, "step %d: %s for %s, %s;", a.Step, a.Effect, a.Reason, wentOut(r))
				for _, c := range a.Checks {
					if !c.OK {
						fmt.Fprintf(&b, " %s %.4g against %.4g (%s)", c.Reason, c.Value, c.Limit, c.Mode)
					}
				}
				fmt.Fprintf(&b, " unmeasured %v\n", a.Unmeasured)
			}
		}
	}
	return b.String()
}

// TestLockstepOnlyWatchesTheClock makes the answer to a step really late in a run in
// lockstep: the check finds it, the decision and every weight stay what they were.
func TestLockstepOnlyWatchesTheClock(t *testing.T) {
	train := func(flags ...string) (string, leyline.Digest) {
		data := filepath.Join(t.TempDir(), "data")
		out := esper(t, exitOK, append([]string{"run", "--json", "--data", data, "--steps", "140", "--set=tamiyo.latency_mode=enforce", "--set=tamiyo.hook_latency_ms=150"}, flags...)...)
		return data, digestOf(t, []byte(out))
	}
	data, late := train("--fault=slow-hook@119")
	if _, calm := train(); late != calm {
		t.Errorf("trained to %s with a late answer, to %s without", late.Short(), calm.Short())
	}
	if !slices.ContainsFunc(records(t, data), func(r leyline.Record) bool {
		return slices.ContainsFunc(r.Events, func(e leyline.Event) bool {
			a, ok := e.(leyline.RiskAssessed)
			return ok && a.Step == 120 && slices.ContainsFunc(a.Checks, func(c leyline.RiskCheck) bool {
				return c.Reason == leyline.RiskHook && c.Value >= 200 && !c.OK && !c.Changed && c.Mode == leyline.RuleShadow
			})
		})
	}) {
		t.Error("nobody has seen the late answer")
	}
}
