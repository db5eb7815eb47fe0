package aggregate

import (
	"fmt"
	"math"

	"github.com/esper-plane/esper/subsystems/detmath"
)

// maxTarget is the largest cosine that GradVac brings a pair to: one of exactly 1
// would need an infinite multiple of the other gradient. It bounds the multiple
// to about 1500 lengths.
const maxTarget = 1 - 0x1p-20

// TargetError says which target cosine GradVac cannot use.
type TargetError struct {
	Index int     // in the row-major matrix; -1 where their number is meant
	Value float64 // the cosine, or the number
}

// Error implements error.
func (e *TargetError) Error() string {
	if e.Index < 0 {
		return fmt.Sprintf("gradvac targets: %v cosines, want one for each pair of tasks", e.Value)
	}
	return fmt.Sprintf("gradvac targets: cosine %d is %v, want a number from -1 to 1", e.Index, e.Value)
}

// GradVac returns the weights of gradient vaccine (Z. Wang et al., "Gradient
// Vaccine: Investigating and Improving Multi-task Optimization in Massively
// Multilingual Models", ICLR 2021, arXiv 2010.05874, algorithm 1) and the target
// cosines of the next step. targets is the k x k row-major matrix of those so
// far; nil means all zero. For every task i, with c = e_i and, for j in orders[i],
// v = c_1*g_1 + ... + c_k*g_k:
//
//	p = cos(v, g_j), t = targets_ij
//	if p < t: c_j += |v| * (t*sqrt(1-p^2) - p*sqrt(1-t^2)) / (|g_j| * sqrt(1-t^2))
//	next_ij = (1-beta)*t + beta*p
//
// which makes the cosine t. The weights are the sum of the k vectors c. With
// targets of zero this is PCGrad. A pair without a cosine, because v is zero or
// the squared length of g_j is at most 1e-12, is left alone with its target; a
// target over 1 - 2^-20 counts as that.
//
// It uses the memory of dst, which may be nil, if that is large enough. The error
// is a *GramError, an *OrderError or a *TargetError; the results are then nil. It
// panics if beta is outside [0,1]. The cost is O(k^3).
func GradVac(dst, targets []float64, g Gram, orders [][]int, beta float64) (weights, next []float64, err error) {
	if !(beta >= 0 && beta <= 1) {
		panic("aggregate: beta outside [0,1]")
	}
	if err := g.Validate(); err != nil {
		return nil, nil, err
	}
	if err := checkOrders(g.K, orders); err != nil {
		return nil, nil, err
	}
	if err := checkTargets(g.K, targets); err != nil {
		return nil, nil, err
	}
	v := vaccine{g: g, beta: beta, lengths: Lengths(g), next: make([]float64, g.K*g.K), c: make([]float64, g.K), gc: make([]float64, g.K)}
	copy(v.next, targets)
	dst = fill(dst, g.K, 0)
	for i, order := range orders {
		v.task(i, order)
		for m, x := range v.c {
			dst[m] += x
		}
	}
	return dst, v.next, nil
}

func checkTargets(k int, targets []float64) error {
	if n := len(targets); n != 0 && n != k*k {
		return &TargetError{-1, float64(n)}
	}
	for i, t := range targets {
		if !(t >= -1 && t <= 1) {
			return &TargetError{i, t}
		}
	}
	return nil
}

// vaccine is the state of GradVac while it visits the pairs.
type vaccine struct {
	g     Gram
	beta  float64
	next  []float64
	c, gc []float64 // coefficients of the present v, and its inner products with every gradient

	lengths []float64 // of the gradients
	length  float64   // of v; not positive: v has no direction
}

func (v *vaccine) task(i int, order []int) {
	clear(v.c)
	v.c[i] = 1
	copy(v.gc, v.g.V[i*v.g.K:(i+1)*v.g.K])
	v.length = v.lengths[i]
	for _, j := range order {
		v.visit(j, &v.next[i*v.g.K+j])
	}
}

// visit brings v to the target cosine with gradient j, and the target nearer to
// the cosine that was found.
func (v *vaccine) visit(j int, target *float64) {
	row := v.g.V[j*v.g.K : (j+1)*v.g.K]
	if !(v.length > 0) || row[j] <= pcgradEpsilon {
		return
	}
	other := v.lengths[j]
	p := max(-1, min(1, detmath.Dot(v.c, row)/float64(v.length*other)))
	if t := min(*target, maxTarget); p < t {
		sp, st := math.Sqrt(float64((1-p)*(1+p))), math.Sqrt(float64((1-t)*(1+t)))
		a := float64(v.length*(float64(t*sp)-float64(p*st))) / float64(other*st)
		v.c[j] += a
		for m := range v.gc {
			v.gc[m] += float64(a * row[m])
		}
		v.length = math.Sqrt(max(0, detmath.Dot(v.c, v.gc)))
	}
	*target = max(-1, min(1, float64((1-v.beta)*(*target))+float64(v.beta*p)))
}
