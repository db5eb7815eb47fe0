package workload

import (
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay/workload/gauge"
)

// meters are what a trainer measures beside its losses. A reading that was not taken
// is not in the report.
type meters struct {
	cpu     gauge.CPU
	gpu     *gauge.GPUFile // nil: there is none
	noCPU   failing
	noGPU   failing
	told    leyline.Incarnation // in which the momentum was told
	applied took                // carrying out commands and orders
	blended took                // advancing alphas
}

// took adds up what was done since the last report.
type took struct {
	times int
	sum   time.Duration
}

// clock adds what has passed since began.
func (k *took) clock(began time.Time) {
	k.times++
	k.sum += time.Since(began)
}

// take returns the sum in milliseconds, false if nothing was done, and begins anew.
func (k *took) take() (ms float64, ok bool) {
	ms, ok = milliseconds(k.sum), k.times > 0
	*k = took{}
	return ms, ok
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// readings takes all readings, ascending by metric. input is how long the trainer
// waited for this step's batch.
func (t *trainer) readings(input time.Duration) []leyline.Reading {
	var out []leyline.Reading
	add := func(m leyline.TrainingMetric, v float64, ok bool) {
		if ok {
			out = append(out, leyline.Reading{Metric: m, Value: v})
		}
	}
	m := &t.meters
	add(leyline.TrainMomentum, t.net.Config().Momentum, m.told != t.answer.Incarnation)
	m.told = t.answer.Incarnation
	add(leyline.TrainHookMs, milliseconds(t.waited), t.waited > 0)
	applied, ok := m.applied.take()
	add(leyline.TrainApplyMs, applied, ok)
	blended, ok := m.blended.take()
	add(leyline.TrainFinalizeMs, blended, ok)
	add(leyline.TrainInputWaitMs, milliseconds(input), true)
	var g gauge.GPU
	var err error
	if m.gpu != nil {
		g, err = m.gpu.Read()
		ok := err == nil
		add(leyline.TrainGPUMemUsedGB, g.UsedGB, ok)
		add(leyline.TrainGPUMemFreeGB, g.FreeGB, ok)
		add(leyline.TrainGPUUtil, g.Util, ok)
	}
	m.noGPU.tell(t.opts.Warn, "readings of the GPU", err)
	cpu, ok, err := m.cpu.Percent()
	add(leyline.TrainCPUUtil, cpu, ok)
	m.noCPU.tell(t.opts.Warn, "readings of the processors", err)
	return out
}

// failing is whether a gauge fails, so that it is told once and not with every step.
type failing bool

// tell warns when a gauge begins to fail, and says when it is back.
func (f *failing) tell(warn func(string), what string, err error) {
	if warn != nil && err != nil && !bool(*f) {
		warn("there are no " + what + ": " + err.Error())
	}
	if warn != nil && err == nil && bool(*f) {
		warn(what + " are back")
	}
	*f = err != nil
}
