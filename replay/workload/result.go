package workload

import (
	"context"
	"fmt"
	"time"

	"github.com/esper-plane/esper/leyline"
)

// Result is what a finished run came to.
type Result struct {
	Run        leyline.RunID
	Resumed    bool
	From       leyline.Step // where it was resumed, 0 from the beginning
	Steps      leyline.Step
	Digest     leyline.Digest // of the final training state
	Tasks      []TaskResult
	Recoveries []Recovery
	Elapsed    time.Duration
}

// TaskResult is the held-out result of one task.
type TaskResult struct {
	Task        leyline.TaskID
	Loss        float64 // mean cross-entropy in nats, seeds at their alpha
	Accuracy    float64 // [0,1], seeds at their alpha
	LossAt0     float64 // every seed at alpha 0
	AccuracyAt0 float64
}

// Recovery is a rollback as the trainer saw it.
type Recovery struct {
	Rollback  leyline.RollbackID
	Cause     leyline.FaultReason
	FaultStep leyline.Step
	ToStep    leyline.Step
	Digest    leyline.Digest // of the bytes restored
	Restore   time.Duration  // read, check, swap
	FirstGood time.Duration  // from the start of the faulty step to the first good update
}

// finish evaluates the net and closes the run.
func (t *trainer) finish(ctx context.Context, began time.Time) (Result, error) {
	with, err := t.net.Evaluate(t.data.HeldOut)
	if err != nil {
		return Result{}, err
	}
	var off []AlphaOverride
	for _, s := range t.net.Slots() {
		off = append(off, AlphaOverride{Slot: s.ID})
	}
	without, err := t.net.Evaluate(t.data.HeldOut, off...)
	if err != nil {
		return Result{}, err
	}
	r := &t.result
	for i, k := range t.data.Tasks {
		r.Tasks = append(r.Tasks, TaskResult{
			Task: leyline.TaskID(k.Name), Loss: with.Losses[i], Accuracy: with.Accuracy[i],
			LossAt0: without.Losses[i], AccuracyAt0: without.Accuracy[i],
		})
	}
	r.Steps, r.Digest, r.Elapsed = t.step, t.net.Digest(), time.Since(began)
	_, err = t.plane.Close(ctx, leyline.RunClosed{
		Run: t.opts.Run, Incarnation: t.answer.Incarnation, Step: t.step, Outcome: leyline.OutcomeOK, Digest: r.Digest,
	})
	if err != nil {
		return Result{}, fmt.Errorf("cannot close run %s: %w", t.opts.Run, err)
	}
	return *r, nil
}
