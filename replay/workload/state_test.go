package workload

import (
	"bytes"
	"errors"
	"maps"
	"math"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/subsystems/tensorfile"
)

// full runs the whole life of a seed within 120 steps, in slices, and calls
// between after every step.
func full(t *testing.T, s *story, from uint64, between func(step uint64)) {
	t.Helper()
	for step := from; step <= 120; step++ {
		var err error
		switch step {
		case 20:
			err = s.net.Graft("s1", kernelOf(t, "residual-mlp-16"))
		case 50:
			err = errors.Join(s.net.SetMode("s1", ModeBlending), s.net.SetAlpha("s1", 0.5))
		case 90:
			err = errors.Join(s.net.SetMode("s1", ModeFrozen), s.net.SetLearningRate(0.01))
		}
		ok(t, err)
		s.train(t, step, step)
		between(step)
	}
}

// Two runs agree bit for bit, also when one of them is moved to a new net at
// any step and only the later batches are drawn.
func TestRunsAreReproducible(t *testing.T) {
	digests := map[uint64][32]byte{}
	saved := map[uint64][]byte{}
	s := newStory(t, 5)
	full(t, s, 1, func(step uint64) {
		b, err := s.net.Save(step)
		ok(t, err)
		saved[step], digests[step] = b, s.net.Digest()
	})
	for _, at := range []uint64{1, 19, 20, 49, 50, 77, 90, 119} {
		again := newStory(t, 99) // other initial weights: Load must replace them all
		again.batches = newStory(t, 5).batches
		ok(t, again.net.Load(saved[at]))
		if got, err := SavedStep(saved[at]); err != nil || got != at {
			t.Errorf("SavedStep is %d, %v, want %d", got, err, at)
		}
		full(t, again, at+1, func(step uint64) {
			if again.net.Digest() != digests[step] {
				t.Fatalf("loaded at step %d: differs at step %d", at, step)
			}
		})
	}
	if digests[119] == digests[120] {
		t.Error("a step changes nothing")
	}
}

// A refused load names its reason and leaves every bit of the net alone.
func TestLoadRefuses(t *testing.T) {
	s := garden(t)
	good, err := s.net.Save(30)
	ok(t, err)
	tests := []struct {
		name string
		edit func(meta map[string]string, ts []tensorfile.Tensor) []tensorfile.Tensor
		want error
	}{
		{"NaN", func(_ map[string]string, ts []tensorfile.Tensor) []tensorfile.Tensor {
			ts[0].Data[1] = math.NaN()
			return ts
		}, &ContentError{}},
		{"infinite velocity", func(_ map[string]string, ts []tensorfile.Tensor) []tensorfile.Tensor {
			ts[len(ts)-1].Data[0] = math.Inf(-1)
			return ts
		}, &ContentError{}},
		{"missing tensor", func(_ map[string]string, ts []tensorfile.Tensor) []tensorfile.Tensor { return ts[1:] }, &ContentError{}},
		{"missing last tensor", func(_ map[string]string, ts []tensorfile.Tensor) []tensorfile.Tensor { return ts[:len(ts)-1] }, &ContentError{}},
		{"foreign tensor", func(_ map[string]string, ts []tensorfile.Tensor) []tensorfile.Tensor {
			return append(ts, tensorfile.Tensor{Name: "zzz", Shape: []int{0}, Data: nil})
		}, &ContentError{}},
		{"shape", func(_ map[string]string, ts []tensorfile.Tensor) []tensorfile.Tensor {
			ts[1].Shape = []int{ts[1].Shape[1], ts[1].Shape[0]}
			return ts
		}, &ShapeError{}},
		{"unknown metadata", func(m map[string]string, ts []tensorfile.Tensor) []tensorfile.Tensor { m["extra"] = "1"; return ts }, &ContentError{}},
		{"format", func(m map[string]string, ts []tensorfile.Tensor) []tensorfile.Tensor {
			m["format"] = "other"
			return ts
		}, &ContentError{}},
		{"data", func(m map[string]string, ts []tensorfile.Tensor) []tensorfile.Tensor { m["data"] = "iris"; return ts }, &ContentError{}},
		{"hidden", func(m map[string]string, ts []tensorfile.Tensor) []tensorfile.Tensor { m["hidden"] = "16"; return ts }, &ContentError{}},
		{"step", func(m map[string]string, ts []tensorfile.Tensor) []tensorfile.Tensor { m["step"] = "-1"; return ts }, &ContentError{}},
		{"step not canonical", func(m map[string]string, ts []tensorfile.Tensor) []tensorfile.Tensor { m["step"] = "030"; return ts }, &ContentError{}},
		{"rate", func(m map[string]string, ts []tensorfile.Tensor) []tensorfile.Tensor {
			m["learning_rate"] = "NaN"
			return ts
		}, &ContentError{}},
		{"momentum", func(m map[string]string, ts []tensorfile.Tensor) []tensorfile.Tensor {
			m["momentum"] = "0x1p+00"
			return ts
		}, &ContentError{}},
		{"alpha", func(m map[string]string, ts []tensorfile.Tensor) []tensorfile.Tensor {
			m["seed.0.alpha"] = "0x1p+01"
			return ts
		}, &ContentError{}},
		{"mode", func(m map[string]string, ts []tensorfile.Tensor) []tensorfile.Tensor {
			m["seed.0.mode"] = "wild"
			return ts
		}, &ContentError{}},
		{"width", func(m map[string]string, ts []tensorfile.Tensor) []tensorfile.Tensor {
			m["seed.0.width"] = "257"
			return ts
		}, &ContentError{}},
		{"channels", func(m map[string]string, ts []tensorfile.Tensor) []tensorfile.Tensor {
			m["seed.0.channels"] = "x"
			return ts
		}, &ContentError{}},
		{"channels without an image", func(m map[string]string, ts []tensorfile.Tensor) []tensorfile.Tensor {
			m["seed.0.channels"] = "1"
			return ts
		}, &ContentError{}},
		{"reads", func(m map[string]string, ts []tensorfile.Tensor) []tensorfile.Tensor {
			m["seed.0.reads"] = "input,trunk"
			return ts
		}, &ContentError{}},
		{"slot twice", func(m map[string]string, ts []tensorfile.Tensor) []tensorfile.Tensor {
			m["seed.1.slot"] = "a"
			return ts
		}, &ContentError{}},
		{"no blueprint", func(m map[string]string, ts []tensorfile.Tensor) []tensorfile.Tensor {
			delete(m, "seed.0.blueprint")
			return ts
		}, &ContentError{}},
		{"seeds", func(m map[string]string, ts []tensorfile.Tensor) []tensorfile.Tensor { m["seeds"] = "17"; return ts }, &ContentError{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			meta, ts, err := tensorfile.Decode(good)
			ok(t, err)
			meta = maps.Clone(meta)
			bad, err := tensorfile.Encode(meta, ts)
			if err != nil || !bytes.Equal(bad, good) {
				t.Fatalf("decode and encode do not give the same bytes (%v)", err)
			}
			ts = tt.edit(meta, ts)
			if bad, err = tensorfile.Encode(meta, ts); err != nil {
				t.Fatal(err)
			}
			before := s.net.Digest()
			err = s.net.Load(bad)
			t.Log(err)
			if got := errors.Unwrap(err); reflect.TypeOf(got) != reflect.TypeOf(tt.want) {
				t.Errorf("error is a %T, want a %T", got, tt.want)
			}
			if s.net.Digest() != before {
				t.Error("the net has changed")
			}
		})
	}
}

