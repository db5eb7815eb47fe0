package leyline

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Millis is a duration in whole milliseconds, as written in configuration.
type Millis uint32

// Duration converts m.
func (m Millis) Duration() time.Duration { return time.Duration(m) * time.Millisecond }

// ExecutionConfig is every setting of a plane. It is written as TOML, validated
// once, signed with the admin key and recorded in the log as config.applied, so
// that a log explains itself. Keys in messages are the TOML keys.
type ExecutionConfig struct {
	Tolaria   TolariaConfig   `toml:"tolaria" comment:"Training orchestration: gradients, snapshots, rollback."`
	Tamiyo    TamiyoConfig    `toml:"tamiyo" comment:"Policy and risk."`
	Kasmina   KasminaConfig   `toml:"kasmina" comment:"Execution: command verification, seed lifecycle, blending, kernels."`
	Plane     PlaneConfig     `toml:"plane" comment:"The process itself."`
	Log       LogConfig       `toml:"log" comment:"The event log and its disk."`
	Posture   PostureConfig   `toml:"posture" comment:"How trainers must run their framework."`
	Breaker   BreakerConfig   `toml:"breaker" comment:"Circuit breakers; each run has its own."`
	Telemetry TelemetryConfig `toml:"telemetry" comment:"Streams, their bounds and the webhook."`
}

// TolariaConfig configures gradient aggregation, snapshots and rollback.
type TolariaConfig struct {
	Aggregation   Aggregation `toml:"aggregation" comment:"How task gradients are combined: pcgrad, sum or mean."`
	PCGradMean    bool        `toml:"pcgrad_mean" comment:"Divide PCGrad's sum of projected gradients by the number of tasks."`
	EWMAAlpha     float64     `toml:"ewma_alpha" comment:"Weight of the newest sample in every running mean, (0,1]."`
	SnapshotEvery uint32      `toml:"snapshot_every" comment:"Steps between snapshots, 1 or more."`
	SnapshotKeep  uint32      `toml:"snapshot_keep" comment:"Newest snapshots kept, 2 or more: the newest is never proven good yet."`
	RollbackFast  Millis      `toml:"rollback_fast_ms" comment:"Deadline of a rollback from the fast tier."`
	RollbackFull  Millis      `toml:"rollback_full_ms" comment:"Deadline of a rollback from the full tier."`
	RollbackLimit uint32      `toml:"rollback_limit" comment:"Rollbacks to one snapshot after which the run is halted, 1 or more."`
	DivergeMode   RuleMode    `toml:"diverge_mode" comment:"off, shadow or enforce: roll back when the loss stays over its limit, the largest of the next three."`
	DivergeLoss   float64     `toml:"diverge_loss" comment:"Loss (mean over tasks) below which a step is never anomalous; somewhat above the loss of guessing is a good choice."`
	DivergeSigma  float64     `toml:"diverge_sigma" comment:"Standard deviations above the running mean below which a step is never anomalous."`
	DivergeFactor float64     `toml:"diverge_factor" comment:"Multiple of the running mean below which a step is never anomalous, 1 or more."`
	DivergeSteps  uint32      `toml:"diverge_steps" comment:"Anomalous steps in a row that make a rollback, 1 or more."`
	DivergeWarmup uint32      `toml:"diverge_warmup" comment:"Healthy steps before the rule looks, 1 or more."`
	Stall         Millis      `toml:"stall_ms" comment:"A trainer is stalled after this silence at the earliest."`
	StallFactor   float64     `toml:"stall_factor" comment:"And not before this multiple of its mean step time, 1 or more."`
}

