package leyline

import "time"

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
	Rules     RulesConfig     `toml:"rules" comment:"Weights of the rules policy."`
}

// TolariaConfig configures gradient aggregation, snapshots and rollback.
type TolariaConfig struct {
	Aggregation     Aggregation  `toml:"aggregation" comment:"How task gradients are combined; weighted needs weights and state_weighted owners of the tasks when a run is opened."`
	PCGradMean      bool         `toml:"pcgrad_mean" comment:"Divide PCGrad's sum of projected gradients by the number of tasks."`
	GradVacBeta     float64      `toml:"gradvac_beta" comment:"Weight of the newest cosine in the target cosines of gradvac, [0,1]; 0 is PCGrad."`
	CAGradC         float64      `toml:"cagrad_c" comment:"How far cagrad may go from the mean gradient, as a multiple of its length, 0 or more."`
	QPReg           float64      `toml:"qp_reg" comment:"What upgrad and dualproj add to the diagonal of the Gram matrix of trace 1, 0 or more."`
	NashMaxNorm     float64      `toml:"nash_max_norm" comment:"Length to which nash_mtl shortens its update, 0: as it comes, the root of the number of tasks."`
	AlignedScale    AlignedScale `toml:"aligned_scale" comment:"Singular value to which aligned_mtl brings all others: min, median or rmse."`
	EWMAAlpha       float64      `toml:"ewma_alpha" comment:"Weight of the newest sample in every running mean, (0,1]."`
	SnapshotEvery   uint32       `toml:"snapshot_every" comment:"Steps between snapshots, 1 or more."`
	SnapshotKeep    uint32       `toml:"snapshot_keep" comment:"Newest snapshots kept, 2 or more: the newest is never proven good yet."`
	RollbackFast    Millis       `toml:"rollback_fast_ms" comment:"Deadline of a rollback from the fast tier."`
	RollbackFull    Millis       `toml:"rollback_full_ms" comment:"Deadline of a rollback from the full tier."`
	RollbackPrep    Millis       `toml:"rollback_prepare_ms" comment:"Fast tier: budget for reading and checking the bytes. What is left of it goes to the restore."`
	RollbackCommit  Millis       `toml:"rollback_commit_ms" comment:"Fast tier: budget of the trainer for restoring them."`
	RollbackConfirm Millis       `toml:"rollback_confirm_ms" comment:"Fast tier: budget for reporting and recording that."`
	RollbackHalts   bool         `toml:"emergency_on_rollback_deadline" comment:"Raise L4 and halt the run when a rollback misses its deadline. Else L3, and it is tried again without a deadline."`
	FastMiB         uint32       `toml:"fast_bytes_mib" comment:"Most shared memory for the fast tier of snapshots, over all runs, in MiB; 0: there is no fast tier."`
	FastPercent     uint32       `toml:"fast_percent" comment:"And at most this share of the memory that is free when the plane starts, 0 to 100."`
	RollbackLimit   uint32       `toml:"rollback_limit" comment:"Rollbacks to one snapshot after which the run is halted, 1 or more."`
	DivergeMode     RuleMode     `toml:"diverge_mode" comment:"off, shadow or enforce: roll back when the loss stays over its limit, the largest of the next three."`
	DivergeLoss     float64      `toml:"diverge_loss" comment:"Loss (mean over tasks) below which a step is never anomalous; somewhat above the loss of guessing is a good choice."`
	DivergeSigma    float64      `toml:"diverge_sigma" comment:"Standard deviations above the running mean below which a step is never anomalous."`
	DivergeFactor   float64      `toml:"diverge_factor" comment:"Multiple of the running mean below which a step is never anomalous, 1 or more."`
	DivergeSteps    uint32       `toml:"diverge_steps" comment:"Anomalous steps in a row that make a rollback, 1 or more; a collapsed step is one too."`
	DivergeWarmup   uint32       `toml:"diverge_warmup" comment:"Healthy steps before a step can be anomalous, 1 or more."`
	CollapseMode    RuleMode     `toml:"collapse_mode" comment:"off, shadow or enforce: roll back when a network that had learned falls back to guessing. Looks only where a run declares the loss of guessing."`
	CollapseLearned float64      `toml:"collapse_learned" comment:"A network has learned when its running mean is below this share of the loss of guessing, (0,1)."`
	CollapseBand    float64      `toml:"collapse_band" comment:"How close to the loss of guessing a step is anomalous, as a share of that loss, (0,1)."`
	ProfileEvery    uint32       `toml:"profile_every" comment:"Steps from the beginning of one profile window to that of the next; 0: the trainer writes no profile."`
	ProfileSteps    uint32       `toml:"profile_steps" comment:"Steps that a profile window holds at most, 1 to 10000."`
	Attribution     Attribution  `toml:"attribution" comment:"How the gradient of the host is attributed to its seeds, for the figures of an epoch and by state_weighted: off, uniform or reported."`
	SeedLayers      uint32       `toml:"seed_layers" comment:"Layers of each seed whose gradient norms are told at the end of an epoch, the largest first; 0: none."`
	SeedShareJump   float64      `toml:"seed_share_jump" comment:"Change of a seed's share in the gradient from epoch to epoch from which on it is a warning, (0,1]."`
	SeedConflict    float64      `toml:"seed_conflict" comment:"Share of an epoch's steps in which a seed's gradient pointed against the host's from which on it is a warning, (0,1]."`
	SeedCompact     bool         `toml:"seed_compact" comment:"Tell the figures of each seed at the end of an epoch in one event instead of one metric each."`
	Stall           Millis       `toml:"stall_ms" comment:"A trainer is stalled after this silence at the earliest."`
	StallFactor     float64      `toml:"stall_factor" comment:"And not before this multiple of its mean step time, 1 or more."`

	EpochBudget       Millis   `toml:"epoch_budget_ms" comment:"An epoch that takes longer has failed; 0: however long it takes."`
	HookBudget        Millis   `toml:"hook_budget_ms" comment:"An epoch whose slowest answer took longer, as the trainer waited for it, has failed; 0: however long it takes."`
	EmergencyDispatch Millis   `toml:"emergency_dispatch_ms" comment:"Within this an emergency level must have reached the signal."`
	EmergencyPerMin   uint32   `toml:"emergency_per_min" comment:"Emergency levels that are published a minute, over all runs; what comes on top waits; L4 never does; 0: no cap."`
	FailedEpochs      uint32   `toml:"emergency_failed_epochs" comment:"Failed epochs in a row that halt the run at L4; 0: none do."`
	LRPolicy          LRPolicy `toml:"lr_policy" comment:"Schedule of learning rates: none leaves them to the trainer; constant, cosine, cosine_restarts or step scale what it declared."`
	LRPeriod          uint32   `toml:"lr_period_steps" comment:"Steps of cosine from 1 to lr_floor, and of the first cycle of cosine_restarts, 1 or more."`
	LRRestart         uint32   `toml:"lr_restart_factor" comment:"How many times as long each cycle of cosine_restarts is as the one before, 1 or more."`
	LRFloor           float64  `toml:"lr_floor" comment:"Share of the declared rates below which cosine and cosine_restarts do not go, [0,1]."`
	LRDecay           float64  `toml:"lr_decay" comment:"By which step multiplies the rates, (0,1]."`
	LRDecayEpochs     uint32   `toml:"lr_decay_epochs" comment:"After so many epochs each time, 1 or more."`
	LRWarmup          uint32   `toml:"lr_warmup_steps" comment:"Steps over which a policy first raises the rates to what was declared; 0: none. It begins to count after them."`
	LRWarmupFloor     float64  `toml:"lr_warmup_floor" comment:"Share of the declared rates below which a warm-up does not begin, [0,1]."`
	Rebuild           Fence    `toml:"opt_rebuild" comment:"When the trainer is told to make its optimizer anew from its own state: off, epoch or n_steps."`
	RebuildSteps      uint32   `toml:"opt_rebuild_steps" comment:"With n_steps: after so many steps each time, 1 or more."`
	RebuildMin        uint32   `toml:"opt_rebuild_min_steps" comment:"Healthy steps that must lie between two rebuilds; a fence before is passed over."`
	RebuildBackoff    Millis   `toml:"opt_rebuild_backoff_ms" comment:"How long no rebuild is asked for after breaker.failures of them have failed in a row; a lockstep run counts breaker.open_steps."`
	Order             Millis   `toml:"order_ms" comment:"Within this the trainer must acknowledge an order about its optimizer."`
}

