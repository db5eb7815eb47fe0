package workload

// Work is the arithmetic of a run in multiply-adds of its matrix products and
// convolutions. What grows with the parameters or the units alone (activations,
// losses, the Gram matrix, the optimizer) is left out: with batches of 32 and more it
// is a few hundredths of the whole. Steps that a rollback took back were spent too.
// A resumed run counts its present life only.
type Work struct {
	Training uint64 // forward and backward passes of the steps
	Probes   uint64 // forward passes by which seeds were judged
}

// Total is all of it.
func (w Work) Total() uint64 { return w.Training + w.Probes }

// stepWork counts one Step of so many rows with the seeds as they are now.
func (n *Net) stepWork(rows int) uint64 {
	total, tasks := n.forwardWork(rows), len(n.data.Tasks)
	first, second := n.trunk.in*n.trunk.mid, n.trunk.mid*n.trunk.out
	per := tasks * (first + 2*second) // the pixels need no gradient
	heads := n.headWork()
	per += 2 * heads
	for _, s := range n.seeds {
		if !s.Mode.learns() {
			continue
		}
		b := s.shape
		per += tasks * (b.filterWork() + 2*b.Hidden*b.Width + 2*b.mid()*b.Hidden)
		if s.Mode == ModeTraining {
			per += 2 * heads // the auxiliary losses
		}
	}
	return total + uint64(rows)*uint64(per)
}

// forwardWork counts a forward pass of so many rows, the heads included.
func (n *Net) forwardWork(rows int) uint64 {
	per := n.trunk.in*n.trunk.mid + n.trunk.mid*n.trunk.out + n.headWork()
	for _, s := range n.seeds {
		if s.Mode == ModeIdle {
			continue
		}
		b := s.shape
		per += b.filterWork() + b.Hidden*b.Width + b.mid()*b.Hidden
		if s.Mode.blends() && s.logits != nil {
			per += n.headWork() // its own classification
		}
	}
	return uint64(rows) * uint64(per)
}

// headWork is one row through all heads.
func (n *Net) headWork() int {
	total := 0
	for _, task := range n.data.Tasks {
		total += n.cfg.Hidden * task.Classes
	}
	return total
}

// filterWork is one image through the filters.
func (b Block) filterWork() int { return patchArea * b.filtered() }

// StepWork is the work of one training step of the network that Build returns, with a
// full batch.
func (s Spec) StepWork() (uint64, error) {
	n, err := s.Build(0)
	if err != nil {
		return 0, err
	}
	return n.stepWork(n.cfg.Batch), nil
}