// TamiyoConfig configures the rules policy and the risk evaluators.
type TamiyoConfig struct {
	Enabled          bool     `toml:"enabled" comment:"Propose adaptations at all."`
	WindowSteps      uint32   `toml:"window_steps" comment:"Steps between two evaluations of the policy, 1 or more."`
	WarmupSteps      uint32   `toml:"warmup_steps" comment:"Steps before the first proposal."`
	TrainSteps       uint32   `toml:"train_steps" comment:"Steps a seed trains before grafting is proposed."`
	HealthyWindows   uint32   `toml:"healthy_windows" comment:"Consecutive healthy windows before conservative mode is left, 1 or more."`
	LossSpike        float64  `toml:"loss_spike" comment:"Rise of the loss EWMA since the last window that counts as a spike."`
	LossMode         RuleMode `toml:"loss_mode" comment:"off, shadow or enforce."`
	Volatility       float64  `toml:"volatility" comment:"Standard deviation of the loss EWMA above which proposals wait."`
	VolatilityMode   RuleMode `toml:"volatility_mode" comment:"off, shadow or enforce."`
	Conflict         float64  `toml:"conflict" comment:"EWMA of the conflict ratio above which proposals wait, [0,1]."`
	ConflictMode     RuleMode `toml:"conflict_mode" comment:"off, shadow or enforce. Conflicts are what PCGrad resolves, so this only watches."`
	BlueprintRisk    float64  `toml:"blueprint_risk" comment:"Risk from which a blueprint is not germinated, [0,1]."`
	BlendSteps       uint32   `toml:"blend_steps" comment:"Optimizer steps a blend takes, 1 or more."`
	BlendTemperature float64  `toml:"blend_temperature" comment:"Temperature of the alpha schedule in steps, greater than 0."`
	ShadowSteps      uint32   `toml:"shadow_steps" comment:"Steps a seed runs at full alpha before its evaluation is proposed."`
	Probes           uint32   `toml:"probes" comment:"Measured contributions before a seed is judged, 1 or more."`
	PolicyBudget     Millis   `toml:"policy_budget_ms" comment:"0: the rules run inside the decider. Else they run on the shared worker and must answer within this."`
}

// KasminaConfig configures verification, gates and prefetch.
type KasminaConfig struct {
	Freshness        Millis   `toml:"freshness_ms" comment:"How old a command may be."`
	Skew             Millis   `toml:"skew_ms" comment:"How far in the future a command may be issued."`
	NonceCap         uint32   `toml:"nonce_cap" comment:"Nonces kept; when full, commands are refused, never forgotten."`
	CommandDeadline  Millis   `toml:"command_deadline_ms" comment:"Within this the trainer must answer a command."`
	Embargo          Millis   `toml:"embargo_ms" comment:"How long a failed seed's slot stays closed."`
	KernelLatency    Millis   `toml:"kernel_latency_ms" comment:"Budget for fetching and verifying a kernel."`
	LatencyMode      RuleMode `toml:"latency_mode" comment:"off, shadow or enforce. Shadow: a slow disk alone does not change a run."`
	PrefetchTimeout  Millis   `toml:"prefetch_timeout_ms" comment:"After this a prefetch has failed."`
	MinTrainSteps    uint32   `toml:"min_train_steps" comment:"Gate G2: steps a seed must have trained."`
	ProbeEvery       uint32   `toml:"probe_every" comment:"Steps between two probes of a PROBATIONARY seed, 1 or more."`
	MinObserveSteps  uint32   `toml:"min_observe_steps" comment:"Gate G4: steps a seed must have run at full alpha."`
	MaxLossRatio     float64  `toml:"max_loss_ratio" comment:"Gate G4: running loss over that before blending, greater than 0."`
	MinProbes        uint32   `toml:"min_probes" comment:"Gate G4 on the way to FOSSILIZED: contributions that must have been measured, 1 or more."`
	MinContribution  float64  `toml:"min_contribution" comment:"Gate G4 on the way to FOSSILIZED: least mean gain in accuracy, as a share: 0.01 is one point."`
	ContributionMode RuleMode `toml:"contribution_mode" comment:"off, shadow or enforce: whether a seed must have helped to stay."`
	EmbargoSteps     uint32   `toml:"embargo_steps" comment:"The embargo of a lockstep run, in steps: there no decision may depend on time."`
	FallbackMode     RuleMode `toml:"fallback_mode" comment:"Gates G2, G3, G4: off, shadow or enforce: whether a seed whose compiled code was given up may go on."`
	MaxLeak          float64  `toml:"max_leak" comment:"Gates G1, G2, G3: gradient norm that may reach the host through a seed's detached input."`
}