// TamiyoConfig configures the rules policy and the risk evaluators.
type TamiyoConfig struct {
	Policy PolicyKind `toml:"policy" comment:"rules, or random: one that draws among what is open to it, to compare the rules with."`

	Enabled          bool     `toml:"enabled" comment:"Propose adaptations at all."`
	WindowSteps      uint32   `toml:"window_steps" comment:"Steps between two evaluations of the policy, 1 or more."`
	WarmupSteps      uint32   `toml:"warmup_steps" comment:"Steps before the first proposal."`
	TrainSteps       uint32   `toml:"train_steps" comment:"Steps a seed trains before grafting is proposed."`
	HealthyWindows   uint32   `toml:"healthy_windows" comment:"Consecutive healthy windows before conservative mode is left, 1 or more."`
	LossSpike        float64  `toml:"loss_spike" comment:"Rise of the loss EWMA since the last window that counts as a spike."`
	LossMode         RuleMode `toml:"loss_mode" comment:"off, shadow or enforce."`
	Volatility       float64  `toml:"volatility" comment:"Standard deviation of the loss EWMA above which learning rates are lowered instead of acting on a seed."`
	VolatilityMode   RuleMode `toml:"volatility_mode" comment:"off, shadow or enforce."`
	Conflict         float64  `toml:"conflict" comment:"EWMA of the conflict ratio above which learning rates are lowered instead of acting on a seed, [0,1]."`
	ConflictMode     RuleMode `toml:"conflict_mode" comment:"off, shadow or enforce. Conflicts are what PCGrad resolves, so this only watches."`
	BlueprintRisk    float64  `toml:"blueprint_risk" comment:"Risk of a blueprint from which learning rates are lowered instead of acting on a seed of it, [0,1]."`
	BlendSteps       uint32   `toml:"blend_steps" comment:"Optimizer steps a blend takes, 1 or more."`
	BlendTemperature float64  `toml:"blend_temperature" comment:"Temperature of the alpha schedule in steps, greater than 0."`
	ShadowSteps      uint32   `toml:"shadow_steps" comment:"Steps a seed runs at full alpha before its evaluation is proposed."`
	Probes           uint32   `toml:"probes" comment:"Measured contributions before a seed is judged, 1 or more."`
	PolicyBudget     Millis   `toml:"policy_budget_ms" comment:"Within this a policy that runs on the shared worker must have answered, 1 or more."`

	BlendMode     BlendMode `toml:"blend_mode" comment:"How a seed's output is mixed into the host's: CONVEX, RESIDUAL, CHANNEL or CONFIDENCE."`
	BlendChannels []float64 `toml:"blend_channels" comment:"CHANNEL: the share of each channel of the host; as many numbers as it has channels, 64 at most."`
	BlendGateK    float64   `toml:"blend_gate_k" comment:"CONFIDENCE: steepness of the gate over the margin between the two largest logits, 0 or more."`
	BlendGateTau  float64   `toml:"blend_gate_tau" comment:"CONFIDENCE: margin, in logits, at which the gate is half open, 0 or more."`
	BlendLo       float64   `toml:"blend_alpha_lo" comment:"CONFIDENCE: least share of a seed in a sample, [0,1], not above blend_alpha_hi."`
	BlendHi       float64   `toml:"blend_alpha_hi" comment:"CONFIDENCE: largest share of a seed in a sample, [0,1]."`

	DegradedMode        RuleMode   `toml:"degraded_mode" comment:"off, shadow or enforce: whether nothing is proposed while too few of the policy's features are known."`
	DegradedWarning     float64    `toml:"degraded_warning" comment:"Mean coverage of the features below which that is a WARNING, [0,1]."`
	DegradedCritical    float64    `toml:"degraded_critical" comment:"Mean coverage at which, and below which, it is CRITICAL and nothing is proposed, [0,1]."`
	ReportEpochs        uint32     `toml:"report_epochs" comment:"Epochs that a command of the policy is observed for before its field report is filed, 1 to 64."`
	ReportDir           string     `toml:"report_dir" comment:"Directory to which every field report is delivered as a JSON file, which must exist; a relative path begins where esper is started; empty: reports stay in the log and nobody is handed one."`
	ReportTimeout       Millis     `toml:"report_timeout_ms" comment:"Within this a field report must be delivered, or the attempt has failed."`
	ReportRetries       uint32     `toml:"report_retries" comment:"How often a field report is sent again before its delivery is given up, 0 to 16."`
	ReportBackoff       Millis     `toml:"report_backoff_ms" comment:"The pause before a field report is sent again is this, times report_backoff_factor for each attempt that has failed."`
	ReportFactor        float64    `toml:"report_backoff_factor" comment:"By which that pause grows with each attempt that has failed, the first included, 1 to 10."`
	ReportHours         uint32     `toml:"report_retention_hours" comment:"How long the index of field reports and report_dir keep one after its command was issued; the log keeps it for ever."`
	PolicyRisk          float64    `toml:"policy_risk" comment:"Risk that the policy gives its own proposal from which learning rates are lowered instead, [0,1]."`
	PolicyRiskCritical  float64    `toml:"policy_risk_critical" comment:"Risk that the policy gives its own proposal from which the seed is paused and the run goes conservative, [0,1]."`
	PolicyRiskMode      RuleMode   `toml:"policy_risk_mode" comment:"off, shadow or enforce."`
	ConservativeEffect  RiskEffect `toml:"conservative_effect" comment:"What conservative mode makes of a proposal: hold leaves the seed as it is, pause takes it out of the network until the mode is left."`
	BlueprintQuarantine float64    `toml:"blueprint_quarantine" comment:"Risk of a blueprint from which it is treated as one in quarantine, [0,1]."`
	BlueprintMode       RuleMode   `toml:"blueprint_mode" comment:"off, shadow or enforce."`
	HazardMode          RuleMode   `toml:"hazard_mode" comment:"off, shadow or enforce: what the hazard sheet of a blueprint says."`
	LossWarning         float64    `toml:"loss_warning" comment:"Rise of the loss EWMA since the last window from which learning rates are lowered instead of acting on a seed; also the rise at which a learning rate of 0 is remarked upon."`
	LossWarningMode     RuleMode   `toml:"loss_warning_mode" comment:"off, shadow or enforce."`
	HookLatency         Millis     `toml:"hook_latency_ms" comment:"The trainer's wait for the plane in the step before the window, above which seeds are paused."`
	StepLatency         Millis     `toml:"step_latency_ms" comment:"The whole step before the window, above which seeds are paused."`
	ApplyLatency        Millis     `toml:"apply_latency_ms" comment:"Carrying out commands in that step, above which learning rates are lowered instead of acting on a seed."`
	FinalizeLatency     Millis     `toml:"finalize_latency_ms" comment:"Advancing blends in that step, above which learning rates are lowered instead of acting on a seed."`
	LatencyMode         RuleMode   `toml:"latency_mode" comment:"off, shadow or enforce: the four limits above. A lockstep run only watches: there no decision may depend on time."`
	IsolationMode       RuleMode   `toml:"isolation_mode" comment:"off, shadow or enforce: pause a seed on trial whose isolation is violated."`
	PauseWindows        uint32     `toml:"pause_windows" comment:"Windows that such a seed stays paused before it is given up, 1 or more."`
	FallbackMode        RuleMode   `toml:"fallback_mode" comment:"off, shadow or enforce: hold proposals for one window behind a compile fallback of the run or of the seed."`
	GPUUtil             float64    `toml:"gpu_util" comment:"Percent of the accelerator in use from which, and with as little memory free as the next says, a proposal becomes a pause."`
	GPUFree             float64    `toml:"gpu_free_gib" comment:"GiB of the accelerator's memory free."`
	CPUUtil             float64    `toml:"cpu_util" comment:"Percent of the processors in use from which learning rates are lowered instead of acting on a seed."`
	DeviceMode          RuleMode   `toml:"device_mode" comment:"off, shadow or enforce: the three limits above. A lockstep run only watches."`
	GradVariance        float64    `toml:"grad_variance" comment:"Variance of the gradient's norm over its squared mean, above which learning rates are lowered instead of acting on a seed."`
	GradVarianceMode    RuleMode   `toml:"grad_variance_mode" comment:"off, shadow or enforce."`
	OptimizerHintMode   RuleMode   `toml:"optimizer_hint_mode" comment:"off, shadow or enforce: a learning rate of 0 while the loss rises by more than loss_warning. Looks only where a run declares its rates."`
	RiskSamples         uint32     `toml:"risk_samples" comment:"Healthy steps that a running mean must have seen before volatility, conflicts and variance are judged by it."`
	RiskRateFactor      float64    `toml:"risk_rate_factor" comment:"By what learning rates are multiplied for a risk that asks for the optimizer, (0,1]; 1: nothing goes out."`
	RiskRateFloor       float64    `toml:"risk_rate_floor" comment:"Least product of these factors, (0,1]."`
	PolicyInline        bool       `toml:"policy_inline" comment:"The policy runs inside the decider, in the record of the step, and policy_budget_ms does not apply. Else it runs on the shared worker, where it can be late, in a lockstep run too."`
	MetadataBudget      Millis     `toml:"metadata_budget_ms" comment:"Within this the catalogue must have given the safety sheet of a blueprint, 1 or more."`
	MetadataTTL         Millis     `toml:"metadata_ttl_ms" comment:"How long a run relies on a safety sheet before it is looked up anew; 0: it is looked up before every GERMINATE."`
	MetadataTTLSteps    uint32     `toml:"metadata_ttl_steps" comment:"The same in a lockstep run, in healthy steps: there no decision may depend on time."`
	CatalogueDir        string     `toml:"catalogue_dir" comment:"Directory of signed safety sheets, ID.sheet for each blueprint; empty: none is looked up, and what a blueprint was registered with counts."`
	Conservative        bool       `toml:"conservative" comment:"Runs begin in conservative mode, as if an operator had set it: only an operator leaves it."`
	CooldownMs          Millis     `toml:"conservative_cooldown_ms" comment:"Conservative mode is not left before this has passed since its last reason."`
	CooldownSteps       uint32     `toml:"conservative_cooldown_steps" comment:"The same in a lockstep run, in training steps: there no decision may depend on time."`
	BudgetMode          BudgetMode `toml:"budget_mode" comment:"fixed, or learned: policy_budget_ms and metadata_budget_ms become the longest answer of the run times budget_factor, and each change is recorded. A lockstep run is always fixed."`
	BudgetFactor        float64    `toml:"budget_factor" comment:"What a learned budget allows, as a multiple of the longest answer, from 1.01 to 1000; never less than a millisecond."`
	BudgetSamples       uint32     `toml:"budget_samples" comment:"Answers that a budget is learned from at least, 1 or more; until then it is as set."`
	ReportURLFile       string     `toml:"report_url_file" comment:"File with the URL to which every field report is posted as JSON, readable by its owner alone; empty: none is posted."`
	PolicyMaxAge        Millis     `toml:"policy_max_age_ms" comment:"How long after its import a policy artifact may be activated; 0: however long. A rollback returns to an older one all the same."`
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
	ImprovementMode  RuleMode `toml:"improvement_mode" comment:"Gate G2: off, shadow or enforce: whether a seed must have improved to blend."`
	MinImprovement   float64  `toml:"min_improvement" comment:"Gate G2: how much the seed's own loss must have fallen in TRAINING, as a share of its mean over the first ten steps there."`
	AgeMode          RuleMode `toml:"age_mode" comment:"Gate G2: off, shadow or enforce: whether a seed must have reached an age to blend."`
	MinAgeSteps      uint32   `toml:"min_age_steps" comment:"Gate G2: steps since the seed germinated. 200 are ten epochs of a set of 640 rows in batches of 32."`
	GradRatioMode    RuleMode `toml:"gradient_ratio_mode" comment:"Gate G2: off, shadow or enforce: whether a seed's gradient must hold its own beside the host's."`
	MinGradRatio     float64  `toml:"min_gradient_ratio" comment:"Gate G2: running mean of the norm of the seed's gradient over that of the host's, each divided by the root of its number of parameters."`
	StrictIsolation  bool     `toml:"strict_isolation" comment:"Cull a seed on trial at the first violation of its isolation, instead of at its next gate."`
	CosineMode       RuleMode `toml:"cosine_mode" comment:"off, shadow or enforce: whether gradients of host and seed that point the same way, or against each other, are a violation while a seed trains or blends. Of parameters that are not shared a cosine says little; the leak is the proof."`
	MaxCosine        float64  `toml:"max_cosine" comment:"Cosine of the two gradients at the graft, either way, from above which they do, [0,1]."`

	NonceKeyShare    float64 `toml:"nonce_key_share" comment:"Share of nonce_cap that the commands of one key may fill, (0,1]; less where there are so many keys that their shares would not fit."`
	TamiyoRate       uint32  `toml:"tamiyo_rate" comment:"Commands that Tamiyo's key may spend in a minute of plane time; 0: no limit, as a lockstep run needs, where no decision may depend on time."`
	TeacherMemoryMiB uint32  `toml:"teacher_memory_mib" comment:"Memory in MiB above which the registration of a teacher is a WARNING."`

	CacheMiB       uint32 `toml:"cache_mib" comment:"Most memory of the plane's kernel cache, in MiB, 1 or more; a larger kernel cannot be had."`
	CacheTTL       Millis `toml:"cache_ttl_ms" comment:"How long a kernel stays in the cache after it was read; then it is read and verified anew. 0: until it must make room."`
	CacheWaitWarn  Millis `toml:"cache_wait_warn_ms" comment:"A fetch that waits longer than this for another one of the same kernel, or for room in the cache, is a warning."`
	PrewarmSamples uint32 `toml:"prewarm_samples" comment:"How often a kernel that was read is decoded and its tensors are checked, for the percentiles of that, 1 to 1000."`
}

