package metrics

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/kernelcache"
	"github.com/esper-plane/esper/subsystems/worker"
)

// NewHandler returns the page that Prometheus scrapes: the series of the
// collector, and what the Go runtime and the operating system say of the process.
// It has a registry of its own. A scrape that fails in a part shows the rest.
func NewHandler(c *Collector) (http.Handler, error) {
	registry := prometheus.NewPedanticRegistry()
	for _, x := range []prometheus.Collector{
		c, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		if err := registry.Register(x); err != nil {
			return nil, fmt.Errorf("cannot show metrics: %w", err)
		}
	}
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		Registry: registry, ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4,
	}), nil
}

// Worker returns the statistics of a worker under their names in the catalogue.
func Worker(s worker.Stats) []leyline.Metric {
	ended := func(n uint64, state worker.State) leyline.Metric {
		return row(leyline.MetricWorkerEnded, float64(n), leyline.Attr{Key: "state", Value: strings.ReplaceAll(state.String(), " ", "_")})
	}
	rows := []leyline.Metric{
		row(leyline.MetricWorkerSubmitted, float64(s.Submitted)),
		row(leyline.MetricWorkerRejected, float64(s.Rejected)),
		ended(s.Done, worker.Done), ended(s.Failed, worker.Failed), ended(s.TimedOut, worker.TimedOut), ended(s.Cancelled, worker.Cancelled),
		row(leyline.MetricWorkerQueued, float64(s.Queued)),
		row(leyline.MetricWorkerRunning, float64(s.Running)),
		row(leyline.MetricWorkerLeaked, float64(s.Leaked)),
		row(leyline.MetricWorkerPanics, float64(s.CallbackPanics+s.LatePanics)),
	}
	waited, ran := s.Waited.All(), s.Ran.All()
	for _, q := range []float64{0.5, 0.99, 1} {
		attr := leyline.Attr{Key: "share", Value: strconv.FormatFloat(q, 'g', -1, 64)}
		rows = append(rows,
			row(leyline.MetricWorkerQueuedMs, float64(waited.Quantile(q).Nanoseconds())/1e6, attr),
			row(leyline.MetricWorkerRanMs, float64(ran.Quantile(q).Nanoseconds())/1e6, attr))
	}
	return rows
}

// Kernels returns the statistics of a kernel cache under their names in the catalogue.
func Kernels(s kernelcache.Stats) []leyline.Metric {
	left := func(n uint64, cause string) leyline.Metric {
		return row(leyline.MetricKernelCacheEvicted, float64(n), leyline.Attr{Key: "cause", Value: cause})
	}
	return []leyline.Metric{
		row(leyline.MetricKernelCacheSize, float64(s.Kernels)), row(leyline.MetricKernelCacheBytes, float64(s.Bytes)),
		row(leyline.MetricKernelCacheHits, s.Served()),
		left(s.Evicted, "room"), left(s.Expired, "age"), left(s.Cleared, "cleared"),
	}
}

// Process returns what is known of the process: which program it is and, unless
// that could not be found out, how many bytes it may still write.
func Process(version string, free func() (free, total uint64, err error)) []leyline.Metric {
	rows := []leyline.Metric{row(leyline.MetricBuild, 1, leyline.Attr{Key: "version", Value: version})}
	if n, _, err := free(); err == nil {
		rows = append(rows, row(leyline.MetricDiskFree, float64(n)))
	}
	return rows
}

// row makes a measurement in the unit of the catalogue.
func row(name leyline.MetricName, value float64, attrs ...leyline.Attr) leyline.Metric {
	info, _ := leyline.DescribeMetric(name)
	return leyline.Metric{Name: name, Value: value, Unit: info.Unit, Attrs: attrs}
}
