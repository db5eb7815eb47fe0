package leyline

import (
	"fmt"
	"slices"
	"strings"
)

// The units of metrics. A gauge of unit "state" or "enum" holds the code of an
// enum, whose names are in its row, one of unit "bool" 0 or 1.
const (
	UnitMs          = "ms"
	UnitSeconds     = "seconds"
	UnitRatio       = "ratio" // most are in [0,1]; a cosine is in [-1,1]
	UnitCount       = "count"
	UnitLoss        = "loss"
	UnitBool        = "bool"
	UnitGrad        = "grad" // an L2 norm of gradients
	UnitState       = "state"
	UnitEnum        = "enum"
	UnitLearnRate   = "lr"
	UnitRate        = "per_second"
	UnitBytes       = "bytes"
	UnitGiB         = "gib"
	UnitPercent     = "percent"
	UnitScore       = "score"
	UnitIndex       = "index"
	UnitElems       = "elems"       // tensor elements
	UnitTemperature = "temperature" // of a blend, in steps
	UnitValue       = "value"       // whatever the named check measures
)

// MetricKind says how the values of a metric add up.
type MetricKind = Enum[metricKinds]

type metricKinds struct{}

func (metricKinds) list() []string { return metricKindNames[:] }

var metricKindNames = [...]string{"unspecified", "gauge", "counter"}

// The kinds of metric.
const (
	MetricKindUnspecified MetricKind = iota
	MetricGauge                      // a packet carries the present value; the last one holds
	MetricCounter                    // a packet carries an increment; the total is their sum
)

// NameStatus says where a name comes from.
type NameStatus = Enum[nameStatuses]

type nameStatuses struct{}

func (nameStatuses) list() []string { return nameStatusNames[:] }

var nameStatusNames = [...]string{"unspecified", "emitted", "process", "reserved"}

// The states of a name.
const (
	NameStatusUnspecified NameStatus = iota
	NameEmitted                      // computed from records
	NameProcess                      // measured in the running process; no record holds it
	NameReserved                     // for a subsystem that cannot tell it yet
)

// MetricInfo is what a metric means.
type MetricInfo struct {
	Name     MetricName
	Unit     string
	Kind     MetricKind
	Keys     string // its attribute keys in their order, a blank between two
	Means    string // one sentence, without a full stop
	Codes    string // of the units state and enum: the names of the codes from 1 on, a blank between two
	Settings string // the settings that it is held to or that set it, a blank between two
	Status   NameStatus
	Owner    Subsystem // of a reserved name: who will tell it
}

// Help returns what a metric means with the names of its codes, as a sentence.
func (m MetricInfo) Help() string {
	help := m.Means
	for i, name := range strings.Fields(m.Codes) {
		help += fmt.Sprintf("%s %d %s", [...]string{":", ","}[min(i, 1)], i+1, name)
	}
	return help + "."
}

// EventInfo is what a telemetry event means.
type EventInfo struct {
	Name     EventName
	Keys     string  // its attribute keys in their order, a blank between two
	Means    string  // one sentence, without a full stop
	Levels   []Level // that it can have, rising
	Settings string  // the settings that say when it is told, a blank between two
	Status   NameStatus
	Owner    Subsystem // of a reserved name: who will tell it
}

// RetiredName is a name, or with a final ".*" all names that begin so, that
// SPEC.md lists and that must not be emitted.
type RetiredName struct {
	Name    string
	Instead string // the name that says it here, if one does
	Why     string
}