// PlaneConfig configures the process.
type PlaneConfig struct {
	Workers         uint32 `toml:"workers" comment:"Jobs of the shared worker that run at once, 1 or more."`
	WorkerQueue     uint32 `toml:"worker_queue" comment:"Jobs of each class (urgent, normal, background) that may wait, 1 or more."`
	Shutdown        Millis `toml:"shutdown_ms" comment:"How long running jobs may take to stop."`
	ProjectionEvery uint32 `toml:"projection_every" comment:"Records between two stored projections, 1 or more."`
}

// DefaultConfig returns the documented defaults.
func DefaultConfig() ExecutionConfig {
	return ExecutionConfig{
		Tolaria: TolariaConfig{
			Aggregation: AggregationPCGrad, EWMAAlpha: 0.2,
			SnapshotEvery: 50, SnapshotKeep: 4,
			RollbackFast: 500, RollbackFull: 12_000, RollbackLimit: 3,
			DivergeMode: RuleEnforce, DivergeLoss: 12, DivergeSigma: 6, DivergeFactor: 3, DivergeSteps: 3, DivergeWarmup: 10,
			Stall: 10_000, StallFactor: 20,
		},
		Tamiyo: TamiyoConfig{
			Enabled: true, WindowSteps: 10, WarmupSteps: 40, TrainSteps: 60, HealthyWindows: 2,
			LossSpike: 0.15, LossMode: RuleEnforce,
			Volatility: 0.1125, VolatilityMode: RuleShadow,
			Conflict: 0.5, ConflictMode: RuleShadow,
			BlueprintRisk: 0.5, BlendSteps: 20, BlendTemperature: 2, ShadowSteps: 20, Probes: 3,
		},
		Kasmina: KasminaConfig{
			Freshness: 60_000, Skew: 5_000, NonceCap: 10_000, CommandDeadline: 30_000, Embargo: 30_000,
			KernelLatency: 10, LatencyMode: RuleShadow, PrefetchTimeout: 1_000,
			MinTrainSteps: 20, MaxLeak: 1e-6, FallbackMode: RuleEnforce,
			ProbeEvery: 10, MinObserveSteps: 10, MaxLossRatio: 1.5, MinProbes: 2, MinContribution: 0.01,
			ContributionMode: RuleEnforce, EmbargoSteps: 100,
		},
		Plane: PlaneConfig{
			Workers: 8, WorkerQueue: 256, Shutdown: 5_000, ProjectionEvery: 256,
		},
		Log: defaultLog(), Posture: defaultPosture(), Breaker: defaultBreaker(), Telemetry: defaultTelemetry(),
	}
}

// Silence is the shortest time without a report after which a trainer counts as
// stalled. In a lockstep run its answer may be held for the policy and for a
// kernel; that time is not its own.
func (c *ExecutionConfig) Silence(lockstep bool) time.Duration {
	d := c.Tolaria.Stall.Duration()
	if lockstep {
		d += c.Tamiyo.PolicyBudget.Duration() + c.Kasmina.PrefetchTimeout.Duration()
	}
	return d
}

// ConfigProblem is one mistake in a configuration.
type ConfigProblem struct {
	Key    string // TOML key, dotted
	Reason string // what is wrong with which value
	Fix    string // what to write instead
}

// ConfigError lists every mistake in a configuration.
type ConfigError struct{ Problems []ConfigProblem }

// Error lists the problems, one per line.
func (e *ConfigError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "configuration has %d mistake(s)", len(e.Problems))
	for _, p := range e.Problems {
		fmt.Fprintf(&b, "\n  %s %s; %s", p.Key, p.Reason, p.Fix)
	}
	return b.String()
}

