package workload

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// Batches gives the rows of every mini-batch. Which rows belong to a step is a
// pure function of (rows, size, seed, step): training may start again at any
// step and sees what it would have seen. Each epoch is a fresh shuffle of all
// rows; the rows that do not fill a batch are left out of that epoch.
// It caches the epoch it was asked for last, so it is not safe for concurrent use.
type Batches struct {
	rows   []int
	size   int
	seed   uint64
	order  []int  // rows as shuffled for cached
	cached uint64 // epoch of order; meaningful when order is not nil
}

// NewBatches returns the batches of size rows each drawn from rows, which are
// copied. The size must be within 1 and len(rows).
func NewBatches(rows []int, size int, seed uint64) (*Batches, error) {
	if size < 1 || size > len(rows) {
		return nil, fmt.Errorf("cannot form batches: size %d is not within 1 and %d rows", size, len(rows))
	}
	return &Batches{rows: slices.Clone(rows), size: size, seed: seed}, nil
}

// PerEpoch returns the number of batches in an epoch, at least 1.
func (b *Batches) PerEpoch() uint64 { return uint64(len(b.rows) / b.size) }

// Epoch returns the epoch of a step, counted from 0. Steps are counted from 1.
func (b *Batches) Epoch(step uint64) uint64 {
	if step == 0 {
		panic("workload: steps are counted from 1")
	}
	return (step - 1) / b.PerEpoch()
}

// Batch returns the rows of a step in the order of the shuffle. Steps are
// counted from 1; step 0 panics. The slice is valid until the next call and
// must not be changed.
func (b *Batches) Batch(step uint64) []int {
	epoch := b.Epoch(step)
	if b.order == nil || b.cached != epoch {
		b.order = append(b.order[:0], b.rows...)
		shuffle(b.order, rand.NewPCG(b.seed, epoch))
		b.cached = epoch
	}
	at := int((step-1)%b.PerEpoch()) * b.size
	return b.order[at : at+b.size : at+b.size]
}
