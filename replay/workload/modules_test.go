package workload

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/detmath"
)

// furnished is the penguins workload with a module in its host.
func furnished(t testing.TB) Spec {
	s, err := Lookup("penguins")
	ok(t, err)
	s.Modules = []string{"residual-mlp-16"}
	return s
}

// TestModulesAreTheHosts: a network with a module has as many parameters as one in
// which a seed of that blueprint was kept, computes what that one computes, and the
// plane hears of its tensors and of no seed.
func TestModulesAreTheHosts(t *testing.T) {
	s := furnished(t)
	with, err := s.Parameters()
	ok(t, err)
	s.Modules = nil
	without, err := s.Parameters()
	ok(t, err)
	// trunk 4*32+32 + 32*32+32, heads 32*8+8; block 32*16+16 + 16*32+32
	if without != 1480 || with != 1480+1072 {
		t.Errorf("%d parameters, %d with a module", without, with)
	}

	p := newFake(t)
	o := p.options(20)
	o.Workload = furnished(t)
	r := train(t, p, o)
	n, err := o.Workload.Build(7)
	ok(t, err)
	story := &story{net: n}
	story.batches, err = NewBatches(n.data.Train, 32, 7)
	ok(t, err)
	twin(t, story, 20)
	if r.Digest != n.Digest() {
		t.Error("the trainer's network is not what the weights make of the one with a module")
	}
	if len(r.Seeds) != 0 {
		t.Errorf("a module is told as a seed: %+v", r.Seeds)
	}
	for i, task := range r.Tasks {
		if task.Loss != task.LossAt0 {
			t.Errorf("task %d: the module was switched off with the seeds", i)
		}
	}
	if got := leyline.ParameterCount(p.plan.HostParameters); got != uint64(with) {
		t.Errorf("%d parameters declared, the host has %d", got, with)
	}
	if !slices.IsSortedFunc(p.plan.HostParameters, func(a, b leyline.Parameter) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	}) {
		t.Errorf("declared out of order: %v", p.plan.HostParameters)
	}
	for _, in := range seen[leyline.StepObserved](p) {
		if len(in.Seeds) != 0 {
			t.Fatalf("step %d tells of %v", in.Step, in.Seeds)
		}
	}
}

// twin trains without a plane, with the weights of the fake one.
func twin(t testing.TB, s *story, steps uint64) {
	t.Helper()
	for step := range steps {
		_, seed := detmath.Mix(7, 0, step+1)
		s.weights = weightsOf(seed)
		s.train(t, step+1, step+1)
	}
}

// TestModulesSurviveARollback: what is restored is furnished as before, and still no
// seed of the plane's.
func TestModulesSurviveARollback(t *testing.T) {
	p := newFake(t)
	o := p.options(20, Fault{Name: FaultNaN, Step: 12})
	o.Workload = furnished(t)
	o.JudgeEvery = 2
	r := train(t, p, o)
	if len(r.Recoveries) != 1 || len(r.Seeds) != 0 {
		t.Fatalf("recoveries %+v, seeds %+v", r.Recoveries, r.Seeds)
	}
	checkCurve(t, r.Curve, 20, 2)
}

// TestUnknownModules are refused by name, and so is one that does not fit.
func TestUnknownModules(t *testing.T) {
	s := furnished(t)
	for _, id := range []string{"no-such-kernel", "residual-mlp-h128-w2"} {
		s.Modules = []string{id}
		if _, err := s.Build(1); err == nil {
			t.Errorf("%s was accepted", id)
		}
	}
}

func TestWidened(t *testing.T) {
	s := furnished(t)
	grown, err := s.Parameters()
	ok(t, err)
	wide, err := s.Widened(grown)
	ok(t, err)
	has, err := wide.Parameters()
	ok(t, err)
	narrower := wide
	narrower.Net.Hidden--
	less, err := narrower.Parameters()
	ok(t, err)
	if len(wide.Modules) != 0 || has < grown || less >= grown {
		t.Errorf("widened to %d units: %d parameters for %d, one unit less has %d", wide.Net.Hidden, has, grown, less)
	}
	if same, err := s.Widened(1); err != nil || same.Net.Hidden != 32 {
		t.Errorf("narrowed to %d (%v)", same.Net.Hidden, err)
	}
	if _, err := s.Widened(10_000_000); err == nil {
		t.Error("a host of ten million parameters was promised")
	}
}

