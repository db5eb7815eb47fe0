package workload

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay/workload/gauge"
	"github.com/esper-plane/esper/subsystems/detmath"
	"github.com/esper-plane/esper/subsystems/snapstore"
)

// Framework is what a run of this trainer declares to the plane, and Arithmetic
// the version of it: it rises with every change after which the same seed trains
// to other weights.
const (
	Framework  = "go-gonum"
	Arithmetic = "1"
)

// Posture is how this trainer runs.
func Posture() leyline.Posture {
	return leyline.Posture{Version: Arithmetic, Device: "cpu", Compile: leyline.SwitchOff}
}

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

// Train runs or resumes a run against a plane, to its end. A cancelled context
// stops it between two steps; the run stays open and can be resumed. A halt is
// a *Halted.
func Train(ctx context.Context, p Plane, o Options) (Result, error) {
	clocked := &stopwatch{plane: p}
	t, err := newTrainer(clocked, o)
	if err != nil {
		return Result{}, err
	}
	defer t.load.end()
	t.clocked = clocked
	if o.Lag > 0 {
		if err := t.pipeline(clocked); err != nil {
			return Result{}, err
		}
	}
	r, err := t.run(ctx)
	t.still(true)
	r.Waited = clocked.spent
	if err != nil {
		return Result{}, t.explain(ctx, err)
	}
	return r, nil
}

func (t *trainer) run(ctx context.Context) (Result, error) {
	began := time.Now()
	if err := t.open(ctx); err != nil {
		return Result{}, err
	}
	if err := t.judge(); err != nil {
		return Result{}, err
	}
	t.epochAt = time.Now()
	for {
		if err := ctx.Err(); err != nil {
			return Result{}, err
		}
		more, err := t.unfinished(ctx)
		if err != nil {
			return Result{}, err
		}
		if !more {
			break
		}
		began := time.Now()
		if err := t.overtaken(ctx, began, t.once(ctx, t.step+1)); err != nil {
			return Result{}, err
		}
	}
	return t.finish(ctx, began)
}