// Validate reports every mistake at once as a *ConfigError.
func (c ExecutionConfig) Validate() error {
	var v configCheck
	v.tolaria(c.Tolaria)
	v.tamiyo(c.Tamiyo)
	v.kasmina(c.Kasmina)
	if c.Tamiyo.TrainSteps < c.Kasmina.MinTrainSteps {
		v.add("tamiyo.train_steps", fmt.Sprintf("is %d, less than kasmina.min_train_steps (%d): gate G2 would cull every seed", c.Tamiyo.TrainSteps, c.Kasmina.MinTrainSteps),
			"raise the first or lower the second")
	}
	if c.Tamiyo.Probes < c.Kasmina.MinProbes {
		v.add("tamiyo.probes", fmt.Sprintf("is %d, less than kasmina.min_probes (%d): gate G4 would cull every seed", c.Tamiyo.Probes, c.Kasmina.MinProbes),
			"raise the first or lower the second")
	}
	if c.Tamiyo.ShadowSteps < c.Kasmina.MinObserveSteps {
		v.add("tamiyo.shadow_steps", fmt.Sprintf("is %d, less than kasmina.min_observe_steps (%d): gate G4 would cull every seed", c.Tamiyo.ShadowSteps, c.Kasmina.MinObserveSteps),
			"raise the first or lower the second")
	}
	v.atLeast("plane.workers", uint64(c.Plane.Workers), 1)
	v.atMost("plane.workers", uint64(c.Plane.Workers), 1024)
	v.atLeast("plane.worker_queue", uint64(c.Plane.WorkerQueue), 1)
	v.atMost("plane.worker_queue", uint64(c.Plane.WorkerQueue), 1<<20)
	v.atLeast("plane.shutdown_ms", uint64(c.Plane.Shutdown), 1)
	v.atLeast("plane.projection_every", uint64(c.Plane.ProjectionEvery), 1)
	v.under("kasmina.prefetch_timeout_ms", uint64(c.Kasmina.PrefetchTimeout), "kasmina.command_deadline_ms", uint64(c.Kasmina.CommandDeadline))
	v.log(c.Log)
	v.posture(c.Posture)
	v.breaker(c.Breaker)
	v.telemetry(c.Telemetry)
	if len(v.problems) > 0 {
		return &ConfigError{v.problems}
	}
	return nil
}

// configCheck collects problems.
type configCheck struct{ problems []ConfigProblem }

func (v *configCheck) add(key, reason, fix string) {
	v.problems = append(v.problems, ConfigProblem{key, reason, fix})
}

func (v *configCheck) atLeast(key string, got, least uint64) {
	if got < least {
		v.add(key, fmt.Sprintf("is %d", got), fmt.Sprintf("write %d or more", least))
	}
}

func (v *configCheck) atMost(key string, got, most uint64) {
	if got > most {
		v.add(key, fmt.Sprintf("is %d", got), fmt.Sprintf("write %d or less", most))
	}
}

// under demands that an inner budget is strictly smaller than the one around it.
func (v *configCheck) under(key string, inner uint64, outerKey string, outer uint64) {
	if inner >= outer {
		v.add(key, fmt.Sprintf("is %d, not less than %s (%d) around it", inner, outerKey, outer), "lower the first or raise the second")
	}
}

func (v *configCheck) between(key string, got, lo, hi float64) {
	if !(got >= lo && got <= hi) {
		v.add(key, fmt.Sprintf("is %v", got), fmt.Sprintf("write a number from %v to %v", lo, hi))
	}
}

func (v *configCheck) positive(key string, got float64) {
	if !(got > 0) || math.IsInf(got, 1) {
		v.add(key, fmt.Sprintf("is %v", got), "write a finite number greater than 0")
	}
}

func (v *configCheck) mode(key string, m RuleMode) {
	if err := m.Validate(); err != nil {
		v.add(key, err.Error(), "write off, shadow or enforce")
	}
}

