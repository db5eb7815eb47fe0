package aggregate

// Attribute changes the weights of StateWeights so that the gradients of the host
// (the teacher of its seeds) take part through the seeds alone: the part p_s of each
// host row is added to the row of every seed s before the rows are weighted (SPEC.md
// 2.4.2). In coefficients that is
//
//	w_s = weight_s / (sum of the weights of all seed rows)
//	w_h = sum over seed rows of w_s * p_s / P,  P = sum of all p
//
// parts has one entry per row, 0 or more and finite; those of host rows are not
// read. Without a host row, or where no seed row weighs or has a part, nothing
// changes: the host then stands for itself. It panics if the lengths differ.
func Attribute(w []float64, owners []Owner, parts []float64) {
	if len(w) != len(owners) || len(parts) != len(owners) {
		panic("aggregate: weights, owners and parts of different lengths")
	}
	var weight, part float64
	hosts := false
	for i, o := range owners {
		if o.Host {
			hosts = true
			continue
		}
		weight += w[i]
		part += parts[i]
	}
	if !hosts || !(weight > 0) || !(part > 0) || !finite(part) {
		return
	}
	var host float64
	for i, o := range owners {
		if !o.Host {
			w[i] /= weight
			host += float64(w[i] * (parts[i] / part))
		}
	}
	for i, o := range owners {
		if o.Host {
			w[i] = host
		}
	}
}
