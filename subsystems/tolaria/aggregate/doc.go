// Package aggregate decides how the gradients of several tasks become one
// update, from their inner products alone.
//
// Given task gradients g_1 ... g_k in R^n, the methods here return k weights w;
// the update is w_1*g_1 + ... + w_k*g_k. They need only the Gram matrix
// G_ij = <g_i, g_j>, so a decision about any number of parameters is k*k numbers
// large, can be stored with its outcome and can be checked later without the
// gradients. FromVectors and CombineVectors are the door for a caller who has
// the gradients at hand.
//
// Everything is pure and bit-reproducible: sums run left to right, products are
// rounded before they are added (package detmath), and chance enters only as the
// explicit visiting orders that PCGrad takes. Conditions on the numbers are
// refused with typed errors; nothing is repaired.
package aggregate
