package workload

import (
	"context"
	"time"

	"github.com/esper-plane/esper/leyline"
)

// stopwatch is a plane that notes how long its caller waited for it.
type stopwatch struct {
	plane Plane
	spent time.Duration
}

// clock runs a call and adds its time.
func clock[A any](s *stopwatch, call func() (A, error)) (A, error) {
	began := time.Now()
	a, err := call()
	s.spent += time.Since(began)
	return a, err
}

func (s *stopwatch) Open(ctx context.Context, in leyline.RunOpened) (leyline.OpenAnswer, error) {
	return clock(s, func() (leyline.OpenAnswer, error) { return s.plane.Open(ctx, in) })
}

func (s *stopwatch) Step(ctx context.Context, in leyline.StepObserved, after leyline.Seq) (leyline.Answer, error) {
	return clock(s, func() (leyline.Answer, error) { return s.plane.Step(ctx, in, after) })
}

func (s *stopwatch) Epoch(ctx context.Context, in leyline.EpochObserved, after leyline.Seq) (leyline.Answer, error) {
	return clock(s, func() (leyline.Answer, error) { return s.plane.Epoch(ctx, in, after) })
}

func (s *stopwatch) Snapshot(ctx context.Context, in leyline.SnapshotTaken, after leyline.Seq) (leyline.Answer, error) {
	return clock(s, func() (leyline.Answer, error) { return s.plane.Snapshot(ctx, in, after) })
}

func (s *stopwatch) Probe(ctx context.Context, in leyline.SeedProbed, after leyline.Seq) (leyline.Answer, error) {
	return clock(s, func() (leyline.Answer, error) { return s.plane.Probe(ctx, in, after) })
}

func (s *stopwatch) Ack(ctx context.Context, in leyline.CommandAcked, after leyline.Seq) (leyline.Answer, error) {
	return clock(s, func() (leyline.Answer, error) { return s.plane.Ack(ctx, in, after) })
}

func (s *stopwatch) Profiled(ctx context.Context, in leyline.ProfileReported, after leyline.Seq) (leyline.Answer, error) {
	return clock(s, func() (leyline.Answer, error) { return s.plane.Profiled(ctx, in, after) })
}

func (s *stopwatch) Rollback(ctx context.Context, in leyline.RollbackReported, after leyline.Seq) (leyline.Answer, error) {
	return clock(s, func() (leyline.Answer, error) { return s.plane.Rollback(ctx, in, after) })
}

func (s *stopwatch) Directives(ctx context.Context, run leyline.RunID, after leyline.Seq) (leyline.Answer, error) {
	return clock(s, func() (leyline.Answer, error) { return s.plane.Directives(ctx, run, after) })
}

func (s *stopwatch) Close(ctx context.Context, in leyline.RunClosed) (leyline.Answer, error) {
	return clock(s, func() (leyline.Answer, error) { return s.plane.Close(ctx, in) })
}
