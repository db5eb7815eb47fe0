package workload

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every spec can be run as it stands: its data and net are accepted, and every
// blueprint has a kernel that fits every slot.
func TestSpecs(t *testing.T) {
	if diff := cmp.Diff([]string{"penguins", "multimnist"}, Names()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	for _, name := range Names() {
		s, err := Lookup(name)
		ok(t, err)
		d, err := s.Data()
		ok(t, err)
		if s.Name != name || d.Name != name || len(s.Layers) == 0 || s.Steps < 1 {
			t.Errorf("%s: name %q, data %q, layers %q, %d steps", name, s.Name, d.Name, s.Layers, s.Steps)
		}
		n, err := NewNet(d, s.Net)
		ok(t, err)
		if n.Config() != s.Net {
			t.Errorf("%s: the net has %+v, the spec says %+v", name, n.Config(), s.Net)
		}
		if len(s.Slots) < 1 || len(s.Slots) > MaxSlots {
			t.Errorf("%s: %d slots", name, len(s.Slots))
		}
		for _, b := range s.Blueprints {
			for _, slot := range s.Slots {
				ok(t, n.Graft(slot, kernelOf(t, b.ID)))
			}
			for _, slot := range n.Slots() {
				if slot.Blueprint != b.ID {
					t.Errorf("%s: the kernel of %q says %q", name, b.ID, slot.Blueprint)
				}
				ok(t, n.Remove(slot.ID))
			}
			k, err := decodeKernel(kernelOf(t, b.ID), s.Net.Hidden, d.Side)
			ok(t, err)
			for _, layer := range strings.Split(k.shape.Reads(), ",") {
				if !slices.Contains(s.Layers, layer) {
					t.Errorf("%s: %q reads layer %q, the mesh has %v", name, b.ID, layer, s.Layers)
				}
			}
			if !(b.Risk >= 0 && b.Risk <= 1) {
				t.Errorf("%s: risk of %q is %v", name, b.ID, b.Risk)
			}
		}
		if !slices.IsSortedFunc(s.Blueprints, func(a, b Blueprint) int { return int(100*a.Risk) - int(100*b.Risk) }) {
			t.Errorf("%s: blueprints are not by ascending risk: %v", name, s.Blueprints)
		}
	}
}

// An unknown name is told the known ones; a spec is the caller's own.
func TestLookup(t *testing.T) {
	if _, err := Lookup("iris"); err == nil || !strings.Contains(err.Error(), `"iris" (known: penguins, multimnist)`) {
		t.Errorf("error is %v", err)
	}
	s, err := Lookup("penguins")
	ok(t, err)
	s.Slots[0], s.Layers[0], s.Blueprints[0].ID = "mine", "mine", "mine"
	if again, err := Lookup("penguins"); err != nil || again.Slots[0] == "mine" || again.Layers[0] == "mine" || again.Blueprints[0].ID == "mine" {
		t.Errorf("the caller has changed the table (%v)", err)
	}
}
