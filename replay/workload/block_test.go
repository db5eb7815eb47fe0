package workload

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/subsystems/tensorfile"
)

// A make-up out of range has no kernel.
func TestNewKernelRefuses(t *testing.T) {
	for _, shape := range []Block{
		{}, {Hidden: 257, Width: 1}, {Hidden: 1, Width: 257}, {Hidden: 1}, {Width: 1},
		{Hidden: 6, Width: 1, Channels: -1}, {Hidden: 6, Width: 1, Channels: 33, Side: 8},
		{Hidden: 6, Width: 1, Channels: 1}, {Hidden: 6, Width: 1, Channels: 1, Side: 4},
		{Hidden: 6, Width: 1, Channels: 1, Side: 33}, {Hidden: 6, Width: 1, Side: 8},
	} {
		if _, err := NewKernel("test", shape, 1); err == nil {
			t.Errorf("%+v was accepted", shape)
		}
	}
	if _, err := NewKernel("", Block{Hidden: 6, Width: 1}, 1); err == nil {
		t.Error("a blueprint without an id was accepted")
	}
}

// What a kernel says that it reads is held against its tensors and the net.
func TestGraftChecksWhatIsRead(t *testing.T) {
	n := newGallery(t).net
	both, err := NewKernel("test", Block{Hidden: 6, Width: 2, Channels: 3, Side: 8}, 1)
	ok(t, err)
	trunk, err := NewKernel("test", Block{Hidden: 6, Width: 2}, 1)
	ok(t, err)
	other, err := NewKernel("test", Block{Hidden: 6, Width: 2, Channels: 3, Side: 10}, 1)
	ok(t, err)
	saying := func(b []byte, reads string) []byte {
		meta, ts, err := tensorfile.Decode(b)
		ok(t, err)
		meta = maps.Clone(meta)
		if meta["reads"] = reads; reads == "" {
			delete(meta, "reads")
		}
		b, err = tensorfile.Encode(meta, ts)
		ok(t, err)
		return b
	}
	before := n.Digest()
	for _, tt := range []struct {
		name, reason string
		kernel       []byte
	}{
		{"unknown layer", `"reads": is "hidden-1", want "trunk" or "input,trunk"`, saying(both, "hidden-1")},
		{"other order", `"reads": is "trunk,input"`, saying(both, "trunk,input")},
		{"nothing said", `"reads": is ""`, saying(trunk, "")},
		{"filters not announced", `"filter.bias": tensor is not expected`, saying(both, "trunk")},
		{"filters missing", `"filter.bias": tensor is missing`, saying(trunk, "input,trunk")},
		{"another image", `"out.weight": shape is [6 29], want [6 14]`, other},
	} {
		if err := n.Graft("s", tt.kernel); err == nil || !strings.Contains(err.Error(), tt.reason) {
			t.Errorf("%s: error %v, want one with %s", tt.name, err, tt.reason)
		}
	}
	if n.Digest() != before {
		t.Error("a refused kernel changed the net")
	}
	var content *ContentError
	wide, err := NewKernel("test", Block{Hidden: 32, Width: 2, Channels: 3, Side: 8}, 1)
	ok(t, err)
	if err := newStory(t, 7).net.Graft("s", wide); !errors.As(err, &content) || content.Name != "reads" {
		t.Errorf("a kernel that reads images behind data that are none: %v", err)
	}
	ok(t, n.Graft("s", both))
}

// A net whose seeds read the input is saved, moved and trained on bit for bit.
func TestFiltersAreState(t *testing.T) {
	s, again := gallery(t), newGallery(t)
	b, err := s.net.Save(30)
	ok(t, err)
	ok(t, again.net.Load(b))
	s.train(t, 31, 60)
	again.train(t, 31, 60)
	if s.net.Digest() != again.net.Digest() {
		t.Error("the moved net trains to other weights")
	}
	if diff := cmp.Diff(s.net.Slots(), again.net.Slots()); diff != "" {
		t.Errorf("slots (-want +got):\n%s", diff)
	}
	meta, ts, err := tensorfile.Decode(b)
	ok(t, err)
	meta = maps.Clone(meta)
	meta["seed.0.reads"] = "trunk"
	b, err = tensorfile.Encode(meta, ts)
	ok(t, err)
	var content *ContentError
	if err := again.net.Load(b); !errors.As(err, &content) || content.Name != "seed.0.reads" {
		t.Errorf("a state that denies its filters: %v", err)
	}
}

// With filters an update is still what TestApply says of one without, and what
// a seed in training reads is not touched by it.
func TestFiltersLearn(t *testing.T) {
	s := gallery(t)
	n := s.net
	b := n.find("b")
	filters := b.shape.filterSize()
	if filters != 26*2 {
		t.Fatalf("the training seed has %d parameters of filters", filters)
	}
	_, err := n.Step(s.batches.Batch(31))
	ok(t, err)
	for i, g := range b.aux[:filters] {
		if g == 0 {
			t.Errorf("filter parameter %d has no gradient", i)
		}
	}
	check := descended(t, "training", b.params, b.aux)
	ok(t, n.Apply(&n.pass, s.weights))
	check()
}