// NonceKeyCap is how many nonces of one key the ledger holds at most, 1 or more.
func (c *KasminaConfig) NonceKeyCap() uint32 {
	return max(1, uint32(float64(c.NonceCap)*c.NonceKeyShare))
}

// PlaneConfig configures the process.
type PlaneConfig struct {
	Workers         uint32 `toml:"workers" comment:"Jobs of the shared worker that run at once, 1 or more."`
	WorkerQueue     uint32 `toml:"worker_queue" comment:"Jobs of each class (urgent, normal, background) that may wait, 1 or more."`
	Shutdown        Millis `toml:"shutdown_ms" comment:"How long running jobs may take to stop."`
	ProjectionEvery uint32 `toml:"projection_every" comment:"Records between two stored projections, 1 or more."`
	FastDir         string `toml:"fast_dir" comment:"Directory of shared memory in which the fast tier makes its own; empty: /dev/shm where there is one."`
}

// DefaultConfig returns the documented defaults.
func DefaultConfig() ExecutionConfig {
	return ExecutionConfig{
		Tolaria: TolariaConfig{
			Aggregation: AggregationPCGrad, EWMAAlpha: 0.2,
			GradVacBeta: 0.5, CAGradC: 0.5, QPReg: 1e-4, NashMaxNorm: 1, AlignedScale: ScaleMin,
			SnapshotEvery: 50, SnapshotKeep: 4,
			RollbackFast: 500, RollbackFull: 12_000, RollbackLimit: 3,
			RollbackPrep: 150, RollbackCommit: 250, RollbackConfirm: 100, RollbackHalts: true, FastMiB: 4096, FastPercent: 25,
			DivergeMode: RuleEnforce, DivergeLoss: 12, DivergeSigma: 6, DivergeFactor: 3, DivergeSteps: 3, DivergeWarmup: 10,
			CollapseMode: RuleEnforce, CollapseLearned: 0.6, CollapseBand: 0.065,
			ProfileSteps: 50, Attribution: AttributionOff, SeedShareJump: 0.3, SeedConflict: 0.5,
			Stall: 10_000, StallFactor: 20,
			EmergencyDispatch: 2_000, EmergencyPerMin: 60, FailedEpochs: 3,
			LRPolicy: LRNone, LRPeriod: 10_000, LRRestart: 1, LRFloor: 0.01, LRDecay: 0.5, LRDecayEpochs: 10, LRWarmupFloor: 0.1,
			Rebuild: FenceOff, RebuildSteps: 1_000, RebuildBackoff: 10_000, Order: 30_000,
		},
		Tamiyo: TamiyoConfig{
			Policy:  PolicyRules,
			Enabled: true, WindowSteps: 10, WarmupSteps: 40, TrainSteps: 60, HealthyWindows: 2,
			LossSpike: 0.15, LossMode: RuleEnforce,
			Volatility: 0.1125, VolatilityMode: RuleShadow,
			Conflict: 0.5, ConflictMode: RuleShadow,
			BlueprintRisk: 0.5, BlendSteps: 20, BlendTemperature: 2, ShadowSteps: 20, Probes: 3,
			BlendMode: BlendResidual, BlendGateK: defaultGate().K, BlendGateTau: defaultGate().Tau, BlendLo: defaultGate().Lo, BlendHi: defaultGate().Hi,
			DegradedMode: RuleEnforce, DegradedWarning: 0.30, DegradedCritical: 0.10,
			ReportEpochs: 1, ReportTimeout: 3_000, ReportRetries: 3, ReportBackoff: 1_000, ReportFactor: 2, ReportHours: 24,
			PolicyBudget: 5, PolicyInline: true, MetadataBudget: 25, MetadataTTL: 300_000, MetadataTTLSteps: 200,
			CooldownMs: 10_000, CooldownSteps: 10, BudgetMode: BudgetsFixed, BudgetFactor: 3, BudgetSamples: 20,
		}.withRisk(),
		Kasmina: KasminaConfig{
			Freshness: 60_000, Skew: 5_000, NonceCap: 10_000, CommandDeadline: 30_000, Embargo: 30_000,
			KernelLatency: 10, LatencyMode: RuleShadow, PrefetchTimeout: 1_000,
			MinTrainSteps: 20, MaxLeak: 1e-6, CosineMode: RuleShadow, MaxCosine: 0.95, FallbackMode: RuleEnforce,
			ProbeEvery: 10, MinObserveSteps: 10, MaxLossRatio: 1.5, MinProbes: 2, MinContribution: 0.01,
			ContributionMode: RuleEnforce, EmbargoSteps: 100, NonceKeyShare: 0.25, TeacherMemoryMiB: 7 << 10,
			ImprovementMode: RuleShadow, MinImprovement: 0.005, AgeMode: RuleShadow, MinAgeSteps: 200,
			GradRatioMode: RuleShadow, MinGradRatio: 0.10,
			CacheMiB: 256, CacheTTL: 300_000, CacheWaitWarn: 100, PrewarmSamples: 5,
		},
		Plane: PlaneConfig{
			Workers: 8, WorkerQueue: 256, Shutdown: 5_000, ProjectionEvery: 256,
		},
		Log: defaultLog(), Posture: defaultPosture(), Breaker: defaultBreaker(), Telemetry: defaultTelemetry(),
		Rules: defaultRules(),
	}
}

// Silence is the shortest time without a report after which a trainer counts as
// stalled. In a lockstep run its answer may be held for the policy, for a
// safety sheet and for a kernel; that time is not its own.
func (c *ExecutionConfig) Silence(lockstep bool) time.Duration {
	d := c.Tolaria.Stall.Duration()
	if !lockstep {
		return d
	}
	if !c.Tamiyo.PolicyInline {
		d += c.Tamiyo.PolicyBudget.Duration()
	}
	if c.Tamiyo.CatalogueDir != "" {
		d += c.Tamiyo.MetadataBudget.Duration()
	}
	return d + c.Kasmina.PrefetchTimeout.Duration()
}
