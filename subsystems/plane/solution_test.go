package plane_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/decider"
	"github.com/esper-plane/esper/subsystems/plane"
)

// laterMethods are the methods, beside sum, mean and pcgrad, under which a run
// needs to declare nothing.
func laterMethods() []leyline.Aggregation {
	out := []leyline.Aggregation{leyline.AggregationGradVac}
	for m := leyline.AggregationMGDA; m.Known(); m++ {
		out = append(out, m)
	}
	return out
}

// A run under every method, through a fault, a rollback and a restart, decides the
// same again from its log alone; and a record whose weights were changed is
// refused, by name.
func TestEveryMethodTrainsAndIsDecidedAgain(t *testing.T) {
	for _, m := range laterMethods() {
		t.Run(m.String(), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.config.Tolaria.Aggregation = m
			log, ctx := b.newLog(), context.Background()
			stepped(ctx, b, log, 25)
			stepped(ctx, b, log, 0)
			mustRedecide(t, log)
			rs := records(t, log)
			n := 0
			for i, r := range rs {
				x, ok := r.Input.(leyline.StepObserved)
				if !ok {
					continue
				}
				if (x.Solution.Method == m) != (leyline.Solved(m) && !math.IsNaN(x.Losses[0])) {
					t.Fatalf("record %d of %s has a solution of %s", r.Seq, m, x.Solution.Method)
				}
				n++
				if leyline.Solved(m) && n%7 == 3 {
					mustRefuseChanged(t, rs[:i], r)
				}
			}
			if n < 40 {
				t.Errorf("%d steps", n)
			}
		})
	}
}

// stepped trains 40 steps with a fault at step 18, on a plane that is stopped when
// step stop is durable; 0 is the end of the run.
func stepped(ctx context.Context, b *bench, log store, stop leyline.Step) {
	b.t.Helper()
	training, cancel := context.WithCancel(ctx)
	defer cancel()
	b.released = func(r leyline.Record) {
		if x, ok := r.Input.(leyline.StepObserved); ok && x.Step == stop {
			cancel()
		}
	}
	p, err := b.start(ctx, log)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.train(training, p, 40, nan(18)); (err != nil) != (stop > 0) {
		b.t.Fatalf("training to step %d: %v", stop, err)
	}
	if err := p.Shutdown(ctx); err != nil {
		b.t.Fatal(err)
	}
}

// mustRefuseChanged decides a step again with other weights, on the state that the
// records before it lead to.
func mustRefuseChanged(t *testing.T, before []leyline.Record, r leyline.Record) {
	t.Helper()
	x := r.Input.(leyline.StepObserved)
	if x.Solution.Method == leyline.AggregationUnspecified {
		return // a training fault
	}
	s := &projections.State{}
	for _, b := range before {
		s.ApplyRecord(b)
	}
	x.Solution.Weights = slices.Clone(x.Solution.Weights)
	x.Solution.Weights[0] *= 1.001
	x.Solution.Weights[1] -= 0.001 * x.Solution.Weights[0]
	events := decider.Decide(s, leyline.Meta{Seq: r.Seq, At: r.At, Run: r.Run}, x)
	v, ok := events[0].(leyline.DependencyViolated)
	if !ok || len(events) != 1 || v.Refusal.Kind != leyline.RefusalWeights || v.Refusal.Field != "solution" {
		t.Errorf("record %d with changed weights: %+v", r.Seq, events)
	}
}

// A trainer cannot bring its own weights: what it sends is replaced at the door.
func TestSolutionIsThePlanes(t *testing.T) {
	b := newBench(t)
	b.config.Tolaria.Aggregation = leyline.AggregationMGDA
	log, ctx := b.newLog(), context.Background()
	p, err := b.start(ctx, log)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Shutdown(ctx)
	mustOpen(ctx, t, p)
	x := twoTasks(1)
	x.Solution = leyline.Solution{Method: leyline.AggregationMGDA, Weights: []float64{1, 0}}
	a, err := p.Step(ctx, x, 0)
	if err != nil || math.Abs(a.Weights[0]-0.6) > 1e-12 {
		t.Errorf("weights %v (%v), want [0.6 0.4]", a.Weights, err)
	}
}

// A step for which the method has no weights is refused with the reason, is in the
// log as refused, and the run goes on with the next.
func TestStepWithoutWeightsIsRefused(t *testing.T) {
	b := newBench(t)
	b.config.Tolaria.Aggregation = leyline.AggregationNashMTL
	log, ctx := b.newLog(), context.Background()
	p, err := b.start(ctx, log)
	if err != nil {
		t.Fatal(err)
	}
	mustOpen(ctx, t, p)
	x := twoTasks(1)
	x.Gram = []float64{1, -1, -1, 1}
	_, err = p.Step(ctx, x, 0)
	r, ok := leyline.AsRefusal(err)
	if !ok || r.Kind != leyline.RefusalWeights || !strings.Contains(r.Reason, "no bargain improves every task") {
		t.Errorf("opposed gradients: %v", err)
	}
	if a, err := p.Step(ctx, twoTasks(1), 0); err != nil || len(a.Weights) != 2 {
		t.Errorf("the step after it: %v (%v)", a.Weights, err)
	}
	if err := p.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	mustRedecide(t, log)
}

