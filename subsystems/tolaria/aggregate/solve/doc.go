// Package solve finds the weights of the aggregation methods that need a solver:
// min-norm points, quadratic programs, eigenvalues. All of them see the Gram
// matrix only.
//
//	mgda         the shortest convex combination of the gradients: J.-A. Désidéri,
//	             "Multiple-gradient descent algorithm (MGDA)", C. R. Acad. Sci. Paris
//	             350 (2012); O. Sener, V. Koltun, NeurIPS 2018, arXiv 1810.04650.
//	             Solved by P. Wolfe, "Finding the nearest point in a polytope",
//	             Math. Programming 11 (1976).
//	cagrad       the update that improves the worst task most within c lengths of the
//	             mean gradient g0, not rescaled: B. Liu et al., NeurIPS 2021,
//	             arXiv 2110.14048. Wolfe's algorithm for a fixed multiplier, and the
//	             multiplier in closed form on the support that it finds.
//	imtl_g       sum 1 and equal projections on all unit gradients: L. Liu et al.,
//	             ICLR 2021. Eigenvalues.
//	nash_mtl     the Nash bargaining solution, G a = 1/a, shortened to max_norm:
//	             A. Navon et al., ICML 2022, arXiv 2202.01017. Damped Newton steps
//	             on the self-concordant convex problem of which this is the
//	             stationarity condition, so that nothing is carried from step to step.
//	upgrad       the mean of the projections of each gradient on the cone of
//	             directions that oppose none; dualproj projects the mean of the
//	             gradients: P. Quinton, V. Rey, arXiv 2406.16232; D. Lopez-Paz,
//	             M. Ranzato, NeurIPS 2017, arXiv 1706.08840. R. Bro, S. de Jong,
//	             "A fast non-negativity-constrained least squares algorithm",
//	             J. Chemometrics 11 (1997). A multiple reg of the unit matrix is
//	             added to the Gram matrix of trace 1.
//	aligned_mtl  all singular values brought to one scale: D. Senushkin et al.,
//	             CVPR 2023, arXiv 2305.19000. The mean of the aligned gradients.
//	             Eigenvalues.
//
// Results of one method agree between machines to what its certificate says, not
// to the bit: gonum's kernels differ. So a result is recorded, and package
// aggregate proves it.
//
// # Degenerate cases
//
// All gradients zero: weights 1/k under every method; the update is zero.
//
//	mgda         A zero gradient, or one that the others oppose: the update is zero,
//	             which no direction improves on. Weights are not unique where
//	             gradients are affinely dependent; the update is.
//	cagrad       Zero in the convex hull and within reach: of the many updates that
//	             improve no task at all, the one nearest to g0. c = 0 or g0 = 0: 1/k.
//	imtl_g       A zero gradient weighs 0. Dependent gradients: the pseudoinverse.
//	             Opposed gradients can have weights that sum to zero: refused.
//	nash_mtl     A zero gradient among others, or zero in the convex hull of the unit
//	             gradients: no bargain improves all tasks. Refused.
//	upgrad,      A zero gradient keeps the weight that the mean gives it. With reg 0
//	dualproj     and dependent gradients the weights are not unique; the update is.
//	aligned_mtl  Eigenvalues that are zero take no part.
//
// imtl_g and aligned_mtl are refused where it cannot be told to six digits which
// eigenvalues are zero: some are, by the largest, between 1e-12 and about 1e-9. One
// task is no special case of any method.
package solve
