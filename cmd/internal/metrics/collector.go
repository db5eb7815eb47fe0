package metrics

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/telemetry"
)

// The defaults of Options.
const (
	DefaultEnded  = 4
	DefaultRuns   = 64
	DefaultSeries = 50_000
)

// Options bound a collector. A zero takes its default.
type Options struct {
	Ended  int // runs that have ended and are still shown
	Runs   int // runs that are shown
	Series int // series that are shown

	// Process returns measurements of the running process, with counters as
	// totals: those of a hub, of the worker, of the webhook. It is called for
	// each scrape, from any goroutine.
	Process []func() []leyline.Metric
}

// Collector folds packets into series. It is safe for concurrent use.
type Collector struct {
	options Options
	descs   map[leyline.MetricName]*prometheus.Desc // never changed

	mu      sync.Mutex        // guards everything below
	series  map[string]*value // by name and attributes
	runs    []*run            // Invariant: those heard of more recently come later
	dropped uint64            // series given up
}

// value is one series.
type value struct {
	leyline.Metric
	run leyline.RunID
}

// run is a run that has series.
type run struct {
	id     leyline.RunID
	ended  bool
	series int
}

// New makes a collector without series.
func New(o Options) *Collector {
	o.Ended = cmp.Or(max(o.Ended, 0), DefaultEnded)
	o.Runs = cmp.Or(max(o.Runs, 0), DefaultRuns)
	o.Series = cmp.Or(max(o.Series, 0), DefaultSeries)
	c := &Collector{options: o, descs: map[leyline.MetricName]*prometheus.Desc{}, series: map[string]*value{}}
	for _, m := range leyline.Metrics() {
		if m.Status != leyline.NameReserved {
			c.descs[m.Name] = prometheus.NewDesc(SeriesName(m), m.Help(), strings.Fields(m.Keys), nil)
		}
	}
	return c
}

// Add folds the packets of one record, in their order. Each record must be added
// once, in the order of the log.
func (c *Collector) Add(packets []leyline.Packet) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range packets {
		c.add(&packets[i])
	}
}

// add folds one packet. A rewind comes before what the packet measures, the end
// of a run behind it.
func (c *Collector) add(p *leyline.Packet) {
	for _, e := range p.Events {
		if e.Name == leyline.NameRollbackRestored || e.Name == leyline.NameRunResumed {
			c.forget(func(v *value) bool { return v.run == p.Run && rewound(v.Name) })
		}
	}
	for i := range p.Metrics {
		c.set(&p.Metrics[i])
	}
	for _, e := range p.Events {
		if e.Name == leyline.NameRunEnded {
			c.end(p.Run)
		}
	}
}

// rewound reports whether a rollback makes the last value of a gauge untrue.
func rewound(name leyline.MetricName) bool {
	for _, family := range []string{"kasmina.seed.", "kasmina.gate.", "kasmina.blend."} {
		if strings.HasPrefix(string(name), family) {
			return !telemetry.IsCounter(name)
		}
	}
	return false
}

// set folds one measurement.
func (c *Collector) set(m *leyline.Metric) {
	if c.descs[m.Name] == nil {
		return // Invariant: packets of records hold names of the catalogue only
	}
	key := seriesKey(m)
	v := c.series[key]
	if v == nil {
		if v = c.admit(m); v == nil {
			return
		}
		c.series[key] = v
	}
	if telemetry.IsCounter(m.Name) {
		v.Value += m.Value
	} else {
		v.Value = m.Value
	}
	c.touch(v.run)
}

// admit makes a series, or counts one that there is no room for.
func (c *Collector) admit(m *leyline.Metric) *value {
	if len(c.series) >= c.options.Series {
		c.dropped++
		return nil
	}
	v := &value{Metric: *m, run: runOf(m)}
	v.Value = 0
	if v.run != "" {
		c.enter(v.run).series++
	}
	return v
}

// enter returns the run of a new series, and makes room for a new run.
func (c *Collector) enter(id leyline.RunID) *run {
	if i := c.find(id); i >= 0 {
		return c.runs[i]
	}
	for len(c.runs) >= c.options.Runs {
		c.drop(0)
	}
	c.runs = append(c.runs, &run{id: id})
	return c.runs[len(c.runs)-1]
}

func (c *Collector) find(id leyline.RunID) int {
	return slices.IndexFunc(c.runs, func(r *run) bool { return r.id == id })
}

// touch notes that a run was heard of.
func (c *Collector) touch(id leyline.RunID) {
	if i := c.find(id); i >= 0 && i != len(c.runs)-1 {
		r := c.runs[i]
		c.runs = append(slices.Delete(c.runs, i, i+1), r)
	}
}

// end notes that a run has ended, and when too many have, drops the one that was
// heard of least recently.
func (c *Collector) end(id leyline.RunID) {
	if i := c.find(id); i >= 0 {
		c.runs[i].ended = true
	}
	ended, first := 0, -1
	for i, r := range c.runs {
		if r.ended {
			if ended++; first < 0 {
				first = i
			}
		}
	}
	if ended > c.options.Ended {
		c.drop(first)
	}
}

// drop gives up the series of a run.
func (c *Collector) drop(i int) {
	id := c.runs[i].id
	if !c.runs[i].ended {
		c.dropped += uint64(c.runs[i].series)
	}
	c.forget(func(v *value) bool { return v.run == id })
	if i = c.find(id); i >= 0 {
		c.runs = slices.Delete(c.runs, i, i+1)
	}
}

// forget removes series.
func (c *Collector) forget(gone func(*value) bool) {
	for key, v := range c.series {
		if !gone(v) {
			continue
		}
		delete(c.series, key)
		if i := c.find(v.run); i >= 0 {
			c.runs[i].series--
		}
	}
}

func runOf(m *leyline.Metric) leyline.RunID {
	for _, a := range m.Attrs {
		if a.Key == "run" {
			return leyline.RunID(a.Value)
		}
	}
	return ""
}

// seriesKey names a series. Values hold no zero byte that could be mistaken for
// the separator, since ids and enums have none.
func seriesKey(m *leyline.Metric) string {
	var b strings.Builder
	b.WriteString(string(m.Name))
	for _, a := range m.Attrs {
		b.WriteByte(0)
		b.WriteString(a.Value)
	}
	return b.String()
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	for _, m := range c.snapshot() {
		out <- c.metric(&m)
	}
	for _, process := range c.options.Process {
		for _, m := range process() {
			out <- c.metric(&m)
		}
	}
}

// snapshot copies the series, so that a slow scrape does not hold up the plane.
func (c *Collector) snapshot() []leyline.Metric {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]leyline.Metric, 0, len(c.series)+1)
	for _, v := range c.series {
		out = append(out, v.Metric)
	}
	return append(out, leyline.Metric{Name: leyline.MetricSeriesDropped, Value: float64(c.dropped), Unit: leyline.UnitCount})
}

func (c *Collector) metric(m *leyline.Metric) prometheus.Metric {
	desc := c.descs[m.Name]
	if desc == nil {
		err := fmt.Errorf("%s is not in the catalogue", m.Name)
		return prometheus.NewInvalidMetric(prometheus.NewInvalidDesc(err), err)
	}
	kind := prometheus.GaugeValue
	if telemetry.IsCounter(m.Name) {
		kind = prometheus.CounterValue
	}
	labels := make([]string, len(m.Attrs))
	for i, a := range m.Attrs {
		labels[i] = a.Value
	}
	out, err := prometheus.NewConstMetric(desc, kind, base(m.Unit, m.Value), labels...)
	if err != nil {
		return prometheus.NewInvalidMetric(desc, err)
	}
	return out
}
