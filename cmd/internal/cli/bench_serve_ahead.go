package cli

import (
	"context"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/client"
)

// How far the pipelined trainer of the measurement is ahead, and how long a step of its
// own takes.
const (
	aheadLag   = 8
	aheadTrain = 2 * time.Millisecond
)

// ahead is a pipelined trainer: it measures what it spends on reporting a step and on
// taking the answer to one that it reported before.
func ahead(ctx context.Context, socket string) (stepWay, error) {
	c, err := client.New(client.Options{Address: "unix:" + socket, Away: leyline.AwayStop})
	if err != nil {
		return stepWay{}, err
	}
	plan := benchPlan("bench-" + wayAhead)
	plan.Lag = aheadLag
	a, err := c.Open(ctx, plan)
	last, step := a.Answer, leyline.Step(0)
	once := func() (err error) {
		step++
		in := benchStep(last, step)
		in.Gram = []float64{1, 0.1, 0.2, 0, 0.1, 1, 0.1, 0.3, 0.2, 0.1, 1, 0.2, 0, 0.3, 0.2, 1} // nothing conflicts: every weight is 1
		in.Applied = []float64{1, 1, 1, 1}
		if err := c.Submit(ctx, in, last.Cursor); err != nil || c.Outstanding() <= aheadLag {
			return err
		}
		last, err = c.Wait(ctx)
		return err
	}
	return stepWay{name: wayAhead, stop: func() error { c.Disconnect(); return nil }, block: func(ctx context.Context, n int) ([]float64, error) {
		out := make([]float64, 0, n)
		for range n {
			time.Sleep(aheadTrain)
			took, err := stopwatched(1, once)
			if err != nil {
				return nil, err
			}
			out = append(out, took...)
		}
		for c.Outstanding() > 0 { // another way has its turn now
			var err error
			if last, err = c.Wait(ctx); err != nil {
				return nil, err
			}
		}
		return out, nil
	}}, err
}
