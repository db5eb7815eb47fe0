package workload

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/tensorfile"
)

// HostParameters returns the tensors of trunk and heads under the names that they have
// in the files of Save, in ascending order.
func (n *Net) HostParameters() []leyline.Parameter { return declared(n.hostTensors()) }

// SeedParameters returns the tensors of the seed in a slot, as HostParameters does. A
// slot without a seed is an error.
func (n *Net) SeedParameters(slot string) ([]leyline.Parameter, error) {
	s := n.find(slot)
	if s == nil {
		return nil, fmt.Errorf("slot %q holds no seed", slot)
	}
	return declared(s.shape.tensors(ownPrefix(slot), s.value)), nil
}

func declared(ts []tensorfile.Tensor) []leyline.Parameter {
	out := make([]leyline.Parameter, len(ts))
	for i, t := range ts {
		out[i] = leyline.Parameter{Name: t.Name, Size: uint64(len(t.Data))}
	}
	leyline.SortParameters(out)
	return out
}
