package leyline

import (
	"fmt"
	"reflect"
	"strings"
)

// PostureConfig is the baseline that a run's declared posture is held to. What a
// key asks of torch only is said; an empty list allows everything.
type PostureConfig struct {
	Frameworks         []string `toml:"frameworks" comment:"Frameworks whose trainers may open runs."`
	TorchMin           string   `toml:"torch_min" comment:"Oldest torch, in PEP 440 order; a local part (+cu128) does not count. Loading weights is safe from memory corruption from 2.10 on (CVE-2026-24747)."`
	TorchBelow         string   `toml:"torch_below" comment:"First torch that is too new; empty: none is."`
	Devices            []string `toml:"devices" comment:"Kinds of device, without the index: cpu, cuda, ...; empty: any."`
	Compile            Demand   `toml:"compile" comment:"torch: off, on or any: whether the step must be compiled."`
	CompileModes       []string `toml:"compile_modes" comment:"Modes of torch.compile; empty: any."`
	Inference          Demand   `toml:"inference" comment:"torch: off, on or any: probes and evaluations under torch.inference_mode."`
	MatmulPrecisions   []string `toml:"matmul_precisions" comment:"torch: highest, high, medium: allowed float32 matmul precisions; empty: any."`
	TF32               Demand   `toml:"tf32" comment:"torch: off, on or any: TF32 in matrix products."`
	CuDNNBenchmark     Demand   `toml:"cudnn_benchmark" comment:"torch: off, on or any: torch.backends.cudnn.benchmark."`
	CuDNNDeterministic Demand   `toml:"cudnn_deterministic" comment:"torch: off, on or any: torch.backends.cudnn.deterministic."`
	CuDNNTF32          Demand   `toml:"cudnn_tf32" comment:"torch: off, on or any: torch.backends.cudnn.allow_tf32."`
	WeightsOnly        Demand   `toml:"weights_only" comment:"torch: off, on or any: checkpoints loaded with weights_only=True."`
}

// demands lists what the baseline asks of the switches of a posture, in their
// order.
func (c *PostureConfig) demands() [7]Demand {
	return [...]Demand{c.Compile, c.Inference, c.TF32, c.CuDNNBenchmark, c.CuDNNDeterministic, c.CuDNNTF32, c.WeightsOnly}
}

// Unmet names the first switch of a posture that is not where the baseline wants
// it, and what is wanted; an empty field when all are.
func (c *PostureConfig) Unmet(p Posture) (field string, is Switch, want Demand) {
	have := p.switches()
	for i, d := range c.demands() {
		if s := have[i].value; d == DemandOn && s != SwitchOn || d == DemandOff && s != SwitchOff {
			return have[i].field, s, d
		}
	}
	return "", SwitchUnspecified, DemandUnspecified
}

func defaultPosture() PostureConfig {
	return PostureConfig{
		Frameworks: []string{"go-gonum", FrameworkTorch}, TorchMin: "2.8",
		Compile: DemandAny, Inference: DemandOn, TF32: DemandAny,
		CuDNNBenchmark: DemandAny, CuDNNDeterministic: DemandAny, CuDNNTF32: DemandAny, WeightsOnly: DemandOn,
	}
}

// brokenFrameworks demands distinct names, at least one.
func brokenFrameworks(v reflect.Value) (reason, fix string) {
	if v.Len() == 0 {
		return "names no framework", "write the frameworks that may open runs, such as go-gonum and torch"
	}
	return brokenNames(v)
}

// brokenDevices demands kinds of device.
func brokenDevices(v reflect.Value) (reason, fix string) {
	for _, d := range v.Interface().([]string) {
		if strings.Contains(d, ":") {
			return fmt.Sprintf("has %q, a single device", clip(d)), "write kinds of device, without an index, such as cuda"
		}
	}
	return brokenNames(v)
}

// brokenNames demands a short list of distinct words.
func brokenNames(v reflect.Value) (reason, fix string) {
	var c check
	words := v.Interface().([]string)
	bound(&c, "the list", len(words), MaxArguments)
	distinct(&c, "entry ", words)
	if c.err != nil {
		return c.err.Field + " " + c.err.Reason, "write distinct words of letters, digits and ._:-"
	}
	return "", ""
}