// A file that was cut anywhere is refused.
func TestLoadRefusesCutFile(t *testing.T) {
	s := garden(t)
	good, err := s.net.Save(30)
	ok(t, err)
	for cut := range 40 {
		before := s.net.Digest()
		if err := s.net.Load(good[:len(good)-1-cut*997]); err == nil || s.net.Digest() != before {
			t.Fatalf("a file cut by %d bytes: error %v", 1+cut*997, err)
		}
	}
}

// damaged returns a trained net after a fault, the state saved before it, and
// its held-out losses before and after.
func damaged(t *testing.T, kind string) (s *story, good []byte, calm, ill Evaluation) {
	s = newStory(t, 3)
	s.train(t, 1, 40)
	good, err := s.net.Save(40)
	ok(t, err)
	calm = s.judge(t)
	ok(t, s.net.Corrupt(kind))
	ill = s.judge(t)
	t.Logf("%s: held-out loss %.3f after %.3f", kind, ill.Losses, calm.Losses)
	s.train(t, 41, 42)
	return s, good, calm, ill
}

// NaN is real damage: it reaches the losses, can be saved but not loaded, and
// only a load of a sound state ends it.
func TestCorruptNaN(t *testing.T) {
	s, good, calm, ill := damaged(t, FaultNaN)
	for i := range ill.Losses {
		if !math.IsNaN(ill.Losses[i]) || ill.Accuracy[i] != 0 {
			t.Errorf("loss %g, accuracy %g", ill.Losses[i], ill.Accuracy[i])
		}
	}
	bad, err := s.net.Save(42)
	ok(t, err)
	ok(t, s.net.Graft("s1", kernelOf(t, "residual-mlp-16")))
	p, err := s.net.Step(s.batches.Batch(43))
	ok(t, err)
	if !math.IsNaN(p.HostGradNorm) || !math.IsNaN(p.Cosine) || p.IsolationLeak != 0 {
		t.Errorf("gradient norm %g, cosine %g, want NaN; leak %g, want 0", p.HostGradNorm, p.Cosine, p.IsolationLeak)
	}
	var content *ContentError
	if err := s.net.Load(bad); !errors.As(err, &content) {
		t.Errorf("loading a state with NaN: %v", err)
	}
	ok(t, s.net.Load(good))
	if diff := cmp.Diff(calm, s.judge(t)); diff != "" {
		t.Errorf("after recovery (-before +after):\n%s", diff)
	}
}

