package workload

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"

	"github.com/esper-plane/esper/leyline"
)

const (
	// spell is how many steps the faults of labels last.
	spell leyline.Step = 20
	// noisyEvery is how rare the batches are that FaultNoisy strikes: gradients that
	// are all wrong vary less than a few among many that are not.
	noisyEvery leyline.Step = 4
	// jumpShare is one row in so many: enough that the loss jumps, too few that
	// training looks diverged or collapsed.
	jumpShare = 8
)

// mislabelled returns the labels that the faults of a step give its batch, per task
// and row, or nil when there is no such fault.
func (t *trainer) mislabelled(s leyline.Step, batch []int) [][]int {
	var told [][]int
	for _, f := range t.opts.Faults {
		if s < f.Step || s >= f.Step+spell || struck(t.faulted, f.Step) {
			continue
		}
		switch {
		case f.Name == FaultNoisy && (s-f.Step)%noisyEvery == 0:
			told = t.net.mixed(batch, len(batch), uint64(s))
		case f.Name == FaultJump:
			told = t.net.mixed(batch, max(2, len(batch)/jumpShare), uint64(s))
		case f.Name == FaultConflict:
			told = t.net.contradicting(batch)
		}
	}
	return told
}

// mixed returns the labels of a batch with those of its first rows shuffled, for each
// task in another way. Which rows come first in a batch is chance.
func (n *Net) mixed(batch []int, rows int, seed uint64) [][]int {
	r := rand.NewPCG(seed, streamDrill)
	var told [][]int
	for t := range n.data.Tasks {
		labels := make([]int, len(batch))
		for i, row := range batch {
			labels[i] = n.data.Labels[t][row]
		}
		shuffle(labels[:rows], r)
		told = append(told, labels)
	}
	return told
}

// contradicting returns labels for which the tasks pull the trunk in different
// directions: the first task has its own, and every other, row by row, the class for
// which its gradient at the head input has the smallest inner product with the sum of
// those of the tasks before it.
func (n *Net) contradicting(batch []int) [][]int {
	n.forward(batch)
	told := n.mixed(batch, 0, 0)
	asked := matrix(len(batch), n.cfg.Hidden)
	for t, task := range n.data.Tasks {
		head, z := n.head(t), top(n.logits[t], len(batch))
		head.forward(z, top(n.current, len(batch)))
		for i := range batch {
			want := asked.Data[i*asked.Stride : (i+1)*asked.Stride]
			p := z.Data[i*z.Stride : i*z.Stride+task.Classes]
			softmax(p)
			if t > 0 {
				told[t][i] = opposing(head, p, want)
			}
			floats.Add(want, pull(head, p, told[t][i]))
		}
	}
	return told
}

// opposing returns the class for which the gradient of a row opposes want most.
func opposing(head affine, p, want []float64) int {
	best, least := 0, math.Inf(1)
	for c := range p {
		if d := floats.Dot(pull(head, p, c), want); d < least {
			best, least = c, d
		}
	}
	return best
}

// pull returns the gradient at the head input of the loss of one row with
// probabilities p, were its class c.
func pull(head affine, p []float64, c int) []float64 {
	g := make([]float64, head.w.Cols)
	for q, v := range p {
		if q == c {
			v--
		}
		blas64.Axpy(v, blas64.Vector{N: head.w.Cols, Inc: 1, Data: head.w.Data[q*head.w.Stride:]}, blas64.Vector{N: len(g), Inc: 1, Data: g})
	}
	return g
}

// softmax replaces logits by probabilities.
func softmax(z []float64) {
	peak, total := floats.Max(z), 0.0
	for i, v := range z {
		z[i] = math.Exp(v - peak)
		total += z[i]
	}
	floats.Scale(1/total, z)
}
