package value

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/replay"
	"github.com/esper-plane/esper/replay/harness"
	"github.com/esper-plane/esper/replay/workload"
	"github.com/esper-plane/esper/subsystems/plane"
)

// runName is the run of every data directory.
const runName leyline.RunID = "value"

// ErrReplay: the log of a run does not replay to what was decided in it. No figure of
// such a run is worth anything.
var ErrReplay = errors.New("the log does not replay to what was decided")

// play performs one run in a data directory of its own, which it removes. An error is
// no outcome: the run has to be made again.
func (e *Experiment) play(ctx context.Context, k Key, x setup) (row Row, err error) {
	began := time.Now()
	data, err := x.spec.Data()
	if err != nil {
		return row, err
	}
	row = e.blank(k, x)
	if row.Parameters, err = x.spec.Parameters(); err != nil {
		return row, err
	}
	place, err := e.Site.Open(fmt.Sprintf("%s-%s-%d", k.Workload, k.Arm, k.Seed), x.spec, x.config)
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, place.Close(), os.RemoveAll(place.Path)) }()
	res, err := train(ctx, place, k, x, &row)
	halted := (*workload.Halted)(nil)
	switch {
	case errors.As(err, &halted):
		row.fail(halted.Error(), data.Tasks)
	case err != nil:
		return row, err
	case !row.outcome(res):
		row.fail("it ended with numbers that are not finite", data.Tasks)
	}
	row.Seconds = time.Since(began).Seconds()
	if e.Verify {
		return row, row.verify(ctx, place.Source)
	}
	return row, nil
}

// blank is what is known of a run before it begins.
func (e *Experiment) blank(k Key, x setup) Row {
	return Row{
		Key: k, Protocol: ProtocolDigest(), Build: e.Build, Config: projections.DigestOf(x.config), Steps: x.steps,
		Hidden: x.spec.Net.Hidden, Modules: append([]string{}, x.spec.Modules...),
	}
}

// fail makes a row of a run that reached nothing: its growth counts for nothing too.
func (r *Row) fail(why string, tasks []workload.Task) {
	r.guess(tasks)
	r.Failed = why
}

// train runs a plane and the trainer, and counts what becomes durable.
func train(ctx context.Context, place *harness.Place, k Key, x setup, row *Row) (workload.Result, error) {
	o := place.Options
	o.Released = func(r leyline.Record) {
		row.Records++
		row.count(r)
	}
	pl, err := plane.Start(ctx, o)
	if err != nil {
		return workload.Result{}, err
	}
	res, err := workload.Train(ctx, pl, workload.Options{
		Run: runName, Workload: x.spec, Seed: k.Seed, Steps: x.steps, JudgeEvery: max(1, x.steps/(judgements-1)),
		Snapshots: place.Full, Fast: place.Fast, Kernels: pl.Kernels(),
	})
	if ctx.Err() == nil && err != nil && pl.Err() != nil {
		err = errors.Join(err, pl.Err()) // why it has ended
	}
	return res, errors.Join(err, pl.Shutdown(context.WithoutCancel(ctx)))
}

// verify decides the whole log again.
func (r *Row) verify(ctx context.Context, log replay.Source) error {
	again, err := replay.Run(ctx, log, replay.Options{Mode: replay.Redecide})
	if err != nil {
		return err
	}
	if !again.Identical {
		return fmt.Errorf("%w: %s, %s, seed %d", ErrReplay, r.Workload, r.Arm, r.Seed)
	}
	r.Replayed = true
	return nil
}
