package workload

import (
	"math"
	"testing"

	"github.com/esper-plane/esper/leyline"
)

// TestRebuiltOptimizerIsWhatItWas trains a net with a seed, makes its optimizer
// anew and goes on; a twin that was left alone stays equal to it, bit for bit.
func TestRebuiltOptimizerIsWhatItWas(t *testing.T) {
	data, err := penguins(t).Data()
	ok(t, err)
	grow := func() *Net {
		n, err := NewNet(data, NetConfig{Seed: 3})
		ok(t, err)
		ok(t, n.Graft(slotName, kernelOf(t, "residual-mlp-16")))
		return n
	}
	train := func(n *Net) {
		for i := range 3 {
			p, err := n.Step(data.Train[i*8 : i*8+8])
			ok(t, err)
			ok(t, n.Apply(p, []float64{1, 1, 1}))
		}
	}
	n, twin := grow(), grow()
	train(n)
	train(twin)
	old := &n.trunk.velocity[0]
	before, after, err := n.RebuildOptimizer()
	ok(t, err)
	if before != after || before.Groups != 1 || before.Digest.IsZero() || n.Digest() != twin.Digest() {
		t.Errorf("rebuilt from %+v to %+v", before, after)
	}
	if old == &n.trunk.velocity[0] {
		t.Error("nothing was made anew")
	}
	if want := uint64(len(n.trunk.velocity)); before.Parameters <= want {
		t.Errorf("%d parameters, the trunk alone has %d", before.Parameters, want)
	}
	train(n)
	train(twin)
	if n.Digest() != twin.Digest() {
		t.Error("training went on otherwise than without a rebuild")
	}
	n.trunk.velocity[1] = math.NaN()
	kept := &n.trunk.velocity[0]
	if _, _, err := n.RebuildOptimizer(); err == nil || kept != &n.trunk.velocity[0] {
		t.Errorf("an optimizer that holds a NaN: %v", err)
	}
}

// TestTrainerRebuildsWhenItIsTold hears an order with the answer to a step and
// another with that to an epoch, and says what came of both.
func TestTrainerRebuildsWhenItIsTold(t *testing.T) {
	p := newFake(t)
	ordered := 0
	p.script = func(in leyline.Input) {
		step, isStep := in.(leyline.StepObserved)
		if _, isEpoch := in.(leyline.EpochObserved); isEpoch && ordered == 1 || isStep && step.Step == 2 {
			ordered++
			p.order(leyline.Directive{Kind: leyline.EffectRebuild, Rebuild: &leyline.RebuildOrder{}})
		}
	}
	_, err := Train(t.Context(), p, p.options(12))
	ok(t, err)
	var acks []leyline.OrderAck
	for _, in := range p.inputs {
		switch x := in.(type) {
		case leyline.StepObserved:
			if x.Step == 2 && len(x.Acks) > 0 || x.Step == 3 && len(x.Acks) != 1 {
				t.Errorf("step %d acknowledges %+v", x.Step, x.Acks)
			}
			acks = append(acks, x.Acks...)
		case leyline.EpochObserved:
			if x.TookNs == 0 || x.HookNs == 0 || x.HookNs > x.TookNs {
				t.Errorf("epoch %d took %d ns, its last answer %d ns", x.Epoch, x.TookNs, x.HookNs)
			}
		case leyline.RunClosed:
			acks = append(acks, x.Acks...)
		}
	}
	if ordered != 2 || len(acks) != 2 {
		t.Fatalf("%d orders, acknowledged %+v", ordered, acks)
	}
	for _, a := range acks {
		if a.Kind != leyline.EffectRebuild || a.Outcome != leyline.OutcomeOK || a.Before != a.After || a.TookNs == 0 {
			t.Errorf("acknowledged %+v", a)
		}
	}
}

// What is declared of the optimizer when a run is opened is what it then holds.
func TestDeclaredGroupIsTheOptimizer(t *testing.T) {
	p := newFake(t)
	train(t, p, p.options(1))
	s := newStory(t, 7)
	held, _, err := s.net.RebuildOptimizer()
	ok(t, err)
	want := leyline.ParamGroup{Name: netGroup, Rate: s.net.LearningRate(), Parameters: held.Parameters}
	if got := p.plan.Groups; len(got) != 1 || got[0] != want || uint32(len(got)) != held.Groups {
		t.Errorf("declared %+v, the optimizer has %+v", got, want)
	}
}
