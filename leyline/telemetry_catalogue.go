package leyline

import "slices"

// The units of metrics. A gauge of unit "state" or "enum" holds the code of an
// enum, one of unit "bool" 0 or 1.
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
	Name   MetricName
	Unit   string
	Kind   MetricKind
	Keys   string // its attribute keys in their order, a blank between two
	Means  string // one sentence, without a full stop
	Status NameStatus
	Owner  Subsystem // of a reserved name: who will tell it
}

// EventInfo is what a telemetry event means.
type EventInfo struct {
	Name   EventName
	Keys   string  // its attribute keys in their order, a blank between two
	Means  string  // one sentence, without a full stop
	Levels []Level // that it can have, rising
	Status NameStatus
	Owner  Subsystem // of a reserved name: who will tell it
}

// RetiredName is a name, or with a final ".*" all names that begin so, that
// SPEC.md lists and that must not be emitted.
type RetiredName struct {
	Name    string
	Instead string // the name that says it here, if one does
	Why     string
}

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

func (e EventInfo) process() EventInfo {
	e.Status = NameProcess
	return e
}

var (
	metricTable = slices.Concat(tolariaMetrics(), tolariaReserved(), trainerMetrics(), tamiyoMetrics(), kasminaMetrics(), kasminaReserved(), planeMetrics())
	eventTable  = slices.Concat(tolariaEvents(), trainerEvents(), tamiyoEvents(), kasminaEvents(), planeEvents())

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