// brokenPrecisions demands names of MatmulPrecision.
func brokenPrecisions(v reflect.Value) (reason, fix string) {
	for _, p := range v.Interface().([]string) {
		var m MatmulPrecision
		if m.UnmarshalText([]byte(p)) != nil || m == MatmulUnspecified {
			return fmt.Sprintf("has %q", clip(p)), "write highest, high, medium, or an empty list"
		}
	}
	return brokenNames(v)
}

// brokenVersion demands a version.
func brokenVersion(v reflect.Value) (reason, fix string) {
	if _, err := ParsePEP440(v.String()); err != nil {
		return err.Error(), "write a version such as 2.8 or 2.9.1"
	}
	return "", ""
}

// brokenBound demands a version or nothing.
func brokenBound(v reflect.Value) (reason, fix string) {
	if v.Len() == 0 {
		return "", ""
	}
	return brokenVersion(v)
}

// broken says what is wrong between the two bounds of torch.
func (c PostureConfig) broken() (ConfigProblem, bool) {
	oldest, err := ParsePEP440(c.TorchMin)
	newest, nerr := ParsePEP440(c.TorchBelow)
	if err != nil || nerr != nil || oldest.Compare(newest) < 0 {
		return ConfigProblem{}, false
	}
	return ConfigProblem{
		Key: "posture.torch_below", Other: "posture.torch_min", Fix: "raise the first or lower the second",
		Reason: fmt.Sprintf("is %s, not after posture.torch_min (%s)", c.TorchBelow, c.TorchMin),
	}, true
}

// BreakerConfig configures the breakers of a run.
type BreakerConfig struct {
	Failures  uint32 `toml:"failures" comment:"Failures in a row that open a breaker, 1 or more."`
	Open      Millis `toml:"open_ms" comment:"How long an open breaker refuses before it lets attempts through on trial."`
	OpenSteps uint32 `toml:"open_steps" comment:"The same in a lockstep run, in healthy steps: there no decision may depend on time."`
	Successes uint32 `toml:"successes" comment:"Successes of a half-open breaker that close it, 1 or more."`
}

func defaultBreaker() BreakerConfig {
	return BreakerConfig{Failures: 3, Open: 60_000, OpenSteps: 100, Successes: 2}
}

// The default capacities of the lanes of a subscriber of telemetry, the largest one,
// and the highest cap of the emergency stream a minute, in packets.
const (
	DefaultQueueCritical = 1024
	DefaultQueueHigh     = 4096
	DefaultQueueNormal   = 8192
	MaxLane              = 1 << 20
	MaxEmergencyPerMin   = 1_000_000
)

// TelemetryConfig configures what happens to telemetry once it is computed.
type TelemetryConfig struct {
	EmergencyPerMin uint32   `toml:"emergency_per_min" comment:"WARNING and ERROR packets that the emergency stream carries a minute before it says how many it leaves out; CRITICAL always passes; 0: no cap."`
	QueueCritical   uint32   `toml:"queue_critical" comment:"CRITICAL packets that may wait for one subscriber before it is cut off, 1 or more."`
	QueueHigh       uint32   `toml:"queue_high" comment:"WARNING and ERROR packets that may wait for one subscriber, 1 or more."`
	QueueNormal     uint32   `toml:"queue_normal" comment:"Other packets that may wait for one subscriber, 1 or more."`
	Subscribers     uint32   `toml:"subscribers" comment:"Streams that may be open at a time, 1 or more."`
	WebhookFile     string   `toml:"webhook_file" comment:"File with the URL to which alerts are posted in the format of Alertmanager's webhook, http or https. It is often a secret, so only its owner may read it, and the log holds the file's name alone; empty: none."`
	WebhookPriority Priority `toml:"webhook_priority" comment:"Least priority of a packet that is sent there: HIGH or CRITICAL."`
}

func defaultTelemetry() TelemetryConfig {
	return TelemetryConfig{
		EmergencyPerMin: 120, QueueCritical: DefaultQueueCritical, QueueHigh: DefaultQueueHigh, QueueNormal: DefaultQueueNormal,
		Subscribers: 16, WebhookPriority: PriorityHigh,
	}
}

// brokenAlerts demands a priority of the emergency stream.
func brokenAlerts(v reflect.Value) (reason, fix string) {
	if p := v.Interface().(Priority); p != PriorityHigh && p != PriorityCritical {
		return "is " + p.String(), "write HIGH or CRITICAL"
	}
	return "", ""
}