// Settings that several rows share.
const (
	setDiverge  = "tolaria.diverge_mode tolaria.diverge_loss tolaria.diverge_sigma tolaria.diverge_factor tolaria.diverge_warmup"
	setCollapse = "tolaria.collapse_mode tolaria.collapse_learned tolaria.collapse_band tolaria.diverge_warmup"
	setProfile  = "tolaria.profile_every tolaria.profile_steps"
	setStall    = "tolaria.stall_ms tolaria.stall_factor"
	setRollback = "tolaria.rollback_fast_ms tolaria.rollback_full_ms"
	setConflict = "tamiyo.conflict tamiyo.conflict_mode"
	setVolatile = "tamiyo.volatility tamiyo.volatility_mode"
	setSpike    = "tamiyo.loss_spike tamiyo.loss_mode"
	setVerifier = "kasmina.freshness_ms kasmina.skew_ms kasmina.nonce_cap kasmina.nonce_key_share"
	setGates    = "kasmina.kernel_latency_ms kasmina.latency_mode kasmina.min_train_steps kasmina.max_leak kasmina.fallback_mode " +
		"kasmina.min_observe_steps kasmina.max_loss_ratio kasmina.min_probes kasmina.min_contribution kasmina.contribution_mode " +
		"kasmina.improvement_mode kasmina.min_improvement kasmina.age_mode kasmina.min_age_steps kasmina.gradient_ratio_mode kasmina.min_gradient_ratio"
	setEpochs  = "tolaria.epoch_budget_ms tolaria.hook_budget_ms"
	setRebuild = "tolaria.opt_rebuild tolaria.opt_rebuild_steps tolaria.opt_rebuild_min_steps tolaria.opt_rebuild_backoff_ms"
	setBreaker = "breaker.failures breaker.successes breaker.open_ms breaker.open_steps"
	setDisk    = "log.min_free_mib log.free_every_ms"
	setLanes   = "telemetry.queue_high telemetry.queue_normal telemetry.emergency_per_min"
)

func gauge(name MetricName, unit, keys, means string) MetricInfo {
	return MetricInfo{Name: name, Unit: unit, Kind: MetricGauge, Keys: keys, Means: means, Status: NameEmitted}
}

func counter(name MetricName, keys, means string) MetricInfo {
	return MetricInfo{Name: name, Unit: UnitCount, Kind: MetricCounter, Keys: keys, Means: means, Status: NameEmitted}
}

func (m MetricInfo) reserved(owner Subsystem) MetricInfo {
	m.Status, m.Owner = NameReserved, owner
	return m
}

// codes names the codes of a metric that holds a member of an enum.
func (m MetricInfo) codes(enum members) MetricInfo {
	m.Codes = strings.Join(enum.list()[1:], " ")
	return m
}

func (m MetricInfo) set(settings string) MetricInfo {
	m.Settings = settings
	return m
}

func (m MetricInfo) process() MetricInfo {
	m.Status = NameProcess
	return m
}

func event(name EventName, keys, means string, levels ...Level) EventInfo {
	return EventInfo{Name: name, Keys: keys, Means: means, Levels: levels, Status: NameEmitted}
}

func (e EventInfo) reserved(owner Subsystem) EventInfo {
	e.Status, e.Owner = NameReserved, owner
	return e
}

func (e EventInfo) set(settings string) EventInfo {
	e.Settings = settings
	return e
}

func (e EventInfo) process() EventInfo {
	e.Status = NameProcess
	return e
}

var (
	metricTable = slices.Concat(tolariaMetrics(), tolariaSeeds(), trainerMetrics(), tamiyoMetrics(), reportMetrics(), askMetrics(), kasminaMetrics(), registryMetrics(), kasminaReserved(), planeMetrics(), kernelMetrics(), rankMetrics())
	eventTable  = slices.Concat(tolariaEvents(), trainerEvents(), tamiyoEvents(), reportEvents(), askEvents(), kasminaEvents(), planeEvents(), kernelEvents(), rankEvents())

	metricRows = rows(metricTable, func(m MetricInfo) MetricName { return m.Name })
	eventRows  = rows(eventTable, func(e EventInfo) EventName { return e.Name })
)

// rows says at which place of a table a name stands.
func rows[T any, N comparable](table []T, name func(T) N) map[N]int {
	out := make(map[N]int, len(table))
	for i, row := range table {
		out[name(row)] = i
	}
	return out
}

// Metrics returns the table of metrics, by subsystem.
func Metrics() []MetricInfo { return slices.Clone(metricTable) }

// Events returns the table of telemetry events, by subsystem.
func Events() []EventInfo { return slices.Clone(eventTable) }

// DescribeMetric returns the row of a metric; false for a name that is not in
// the table.
func DescribeMetric(name MetricName) (MetricInfo, bool) {
	if i, ok := metricRows[name]; ok {
		return metricTable[i], true
	}
	return MetricInfo{}, false
}

// DescribeEvent returns the row of a telemetry event; false for a name that is
// not in the table.
func DescribeEvent(name EventName) (EventInfo, bool) {
	if i, ok := eventRows[name]; ok {
		return eventTable[i], true
	}
	return EventInfo{}, false
}