func (v *configCheck) tolaria(c TolariaConfig) {
	if err := c.Aggregation.Validate(); err != nil {
		v.add("tolaria.aggregation", err.Error(), "write pcgrad, sum or mean")
	}
	v.positive("tolaria.ewma_alpha", c.EWMAAlpha)
	v.between("tolaria.ewma_alpha", c.EWMAAlpha, 0, 1)
	v.atLeast("tolaria.snapshot_every", uint64(c.SnapshotEvery), 1)
	v.atLeast("tolaria.snapshot_keep", uint64(c.SnapshotKeep), 2)
	v.atMost("tolaria.snapshot_keep", uint64(c.SnapshotKeep), MaxSnapshots/2)
	v.atLeast("tolaria.rollback_fast_ms", uint64(c.RollbackFast), 1)
	v.atLeast("tolaria.rollback_limit", uint64(c.RollbackLimit), 1)
	v.mode("tolaria.diverge_mode", c.DivergeMode)
	v.positive("tolaria.diverge_loss", c.DivergeLoss)
	v.positive("tolaria.diverge_sigma", c.DivergeSigma)
	v.between("tolaria.diverge_factor", c.DivergeFactor, 1, 1e9)
	v.atLeast("tolaria.diverge_steps", uint64(c.DivergeSteps), 1)
	v.atLeast("tolaria.diverge_warmup", uint64(c.DivergeWarmup), 1)
	v.atLeast("tolaria.stall_ms", uint64(c.Stall), 1)
	v.between("tolaria.stall_factor", c.StallFactor, 1, 1e6)
	v.under("tolaria.rollback_fast_ms", uint64(c.RollbackFast), "tolaria.rollback_full_ms", uint64(c.RollbackFull))
}

func (v *configCheck) tamiyo(c TamiyoConfig) {
	v.atLeast("tamiyo.window_steps", uint64(c.WindowSteps), 1)
	v.atLeast("tamiyo.healthy_windows", uint64(c.HealthyWindows), 1)
	v.positive("tamiyo.loss_spike", c.LossSpike)
	v.mode("tamiyo.loss_mode", c.LossMode)
	v.positive("tamiyo.volatility", c.Volatility)
	v.mode("tamiyo.volatility_mode", c.VolatilityMode)
	v.between("tamiyo.conflict", c.Conflict, 0, 1)
	v.mode("tamiyo.conflict_mode", c.ConflictMode)
	v.between("tamiyo.blueprint_risk", c.BlueprintRisk, 0, 1)
	v.atLeast("tamiyo.blend_steps", uint64(c.BlendSteps), 1)
	v.positive("tamiyo.blend_temperature", c.BlendTemperature)
	v.atLeast("tamiyo.probes", uint64(c.Probes), 1)
}

func (v *configCheck) kasmina(c KasminaConfig) {
	v.atLeast("kasmina.freshness_ms", uint64(c.Freshness), 1)
	v.atLeast("kasmina.nonce_cap", uint64(c.NonceCap), 1)
	v.atLeast("kasmina.command_deadline_ms", uint64(c.CommandDeadline), 1)
	v.under("kasmina.skew_ms", uint64(c.Skew), "kasmina.freshness_ms", uint64(c.Freshness))
	v.under("kasmina.kernel_latency_ms", uint64(c.KernelLatency), "kasmina.prefetch_timeout_ms", uint64(c.PrefetchTimeout))
	v.mode("kasmina.latency_mode", c.LatencyMode)
	v.atLeast("kasmina.probe_every", uint64(c.ProbeEvery), 1)
	v.positive("kasmina.max_loss_ratio", c.MaxLossRatio)
	v.atLeast("kasmina.min_probes", uint64(c.MinProbes), 1)
	v.between("kasmina.min_contribution", c.MinContribution, -1, 1)
	v.mode("kasmina.contribution_mode", c.ContributionMode)
	v.positive("kasmina.max_leak", c.MaxLeak)
	v.mode("kasmina.fallback_mode", c.FallbackMode)
}
