// Package aggregate decides how the gradients of several tasks become one
// update, from their inner products alone.
//
// Given task gradients g_1 ... g_k in R^n, the methods return k weights w; the
// update is w_1*g_1 + ... + w_k*g_k. They need only the Gram matrix
// G_ij = <g_i, g_j>, so a decision about any number of parameters is k*k numbers
// large, can be stored with its outcome and can be checked later without the
// gradients. Package vectors is the door for a caller who has the gradients at
// hand; FromVectors and CombineVectors are its slow twins.
//
// sum, mean, weighted, state_weighted, pcgrad and gradvac are computed here. The
// methods that need a solver are in package solve; what it found is proven here, by
// Check, which solves nothing: the optimality conditions, or an eigenvalue
// decomposition of which the weights are a function.
//
// Everything is pure and bit-reproducible: sums run left to right, products are
// rounded before they are added (package detmath), and chance enters only as the
// explicit visiting orders that PCGrad and GradVac take. Conditions on the numbers
// are refused with typed errors; nothing is repaired.
//
// # Degenerate cases
//
// No gradients, NaN, an infinity, a matrix that no gradients have, weights without
// a positive sum: an error. One task: sum, mean, weighted, state_weighted, pcgrad
// and gradvac give it the weight 1. A zero gradient: it keeps its own weight, and
// nothing is projected against it; pcgrad and gradvac count a squared length of
// 1e-12 or less as zero. Opposed gradients: pcgrad projects both to zero. What the
// solved methods do is in package solve.
package aggregate