// A spike raises every loss and keeps it finite. Its name is part of what a run
// declares, so it is spelt out.
func TestCorruptSpike(t *testing.T) {
	s, good, calm, ill := damaged(t, "loss-spike")
	for i := range ill.Losses {
		if !(ill.Losses[i] > 2*calm.Losses[i] && ill.Losses[i] < 1e6) {
			t.Errorf("loss %g after %g", ill.Losses[i], calm.Losses[i])
		}
	}
	ok(t, s.net.Load(good))
	if diff := cmp.Diff(calm, s.judge(t)); diff != "" {
		t.Errorf("after recovery (-before +after):\n%s", diff)
	}
	if err := s.net.Corrupt("gremlin"); err == nil {
		t.Error("an unknown fault was accepted")
	}
}

// The seed operations refuse what they should and change nothing then.
func TestSlotRules(t *testing.T) {
	s := garden(t)
	n := s.net
	kernel := kernelOf(t, "residual-mlp-16")
	wide, err := NewKernel("wide", Block{Hidden: 16, Width: 16}, 1)
	ok(t, err)
	var shape *ShapeError
	before := n.Digest()
	if err := n.Graft("f", wide); !errors.As(err, &shape) {
		t.Errorf("kernel of another size: %v", err)
	}
	zero, err := tensorfile.Encode(map[string]string{"format": kernelFormat, "blueprint": "id", "reads": "trunk"}, []tensorfile.Tensor{
		{Name: "in.weight", Shape: []int{1, 32}, Data: make([]float64, 32)}, {Name: "in.bias", Shape: []int{1}, Data: []float64{0}},
		{Name: "out.weight", Shape: []int{32, 1}, Data: make([]float64, 32)}, {Name: "out.bias", Shape: []int{32}, Data: make([]float64, 32)}})
	ok(t, err)
	var content *ContentError
	if err := n.Graft("f", zero); !errors.As(err, &content) {
		t.Errorf("identity kernel: %v", err)
	}
	if err := n.Graft("f", nil); err == nil {
		t.Error("an empty kernel was grafted")
	}
	for what, err := range map[string]error{
		"taken": n.Graft("a", kernel), "no name": n.Graft("", kernel), "remove": n.Remove("x"),
		"alpha slot": n.SetAlpha("x", 0), "alpha NaN": n.SetAlpha("a", math.NaN()), "alpha 1.1": n.SetAlpha("a", 1.1),
		"mode slot": n.SetMode("x", ModeIdle), "mode": n.SetMode("a", 9), "rate": n.SetLearningRate(0),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	if n.Digest() != before {
		t.Error("a refused operation changed the net")
	}
	ok(t, n.Remove("b"))
	want := []Slot{{"a", "test", ModeBlending, 0.7, 3}, {"c", "test", ModeFrozen, 0.4, 5}, {"d", "test", ModeBlending, 0.2, 6}, {"e", "test", ModeIdle, 1, 7}}
	if diff := cmp.Diff(want, n.Slots()); diff != "" {
		t.Errorf("slots (-want +got):\n%s", diff)
	}
	for i := len(n.Slots()); i < MaxSlots; i++ {
		ok(t, n.Graft(string(rune('k'+i)), kernel))
	}
	if err := n.Graft("last", kernel); !errors.Is(err, ErrNoSlotLeft) {
		t.Errorf("too many seeds: %v", err)
	}
}

// A pass is applied once, and not to a net it was not made for.
func TestPassRules(t *testing.T) {
	s := garden(t)
	n := s.net
	step := func() *Pass {
		p, err := n.Step(s.batches.Batch(31))
		ok(t, err)
		return p
	}
	p := step()
	ev := s.judge(t) // does not disturb the pass
	before := n.Digest()
	for _, w := range [][]float64{{1, 1}, {1, 1, math.NaN()}, {1, math.Inf(1), 1}} {
		if err := n.Apply(p, w); err == nil {
			t.Errorf("weights %v were accepted", w)
		}
	}
	if diff := cmp.Diff(ev, s.judge(t)); diff != "" || n.Digest() != before {
		t.Errorf("a refused Apply changed the net: %s", diff)
	}
	ok(t, n.Apply(p, s.weights))
	if err := n.Apply(p, s.weights); !errors.Is(err, ErrStalePass) {
		t.Errorf("applied twice: %v", err)
	}
	p = step()
	ok(t, n.SetAlpha("a", 0.8))
	ok(t, n.SetMode("a", ModeFrozen))
	if err := n.Apply(p, s.weights); !errors.Is(err, ErrStalePass) {
		t.Errorf("applied after a change of mode: %v", err)
	}
}

// A batch that cannot be and an override that cannot be are refused.
func TestRowsAndOverridesRefused(t *testing.T) {
	n := garden(t).net
	for _, rows := range [][]int{nil, {-1}, {333}, make([]int, 33)} {
		if _, err := n.Step(rows); err == nil {
			t.Errorf("a batch of rows %v was accepted", rows)
		}
	}
	for _, o := range []AlphaOverride{{"x", 0}, {"a", 2}} {
		if _, err := n.Evaluate(n.data.HeldOut, o); err == nil {
			t.Errorf("override %v was accepted", o)
		}
	}
}
