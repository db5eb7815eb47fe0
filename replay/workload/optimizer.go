package workload

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/tensorfile"
)

// RebuildOptimizer makes the optimizer anew: it writes its state out, allocates
// every velocity again, and fills them from what was written. It returns what the
// optimizer held before and holds after. The digest covers learning rate, momentum
// and every velocity. After an error the optimizer is what it was; the error is
// that of a velocity that is not finite, which nothing could be made of.
func (n *Net) RebuildOptimizer() (before, after leyline.OptimizerState, err error) {
	b, before, err := n.saveOptimizer()
	if err != nil {
		return before, after, fmt.Errorf("cannot write the optimizer out: %w", err)
	}
	old := n.velocities()
	n.setVelocities(fresh(old))
	_, file, err := tensorfile.Decode(b)
	if err == nil {
		err = fill(n.velocityTensors(), file)
	}
	if err != nil {
		n.setVelocities(old)
		return before, before, fmt.Errorf("cannot fill the new optimizer: %w", err)
	}
	_, after, err = n.saveOptimizer()
	return before, after, err
}

// saveOptimizer returns all that the optimizer holds as a safetensors file, and
// what that comes to.
func (n *Net) saveOptimizer() ([]byte, leyline.OptimizerState, error) {
	b, err := tensorfile.Encode(map[string]string{
		"learning_rate": hexFloat(n.cfg.LearningRate), "momentum": hexFloat(n.cfg.Momentum), "seeds": strconv.Itoa(len(n.seeds)),
	}, n.velocityTensors())
	if err != nil {
		return nil, leyline.OptimizerState{}, err
	}
	s := leyline.OptimizerState{Groups: 1, Digest: sha256.Sum256(b)}
	for _, v := range n.velocities() {
		s.Parameters += uint64(len(v))
	}
	return b, s, nil
}

// velocityTensors returns views of all velocities, by name.
func (n *Net) velocityTensors() []tensorfile.Tensor {
	var ts []tensorfile.Tensor
	for _, t := range n.tensors() {
		if strings.HasPrefix(t.Name, velocityPrefix) {
			ts = append(ts, t)
		}
	}
	return ts
}

// velocities returns every velocity: the trunk's, the heads', the seeds'.
func (n *Net) velocities() [][]float64 {
	vs := [][]float64{n.trunk.velocity}
	for _, h := range n.heads {
		vs = append(vs, h.velocity)
	}
	for _, s := range n.seeds {
		vs = append(vs, s.velocity)
	}
	return vs
}

func (n *Net) setVelocities(vs [][]float64) {
	n.trunk.velocity, vs = vs[0], vs[1:]
	for i := range n.heads {
		n.heads[i].velocity = vs[i]
	}
	for i, s := range n.seeds {
		s.velocity = vs[len(n.heads)+i]
	}
}

// fresh returns zeros of the same lengths.
func fresh(vs [][]float64) [][]float64 {
	out := make([][]float64, len(vs))
	for i, v := range vs {
		out[i] = make([]float64, len(v))
	}
	return out
}
