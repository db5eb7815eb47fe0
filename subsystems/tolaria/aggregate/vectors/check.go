package vectors

import "github.com/esper-plane/esper/subsystems/tolaria/aggregate"

// shape returns the common length.
func shape[T Float](grads [][]T) (n int, err error) {
	bad := aggregate.VectorError{Index: -1, Element: -1}
	switch k := len(grads); {
	case k == 0:
		bad.Reason = aggregate.ReasonNone
		return 0, &bad
	case k > aggregate.MaxTasks:
		bad.Reason, bad.Got, bad.Want = aggregate.ReasonTooMany, k, aggregate.MaxTasks
		return 0, &bad
	case len(grads[0]) == 0:
		bad.Reason, bad.Index = aggregate.ReasonEmpty, 0
		return 0, &bad
	}
	n = len(grads[0])
	for i, g := range grads {
		if len(g) != n {
			bad.Reason, bad.Index, bad.Got, bad.Want = aggregate.ReasonLength, i, len(g), n
			return 0, &bad
		}
	}
	return n, nil
}

// fitting checks what is combined with what, and where to.
func fitting(dst, n int, w []float64, k int) error {
	bad := aggregate.VectorError{Index: -1, Element: -1}
	if len(w) != k {
		bad.Reason, bad.Got, bad.Want = aggregate.ReasonWeights, len(w), k
		return &bad
	}
	for i, v := range w {
		if !finite(v) {
			bad.Reason, bad.Index, bad.Value = aggregate.ReasonWeight, i, v
			return &bad
		}
	}
	if dst != n {
		bad.Reason, bad.Got, bad.Want = aggregate.ReasonResult, dst, n
		return &bad
	}
	return nil
}

// finiteGram names what is not finite. A gradient with an element that is not
// finite has a square that is not, so the elements are looked at only then.
func finiteGram[T Float](g aggregate.Gram, grads [][]T) error {
	for at, v := range g.V {
		if finite(v) {
			continue
		}
		if err := firstElement(grads); err != nil {
			return err
		}
		return &aggregate.VectorError{Reason: aggregate.ReasonInnerOver, Index: at / g.K, Element: at % g.K, Value: v}
	}
	return nil
}

// firstElement names the first element that is not finite, or returns nil.
func firstElement[T Float](grads [][]T) error {
	for i, g := range grads {
		for c, v := range g {
			if !finite(float64(v)) {
				return &aggregate.VectorError{Reason: aggregate.ReasonElement, Index: i, Element: c, Value: float64(v)}
			}
		}
	}
	return nil
}

// overflowed names what made element at of a combination v, which is not finite.
func overflowed[T Float](grads [][]T, at int, v float64) error {
	for i, g := range grads {
		if !finite(float64(g[at])) {
			return &aggregate.VectorError{Reason: aggregate.ReasonElement, Index: i, Element: at, Value: float64(g[at])}
		}
	}
	return &aggregate.VectorError{Reason: aggregate.ReasonOverflow, Index: -1, Element: at, Value: v}
}
