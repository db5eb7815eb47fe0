package value

import (
	"context"
	"fmt"
	"sync"

	"github.com/esper-plane/esper/replay/harness"
)

// Experiment performs studies.
type Experiment struct {
	Site    harness.Site // makes data directories
	Studies []Study
	Workers int    // pairs that are run at a time, 1 or more
	Verify  bool   // decide every log again
	Build   string // program and machine, for the rows
	// Told is called after every run, with how many of all are done; may be nil. Never
	// by two goroutines at once.
	Told func(r Row, done, all int)
}

// block is all arms of one seed.
type block struct {
	study Study
	seed  uint64
}

// Run makes every run that the store has no row of. When one fails for a reason that
// is no outcome, or ctx ends, the others that are under way stop and their rows are
// missing: the same call later goes on. A store with rows of another protocol, build
// or configuration is an ErrOtherExperiment.
func (e *Experiment) Run(ctx context.Context, s *Store) error {
	if e.Workers < 1 {
		return fmt.Errorf("%d workers; want 1 or more", e.Workers)
	}
	blocks := e.blocks()
	parent := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := &progress{experiment: e, store: s, all: len(blocks) * len(Arms())}
	next := make(chan block)
	var wg sync.WaitGroup
	for range min(e.Workers, len(blocks)) {
		wg.Go(func() {
			for b := range next {
				if err := p.block(ctx, b); err != nil {
					p.failed(err)
					cancel()
				}
			}
		})
	}
	for _, b := range blocks {
		select {
		case next <- b:
		case <-ctx.Done():
		}
	}
	close(next)
	wg.Wait()
	if p.err != nil {
		return p.err
	}
	return parent.Err()
}

// blocks lists the seeds of every study.
func (e *Experiment) blocks() []block {
	var out []block
	for _, study := range e.Studies {
		for i := range study.Seeds {
			out = append(out, block{study, study.First + uint64(i)})
		}
	}
	return out
}

// progress is an experiment under way.
type progress struct {
	experiment *Experiment
	all        int

	mu    sync.Mutex // guards what follows
	store *Store
	done  int
	err   error // the first; those after it are of what it stopped
}

func (p *progress) failed(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
}

// block makes the runs of one seed. The rules run comes first: others match it.
func (p *progress) block(ctx context.Context, b block) error {
	var rules *Row
	for _, a := range Arms() {
		if err := ctx.Err(); err != nil {
			return err
		}
		x, err := a.prepare(b.study, rules)
		if err != nil {
			return err
		}
		row, err := p.one(ctx, Key{b.study.Workload, a, b.seed}, x)
		if err != nil {
			return fmt.Errorf("%s, %s, seed %d: %w", b.study.Workload, a, b.seed, err)
		}
		if a == Rules {
			rules = &row
		}
	}
	return nil
}

// one returns the row of a run: the one that is there, or that of a run it makes.
func (p *progress) one(ctx context.Context, k Key, x setup) (Row, error) {
	blank := p.experiment.blank(k, x)
	if old, found := p.find(k); found {
		if err := old.belongs(blank); err != nil {
			return old, err
		}
		p.tell(old)
		return old, nil
	}
	row, err := p.experiment.play(ctx, k, x)
	if err != nil {
		return row, err
	}
	p.mu.Lock()
	err = p.store.Add(row)
	p.mu.Unlock()
	if err != nil {
		return row, err
	}
	p.tell(row)
	return row, nil
}

func (p *progress) find(k Key) (Row, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r := p.store.Find(k); r != nil {
		return *r, true
	}
	return Row{}, false
}

func (p *progress) tell(r Row) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	if p.experiment.Told != nil {
		p.experiment.Told(r, p.done, p.all)
	}
}

// belongs compares a row that is there with what the run would begin with now.
func (r *Row) belongs(now Row) error {
	for _, x := range []struct {
		what string
		same bool
	}{
		{"protocol", r.Protocol == now.Protocol},
		{"build", r.Build == now.Build},
		{"configuration", r.Config == now.Config},
		{"number of steps", r.Steps == now.Steps},
		{"width", r.Hidden == now.Hidden},
	} {
		if !x.same {
			return fmt.Errorf("%w: another %s; use another directory", ErrOtherExperiment, x.what)
		}
	}
	return nil
}
