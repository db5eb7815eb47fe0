package worker

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var allClasses = []Priority{Urgent, Normal, Background}

// lineUp holds the only place of a worker while it submits jobs of these classes,
// and returns the classes in the order in which the jobs start.
func lineUp(t *testing.T, w *Worker, submitted []Priority) (started []Priority, names []string) {
	t.Helper()
	submit(t, w, Job{Name: "first", Run: obedient(time.Second)})
	for i, p := range submitted {
		submit(t, w, Job{Name: strconv.Itoa(i), Priority: p, Run: func(context.Context) error {
			started = append(started, p)
			names = append(names, strconv.Itoa(i))
			return nil
		}})
	}
	time.Sleep(time.Minute)
	closeWorker(t, w)
	return started, names
}

func TestHigherClassesStartFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, n, u := Background, Normal, Urgent
		started, names := lineUp(t, start(t, Options{Concurrency: 1}), []Priority{b, n, u, b, n, u, n, b, u})
		if d := cmp.Diff([]Priority{u, u, u, n, n, n, b, b, b}, started); d != "" {
			t.Errorf("order of classes (-want +got):\n%s", d)
		}
		if d := cmp.Diff([]string{"2", "5", "8", "1", "4", "6", "0", "3", "7"}, names); d != "" {
			t.Errorf("order of jobs (-want +got):\n%s", d)
		}
	})
}

// With all classes waiting, 16 jobs overtake a class before its next one starts,
// and urgent jobs keep 88 % of the starts.
func TestNoClassStarves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		submitted := slices.Concat(slices.Repeat([]Priority{Background}, 50), slices.Repeat([]Priority{Normal}, 50), slices.Repeat([]Priority{Urgent}, 200))
		started, _ := lineUp(t, start(t, Options{Concurrency: 1}), submitted)
		contended := started[:1+slices.Index(started, Urgent)+220] // urgent jobs wait during all of these
		counts := map[Priority]int{}
		since := map[Priority]int{}
		for i, p := range contended {
			counts[p]++
			since[p] = 0
			for _, lower := range allClasses[p.lane()+1:] {
				if since[lower]++; since[lower] > 16 {
					t.Fatalf("start %d: %d jobs have overtaken the class %v", i, since[lower], lower)
				}
			}
		}
		if n := len(contended); counts[Urgent]*100 < n*88 || counts[Normal] < 10 || counts[Background] < 10 {
			t.Errorf("of %d starts %v", n, counts)
		}
	})
}

// naiveQueue is the queue as the package comment tells it: one list of what waits
// and one of what has happened.
type naiveQueue struct {
	waiting []*job
	since   [classes]int // starts of higher classes since the last start of this one, or since it was empty
}

func (q *naiveQueue) head(p Priority) *job {
	i := slices.IndexFunc(q.waiting, func(j *job) bool { return j.Priority == p })
	if i < 0 {
		return nil
	}
	return q.waiting[i]
}

func (q *naiveQueue) next() *job {
	var chosen *job
	for _, p := range allClasses {
		j := q.head(p)
		if j != nil && (chosen == nil || q.since[p.lane()] == maxOvertakes) {
			chosen = j
		}
	}
	return chosen
}

func (q *naiveQueue) leave(j *job) {
	q.waiting = slices.DeleteFunc(q.waiting, func(o *job) bool { return o == j })
	for _, p := range allClasses {
		if q.head(p) == nil {
			q.since[p.lane()] = 0
		}
	}
}

func (q *naiveQueue) start(j *job) {
	q.leave(j)
	q.since[j.Priority.lane()] = 0
	for _, p := range allClasses {
		if p < j.Priority && q.head(p) != nil {
			q.since[p.lane()]++
		}
	}
}

func TestQueueAgainstItsDescription(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var fast queue
		var slow naiveQueue
		for range rapid.IntRange(1, 400).Draw(t, "operations") {
			switch rapid.SampledFrom([]string{"push", "push", "start", "start", "reserved", "drop"}).Draw(t, "operation") {
			case "push":
				// Mostly urgent, or nothing below would ever be overtaken.
				j := &job{Job: Job{Priority: rapid.SampledFrom([]Priority{Urgent, Urgent, Urgent, Urgent, Normal, Background}).Draw(t, "class")}}
				fast.push(j)
				slow.waiting = append(slow.waiting, j)
			case "start":
				j := fast.next()
				if j != slow.next() {
					t.Fatalf("starts %+v, want %+v with %v", j, slow.next(), slow.since)
				}
				if j != nil {
					fast.drop(j)
					fast.passed(j.Priority.lane())
					slow.start(j)
				}
			case "reserved":
				j := fast.urgent()
				if j != slow.head(Urgent) {
					t.Fatalf("starts %+v in a reserved place, want %+v", j, slow.head(Urgent))
				}
				if j != nil {
					fast.drop(j)
					slow.leave(j)
				}
			case "drop":
				if len(slow.waiting) > 0 {
					j := rapid.SampledFrom(slow.waiting).Draw(t, "job")
					fast.drop(j)
					slow.leave(j)
				}
			}
		}
	})
}

func TestClassesFillSeparately(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{Concurrency: 1, Queue: 4})
		submit(t, w, Job{Name: "first", Run: obedient(time.Second)})
		for _, p := range []Priority{Background, Normal, Urgent} {
			for range 4 {
				submit(t, w, Job{Name: "j", Priority: p, Run: obedient(time.Second)})
			}
			_, err := w.Submit(context.Background(), Job{Name: "more", Priority: p, Run: obedient(0)})
			var full *FullError
			if !errors.Is(err, ErrFull) || !errors.As(err, &full) || *full != (FullError{"more", p, 4}) {
				t.Errorf("a full queue of %v jobs says %v", p, err)
			}
		}
		s := w.Stats()
		if err := errors.Join(balanced(s), within(s)); err != nil {
			t.Error(err)
		}
		for _, c := range s.Classes {
			if c.Full != 1 || c.Queued != 4 || c.QueuedMax != 4 {
				t.Errorf("%v: %d refused, %d waiting, most %d", c.Priority, c.Full, c.Queued, c.QueuedMax)
			}
		}
		time.Sleep(time.Minute)
		closeWorker(t, w)
		wantStats(t, w, Stats{Submitted: 13, Rejected: 3, Done: 13})
	})
}

// A submitter that heeds the refusals loses nothing.
func TestBackPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, Options{Concurrency: 4, Queue: 16})
		refused := uint64(0)
		for range 96 {
			j := Job{Name: "publish", Run: obedient(10 * time.Millisecond)}
			for _, err := w.Submit(t.Context(), j); err != nil; _, err = w.Submit(t.Context(), j) {
				if !errors.Is(err, ErrFull) {
					t.Fatal(err)
				}
				refused++
				time.Sleep(time.Millisecond)
			}
		}
		time.Sleep(time.Second)
		closeWorker(t, w)
		s := w.Stats()
		if c := s.Classes[Normal.lane()]; s.Done != 96 || refused == 0 || c.Full != refused || c.QueuedMax != 16 {
			t.Errorf("%d done; %d refused, %d of them counted; at most %d waited", s.Done, refused, c.Full, c.QueuedMax)
		}
	})
}
