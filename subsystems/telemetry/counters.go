package telemetry

import (
	"cmp"
	"slices"

	"github.com/esper-plane/esper/leyline"
)

// IsCounter reports whether packets carry increments of a metric, to be summed,
// rather than its present value. The catalogue says so.
func IsCounter(name leyline.MetricName) bool {
	row, _ := leyline.DescribeMetric(name)
	return row.Kind == leyline.MetricCounter
}

// Counters is the running total of every counter in the packets added to it.
// The zero value is ready to use. It holds one row per name and attributes, and
// is not safe for concurrent use.
type Counters struct {
	rows []leyline.Metric // Invariant: sorted by name, then by attributes; no two alike
}

// Add sums the counters of a packet; other metrics are left alone. Each packet
// must be added once; the order does not matter.
func (c *Counters) Add(p leyline.Packet) {
	for i := range p.Metrics {
		if IsCounter(p.Metrics[i].Name) {
			c.add(p.Metrics[i])
		}
	}
}

func (c *Counters) add(m leyline.Metric) {
	i, found := slices.BinarySearchFunc(c.rows, m, compareMetrics)
	if found {
		c.rows[i].Value += m.Value
		return
	}
	m.Attrs = slices.Clone(m.Attrs)
	c.rows = slices.Insert(c.rows, i, m)
}

// Value returns the total of a counter over all rows that have every attribute
// given; without attributes it is the total over all of the counter's rows, and
// a counter that was never seen is 0.
func (c *Counters) Value(name leyline.MetricName, attrs ...leyline.Attr) float64 {
	total := 0.0
	for i := range c.rows {
		if c.rows[i].Name == name && covers(c.rows[i].Attrs, attrs) {
			total += c.rows[i].Value
		}
	}
	return total
}

// All returns a copy of the rows, sorted by name and then by attributes.
func (c *Counters) All() []leyline.Metric {
	out := slices.Clone(c.rows)
	for i := range out {
		out[i].Attrs = slices.Clone(out[i].Attrs)
	}
	return out
}

func covers(have, want []leyline.Attr) bool {
	for _, a := range want {
		if !slices.Contains(have, a) {
			return false
		}
	}
	return true
}

func compareMetrics(a, b leyline.Metric) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), slices.CompareFunc(a.Attrs, b.Attrs, compareAttrs))
}

func compareAttrs(a, b leyline.Attr) int {
	return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Value, b.Value))
}
