// Package detmath computes the few transcendental functions, sums and random
// streams that decisions need, with one result on every machine.
//
// # The promise
//
// For equal arguments every function here returns the same bits whatever the
// architecture, the compiler's micro-architecture level (GOAMD64, GOARM64) or
// the CPU. Three rules give that:
//
//   - Only operations whose result IEEE 754 fixes are used: + - * / and
//     math.Sqrt on float64, conversions, and integer arithmetic. The package
//     never calls math.Exp, math.Log, math.Tanh or math.Cos, which choose fused
//     instructions at run time.
//   - A product that is added is written float64(a*b). The Go specification
//     lets a compiler fuse a*b+c into one rounding; an explicit conversion
//     forbids it.
//   - Sums run left to right. NaN results are always math.NaN(): the sign and
//     payload of a NaN that hardware makes differ between architectures.
//
// testdata/vectors.json freezes results as hexadecimal bit patterns. Another
// implementation (any language with IEEE binary64 and 64-bit integers) agrees
// with this one if and only if it reproduces that file.
//
// # Accuracy
//
// Every elementary function splits its argument exactly or into an unevaluated
// sum of two float64 (Dekker 1971, Knuth TAOCP 2, 4.2.2), evaluates a Taylor
// polynomial whose coefficients are the correctly rounded rationals, and rounds
// once at the end. The largest errors measured against 320-bit arithmetic, in
// units in the last place, are stated at each function and re-measured by
// TestAccuracy.
//
// # Purity
//
// No clock, no global state, no goroutine. Functions are safe for concurrent
// use; a *PCG is not.
package detmath
