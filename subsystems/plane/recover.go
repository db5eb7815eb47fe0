package plane

import (
	"errors"
	"fmt"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/effect"
	"github.com/esper-plane/esper/subsystems/worker"
)

// ErrBehind marks a log that ends before, or differs from, what its stored
// projection was derived from: records that were durable are gone.
var ErrBehind = errors.New("the log does not hold the records that its stored projection was derived from")

// recoverState derives the state from the stored projection and the log's tail,
// or from the whole log.
func recoverState(o Options) (*loop, error) {
	s, from, err := loadState(o)
	if err != nil {
		return nil, err
	}
	for e, err := range o.Log.All(from) {
		if err != nil {
			return nil, fmt.Errorf("cannot read the log: %w", err)
		}
		r, err := wire.DecodeRecord(e.Seq, e.At, e.Payload)
		if err != nil {
			return nil, fmt.Errorf("cannot decode record %d: %w", e.Seq, err)
		}
		s.ApplyRecord(r)
	}
	if o.Admit != nil {
		if err := o.Admit(s); err != nil {
			return nil, err
		}
	}
	lost, err := disagreements(o, s)
	if err != nil {
		return nil, err
	}
	next := o.Log.Next()
	return &loop{
		state: s, lost: lost, clock: newClock(s.At, o.Wall), next: next, durable: next - 1,
		commit: make(chan []Entry, 1), commits: make(chan error, 1),
		running: map[leyline.EffectID]*chain{}, noise: map[leyline.KeyID]noise{}, jobs: map[leyline.EffectID]*worker.Handle{},
		orders: map[leyline.RunID][]leyline.Directive{},
		saver:  newSaver(o, s.Seq),
	}, nil
}

// loadState returns the stored projection and the first record that is not in
// it. The record it was derived from must be in the log, unchanged.
func loadState(o Options) (*projections.State, leyline.Seq, error) {
	fresh := &projections.State{}
	if o.Store == nil {
		return fresh, 1, nil
	}
	a, schema, blob, ok, err := o.Store.Load()
	if err != nil {
		return nil, 0, fmt.Errorf("cannot load the stored projection: %w", err)
	}
	if !ok {
		return fresh, 1, nil
	}
	if err := checkAnchor(o.Log, a); err != nil {
		return nil, 0, err
	}
	s := &projections.State{}
	if schema != projections.Schema {
		o.Logger.Info("the stored projection is of another version, folding the whole log", "schema", schema)
		return fresh, 1, nil
	}
	if err := wire.Unmarshal(blob, s); err != nil || s.Seq != a.Seq {
		o.Logger.Warn("the stored projection cannot be read, folding the whole log", "err", err)
		return fresh, 1, nil
	}
	return s, a.Seq + 1, nil
}

func checkAnchor(log Log, a Anchor) error {
	if a.Seq >= log.Next() {
		return fmt.Errorf("%w: the log ends at record %d, the projection holds record %d; restore the log from a backup, or delete the projection to accept the loss",
			ErrBehind, log.Next()-1, a.Seq)
	}
	leaf, err := log.Leaf(a.Seq)
	if err != nil {
		return fmt.Errorf("cannot read record %d: %w", a.Seq, err)
	}
	if leaf != a.Leaf {
		return fmt.Errorf("%w: record %d hashes to %s, the projection was derived from %s", ErrBehind, a.Seq, leaf.Short(), a.Leaf.Short())
	}
	return nil
}

// reissue starts again what the last process left outstanding and may be done
// twice.
func (l *loop) reissue() {
	for _, f := range effect.Outstanding(l.state) {
		switch {
		case !effect.Idempotent(f.Kind):
		case effect.Computation(f.Kind):
			f.Deadline = 0
			l.compute(f, nil)
		default:
			l.act(f)
		}
	}
	l.handAgain()
}

// saver stores projections beside the loop.
type saver struct {
	store Store
	log   Log
	saved leyline.Seq
	jobs  chan saveJob
	idle  chan error
	busy  bool
	gone  chan struct{} // closed when nothing is being stored any more
}

type saveJob struct {
	anchor Anchor
	blob   []byte
}

func newSaver(o Options, saved leyline.Seq) *saver {
	s := &saver{store: o.Store, log: o.Log, saved: saved, jobs: make(chan saveJob, 1), idle: make(chan error, 1), gone: make(chan struct{})}
	go s.work()
	return s
}

func (s *saver) work() {
	defer close(s.gone)
	for j := range s.jobs {
		leaf, err := s.log.Leaf(j.anchor.Seq)
		if err == nil {
			j.anchor.Leaf = leaf
			err = s.store.Save(j.anchor, projections.Schema, j.blob)
		}
		s.idle <- err
	}
}

// maybe stores the state when enough records have passed, everything decided
// is durable and the last store is done.
func (s *saver) maybe(l *loop) {
	if s.busy {
		select {
		case err := <-s.idle:
			s.done(l, err)
		default:
			return
		}
	}
	every := leyline.Seq(l.state.Plane.Config.Plane.ProjectionEvery)
	if s.store == nil || !l.state.Plane.Configured || l.durable+1 != l.next || l.durable < s.saved+every {
		return
	}
	s.start(l)
}

func (s *saver) start(l *loop) {
	blob, err := wire.Marshal(*l.state)
	if err != nil {
		panic(fmt.Sprintf("plane: the state cannot be encoded: %v", err)) // Invariant: State holds only encodable types
	}
	s.saved, s.busy = l.durable, true
	s.jobs <- saveJob{anchor: Anchor{Seq: l.durable, At: l.state.At}, blob: blob}
}

// done notes the end of a store. The projection is a cache: a failure costs
// time at the next start, and is said.
func (s *saver) done(l *loop, err error) {
	s.busy = false
	if err != nil {
		l.log.Warn("cannot store the projection", "err", err)
	}
}

// abandon stops the saver without storing anything more.
func (s *saver) abandon() { close(s.jobs) }

// finish stores the last state and waits for it.
func (s *saver) finish(l *loop) {
	defer s.abandon()
	if s.store == nil {
		return
	}
	if s.busy {
		s.done(l, <-s.idle)
	}
	if l.durable > s.saved && l.durable+1 == l.next {
		s.start(l)
		s.done(l, <-s.idle)
	}
}
