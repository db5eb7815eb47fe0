package workload

import (
	"slices"
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/tensorfile"
)

// TestParametersAreThoseOfTheFiles holds what is declared of the host and of every
// seed against the tensors of a snapshot: together they are all of its parameters.
func TestParametersAreThoseOfTheFiles(t *testing.T) {
	s := newStory(t, 7)
	ok(t, s.net.Graft("s2", kernelOf(t, "residual-mlp-16")))
	full(t, s, 1, func(uint64) {
		b, err := s.net.Save(1)
		ok(t, err)
		_, saved, err := tensorfile.Decode(b)
		ok(t, err)
		var want []leyline.Parameter
		for _, x := range saved {
			if !strings.HasPrefix(x.Name, velocityPrefix) {
				want = append(want, leyline.Parameter{Name: x.Name, Size: uint64(len(x.Data))})
			}
		}
		got := s.net.HostParameters()
		for _, seed := range s.net.seeds {
			own, err := s.net.SeedParameters(seed.ID)
			ok(t, err)
			if leyline.ParameterCount(own) != uint64(seed.size()) {
				t.Errorf("seed %s has %d numbers, declared are %d", seed.ID, seed.size(), leyline.ParameterCount(own))
			}
			got = append(got, own...)
		}
		leyline.SortParameters(got)
		leyline.SortParameters(want)
		if !slices.Equal(got, want) {
			t.Errorf("declared %v\nsaved %v", got, want)
		}
	})
	if _, err := s.net.SeedParameters("nowhere"); err == nil {
		t.Error("an empty slot has parameters")
	}
}

// TestTensorKeepsItsName: what a seed owns must not change because another goes.
func TestTensorKeepsItsName(t *testing.T) {
	s := newStory(t, 7)
	ok(t, s.net.Graft("s1", kernelOf(t, "residual-mlp-16")))
	ok(t, s.net.Graft("s2", kernelOf(t, "residual-mlp-16")))
	before, err := s.net.SeedParameters("s2")
	ok(t, err)
	ok(t, s.net.Remove("s1"))
	after, err := s.net.SeedParameters("s2")
	ok(t, err)
	if !slices.Equal(before, after) {
		t.Errorf("%v became %v", before, after)
	}
}

// TestTrainerDeclares opens a run with the host's tensors and answers the command that
// grafts a seed, and no other, with the seed's.
func TestTrainerDeclares(t *testing.T) {
	p := newFake(t)
	scriptLife(p)
	train(t, p, p.options(60))
	opened := seen[leyline.RunOpened](p)
	if len(opened) != 1 || len(opened[0].HostParameters) == 0 || opened[0].Validate() != nil {
		t.Errorf("opened with %+v: %v", opened, opened[0].Validate())
	}
	told := 0
	for _, x := range seen[leyline.CommandAcked](p) {
		if err := x.Validate(); err != nil {
			t.Error(err)
		}
		if len(x.Parameters) > 0 {
			told++
			if !strings.HasPrefix(x.Parameters[0].Name, "seed.") {
				t.Errorf("declared %v", x.Parameters)
			}
		}
	}
	if told == 0 || told == len(seen[leyline.CommandAcked](p)) {
		t.Errorf("%d of %d answers declare tensors", told, len(seen[leyline.CommandAcked](p)))
	}
}
