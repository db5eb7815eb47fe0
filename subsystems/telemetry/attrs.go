package telemetry

import (
	"strconv"
	"strings"

	"github.com/esper-plane/esper/leyline"
)

// The attribute keys. Where SPEC.md names a key, it is that name.
const (
	keyAction      = "action"
	keyApplied     = "applied"
	keyBound       = "bound"
	keyDerived     = "derived"
	keyAge         = "age_ms"
	keyAvailable   = "available_layers"
	keyAlphaVec    = "alpha_vec_len"
	keyAmount      = "amount_ms"
	keyBlueprint   = "blueprint_id"
	keyBoot        = "boot"
	keyBoots       = "boots"
	keyBytes       = "bytes"
	keyBy          = "by"
	keyCause       = "cause"
	keyCheck       = "check"
	keyClean       = "clean"
	keyCommand     = "command_id"
	keyComponent   = "component"
	keyCosine      = "cosine"
	keyCount       = "count"
	keyDecider     = "decider"
	keyDependency  = "dependency_type"
	keyDetails     = "details"
	keyDigest      = "digest"
	keyEffect      = "effect"
	keyEpoch       = "epoch"
	keyFailure     = "failure"
	keyFault       = "fault"
	keyFailures    = "failures"
	keyFaultStep   = "fault_step"
	keyFigure      = "figure"
	keyFirst       = "first"
	keyField       = "field"
	keyFree        = "free_bytes"
	keyFrom        = "from"
	keyGate        = "gate"
	keyHandling    = "handling"
	keyHazard      = "hazard"
	keyHealthy     = "healthy"
	keyHint        = "hint"
	keyIdentifier  = "identifier"
	keyIncarnation = "incarnation"
	keyIndex       = "index"
	keyInput       = "input"
	keyIssuer      = "issuer"
	keyKept        = "kept"
	keyKernels     = "kernels"
	keyKey         = "key_id"
	keyKind        = "kind"
	keyLast        = "last"
	keyLasted      = "lasted_ms"
	keyLastedSteps = "lasted_steps"
	keyLatency     = "latency_ms"
	keyLevel       = "level"
	keyLimit       = "limit"
	keyLineage     = "lineage"
	keyLogits      = "logits"
	keyLoss        = "loss"
	keyLost        = "lost_step"
	keyMax         = "max_ms"
	keyMethod      = "method"
	keyMissing     = "missing_layers"
	keyMode        = "mode"
	keyNew         = "new_ms"
	keyNext        = "next"
	keyOld         = "old_ms"
	keyOngoing     = "ongoing"
	keyOperation   = "operation"
	keyOrigin      = "origin"
	keyOthers      = "others"
	keyOutcome     = "outcome"
	keyPackets     = "packets"
	keyPassed      = "passed"
	keyPeer        = "peer"
	keyPeerName    = "peer_name"
	keyPrevious    = "previous_reason"
	keyPriority    = "priority"
	keyProvenance  = "provenance"
	keyReason      = "reason"
	keyRequired    = "required_layers"
	keyReport      = "report_id"
	keyRequest     = "request_id"
	keyRequests    = "requests"
	keyRetries     = "retry_count"
	keyResource    = "resource"
	keyRisk        = "risk"
	keyRollback    = "rollback_id"
	keyRun         = "run"
	keyRuns        = "runs"
	keyScore       = "score"
	keySeed        = "seed_id"
	keySnapshot    = "snapshot_id"
	keySerial      = "serial"
	keyShare       = "share"
	keySignal      = "signal"
	keySource      = "source"
	keySpan        = "span_ms"
	keyState       = "breaker_state"
	keyStage       = "stage"
	keyStatus      = "status"
	keyStep        = "step"
	keySteps       = "steps"
	keySuccesses   = "successes"
	keySubsystem   = "subsystem"
	keySuspect     = "suspect_steps"
	keyTask        = "task"
	keyTemperature = "temperature"
	keyThreshold   = "threshold_bytes"
	keyTier        = "tier"
	keyPhase       = "phase"
	keyFile        = "file"
	keyTo          = "to"
	keyTorn        = "torn_bytes"
	keyTotal       = "total_bytes"
	keyTotalSteps  = "total_steps"
	keyUntil       = "until"
	keyValue       = "value"
	keyWait        = "wait_ms"
	keyWanted      = "wanted"
	keyVersion     = "version"
	keyViolations  = "violations"
	keyWithinSLA   = "within_sla"
)

// text makes an attribute of any string type. Commands of strangers end up
// here, so the length is bounded and what is not UTF-8, a character cut in two
// included, is replaced.
func text[T ~string](key string, value T) leyline.Attr {
	s := string(value[:min(len(value), leyline.MaxText)])
	return leyline.Attr{Key: key, Value: strings.ToValidUTF8(s, "?")}
}

// name makes an attribute of an enum or an id that renders itself.
func name(key string, value interface{ String() string }) leyline.Attr {
	return leyline.Attr{Key: key, Value: value.String()}
}

func whole[T ~uint32 | ~uint64](key string, value T) leyline.Attr {
	return leyline.Attr{Key: key, Value: strconv.FormatUint(uint64(value), 10)}
}

func number(key string, value float64) leyline.Attr {
	return leyline.Attr{Key: key, Value: strconv.FormatFloat(value, 'g', -1, 64)}
}

func boolean(key string, value bool) leyline.Attr {
	return leyline.Attr{Key: key, Value: strconv.FormatBool(value)}
}

// took is a measured duration in milliseconds, empty when it was not measured.
func took(ns uint64) leyline.Attr {
	if ns == 0 {
		return leyline.Attr{Key: keyLatency}
	}
	return number(keyLatency, millis(ns))
}

func millis(ns uint64) float64 { return float64(ns) / 1e6 }

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// either returns bad when failed, else good.
func either(failed bool, bad, good leyline.Level) leyline.Level {
	if failed {
		return bad
	}
	return good
}