// TestWork holds the count against one that was done by hand, for penguins: 4
// features, 32 units twice, 3+2+3 classes, 3 tasks, a block 32-16-32.
func TestWork(t *testing.T) {
	const (
		forward = 4*32 + 32*32 + 32*8
		step    = forward + 3*(4*32+2*32*32) + 2*32*8
		block   = 32*16 + 16*32
	)
	s := newStory(t, 7)
	n := s.net
	check := func(what string, got uint64, want int) {
		t.Helper()
		if got != uint64(want) {
			t.Errorf("%s: %d multiply-adds, by hand %d", what, got, want)
		}
	}
	check("forward", n.forwardWork(10), 10*forward)
	check("step", n.stepWork(10), 10*step)
	ok(t, n.Graft("s1", kernelOf(t, "residual-mlp-16")))
	check("training seed", n.stepWork(1), step+block+3*2*block+2*32*8)
	ok(t, n.SetMode("s1", ModeBlending))
	check("blending seed", n.stepWork(1), step+block+3*2*block)
	ok(t, n.SetMode("s1", ModeFrozen))
	check("frozen seed", n.stepWork(1), step+block)
	ok(t, n.SetMode("s1", ModeIdle))
	check("idle seed", n.stepWork(1), step)

	c, err := Lookup("multimnist")
	ok(t, err)
	plain, err := c.StepWork()
	ok(t, err)
	c.Modules = []string{"residual-conv-h128-c3"}
	with, err := c.StepWork()
	ok(t, err)
	// 3 filters of 25 pixels at 49 places, 2 units of 128, 149 units to 128; forward
	// once, backward for 2 tasks with no gradient to the pixels
	const conv, in, out = 25 * 3 * 49, 128 * 2, 149 * 128
	check("filters", with-plain, 64*(conv+in+out+2*(conv+2*in+2*out)))

	p := newFake(t)
	r := train(t, p, p.options(30))
	if r.Work.Training != 30*32*step || r.Work.Probes != 0 || r.Work.Total() != r.Work.Training {
		t.Errorf("30 steps took %+v", r.Work)
	}
}

// TestProbesAreWork: two passes each over the 67 probe rows, with a seed in the net.
func TestProbesAreWork(t *testing.T) {
	p := newFake(t)
	scriptLife(p)
	p.probes = []leyline.SeedID{slotName}
	r := train(t, p, p.options(40))
	if probes := len(seen[leyline.SeedProbed](p)); probes == 0 || r.Work.Probes != uint64(2*67*probes*(4*32+32*32+32*8+2*32*16)) {
		t.Errorf("%d probes took %d", probes, r.Work.Probes)
	}
}

// TestCurve: judging changes nothing, and the last point is the final judgement.
func TestCurve(t *testing.T) {
	plain := newFake(t)
	want := train(t, plain, plain.options(30))
	p := newFake(t)
	o := p.options(30)
	o.JudgeEvery = 5
	r := train(t, p, o)
	if r.Digest != want.Digest || len(want.Curve) != 0 {
		t.Error("judging has changed the run")
	}
	checkCurve(t, r.Curve, 30, 5)
	last := r.Curve[len(r.Curve)-1]
	for i, task := range r.Tasks {
		if last.Losses[i] != task.Loss || last.Accuracy[i] != task.Accuracy {
			t.Errorf("task %d ends with %v, judged %v", i, task, last)
		}
	}
	if first := r.Curve[0].Losses[0]; first <= last.Losses[0] {
		t.Errorf("nothing was learnt: %v to %v", first, last.Losses[0])
	}
}

func checkCurve(t *testing.T, c []Judgement, steps, every leyline.Step) {
	t.Helper()
	var got, want []leyline.Step
	for _, j := range c {
		got = append(got, j.Step)
	}
	for s := leyline.Step(0); s <= steps; s += every {
		want = append(want, s)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("judged at (-want +got):\n%s", d)
	}
}
