package cli

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay/workload"
	"github.com/esper-plane/esper/replay/workload/gauge"
	"github.com/esper-plane/esper/subsystems/plane"
)

// slowFor is how much longer a drill makes take what it slows down: above every
// default of the limits that it may meet.
const slowFor = 200 * time.Millisecond

// faultList describes the faults that --fault takes, one a line.
func faultList() string {
	var b strings.Builder
	for _, name := range workload.FaultNames() {
		fmt.Fprintf(&b, "  %-17s %s\n", name, workload.DescribeFault(name))
	}
	return strings.TrimRight(b.String(), "\n")
}

// levers are what the faults of this run take hold of.
func (j *job) levers() workload.Levers {
	return workload.Levers{
		Stall: j.config.Silence(true) * 6 / 5, RemoveKernels: j.dir.RemoveKernels, ReplayCommand: j.replayCommand,
		LatePolicy: !j.config.Tamiyo.PolicyInline, Slow: slowFor, HoldAnswers: j.hang.next,
	}
}

// hangingLog is the log of a disk that hangs when a drill says so.
type hangingLog struct {
	plane.Log
	delay *delay
}

// delay is how long the next append hangs, in nanoseconds.
type delay struct{ atomic.Int64 }

// next makes the next append hang.
func (d *delay) next(by time.Duration) error {
	d.Store(int64(by))
	return nil
}

// Append implements plane.Log.
func (l hangingLog) Append(ctx context.Context, next leyline.Seq, entries []plane.Entry) error {
	select {
	case <-time.After(time.Duration(l.delay.Swap(0))):
	case <-ctx.Done():
	}
	return l.Log.Append(ctx, next, entries)
}

// drill prepares a plane for the faults of the run: a policy that can be late, and a
// disk that can hang where a drill is to make it.
func (j *job) drill(o *plane.Options) {
	o.Policy = workload.LatePolicy(j.faults)
	for _, f := range j.faults {
		if f.Name == workload.FaultSlowHook {
			o.Log = hangingLog{o.Log, &j.hang}
			return
		}
	}
}

// gpu is where the readings of a GPU come from; nil: there are none.
func (j *job) gpu() *gauge.GPUFile {
	if j.flags.gpuFile == "" {
		return nil
	}
	return &gauge.GPUFile{Path: j.flags.gpuFile}
}
