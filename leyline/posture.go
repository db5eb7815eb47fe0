package leyline

// Switch is a setting that its owner has declared to be off or on. Unlike a
// bool it can say that nothing was declared.
type Switch = Enum[switches]

type switches struct{}

func (switches) list() []string { return switchNames[:] }

var switchNames = [...]string{"unspecified", "off", "on"}

// The positions of a switch.
const (
	SwitchUnspecified Switch = iota
	SwitchOff
	SwitchOn
)

// Demand is what a baseline asks of a Switch.
type Demand = Enum[demands]

type demands struct{}

func (demands) list() []string { return demandNames[:] }

var demandNames = [...]string{"unspecified", "off", "on", "any"}

// The demands. DemandAny still wants the switch to be declared.
const (
	DemandUnspecified Demand = iota
	DemandOff
	DemandOn
	DemandAny
)

// MatmulPrecision is the internal precision of float32 matrix products, as
// torch.set_float32_matmul_precision names it.
type MatmulPrecision = Enum[matmulPrecisions]

type matmulPrecisions struct{}

func (matmulPrecisions) list() []string { return matmulPrecisionNames[:] }

var matmulPrecisionNames = [...]string{"unspecified", "highest", "high", "medium"}

// The precisions, falling.
const (
	MatmulUnspecified MatmulPrecision = iota
	MatmulHighest
	MatmulHigh
	MatmulMedium
)

// FrameworkTorch names PyTorch, the one framework whose posture is held to the
// baseline of the configuration field by field.
const FrameworkTorch = "torch"

// Posture is how a trainer runs its framework, declared when it opens a run.
// Version and Device are required of every framework, all fields but
// CompileMode of torch; CompileMode is required where Compile is on.
type Posture struct {
	Version     string          // of the framework; torch: PEP 440, as torch.__version__
	Device      string          // "cpu", "cuda:0", ...
	Compile     Switch          // the step is compiled (torch.compile)
	CompileMode string          // "default", "reduce-overhead", "max-autotune", ...
	Inference   Switch          // probes and evaluations run under torch.inference_mode
	Matmul      MatmulPrecision // of float32 matrix products
	TF32        Switch          // TF32 allowed in matrix products
	Cudnn       Cudnn
	WeightsOnly Switch // checkpoints are loaded with weights_only=True
	// No baseline judges these, and none is required.
	AMP       Switch // automatic mixed precision
	Foreach   Switch // the optimizer uses its multi-tensor form
	PinMemory Switch // of the input
}

// Cudnn is the posture of torch.backends.cudnn.
type Cudnn struct {
	Benchmark     Switch
	Deterministic Switch
	TF32          Switch
}

// validate demands the fields that need no baseline to be missed.
func (p *Posture) validate(framework string) error {
	var c check
	torch := framework == FrameworkTorch
	needText(&c, "version", p.Version)
	needText(&c, "device", p.Device)
	text(&c, "compile_mode", p.CompileMode, MaxIDLen)
	if p.Compile == SwitchOn {
		needText(&c, "compile_mode", p.CompileMode)
	}
	for _, s := range p.switches() {
		if torch || s.value != SwitchUnspecified {
			needEnum(&c, s.field, s.value)
		}
	}
	mayEnum(&c, "amp", p.AMP)
	mayEnum(&c, "foreach", p.Foreach)
	mayEnum(&c, "pin_memory", p.PinMemory)
	if torch || p.Matmul != MatmulUnspecified {
		needEnum(&c, "matmul", p.Matmul)
	}
	return c.result()
}

// postureSwitch is one switch of a posture with the name of its field.
type postureSwitch struct {
	field string
	value Switch
}

func (p *Posture) switches() [7]postureSwitch {
	return [...]postureSwitch{
		{"compile", p.Compile}, {"inference", p.Inference}, {"tf32", p.TF32},
		{"cudnn.benchmark", p.Cudnn.Benchmark}, {"cudnn.deterministic", p.Cudnn.Deterministic},
		{"cudnn.tf32", p.Cudnn.TF32}, {"weights_only", p.WeightsOnly},
	}
}

// FallbackStage says when compiled code was given up for eager execution.
type FallbackStage = Enum[fallbackStages]

type fallbackStages struct{}

func (fallbackStages) list() []string { return fallbackStageNames[:] }

var fallbackStageNames = [...]string{"unspecified", "compile", "warmup", "runtime", "recompile_limit"}

// The stages of a compile fallback.
const (
	FallbackUnspecified    FallbackStage = iota
	FallbackCompile                      // the compiler raised
	FallbackWarmup                       // the first compiled call raised
	FallbackRuntime                      // a later compiled call raised
	FallbackRecompileLimit               // the framework stopped recompiling
)

// CompileFallback is a trainer's report that compiled code was replaced by eager
// execution. It is possible only in a run whose posture has Compile on.
type CompileFallback struct {
	Run         RunID
	Incarnation Incarnation
	Step        Step   // the last decided one; 0 before the first
	Seed        SeedID // whose code it was; empty: the host's
	Stage       FallbackStage
	Reason      string // the framework's words
}

// InputKind implements Input.
func (CompileFallback) InputKind() InputKind { return InputCompileFallback }

// Validate implements Input.
func (x CompileFallback) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "incarnation", x.Incarnation > 0)
	mayID(&c, "seed", x.Seed)
	needEnum(&c, "stage", x.Stage)
	needText(&c, "reason", x.Reason)
	return c.result()
}

// CompileFellBack records a compile fallback and what it adds up to. Level
// WARNING.
type CompileFellBack struct {
	Run    RunID
	Step   Step
	Seed   SeedID // empty: the host
	Stage  FallbackStage
	Reason string
	Count  uint32 // fallbacks of that seed since it germinated, or of the host in this run; this one included
}

// Validate implements Event.
func (x CompileFellBack) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	mayID(&c, "seed", x.Seed)
	needEnum(&c, "stage", x.Stage)
	need(&c, "reason", x.Reason != "")
	need(&c, "count", x.Count > 0)
	return c.result()
}

// EventKind implements Event.
func (CompileFellBack) EventKind() EventKind { return EventCompileFellBack }
