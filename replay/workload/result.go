package workload

import (
	"context"
	"fmt"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/detmath"
)

// Result is what a finished run came to.
type Result struct {
	Run        leyline.RunID
	Resumed    bool
	From       leyline.Step // where it was resumed, 0 from the beginning
	Steps      leyline.Step
	Digest     leyline.Digest // of the final training state
	Tasks      []TaskResult
	Seeds      []SeedResult
	Recoveries []Recovery
	Missed     []Fault // that found nothing to strike, in this life of the run
	Elapsed    time.Duration
	Waited     time.Duration // of Elapsed, for answers of the plane
	Curve      []Judgement   // by ascending steps, in this life of the run; see Options.JudgeEvery
	Work       Work
}

// SeedResult is a seed that was part of the network at the end.
type SeedResult struct {
	Seed      leyline.SeedID
	Blueprint leyline.BlueprintID
	Alpha     float64
	Gain      float64       // held-out accuracy with it less accuracy with it at alpha 0, mean over tasks, [-1,1]
	Stage     leyline.Stage `json:"-"` // TERMINATED: it was kept and is the host's
	Size      int           `json:"-"` // its number of parameters
}

// TaskResult is the held-out result of one task.
type TaskResult struct {
	Task        leyline.TaskID
	Loss        float64 // mean cross-entropy in nats, seeds at their alpha
	Accuracy    float64 // [0,1], seeds at their alpha
	LossAt0     float64 // every seed at alpha 0
	AccuracyAt0 float64
	Right       []bool `json:"-"` // per held-out row, in the order of Data.HeldOut
}

// Recovery is a rollback as the trainer saw it.
type Recovery struct {
	Rollback  leyline.RollbackID
	Cause     leyline.FaultReason
	FaultStep leyline.Step
	ToStep    leyline.Step
	Tier      leyline.Tier
	Digest    leyline.Digest   // of the bytes restored; zero when only the checksum was taken
	Check     leyline.Checksum // likewise
	Restore   time.Duration    // read, check, build
	FirstGood time.Duration    // from the start of the faulty step to the first good update
}

func average(xs []float64) float64 { return detmath.Sum(xs) / float64(len(xs)) }

// finish evaluates the net and closes the run.
func (t *trainer) finish(ctx context.Context, began time.Time) (Result, error) {
	if t.trace.window != 0 {
		if err := t.reportProfile(ctx); err != nil {
			return Result{}, err
		}
	}
	with, err := t.net.Evaluate(t.data.HeldOut)
	if err != nil {
		return Result{}, err
	}
	var off []AlphaOverride
	for _, s := range t.net.Slots() {
		if t.isModule(s.ID) {
			continue
		}
		off = append(off, AlphaOverride{Slot: s.ID})
		ev, err := t.net.Evaluate(t.data.HeldOut, AlphaOverride{Slot: s.ID})
		if err != nil {
			return Result{}, err
		}
		t.result.Seeds = append(t.result.Seeds, SeedResult{
			Seed: leyline.SeedID(s.ID), Blueprint: leyline.BlueprintID(s.Blueprint), Alpha: s.Alpha, Gain: average(with.Accuracy) - average(ev.Accuracy),
			Stage: t.stages[s.ID], Size: t.net.find(s.ID).size(),
		})
	}
	without, err := t.net.Evaluate(t.data.HeldOut, off...)
	if err != nil {
		return Result{}, err
	}
	r := &t.result
	for i, k := range t.data.Tasks {
		r.Tasks = append(r.Tasks, TaskResult{
			Task: leyline.TaskID(k.Name), Loss: with.Losses[i], Accuracy: with.Accuracy[i],
			LossAt0: without.Losses[i], AccuracyAt0: without.Accuracy[i], Right: with.Right[i],
		})
	}
	t.unstruck()
	r.Steps, r.Digest, r.Elapsed = t.step, t.net.Digest(), time.Since(began)
	_, err = t.plane.Close(ctx, leyline.RunClosed{
		Run: t.opts.Run, Incarnation: t.answer.Incarnation, Step: t.step, Outcome: leyline.OutcomeOK, Digest: r.Digest,
		Acks: t.reported(),
	})
	if err != nil {
		return Result{}, fmt.Errorf("cannot close run %s: %w", t.opts.Run, err)
	}
	return *r, nil
}
