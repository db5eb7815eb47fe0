package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// BenchmarkSubmitToDone compares the worker with what one would write without it,
// in the same run: a channel as a semaphore and one goroutine for each job, once
// bare and once with the deadline that every job of the worker here has.
//
//	bare      no limit on time, no queue, no statistics, no answer to a panic
//	deadline  the same with a context that ends after a second
//	worker    this package
//
// The work is empty, so what is measured is the cost of being run. With
// window=W, W jobs are under way at a time on C places, each submitted when an
// earlier one is done; with W=C no job waits. One operation is one job. It reports
// beside the time per job
//
//	p50-us, p99-us  from before the submission until the callback
func BenchmarkSubmitToDone(b *testing.B) {
	for _, c := range []struct{ concurrency, window int }{{1, 1}, {8, 8}, {8, 64}} {
		for _, impl := range []struct {
			name string
			make func(b *testing.B, concurrency, window int) func(done func()) error
		}{{"bare", bare}, {"deadline", withDeadline}, {"worker", ours}} {
			b.Run(fmt.Sprintf("concurrency=%d/window=%d/impl=%s", c.concurrency, c.window, impl.name), func(b *testing.B) {
				benchWindow(b, c.window, impl.make(b, c.concurrency, c.window))
			})
		}
	}
}

func nothing(ctx context.Context) error { return ctx.Err() }

func bare(_ *testing.B, concurrency, _ int) func(func()) error {
	places := make(chan struct{}, concurrency)
	return func(done func()) error {
		go func() {
			places <- struct{}{}
			err := nothing(context.Background())
			<-places
			if err == nil {
				done()
			}
		}()
		return nil
	}
}

func withDeadline(_ *testing.B, concurrency, _ int) func(func()) error {
	places := make(chan struct{}, concurrency)
	return func(done func()) error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		go func() {
			defer cancel()
			select {
			case places <- struct{}{}:
			case <-ctx.Done():
				return
			}
			err := nothing(ctx)
			<-places
			if err == nil {
				done()
			}
		}()
		return nil
	}
}

func ours(b *testing.B, concurrency, window int) func(func()) error {
	// The callbacks of a whole window may be under way beside the jobs.
	w, err := New(Options{Concurrency: concurrency, Queue: 2 * window})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := w.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
	return func(done func()) error {
		_, err := w.Submit(context.Background(), Job{Name: "nothing", Timeout: time.Second, Run: nothing, Done: func(o Outcome) {
			if o.State == Done {
				done()
			}
		}})
		return err
	}
}

// benchWindow keeps window jobs under way until b.N are done, and fails if one of
// them ends otherwise.
func benchWindow(b *testing.B, window int, submit func(done func()) error) {
	took := make([]time.Duration, b.N)
	free := make(chan struct{}, window)
	for range window {
		free <- struct{}{}
	}
	var all sync.WaitGroup
	all.Add(b.N)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		<-free
		began := time.Now()
		err := submit(func() {
			took[i] = time.Since(began)
			free <- struct{}{}
			all.Done()
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	all.Wait()
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2])/1e3, "p50-us")
	b.ReportMetric(float64(took[len(took)*99/100])/1e3, "p99-us")
}

// BenchmarkRefusal is Submit on a full queue, which has to cost little when it
// happens most.
func BenchmarkRefusal(b *testing.B) {
	w, err := New(Options{Concurrency: 1, Queue: 1})
	if err != nil {
		b.Fatal(err)
	}
	hold := func(ctx context.Context) error { <-ctx.Done(); return nil }
	for range 2 {
		if _, err := w.Submit(context.Background(), Job{Run: hold}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Submit(context.Background(), Job{Timeout: time.Second, Run: hold}); !errors.Is(err, ErrFull) {
			b.Fatal(err)
		}
	}
	if err := w.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkStats takes a picture of an idle worker.
func BenchmarkStats(b *testing.B) {
	w, err := New(Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var s Stats
	for b.Loop() {
		s = w.Stats()
	}
	_ = s
}