// trainer is one run in progress.
type trainer struct {
	plane   Plane
	ahead   Ahead          // the same, of a pipelined trainer; else nil
	due     leyline.Answer // what answers to a pipelined trainer say is to be done
	clocked *stopwatch
	opts    Options
	data    *Data
	batches *Batches
	net     *Net
	stages  map[string]leyline.Stage // of the grafted seeds, by slot: what was carried out

	step     leyline.Step // last step applied
	answer   leyline.Answer
	faulted  []leyline.Step             // steps that had been reached when the run was rolled back
	heard    map[leyline.EffectID]bool  // directives that have arrived; none is followed twice
	commands []*leyline.VerifiedCommand // heard, not carried out; in the order of arrival
	restores []restoreOrder             // heard, not carried out
	stands   bool                       // training stands still for a rollback
	staging  []byte                     // of the last restore, to be used again
	orders   []order                    // heard, not carried out; in the order of arrival
	acks     []leyline.OrderAck         // to be told with the next report
	base     float64                    // learning rate that was declared
	gram     []float64
	last     time.Duration // the previous step
	waited   time.Duration // of that, for the plane's answer
	epochAt  time.Time     // when the epoch began
	unproven []time.Time   // when the newest recoveries' faulty steps began; no good step since
	trace    tracer
	meters   meters
	drags    drags // of drills
	load     *load // that a drill puts on the processors
	result   Result
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

func newTrainer(p Plane, o Options) (*trainer, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	data, err := o.Workload.Data()
	if err != nil {
		return nil, err
	}
	t := &trainer{plane: p, opts: o, data: data, heard: map[leyline.EffectID]bool{}, stages: map[string]leyline.Stage{}, trace: tracer{store: o.Traces}, meters: meters{gpu: o.GPU}, load: newLoad()}
	if t.net, err = o.Workload.Build(o.Seed); err != nil {
		return nil, err
	}
	t.settleModules()
	t.base = t.net.Config().LearningRate
	if t.batches, err = NewBatches(data.Train, t.net.Config().Batch, o.Seed); err != nil {
		return nil, err
	}
	return t, nil
}

// plan is what the run is opened with; a resume must open it with the same.
func (t *trainer) plan() (leyline.RunOpened, error) {
	host, err := t.hostParameters()
	if err != nil {
		return leyline.RunOpened{}, err
	}
	in := leyline.RunOpened{
		Run: t.opts.Run, Resume: t.opts.Resume, Workload: t.opts.Workload.Name, Framework: Framework,
		Posture:    Posture(),
		Optimizer:  "sgd",
		Layers:     t.opts.Workload.Layers,
		Parameters: uint64(t.net.SharedSize()), Seed: t.opts.Seed, Steps: t.opts.Steps, Lockstep: !t.opts.Live,
		HostParameters: host,
		Lag:            t.opts.Lag,
		Away:           t.opts.Away,
		AwaySeconds:    t.opts.AwaySeconds,
	}
	if in.Away == leyline.AwayUnspecified { // in this process: an error of the plane ends Train
		in.Away, in.Principal = leyline.AwayStop, leyline.PrincipalProcess
	}
	in.Groups = []leyline.ParamGroup{{Name: netGroup, Rate: t.base, Parameters: leyline.ParameterCount(in.HostParameters)}}
	for _, s := range t.opts.Workload.Slots {
		in.Seeds = append(in.Seeds, leyline.SeedID(s))
	}
	for _, b := range t.opts.Workload.Blueprints {
		in.Blueprints = append(in.Blueprints, leyline.BlueprintID(b.ID))
	}
	for _, k := range t.data.Tasks {
		in.Tasks = append(in.Tasks, leyline.TaskID(k.Name))
		in.Chance = append(in.Chance, detmath.Log(float64(k.Classes))) // every class as likely as any other
	}
	for _, f := range t.opts.Faults {
		in.Drills = append(in.Drills, leyline.Drill{Name: f.Name, Step: f.Step})
	}
	return in, nil
}

func (t *trainer) open(ctx context.Context) error {
	plan, err := t.plan()
	if err != nil {
		return err
	}
	a, err := t.plane.Open(ctx, plan)
	if err != nil {
		return fmt.Errorf("cannot open run %s: %w", t.opts.Run, err)
	}
	t.faulted = slices.Clone(a.Faulted)
	if err := t.hear(a.Answer); err != nil {
		return err
	}
	t.result.Run, t.result.Resumed, t.result.From = t.opts.Run, a.Resumed, a.From.Step
	if a.From.Snapshot != "" {
		b, _, err := t.read(ctx, a.From)
		if err == nil {
			err = t.net.Load(b)
		}
		if err != nil {
			return fmt.Errorf("cannot resume run %s from step %d: %w", t.opts.Run, a.From.Step, err)
		}
	}
	t.step = a.From.Step
	if err := t.adopt(); err != nil {
		return err
	}
	if err := t.reinject(); err != nil {
		return err
	}
	if err := t.settle(ctx); err != nil || !a.Snapshot {
		return err
	}
	if err := t.snapshot(ctx); err != nil {
		return err
	}
	return t.settle(ctx)
}

// once trains one step: forward and backward, the plane's answer, the update,
// what the plane asked for. It restores a snapshot instead when that is what
// the plane waits for.
func (t *trainer) once(ctx context.Context, s leyline.Step) error {
	if err := t.profile(ctx, s); err != nil {
		return err
	}
	began := time.Now()
	defer t.trace.span("step", s)()
	if len(t.restores) > 0 {
		return t.recover(ctx, began)
	}
	if err := t.inject(ctx, s); err != nil {
		return err
	}
	end := t.trace.span("forward and backward", s)
	waits := time.Now()
	batch := t.batches.Batch(uint64(s))
	input := time.Since(waits)
	pass, err := t.net.stepAs(batch, t.mislabelled(s, batch))
	if err != nil {
		return err
	}
	end()
	t.result.Work.Training += t.net.stepWork(pass.Rows)
	in := t.observed(s, pass, time.Since(began))
	in.Metrics.Readings = t.readings(input)
	if t.ahead != nil && sound(&in) {
		if err := t.leap(ctx, s, pass, in); err != nil {
			return err
		}
		if len(t.restores) > 0 {
			return t.recover(ctx, began)
		}
		return t.trained(s, in.Losses, began)
	}
	asked := time.Now()
	end = t.trace.span("plane", s)
	a, err := t.plane.Step(ctx, in, t.answer.Cursor)
	if err != nil {
		return fmt.Errorf("step %d: %w", s, err)
	}
	end()
	t.waited = time.Since(asked)
	if len(a.Weights) == 0 {
		t.still(false) // before anything of the answer is obeyed
	}
	if err := t.hear(a); err != nil {
		return err
	}
	if len(a.Weights) == 0 || len(t.restores) > 0 {
		return t.recover(ctx, began)
	}
	end = t.trace.span("update", s)
	t.optimize()
	if err := t.net.Apply(pass, a.Weights); err != nil {
		return fmt.Errorf("step %d: %w", s, err)
	}
	end()
	t.step = s
	t.good()
	if err := t.afterStep(ctx, a); err != nil {
		return err
	}
	return t.trained(s, in.Losses, began)
}

// trained tells of a step that is over.
func (t *trainer) trained(s leyline.Step, losses []float64, began time.Time) error {
	t.last = time.Since(began)
	if t.opts.Observe != nil {
		t.opts.Observe(Progress{
			Step: s, Steps: t.opts.Steps, Losses: losses, Seeds: t.answer.Seeds, Lineage: t.answer.Lineage,
			StepTime: t.last, Waited: t.waited,
		})
	}
	return t.judge()
}