// Weights and owners of the tasks are declared when a run is opened; a run without
// them is refused by the methods that need them.
func TestWeightedMethodsNeedDeclarations(t *testing.T) {
	for _, c := range []struct {
		method  leyline.Aggregation
		field   string
		declare func(*leyline.RunOpened)
		want    []float64
	}{
		{leyline.AggregationWeighted, "task_weights", func(x *leyline.RunOpened) { x.TaskWeights = []float64{1, 3} }, []float64{0.25, 0.75}},
		{leyline.AggregationStateWeighted, "owners", func(x *leyline.RunOpened) { x.Owners = []leyline.SeedID{"", "seed-0"} }, []float64{1, 0}},
	} {
		b := newBench(t)
		b.config.Tolaria.Aggregation = c.method
		log, ctx := b.newLog(), context.Background()
		p, err := b.start(ctx, log)
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Open(ctx, twoTaskRun())
		if r, ok := leyline.AsRefusal(err); !ok || r.Kind != leyline.RefusalWeights || r.Field != c.field {
			t.Errorf("%s: opened without: %v", c.method, err)
		}
		in := twoTaskRun()
		c.declare(&in)
		if _, err := p.Open(ctx, in); err != nil {
			t.Fatal(err)
		}
		a, err := p.Step(ctx, twoTasks(1), 0)
		if err != nil || !slices.Equal(a.Weights, c.want) {
			t.Errorf("%s: weights %v (%v), want %v", c.method, a.Weights, err, c.want)
		}
		if err := p.Shutdown(ctx); err != nil {
			t.Fatal(err)
		}
		mustRedecide(t, log)
		b.config.Tolaria.Aggregation = leyline.AggregationStateWeighted + leyline.AggregationWeighted - c.method
		mustRefuseUndeclared(ctx, t, b, log)
	}
}

// mustRefuseUndeclared restarts a plane under a method that the open run declared
// nothing for.
func mustRefuseUndeclared(ctx context.Context, t *testing.T, b *bench, log store) {
	t.Helper()
	p, err := b.start(ctx, log)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Shutdown(ctx)
	_, err = p.Step(ctx, twoTasks(2), 0)
	if r, ok := leyline.AsRefusal(err); !ok || r.Kind != leyline.RefusalWeights {
		t.Errorf("%s: step of a run that declared nothing for it: %v", b.config.Tolaria.Aggregation, err)
	}
}

func twoTaskRun() leyline.RunOpened {
	return leyline.RunOpened{
		Run: "run-1", Workload: "test", Framework: "go-gonum", Posture: leyline.Posture{Version: "1", Device: "cpu", Compile: leyline.SwitchOff},
		Tasks: []leyline.TaskID{"a", "b"}, Seeds: []leyline.SeedID{"seed-0"}, Parameters: 10, Seed: 7, Steps: 100,
		Away: leyline.AwayStop, Principal: leyline.PrincipalProcess,
	}
}

func mustOpen(ctx context.Context, t *testing.T, p *plane.Plane) {
	t.Helper()
	if _, err := p.Open(ctx, twoTaskRun()); err != nil {
		t.Fatal(err)
	}
}

// twoTasks is a step of two tasks in conflict.
func twoTasks(step leyline.Step) leyline.StepObserved {
	return leyline.StepObserved{
		Run: "run-1", Incarnation: 1, Step: step, Losses: []float64{1, 0.5}, Gram: []float64{18, -22, -22, 38}, Seed: 42, Samples: 32, LearnRate: 0.1,
	}
}

// The size of a step in the log grows with the evidence of its method, and stays
// far under the limit of a record with as many tasks as there may be.
func TestLargestSolutionFitsARecord(t *testing.T) {
	k := leyline.MaxTasks
	x := twoTasks(1)
	x.Losses, x.Gram = make([]float64, k), make([]float64, k*k)
	x.Solution = leyline.Solution{Method: leyline.AggregationIMTLG, Weights: make([]float64, k), Evidence: make([]float64, 1+k+k*k)}
	for _, list := range [][]float64{x.Losses, x.Gram, x.Solution.Weights, x.Solution.Evidence} {
		for i := range list {
			list[i] = 0.1
		}
	}
	b, err := wire.AppendRecord(nil, leyline.Record{Seq: 1, Run: "run-1", Input: x})
	if err != nil || len(b) > 80<<10 {
		t.Errorf("%d bytes (%v)", len(b), err)
	}
	if err := x.Validate(); err != nil {
		t.Error(err)
	}
}
