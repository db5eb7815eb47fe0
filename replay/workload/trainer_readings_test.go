package workload

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay/workload/gauge"
)

// told returns a reading of every step that has it.
func told(p *fakePlane, m leyline.TrainingMetric) map[leyline.Step]float64 {
	out := map[leyline.Step]float64{}
	for _, x := range seen[leyline.StepObserved](p) {
		if v, ok := x.Metrics.Get(m); ok {
			out[x.Step] = v
		}
	}
	return out
}

// A reading is of the step before, and there is none of what did not happen.
func TestReadings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFake(t)
		scriptLife(p)
		o := p.options(30, Fault{FaultSlowApply, 5}, Fault{FaultSlowFinalize, 20}, Fault{FaultSlowStep, 25})
		o.Levers.Slow = time.Hour
		train(t, p, o)
		hour := milliseconds(time.Hour)

		if m := told(p, leyline.TrainMomentum); len(m) != 1 || m[1] != 0.9 {
			t.Errorf("momentum %v; it is told once in an incarnation", m)
		}
		// Commands came with the answers to the steps 6, 7, 13 and 26; the first of them was slow.
		apply := told(p, leyline.TrainApplyMs)
		if len(apply) != 4 || apply[7] != hour || apply[8] != 0 || apply[14] != 0 || apply[27] != 0 {
			t.Errorf("carrying out took %v", apply)
		}
		// The seed is in the net from the end of step 7 on.
		final := told(p, leyline.TrainFinalizeMs)
		if len(final) != 23 || final[8] != 0 || final[21] != hour || final[22] != 0 {
			t.Errorf("advancing alphas took %v", final)
		}
		if w := told(p, leyline.TrainInputWaitMs); len(w) != 30 {
			t.Errorf("%d steps told how long they waited for their batch", len(w))
		}
		steps := seen[leyline.StepObserved](p)
		if d := steps[25].PreviousNs; d != uint64(time.Hour) {
			t.Errorf("the slow step took %v", time.Duration(d))
		}
		// The clock of the bubble moves with the drills alone: 3 hours at hardly any work.
		if c := told(p, leyline.TrainCPUUtil); c[7] < 0 || c[7] > 1 || len(c) == 0 {
			t.Errorf("the processors were busy to %v", c)
		}
	})
}

// A GPU's readings come from a file that is written while training goes on. When
// nobody writes it any more there are none, and that is told once.
func TestGPUReadings(t *testing.T) {
	p := newFake(t)
	path := filepath.Join(t.TempDir(), "gpu.csv")
	o := p.options(20)
	o.GPU = &gauge.GPUFile{Path: path}
	var said []string
	o.Warn = func(s string) { said = append(said, s) }
	write := func(at time.Time, line string) {
		ok(t, os.WriteFile(path, []byte("timestamp, utilization.gpu [%], memory.used [MiB], memory.free [MiB]\n"+at.Format("2006/01/02 15:04:05.000")+line+"\n"), 0o600))
	}
	o.Observe = func(now Progress) {
		switch now.Step {
		case 5:
			write(time.Now(), ", 97 %, 80000 MiB, 128 MiB")
		case 10:
			write(time.Now().Add(-time.Minute), ", 98 %, 80000 MiB, 128 MiB")
		case 15:
			write(time.Now(), ", 12 %, 1024 MiB, 2048 MiB")
		}
	}
	train(t, p, o)
	util, free, used := told(p, leyline.TrainGPUUtil), told(p, leyline.TrainGPUMemFreeGB), told(p, leyline.TrainGPUMemUsedGB)
	for step := range leyline.Step(21) {
		want := map[bool]float64{step > 5 && step <= 10: 97, step > 15: 12}[true]
		if u, there := util[step]; there != (want > 0) || u != want {
			t.Errorf("step %d reports %v %%, want %v", step, u, want)
		}
	}
	if free[6] != 0.125 || used[16] != 1 || len(free) != len(util) || len(used) != len(util) {
		t.Errorf("free %v, used %v GiB", free, used)
	}
	kinds := []string{"there are no readings of the GPU: open ", "readings of the GPU are back", "there are no readings of the GPU: " + path, "readings of the GPU are back"}
	if !slices.EqualFunc(said, kinds, strings.HasPrefix) {
		t.Errorf("warned of %s", fmt.Sprintf("%q", said))
	}
}

// A run in which times count says so when it is opened.
func TestLiveIsNoLockstep(t *testing.T) {
	p := newFake(t)
	o := p.options(3)
	train(t, p, o)
	if !p.plan.Lockstep {
		t.Error("a run is in lockstep unless it is told otherwise")
	}
	p = newFake(t)
	o = p.options(3)
	o.Live = true
	train(t, p, o)
	if p.plan.Lockstep {
		t.Error("a live run waits for the plane")
	}
}
