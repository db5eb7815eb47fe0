package workload

import (
	"errors"
	"io/fs"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay/workload/gauge"
	"github.com/esper-plane/esper/subsystems/snapstore"
)

// Options configures a training run.
type Options struct {
	Run        leyline.RunID
	Workload   Spec
	Seed       uint64          // of initial weights, batches and the plane's random choices
	Steps      leyline.Step    // planned length
	Faults     []Fault         // injected on purpose, once each
	Resume     bool            // the plane knows the run already
	Snapshots  snapstore.Store // the full tier
	Fast       snapstore.Store // the fast tier; nil: there is none
	Traces     snapstore.Store // profiles are written there; nil: none can be
	Kernels    fs.FS           // kernel files by name
	SeedLayers bool            // report the norms of each seed's gradient by layer
	Live       bool            // the plane does not wait for what it has computed, and measured times count: two runs differ
	GPU        *gauge.GPUFile  // where readings of a GPU come from; nil: there is none
	Warn       func(string)    // called when a gauge begins or ceases to fail; may be nil
	Levers     Levers          // what some faults need
	// Away is what the trainer does when the plane cannot be reached, which is its
	// Plane's to do: unspecified for a plane in the same process, whose errors end Train.
	Away        leyline.Away
	AwaySeconds uint32 // how long it waits at most, of AwayWait; 0: for ever
	// Lag is how many steps the trainer goes on without an answer: it works out the
	// weights itself, with Weigh. It needs an Ahead. 0: it waits for every answer.
	Lag   uint32
	Weigh func(*leyline.StepObserved) ([]float64, error)
	// Still is called with the weights when training stands still for a rollback, and
	// again when that is over, whatever came of it; may be nil. It costs a digest.
	Still   func(over bool, weights leyline.Digest)
	Observe func(Progress) // called after every healthy step; may be nil
	// JudgeEvery is the number of steps between two judgements by the held-out rows
	// (Result.Curve), the first before the first step; 0: there is no curve. It costs a
	// forward pass of all held-out rows and changes nothing else.
	JudgeEvery leyline.Step
}

// Progress is what a trainer knows after a step.
type Progress struct {
	Step     leyline.Step
	Steps    leyline.Step
	Losses   []float64 // per task
	Seeds    []leyline.SeedView
	Lineage  leyline.Lineage
	StepTime time.Duration // of the whole step, the plane's answer included
	Waited   time.Duration // of that, for the plane's answer
}

func (o Options) check() error {
	switch {
	case o.Steps == 0:
		return errors.New("steps is 0; plan one step or more")
	case o.Snapshots == nil:
		return errors.New("no snapshot store is given")
	case o.Kernels == nil:
		return errors.New("no kernel store is given")
	case o.Workload.Data == nil:
		return errors.New("no workload is given")
	}
	for _, f := range o.Faults {
		if err := f.check(o.Steps, o.Levers); err != nil {
			return err
		}
	}
	return nil
}
