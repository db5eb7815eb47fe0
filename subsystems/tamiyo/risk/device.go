package risk

import "github.com/esper-plane/esper/leyline"

// latencyMetrics judges what the trainer measured of the step before the window's.
func latencyMetrics(c *leyline.TamiyoConfig, f *Facts, v *judge) {
	mode := timed(f, c.LatencyMode)
	stop := rule{effect: leyline.EffectPause, force: true, training: true}
	slow := rule{effect: leyline.EffectSlow, force: true, seedOnly: true, training: true}
	reading := func(r rule, why leyline.RiskReason, m leyline.TrainingMetric, limit leyline.Millis) {
		value, ok := f.Seen.Metrics.Get(m)
		if !ok {
			v.unmeasured(why, mode)
			return
		}
		r.reason = why
		v.atMost(r, value, float64(limit), mode)
	}
	reading(stop, leyline.RiskHook, leyline.TrainHookMs, c.HookLatency)
	if f.Seen.StepNs == 0 {
		v.unmeasured(leyline.RiskStepLatency, mode)
	} else {
		stop.reason = leyline.RiskStepLatency
		v.atMost(stop, float64(f.Seen.StepNs)/1e6, float64(c.StepLatency), mode)
	}
	reading(slow, leyline.RiskApply, leyline.TrainApplyMs, c.ApplyLatency)
	reading(slow, leyline.RiskFinalize, leyline.TrainFinalizeMs, c.FinalizeLatency)
}

// isolationAndDevice judges seeds that reach into the host, compiled code that was
// given up, and what room the devices have.
//
// A fallback counts in the first window behind it: what was measured in that window
// was measured of two kinds of code. After that it is for the gates to say whether the
// seed may go on.
func isolationAndDevice(c *leyline.TamiyoConfig, f *Facts, v *judge) {
	leak := rule{reason: leyline.RiskIsolation, effect: leyline.EffectPause, training: true}
	v.atMost(leak, float64(f.Violations), 0, c.IsolationMode)
	v.atMost(rule{reason: leyline.RiskFallback, effect: leyline.EffectHold}, truth(f.Fallback), 0, c.FallbackMode)

	mode := timed(f, c.DeviceMode)
	util, ok := f.Seen.Metrics.Get(leyline.TrainGPUUtil)
	free, known := f.Seen.Metrics.Get(leyline.TrainGPUMemFreeGB)
	full := ok && known && util >= c.GPUUtil && free <= c.GPUFree
	if ok && known {
		r := rule{reason: leyline.RiskDevice, effect: leyline.EffectPause, seedOnly: true, training: true}
		v.check(r, util, c.GPUUtil, !full, mode)
	} else {
		v.unmeasured(leyline.RiskDevice, mode)
	}
	cpu, ok := f.Seen.Metrics.Get(leyline.TrainCPUUtil)
	switch {
	case !ok:
		v.unmeasured(leyline.RiskCPU, mode)
	case !full:
		r := rule{reason: leyline.RiskCPU, effect: leyline.EffectSlow, seedOnly: true, training: true}
		v.below(r, cpu, c.CPUUtil, mode)
	}
}
