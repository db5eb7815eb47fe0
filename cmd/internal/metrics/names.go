package metrics

import (
	"strings"

	"github.com/esper-plane/esper/leyline"
)

// prefix stands before every name.
const prefix = "esper_"

// suffixes says how names of a unit end, and by what values are divided to get
// to it. Units that are not here leave no trace in the name.
var suffixes = map[string]struct {
	word    string
	divisor float64
	ours    string // how the catalogue's own names of that unit end
}{
	leyline.UnitMs:      {"seconds", 1000, "_ms"},
	leyline.UnitSeconds: {"seconds", 1, ""},
	leyline.UnitBytes:   {"bytes", 1, ""},
	leyline.UnitGiB:     {"bytes", 1. / (1 << 30), "_gb"},
	leyline.UnitPercent: {"ratio", 100, "_percent"},
	leyline.UnitRatio:   {"ratio", 1, ""},
}

// SeriesName returns what Prometheus calls a metric.
func SeriesName(m leyline.MetricInfo) string {
	name := strings.ReplaceAll(string(m.Name), ".", "_")
	name = strings.TrimSuffix(name, "_total")
	name = strings.TrimSuffix(name, suffixes[m.Unit].ours)
	if unit := suffixes[m.Unit].word; unit != "" && !strings.HasSuffix(name, "_"+unit) {
		name += "_" + unit
	}
	if m.Kind == leyline.MetricCounter {
		name += "_total"
	}
	return prefix + name
}

// base converts a value to base units.
func base(unit string, value float64) float64 {
	if s, ok := suffixes[unit]; ok {
		return value / s.divisor
	}
	return value
}
