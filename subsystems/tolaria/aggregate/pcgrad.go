package aggregate

import (
	"fmt"

	"github.com/esper-plane/esper/subsystems/detmath"
)

// pcgradEpsilon is the squared length at or below which a gradient is taken as
// zero and nothing is projected against it.
const pcgradEpsilon = 1e-12

// OrderError says which visiting order PCGrad cannot use.
type OrderError struct {
	Task   int    // task whose order is wrong; -1 where their number is
	Reason string // what is wrong with it
}

// Error implements error.
func (e *OrderError) Error() string {
	if e.Task < 0 {
		return "pcgrad orders: " + e.Reason
	}
	return fmt.Sprintf("pcgrad order of task %d: %s", e.Task, e.Reason)
}

// Orders draws the visiting orders of PCGrad: for each task i = 0 ... k-1 in
// turn, the other tasks in ascending order, shuffled by rng.Shuffle. One call
// draws from rng for every task, so task i's order depends on k and on the
// state of rng only. It panics if k < 0.
func Orders(k int, rng *detmath.PCG) [][]int {
	if k < 0 {
		panic("aggregate: negative number of tasks")
	}
	orders, memory := make([][]int, k), make([]int, k*max(k-1, 0))
	for i := range orders {
		o := memory[i*(k-1) : i*(k-1) : (i+1)*(k-1)]
		for j := range k {
			if j != i {
				o = append(o, j)
			}
		}
		rng.Shuffle(len(o), func(a, b int) { o[a], o[b] = o[b], o[a] })
		orders[i] = o
	}
	return orders
}

// PCGrad returns the weights of projected conflicting gradients (T. Yu et al.,
// "Gradient Surgery for Multi-Task Learning", NeurIPS 2020, arXiv 2001.06782,
// algorithm 1), computed in coefficients. For every task i:
//
//	c = e_i
//	for j in orders[i]:
//	    d = c_1*G_1j + ... + c_k*G_kj
//	    if d < 0 and G_jj > 1e-12: c_j -= d / G_jj
//
// so that a projection is always against the original g_j. The result is the
// sum of the k vectors c, added in the order of the tasks, divided by k if mean
// is set. orders[i] must be a permutation of all tasks but i; see Orders.
//
// It uses the memory of dst, which may be nil, if that is large enough. The
// error is a *GramError if g is not valid and an *OrderError if an order is
// not; the result is then nil. The cost is O(k^3).
func PCGrad(dst []float64, g Gram, orders [][]int, mean bool) ([]float64, error) {
	if err := g.Validate(); err != nil {
		return nil, err
	}
	if err := checkOrders(g.K, orders); err != nil {
		return nil, err
	}
	dst = fill(dst, g.K, 0)
	c := make([]float64, g.K)
	for i, order := range orders {
		project(c, g, i, order)
		for m, v := range c {
			dst[m] += v
		}
	}
	if mean {
		for m := range dst {
			dst[m] /= float64(g.K)
		}
	}
	return dst, nil
}

// project sets c to the coefficients of task i's projected gradient.
func project(c []float64, g Gram, i int, order []int) {
	clear(c)
	c[i] = 1
	for _, j := range order {
		// Column j equals row j: the matrix is symmetric.
		d := detmath.Dot(c, g.V[j*g.K:(j+1)*g.K])
		if gjj := g.At(j, j); d < 0 && gjj > pcgradEpsilon {
			c[j] -= d / gjj
		}
	}
}

// checkOrders returns nil or an *OrderError.
func checkOrders(k int, orders [][]int) error {
	if len(orders) != k {
		return &OrderError{-1, fmt.Sprintf("%d orders for %d tasks", len(orders), k)}
	}
	for i, order := range orders {
		if len(order) != k-1 {
			return &OrderError{i, fmt.Sprintf("visits %d tasks, want %d", len(order), k-1)}
		}
		var met uint64 // bit j: task j was visited; MaxTasks is 64
		for _, j := range order {
			switch {
			case j < 0 || j >= k:
				return &OrderError{i, fmt.Sprintf("visits task %d of %d", j, k)}
			case j == i:
				return &OrderError{i, "visits the task itself"}
			case met>>j&1 == 1:
				return &OrderError{i, fmt.Sprintf("visits task %d twice", j)}
			}
			met |= 1 << j
		}
	}
	return nil
}
