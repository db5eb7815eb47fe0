package plane

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/decider"
	"github.com/esper-plane/esper/subsystems/kernelcache"
	"github.com/esper-plane/esper/subsystems/worker"
)

// Plane is a running control plane. Its methods may be called by any number of
// goroutines; each returns when the record of its input is durable.
type Plane struct {
	opts    Options
	log     hclog.Logger
	worker  *worker.Worker
	signal  *publisher
	door    chan *request
	done    chan *completion
	asks    chan chan<- Health
	stop    chan struct{}   // closed by Shutdown
	ended   chan struct{}   // closed when the loop has ended
	stored  <-chan struct{} // closed when the store is no longer used
	watched <-chan struct{} // closed when nobody looks at the disk any more
	once    sync.Once
	rule    atomic.Pointer[leyline.TolariaConfig] // in force in the loop, for the door
	kernels *kernelcache.Cache[kernelFacts]
	samples atomic.Uint32          // of warming up a kernel
	lost    []leyline.SnapshotLost // to be recorded when the plane has booted

	keys     atomic.Pointer[projections.Plane] // those of the loop, for the door; nothing else of it is set
	refusals *refusals

	owners   sync.Map // leyline.RunID to string: who opened a run
	recalled recollection
	reading  turns // of files of snapshots

	mu  sync.Mutex
	err error // why the loop ended
}

// Start recovers the state from the log, records plane.started and what
// Bootstrap returns, and starts the loop.
func Start(ctx context.Context, o Options) (*Plane, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	l, err := recoverState(o)
	if err != nil {
		return nil, err
	}
	p := &Plane{
		opts: o, log: o.Logger.Named("plane"),
		door: make(chan *request, 64), done: make(chan *completion, 64), asks: make(chan chan<- Health),
		stop: make(chan struct{}), ended: make(chan struct{}), kernels: kernelcache.New[kernelFacts](0, 0, nil),
	}
	p.lost, p.refusals, l.proven = l.lost, newRefusals(), l.covered
	p.signal = newPublisher(o.Signal)
	l.plane, l.log, p.stored, p.watched = p, p.log, l.saver.gone, p.ended // nobody looks before watch
	l.announce()
	l.announceKeys()
	l.announceOwners()
	if err := p.startWorker(); err != nil {
		l.saver.abandon()
		return nil, err
	}
	go p.run(l)
	if err := p.boot(ctx); err != nil {
		return nil, errors.Join(err, p.Shutdown(ctx))
	}
	return p, nil
}

// startWorker makes the shared worker. If it has more than one place, one is for
// the staging of rollbacks, which cannot wait for a slow kernel store.
func (p *Plane) startWorker() error {
	c := p.opts.Process
	w, err := worker.New(worker.Options{
		Concurrency: int(c.Workers), Reserved: min(1, int(c.Workers)-1),
		Queue: int(c.WorkerQueue), Shutdown: c.Shutdown.Duration(),
	})
	p.worker = w
	return err
}

// boot records the start of the process, the inputs of Bootstrap and, if need be,
// how full the disk is.
func (p *Plane) boot(ctx context.Context) error {
	level, reason, err := p.opts.Signal.Get()
	problem := ""
	if err != nil {
		problem = clip(err)
	}
	in := leyline.PlaneStarted{
		Boot: p.opts.Boot, Origin: p.opts.Origin, Previous: p.opts.Previous, AdminKey: p.opts.AdminKey, Build: p.opts.Build,
		Decider: decider.Version, Clean: p.opts.Recovery.Clean, TornBytes: p.opts.Recovery.TornBytes,
		Signal: level, SignalText: reason, SignalProblem: problem, FastFree: p.opts.FastFree,
		Catalogue: p.opts.catalogue(),
	}
	if _, err := p.submit(ctx, in); err != nil {
		return fmt.Errorf("cannot record the start: %w", err)
	}
	var inputs []leyline.Input
	if err := p.View(ctx, func(s *projections.State) { inputs, err = p.opts.Bootstrap(s) }); err != nil {
		return err
	}
	if err != nil {
		return err
	}
	for _, in := range inputs {
		if _, err := p.submit(ctx, in); err != nil {
			return fmt.Errorf("cannot record %s: %w", in.InputKind(), err)
		}
	}
	if err := p.reconcile(ctx); err != nil {
		return err
	}
	verr := p.View(ctx, func(s *projections.State) { err = p.opts.Signal.Set(highestBut(s, ""), "") })
	if err := errors.Join(verr, err); err != nil {
		return err
	}
	return p.watch(ctx)
}

// highestBut is the emergency level over all open runs but one.
func highestBut(s *projections.State, but leyline.RunID) leyline.EmergencyLevel {
	level := leyline.EmergencyNotice
	for i := range s.Tolaria.Runs {
		if r := &s.Tolaria.Runs[i]; r.Status == leyline.RunStatusOpen && r.ID != but {
			level = max(level, r.Emergency)
		}
	}
	return level
}

// submit records an input of the plane's own. A refused input is recorded too;
// the error is then a *leyline.Refusal.
func (p *Plane) submit(ctx context.Context, in leyline.Input) (leyline.Answer, error) {
	r, err := p.call(ctx, &request{in: in})
	return r.ans, err
}

// Open opens or resumes a run. Before a resume the door reads the snapshots that
// it could start from, newest first, until one is what was registered; Damaged of
// the input is the plane's.
func (p *Plane) Open(ctx context.Context, in leyline.RunOpened) (leyline.OpenAnswer, error) {
	if err := p.inspect(ctx, &in); err != nil {
		return leyline.OpenAnswer{}, err
	}
	r, err := p.call(ctx, &request{in: in})
	r.open.Answer = r.ans
	return r.open, err
}

// Directives waits until there is a directive after the cursor.
func (p *Plane) Directives(ctx context.Context, run leyline.RunID, after leyline.Seq) (leyline.Answer, error) {
	r, err := p.call(ctx, &request{poll: true, run: run, after: after, ctx: ctx})
	return r.ans, err
}

// View calls f with the state when everything decided so far is durable. f must
// not keep the state or change it.
func (p *Plane) View(ctx context.Context, f func(s *projections.State)) error {
	_, err := p.call(ctx, &request{view: f})
	return err
}

// WorkerStats is what the shared worker has done so far.
func (p *Plane) WorkerStats() worker.Stats { return p.worker.Stats() }

// Done is closed when the plane has ended; Err says why.
func (p *Plane) Done() <-chan struct{} { return p.ended }

// Err returns why the plane ended: nil after Shutdown, leyline.ErrStorage when the
// log failed.
func (p *Plane) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if errors.Is(p.err, leyline.ErrStopping) {
		return nil
	}
	return p.err
}

func (p *Plane) cause() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

func (p *Plane) end(err error) {
	p.mu.Lock()
	p.err = err
	p.mu.Unlock()
	close(p.ended)
}

// Shutdown stops the plane: what was decided is made durable, the projection is
// stored, running jobs are cancelled. It does not close the log. It may be
// called twice.
func (p *Plane) Shutdown(ctx context.Context) error {
	p.once.Do(func() { close(p.stop) })
	for _, gone := range []<-chan struct{}{p.ended, p.stored, p.watched} {
		select {
		case <-gone:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errors.Join(p.Err(), p.worker.Close(ctx))
}
