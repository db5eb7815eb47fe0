package leyline

import "fmt"

// TrainingMetric names a figure that a trainer may report with a step beside
// what every step must hold (SPEC.md 1.3, TrainingMetrics). The figures that the
// plane derives itself (EWMAs, volatility, conflict rate) are not among them:
// they are in training.assessed.
type TrainingMetric = Enum[trainingMetrics]

type trainingMetrics struct{}

func (trainingMetrics) list() []string { return trainingMetricNames[:] }

var trainingMetricNames = [...]string{
	"unspecified", "optimizer_momentum", "hook_latency_ms", "apply_ms", "finalize_ms", "input_wait_ms", "h2d_copy_ms",
	"gpu_mem_used_gb", "gpu_mem_free_gb", "gpu_util_percent", "cpu_util_percent",
}

// The training metrics.
const (
	MetricUnspecified TrainingMetric = iota
	TrainMomentum                    // mean over parameter groups that have one; told once in an incarnation while it stays
	TrainHookMs                      // waiting for the plane in the previous step, ms
	TrainApplyMs                     // carrying out commands and orders in or after the previous step, ms; only where there were any
	TrainFinalizeMs                  // advancing the alphas of grafted seeds after the previous step, ms; only where there are any
	TrainInputWaitMs                 // waiting for the batch, ms
	TrainCopyMs                      // copying the batch to the device, ms
	TrainGPUMemUsedGB                // GiB
	TrainGPUMemFreeGB                // GiB
	TrainGPUUtil                     // percent, [0,100]
	TrainCPUUtil                     // processor time of the trainer, percent of what the processors that it may use had to give, [0,100]
)

// MaxExtraMetrics bounds TrainingMetrics.Extra and FieldReportDelta.Extra.
const MaxExtraMetrics = 16

// Reading is one figure of a known kind.
type Reading struct {
	Metric TrainingMetric
	Value  float64 // finite
}

// Extra is a figure that no contract knows.
type Extra struct {
	Name  string // syntax of an id
	Value float64
}

// TrainingMetrics are the optional figures of a step. What was not measured is
// not in it; nothing stands in for it.
type TrainingMetrics struct {
	Readings []Reading // ascending by Metric, each at most once
	Extra    []Extra   // at most MaxExtraMetrics, ascending by Name, each at most once
}

// Get returns a reading; false when it was not reported.
func (m TrainingMetrics) Get(want TrainingMetric) (float64, bool) {
	for _, r := range m.Readings {
		if r.Metric == want {
			return r.Value, true
		}
	}
	return 0, false
}

// Validate returns a *Refusal that names the first reading that is unknown, not
// finite or out of order.
func (m TrainingMetrics) Validate() error {
	var c check
	for i, r := range m.Readings {
		c.element("readings", i)
		needEnum(&c, "metric", r.Metric)
		finite(&c, "value", r.Value)
		if i > 0 && r.Metric <= m.Readings[i-1].Metric {
			c.fail(Invalid("metric", fmt.Sprintf("is %s, which does not come after %s", r.Metric, m.Readings[i-1].Metric)))
		}
	}
	c.leave()
	extras(&c, "extra", m.Extra)
	return c.result()
}

func extras(c *check, list string, extra []Extra) {
	bound(c, list, len(extra), MaxExtraMetrics)
	for i, x := range extra {
		c.element(list, i)
		needID(c, "name", x.Name)
		finite(c, "value", x.Value)
		if i > 0 && x.Name <= extra[i-1].Name {
			c.fail(Invalid("name", fmt.Sprintf("is %q, which does not come after %q", clip(x.Name), clip(extra[i-1].Name))))
		}
	}
	c.leave()
}
