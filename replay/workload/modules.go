package workload

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/testdata"
)

// moduleSlot names the slot of a module of the host, counted from 0. No seed of a
// workload has such a name.
func moduleSlot(i int) string { return fmt.Sprintf("module-%d", i+1) }

// Build returns the workload's network as a run begins with it: trunk, heads and
// modules, with the initial weights of a seed. A module is what a seed is that was
// kept: it has its full part in the output and learns with the host. The error names
// a module that is unknown or does not fit, or what NewNet refuses.
func (s Spec) Build(seed uint64) (*Net, error) {
	data, err := s.Data()
	if err != nil {
		return nil, err
	}
	c := s.Net
	c.Seed = seed
	n, err := NewNet(data, c)
	if err != nil {
		return nil, err
	}
	for i, id := range s.Modules {
		if err := n.furnish(moduleSlot(i), id); err != nil {
			return nil, fmt.Errorf("module %s of the host: %w", id, err)
		}
	}
	return n, nil
}

// furnish makes the kernel of a blueprint a part of the host.
func (n *Net) furnish(slot, blueprint string) error {
	kernel, err := testdata.Kernel(blueprint)
	if err != nil {
		return err
	}
	if err := n.Graft(slot, kernel); err != nil {
		return err
	}
	if err := n.SetMode(slot, ModeBlending); err != nil {
		return err
	}
	return n.SetAlpha(slot, 1)
}

// Parameters is the number of parameters of the network that Build returns.
func (s Spec) Parameters() (int, error) {
	n, err := s.Build(0)
	if err != nil {
		return 0, err
	}
	return n.parameters(), nil
}

// Widened returns the workload without modules and with the narrowest trunk that
// gives its host at least so many parameters; never a narrower one than it has. An
// error says that no width within 256 does.
func (s Spec) Widened(parameters int) (Spec, error) {
	s.Modules = nil
	for {
		has, err := s.Parameters()
		if err != nil {
			return s, fmt.Errorf("no host of %s has %d parameters: %w", s.Name, parameters, err)
		}
		if has >= parameters {
			return s, nil
		}
		s.Net.Hidden++
	}
}

// parameters counts those of trunk, heads and everything that is grafted.
func (n *Net) parameters() int {
	total := n.trunk.size()
	for _, h := range n.heads {
		total += len(h.value)
	}
	for _, s := range n.seeds {
		total += s.size()
	}
	return total
}

// settleModules gives the modules of the host their stage: they are managed no more,
// like a seed that was kept and given to the host.
func (t *trainer) settleModules() {
	for i := range t.opts.Workload.Modules {
		t.stages[moduleSlot(i)] = leyline.StageTerminated
	}
}

// isModule reports whether a slot holds a module and not a seed.
func (t *trainer) isModule(slot string) bool {
	for i := range t.opts.Workload.Modules {
		if moduleSlot(i) == slot {
			return true
		}
	}
	return false
}

// hostParameters declares the tensors of the host, its modules among them.
func (t *trainer) hostParameters() ([]leyline.Parameter, error) {
	out := t.net.HostParameters()
	for i := range t.opts.Workload.Modules {
		own, err := t.net.SeedParameters(moduleSlot(i))
		if err != nil {
			return nil, err
		}
		out = append(out, own...)
	}
	leyline.SortParameters(out)
	return out, nil
}
