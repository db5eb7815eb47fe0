package client_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/client"
)

// A trainer with two tasks whose gradients conflict: it reports every step before it
// changes a parameter, and applies its task gradients with the weights of the answer.
func Example() {
	plane, err := serve()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer plane.stop()

	ctx := context.Background()
	c, err := client.New(client.Options{Address: plane.address, Away: leyline.AwayStop})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Disconnect()
	a, err := c.Open(ctx, leyline.RunOpened{
		Run: "digits", Workload: "digits", Framework: "go-gonum", Posture: leyline.Posture{Version: "1", Device: "cpu", Compile: leyline.SwitchOff},
		Tasks: []leyline.TaskID{"digit", "parity"}, Seed: 1, Parameters: 1000, Steps: 2, Optimizer: "sgd", Away: leyline.AwayStop,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("snapshots:", c.Info().SnapshotEvery, "steps apart")
	last := a.Answer
	for step := leyline.Step(1); step <= 2; step++ {
		// What a backward pass per task has given: two losses, and the inner products of
		// the two gradients, which point away from each other.
		last, err = c.Step(ctx, leyline.StepObserved{
			Run: "digits", Incarnation: last.Incarnation, Step: step, Losses: []float64{0.5, 0.25},
			Gram: []float64{4, -1, -1, 1}, Seed: uint64(step), Samples: 32, LearnRate: 0.1,
		}, last.Cursor)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("step", last.Step, "weights", last.Weights)
	}

	// A step that the plane has not asked for is a refusal that says what is wrong.
	_, err = c.Step(ctx, leyline.StepObserved{Run: "digits", Incarnation: last.Incarnation, Step: 9, Losses: []float64{1, 1}, Gram: []float64{1, 0, 0, 1}, Samples: 32, LearnRate: 0.1}, last.Cursor)
	var refused *leyline.Refusal
	if errors.As(err, &refused) {
		fmt.Println("refused:", refused.Kind, refused.Field)
	}
	weights := sha256.Sum256([]byte("the bytes of the trained network"))
	if _, err := c.Close(ctx, leyline.RunClosed{Run: "digits", Incarnation: last.Incarnation, Step: 2, Outcome: leyline.OutcomeOK, Digest: weights}); err != nil {
		fmt.Println(err)
	}
	// Output:
	// snapshots: 50 steps apart
	// step 1 weights [1.25 2]
	// step 2 weights [1.25 2]
	// refused: step_out_of_order step
}
