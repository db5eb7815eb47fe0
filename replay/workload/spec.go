package workload

import (
	"fmt"
	"slices"
	"strings"

	"github.com/esper-plane/esper/leyline"
)

// Blueprint is a kind of seed that a workload may grow.
type Blueprint struct {
	ID   string  // names its kernel, see testdata.Kernel
	Risk float64 // declared, in [0,1]; the lower is tried first
}

// Spec is what a run of a workload is made of. It is a set of defaults: what a
// run has used is in its record.
type Spec struct {
	Name string
	// Data makes the data, or returns the data it has made; they are shared and
	// must not be changed. An error means that an embedded file is damaged.
	Data func() (*Data, error)
	// Net is the configuration to start from. Its Seed is 0: the run gives it.
	Net        NetConfig
	Slots      []string    // the places for seeds, in the order of the forward pass
	Layers     []string    // those that a kernel may read, forward; seeds add to the last
	Blueprints []Blueprint // by ascending risk; every kernel fits Net.Hidden
	Steps      int         // length of a run that does not ask for another
	// Modules are blueprints whose blocks are part of the host from the first step, in
	// this order, behind the trunk and before the seeds: nothing decides about them.
	// No workload has any by itself; a control of an experiment may, see Parameters.
	Modules []string
	tune    func(*leyline.ExecutionConfig)
}

// Lookup returns the spec of a workload; the caller owns it. An unknown name is
// an error that lists the known ones.
func Lookup(name string) (Spec, error) {
	for _, s := range specs() {
		if s.Name == name {
			return s, nil
		}
	}
	return Spec{}, fmt.Errorf("unknown workload %q (known: %s)", name, strings.Join(Names(), ", "))
}

// Names returns the names that Lookup knows, the smallest workload first.
func Names() []string {
	var names []string
	for _, s := range specs() {
		names = append(names, s.Name)
	}
	return names
}

func specs() []Spec {
	return []Spec{
		{
			Name: "penguins", Data: Penguins,
			Net:   NetConfig{Hidden: 32, Batch: 32, LearningRate: 0.05, Momentum: 0.9},
			Slots: []string{"seed-a"}, Layers: []string{"trunk"},
			Blueprints: []Blueprint{{"residual-mlp-16", 0.1}},
			Steps:      300, tune: tunePenguins,
		},
		{
			Name: "multimnist", Data: MultiMNIST,
			// Two hidden layers of 128. Behind them more units of the same kind
			// add nothing; filters do, and the earlier the more, so theirs is the
			// lower risk: they are tried first.
			Net:   NetConfig{Hidden: 128, Batch: 64, LearningRate: 0.02, Momentum: 0.9},
			Slots: []string{"seed-a", "seed-b"}, Layers: []string{"input", "trunk"},
			Blueprints: []Blueprint{{"residual-conv-h128-c3", 0.1}, {"residual-mlp-h128-w2", 0.3}},
			Steps:      3000, tune: tuneMultiMNIST,
		},
	}
}

// AllBlueprints returns the blueprints that are shipped for any workload, each once,
// for a plane that does not know what will be trained.
func AllBlueprints() []Blueprint {
	var all []Blueprint
	for _, s := range specs() {
		for _, b := range s.Blueprints {
			if !slices.Contains(all, b) {
				all = append(all, b)
			}
		}
	}
	return all
}
