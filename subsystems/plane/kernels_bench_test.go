package plane

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/effect"
	"github.com/esper-plane/esper/subsystems/kernelcache"
	"github.com/esper-plane/esper/subsystems/kernelfile"
	"github.com/esper-plane/esper/subsystems/tensorfile"
	"github.com/esper-plane/esper/subsystems/worker"
)

// slowFS yields its files after the time of a source.
type slowFS struct {
	fs.FS
	takes time.Duration
}

func (s slowFS) Open(name string) (fs.File, error) {
	time.Sleep(s.takes)
	return s.FS.Open(name)
}

// orchard is the part of a plane that fetches kernels, with kernels to fetch.
func orchard(b *testing.B, n int, takes time.Duration) (*loop, []effect.Effect) {
	b.Helper()
	files := fstest.MapFS{}
	var fetches []effect.Effect
	for i := range n {
		k, err := tensorfile.Encode(map[string]string{"n": fmt.Sprint(i)}, []tensorfile.Tensor{{Name: "w", Shape: []int{1100}, Data: make([]float64, 1100)}})
		if err != nil {
			b.Fatal(err)
		}
		guard, err := kernelfile.Guard("", nil, k)
		if err != nil {
			b.Fatal(err)
		}
		name := fmt.Sprintf("k-%d", i)
		files[name] = &fstest.MapFile{Data: bytes.Clone(k)}
		fetches = append(fetches, effect.Effect{Kind: leyline.EffectPrefetch, Kernel: name, Digest: sha256.Sum256(k), Guard: guard, Bytes: uint64(len(k))})
	}
	p := &Plane{opts: Options{Kernels: slowFS{files, takes}}, kernels: kernelcache.New[kernelFacts](1<<30, 0, nil)}
	p.samples.Store(leyline.DefaultConfig().Kasmina.PrewarmSamples)
	p.opts.Process = leyline.DefaultConfig().Plane
	if err := p.startWorker(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = p.worker.Close(context.Background()) })
	return &loop{plane: p}, fetches
}

// fetchAll has the worker fetch everything, six at a time, and returns how long each
// took, ascending.
func fetchAll(b *testing.B, l *loop, fetches []effect.Effect) []float64 {
	b.Helper()
	var mu sync.Mutex
	var took []float64
	next := make(chan effect.Effect)
	var clients sync.WaitGroup
	for range 6 {
		clients.Go(func() {
			for f := range next {
				var c completion
				h, err := l.plane.worker.Submit(b.Context(), worker.Job{Name: f.Kernel, Run: func(ctx context.Context) error { return l.prefetch(ctx, f, &c) }})
				if err != nil {
					b.Error(err)
					continue
				}
				o, err := h.Wait(b.Context())
				if err != nil || o.State != worker.Done || c.kernel.digest != f.Digest {
					b.Errorf("%v, %v", o, err)
				}
				mu.Lock()
				took = append(took, float64(o.Queued+o.Ran)/1e6)
				mu.Unlock()
			}
		})
	}
	for _, f := range fetches {
		next <- f
	}
	close(next)
	clients.Wait()
	slices.Sort(took)
	return took
}

// BenchmarkPrefetchBurst fetches 300 kernels of 9 KB from a source of 40 ms, six at a
// time: ms/fetch and how much of that is not the source's.
func BenchmarkPrefetchBurst(b *testing.B) {
	const source = 40 * time.Millisecond
	l, fetches := orchard(b, 300, source)
	var took []float64
	for b.Loop() {
		l.plane.kernels.Clear()
		took = fetchAll(b, l, fetches)
	}
	sum := 0.0
	for _, t := range took {
		sum += t
	}
	mean, wait := sum/float64(len(took)), source.Seconds()*1e3
	b.ReportMetric(mean, "ms/fetch")
	b.ReportMetric(kernelfile.Percentile(took, 0.95), "p95-ms")
	b.ReportMetric(took[len(took)-1], "max-ms")
	b.ReportMetric(mean-wait, "overhead-ms/fetch")
}

// BenchmarkPrefetchStaged fetches the same kernels where they are staged.
func BenchmarkPrefetchStaged(b *testing.B) {
	l, fetches := orchard(b, 300, 0)
	fetchAll(b, l, fetches)
	for b.Loop() {
		fetchAll(b, l, fetches)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(fetches)), "ns/fetch")
}
