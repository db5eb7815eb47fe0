package workload

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/tamiyo/policy"
)

// Fault is a fault drill: something that really goes wrong at a step.
type Fault struct {
	Name string
	Step leyline.Step
}

// ErrNothingYet is what a lever says that finds nothing to take hold of. The
// fault then did not strike, which Result.Missed tells; training goes on.
var ErrNothingYet = errors.New("there is nothing yet that this fault could strike")

// Levers are what faults outside the network take hold of. A fault whose lever
// is missing is refused before the run.
type Levers struct {
	Stall         time.Duration                   // length of a stall
	RemoveKernels func() error                    // deletes the files of the kernel store; may be called again
	ReplayCommand func(ctx context.Context) error // sends the newest accepted command once more, or says ErrNothingYet
	LatePolicy    bool                            // the plane was started with LatePolicy and a policy budget
	Slow          time.Duration                   // how long what a drill slows down takes longer
	HoldAnswers   func(time.Duration) error       // keeps the next record from the disk for so long, and so the answer that waits for it
}

// ParseFault parses "name@step", for example "nan@120".
func ParseFault(s string) (Fault, error) {
	name, at, ok := strings.Cut(s, "@")
	step, err := strconv.ParseUint(at, 10, 64)
	if !ok || err != nil || step == 0 {
		return Fault{}, fmt.Errorf("fault %q: want NAME@STEP with a step of 1 or more, for example nan@120", s)
	}
	if lookup(name) == nil {
		return Fault{}, fmt.Errorf("unknown fault %q; want one of: %s", name, strings.Join(FaultNames(), ", "))
	}
	return Fault{Name: name, Step: leyline.Step(step)}, nil
}

func (f Fault) check(steps leyline.Step, l Levers) error {
	if f.Step == 0 || f.Step > steps {
		return fmt.Errorf("fault %s@%d lies outside the run's %d steps", f.Name, f.Step, steps)
	}
	d := lookup(f.Name)
	if d == nil {
		return fmt.Errorf("unknown fault %q; want one of: %s", f.Name, strings.Join(FaultNames(), ", "))
	}
	if d.ready != nil && !d.ready(l) {
		return fmt.Errorf("fault %s@%d cannot be injected: its lever is missing", f.Name, f.Step)
	}
	return nil
}

// struck reports whether a fault of this step has happened in a history that was
// rolled back since. It does not happen again.
func struck(faulted []leyline.Step, s leyline.Step) bool {
	return slices.ContainsFunc(faulted, func(reached leyline.Step) bool { return reached >= s })
}

// inject does what is declared for a step.
func (t *trainer) inject(ctx context.Context, s leyline.Step) error {
	if struck(t.faulted, s) {
		return nil
	}
	for _, f := range t.opts.Faults {
		if f.Step != s {
			continue
		}
		err := t.strike(ctx, f)
		if errors.Is(err, ErrNothingYet) {
			t.result.Missed = append(t.result.Missed, f)
			continue
		}
		if err != nil {
			return fmt.Errorf("fault %s@%d: %w", f.Name, f.Step, err)
		}
	}
	return nil
}

// reinject restores, after a resume, what a fault has changed outside the
// network and the log.
func (t *trainer) reinject() error {
	for _, f := range t.opts.Faults {
		if f.Name == FaultKernel && (f.Step <= t.step || struck(t.faulted, f.Step)) {
			return t.opts.Levers.RemoveKernels()
		}
	}
	return nil
}

// FirstQuestion is the first step at or after s at which the policy is asked.
func FirstQuestion(c *leyline.TamiyoConfig, s leyline.Step) leyline.Step {
	w := leyline.Step(c.WindowSteps)
	s = max(s, leyline.Step(c.WarmupSteps), 1)
	return (s + w - 1) / w * w
}

// LatePolicy is the rules policy with FaultPolicy built in: the first question
// at or after such a fault's step is thought about for too long, once. It
// honours its deadline, as a policy should.
func LatePolicy(faults []Fault) func(context.Context, policy.Question) (policy.Choice, error) {
	return func(ctx context.Context, q policy.Question) (policy.Choice, error) {
		for _, f := range faults {
			if f.Name == FaultPolicy && q.Step == FirstQuestion(&q.Config.Tamiyo, f.Step) && !struck(q.Faulted, q.Step) {
				select {
				case <-time.After(10 * q.Config.Tamiyo.PolicyBudget.Duration()):
				case <-ctx.Done():
					return policy.Choice{}, ctx.Err()
				}
			}
		}
		return policy.Next(q), ctx.Err()
	}
}
