package kernelfile_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/esper-plane/esper/subsystems/kernelfile"
	"github.com/esper-plane/esper/subsystems/tensorfile"
	"github.com/esper-plane/esper/testdata"
)

func file(t *testing.T, meta map[string]string, name string, shape []int, data ...float64) []byte {
	t.Helper()
	b, err := tensorfile.Encode(meta, []tensorfile.Tensor{{Name: name, Shape: shape, Data: data}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestGuardSeesTheInterface: every fact that a loader relies on changes the digest,
// the numbers do not.
func TestGuardSeesTheInterface(t *testing.T) {
	meta := map[string]string{"format": "k/1", "reads": "trunk"}
	of := func(framework string, mesh []string, b []byte) string {
		d, err := kernelfile.Guard(framework, mesh, b)
		if err != nil {
			t.Fatal(err)
		}
		return d.String()
	}
	trunk := []string{"trunk"}
	good := of("go-gonum", trunk, file(t, meta, "w", []int{2}, 1, 2))
	if of("go-gonum", trunk, file(t, meta, "w", []int{2}, 3, 4)) != good {
		t.Error("the numbers changed it")
	}
	for what, got := range map[string]string{
		"the framework": of("torch", trunk, file(t, meta, "w", []int{2}, 1, 2)),
		"the mesh":      of("go-gonum", []string{"input", "trunk"}, file(t, meta, "w", []int{2}, 1, 2)),
		"the order":     of("go-gonum", []string{"trunk", "input"}, file(t, meta, "w", []int{2}, 1, 2)),
		"the metadata":  of("go-gonum", trunk, file(t, map[string]string{"format": "k/2", "reads": "trunk"}, "w", []int{2}, 1, 2)),
		"the name":      of("go-gonum", trunk, file(t, meta, "v", []int{2}, 1, 2)),
		"the shape":     of("go-gonum", trunk, file(t, meta, "w", []int{1, 2}, 1, 2)),
	} {
		if got == good {
			t.Errorf("%s did not change it", what)
		}
	}
	var bad *tensorfile.FormatError
	if _, err := kernelfile.Guard("", nil, []byte("no kernel")); !errors.As(err, &bad) || !kernelfile.Malformed(err) {
		t.Errorf("%v", err)
	}
}

func TestPrewarm(t *testing.T) {
	for _, id := range testdata.Blueprints() {
		b, err := testdata.Kernel(id)
		if err != nil {
			t.Fatal(err)
		}
		p, err := kernelfile.Prewarm(t.Context(), b, 5)
		if err != nil || p.Samples != 5 || p.P50Ns == 0 || p.P95Ns < p.P50Ns {
			t.Errorf("%s: %+v, %v", id, p, err)
		}
	}
	var odd *kernelfile.NotFiniteError
	if _, err := kernelfile.Prewarm(t.Context(), file(t, nil, "w", []int{2}, 1, math.Inf(1)), 1); !errors.As(err, &odd) || odd.Index != 1 || !kernelfile.Malformed(err) {
		t.Errorf("%v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := kernelfile.Prewarm(gone, file(t, nil, "w", []int{1}, 1), 1); !errors.Is(err, context.Canceled) || kernelfile.Malformed(err) {
		t.Errorf("%v", err)
	}
}

func TestPercentile(t *testing.T) {
	five := []float64{10, 20, 30, 40, 50}
	for p, want := range map[float64]float64{0: 10, 0.5: 30, 0.95: 48, 1: 50} {
		if got := kernelfile.Percentile(five, p); math.Abs(got-want) > 1e-9 {
			t.Errorf("p%v is %v, want %v", p, got, want)
		}
	}
	if kernelfile.Percentile(nil, 0.5) != 0 {
		t.Error("nothing has a percentile")
	}
}

// FuzzGuard feeds files of strangers: what has a guard digest can be described again
// to the same digest, and what cannot be decoded is told as such.
func FuzzGuard(f *testing.F) {
	for _, id := range testdata.Blueprints() {
		b, err := testdata.Kernel(id)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := kernelfile.Guard("go-gonum", []string{"trunk"}, b)
		if err != nil {
			if !kernelfile.Malformed(err) || !d.IsZero() {
				t.Fatalf("%v, %s", err, d)
			}
			return
		}
		again, err := kernelfile.Guard("go-gonum", []string{"trunk"}, b)
		if err != nil || again != d {
			t.Fatalf("%s, then %s, %v", d, again, err)
		}
		if _, err := kernelfile.Prewarm(t.Context(), b, 1); err != nil && !kernelfile.Malformed(err) {
			t.Fatal(err)
		}
	})
}
