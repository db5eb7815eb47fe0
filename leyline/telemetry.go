package leyline

// Telemetry is a projection: packets are computed from records and can be
// computed again for any point of history. The names are in the files
// telemetry_*.go, each a constant with a row in a table that says what it
// means; Metrics, Events and Retired return the tables.

// MetricName names a metric. DescribeMetric says what it means.
type MetricName string

// EventName names a telemetry event. DescribeEvent says what it means.
type EventName string

// Attr is one attribute of a metric or an event.
type Attr struct{ Key, Value string }

// Metric is one measurement.
type Metric struct {
	Name  MetricName
	Value float64
	Unit  string // one of the constants Unit..., as in the table
	Attrs []Attr
}

// TelemetryEvent is one thing that happened.
type TelemetryEvent struct {
	Name  EventName
	Level Level
	Attrs []Attr
}

// Packet is the telemetry of one subsystem for one record.
type Packet struct {
	Seq      Seq // the record it was computed from
	At       Instant
	Run      RunID
	Source   Subsystem
	Level    Level    // the highest of its events, INFO without events
	Priority Priority // CRITICAL, HIGH for WARNING and ERROR, else NORMAL (SPEC.md 5.4)
	Metrics  []Metric
	Events   []TelemetryEvent
}

// PriorityOf maps a level to the priority of the packet that carries it.
func PriorityOf(l Level) Priority {
	switch l {
	case LevelCritical:
		return PriorityCritical
	case LevelError, LevelWarning:
		return PriorityHigh
	}
	return PriorityNormal
}

// Stream names one of the two streams on which packets are delivered.
type Stream = Enum[streams]

type streams struct{}

func (streams) list() []string { return streamNames[:] }

var streamNames = [...]string{"unspecified", "emergency", "normal", "both"}

// The streams of packets. Emergency holds what is CRITICAL and HIGH, normal all
// else.
const (
	StreamUnspecified Stream = iota
	StreamEmergency
	StreamNormal
	StreamBoth
)

// StreamOf returns the stream on which packets of a priority are delivered.
func StreamOf(p Priority) Stream {
	if p >= PriorityHigh {
		return StreamEmergency
	}
	return StreamNormal
}
