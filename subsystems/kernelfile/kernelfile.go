// Package kernelfile says what a kernel file is to whoever registers, fetches or
// loads it: its guard digest, and how long it takes to be decoded.
//
// # The guard digest
//
// A kernel was built for a framework and for layers of a host, and what loads it
// expects tensors of certain names, types and shapes. The guard digest is the
// SHA-256 of all of that as text, one fact a line:
//
//	esper-kernel-guard/1
//	framework "go-gonum"          the empty text: any
//	layer "input"                 each host layer that it needs, in their order
//	meta "format"="esper-kernel/2"   each metadata entry of the file, by key
//	tensor "in.bias" F64 [16]     each tensor, by name: type and shape
//
// Texts are quoted as in Go, a shape is its dimensions with blanks between. The
// numbers in the tensors are no part of it: a kernel that was trained further fits
// where the old one did, and has another digest but the same guard digest.
package kernelfile

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/tensorfile"
)

// Guard computes the guard digest of a kernel file for a framework and the host
// layers that it needs. The error is a *tensorfile.FormatError.
func Guard(framework string, mesh []string, file []byte) (leyline.Digest, error) {
	meta, shapes, err := tensorfile.Describe(file)
	if err != nil {
		return leyline.Digest{}, err
	}
	h := sha256.New()
	line(h, "esper-kernel-guard/1")
	line(h, "framework %q", framework)
	for _, m := range mesh {
		line(h, "layer %q", m)
	}
	for _, k := range slices.Sorted(maps.Keys(meta)) {
		line(h, "meta %q=%q", k, meta[k])
	}
	for _, s := range shapes {
		line(h, "tensor %q %s %v", s.Name, s.DType, s.Dims)
	}
	var d leyline.Digest
	h.Sum(d[:0])
	return d, nil
}

func line(h hash.Hash, format string, args ...any) {
	fmt.Fprintf(h, format+"\n", args...) // never fails
}

// NotFiniteError names an element of a kernel that is no number.
type NotFiniteError struct {
	Tensor string
	Index  int
	Value  float64
}

// Error implements error.
func (e *NotFiniteError) Error() string {
	return fmt.Sprintf("tensor %q: element %d is %v", e.Tensor, e.Index, e.Value)
}

// Malformed reports whether an error of this package is about what is in a file.
func Malformed(err error) bool {
	var format *tensorfile.FormatError
	var odd *NotFiniteError
	return errors.As(err, &format) || errors.As(err, &odd)
}

// Prewarm decodes a kernel file samples times, looks at every number of it, and
// measures how long each time took. Nothing is kept of what was decoded: trainers
// decode for themselves, so what this warms is the memory that holds the bytes, and
// what it measures is the least that a trainer will need.
// A file with other types than F64 and F32 is held against the rules of the format
// alone. The error is a *tensorfile.FormatError, a *NotFiniteError or the cause of
// ctx.
func Prewarm(ctx context.Context, file []byte, samples uint32) (leyline.Prewarm, error) {
	took := make([]float64, 0, samples)
	for range samples {
		if ctx.Err() != nil {
			return leyline.Prewarm{}, context.Cause(ctx)
		}
		began := time.Now()
		if err := decode(file); err != nil {
			return leyline.Prewarm{}, err
		}
		took = append(took, float64(time.Since(began)))
	}
	slices.Sort(took)
	return leyline.Prewarm{Samples: samples, P50Ns: uint64(Percentile(took, 0.5)), P95Ns: uint64(Percentile(took, 0.95))}, nil
}

func decode(file []byte) error {
	_, shapes, err := tensorfile.Describe(file)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(shapes, func(s tensorfile.Shape) bool { return s.DType != "F64" && s.DType != "F32" }) {
		return nil
	}
	_, tensors, err := tensorfile.Decode(file)
	if err != nil {
		return err
	}
	for _, t := range tensors {
		for i, x := range t.Data {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return &NotFiniteError{t.Name, i, x}
			}
		}
	}
	return nil
}

// Percentile interpolates linearly at rank p(n-1) of ascending values; 0 of none
// (SPEC.md 6.1). p is in [0,1].
func Percentile(sorted []float64, p float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	rank := p * float64(len(sorted)-1)
	i := int(rank)
	if i == len(sorted)-1 {
		return sorted[i]
	}
	return sorted[i] + (rank-float64(i))*(sorted[i+1]-sorted[i])
}
