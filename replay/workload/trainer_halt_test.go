package workload

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/esper-plane/esper/leyline"
)

// A halt ends training wherever it arrives, and nothing is reported after it.
func TestHalt(t *testing.T) {
	for _, kind := range []leyline.InputKind{
		leyline.InputRunOpened, leyline.InputStepObserved, leyline.InputEpochObserved,
		leyline.InputSnapshotTaken, leyline.InputCommandAcked,
	} {
		t.Run(kind.String(), func(t *testing.T) {
			p := newFake(t)
			p.script = func(in leyline.Input) {
				if in.InputKind() == kind {
					p.halt(leyline.FaultRollbackLimit)
				} else if x, isStep := in.(leyline.StepObserved); isStep && x.Step == 2 {
					p.command(leyline.OpStabilize)
				}
			}
			_, err := Train(t.Context(), p, p.options(20))
			var halted *Halted
			if !errors.As(err, &halted) || *halted != (Halted{leyline.FaultRollbackLimit, "scripted"}) {
				t.Fatalf("ended with %v", err)
			}
			if last := p.inputs[len(p.inputs)-1]; last.InputKind() != kind {
				t.Errorf("reported %s after the halt", last.InputKind())
			}
		})
	}
}

// A run that was halted behind the trainer's back refuses its next report; the
// trainer asks why. When nobody halted it the refusal stands.
func TestHaltedBehindTheTrainer(t *testing.T) {
	for _, halts := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			p := newFake(t)
			p.refuse = closedAtStep3(p, halts)
			_, err := Train(t.Context(), p, p.options(20))
			var halted *Halted
			_, refused := leyline.AsRefusal(err)
			if errors.As(err, &halted) != halts || refused == halts {
				t.Errorf("halted %t: ended with %v", halts, err)
			}
			if refused && !strings.HasPrefix(err.Error(), "step 3: ") {
				t.Errorf("the error does not say where: %v", err)
			}
		})
	}
}

func closedAtStep3(p *fakePlane, halts bool) func(leyline.Input) error {
	return func(in leyline.Input) error {
		if x, isStep := in.(leyline.StepObserved); !isStep || x.Step != 3 {
			return nil
		}
		if halts {
			p.halt(leyline.FaultRollbackDeadline)
		}
		return &leyline.Refusal{Kind: leyline.RefusalRunNotOpen, Field: "run", Reason: "is not open"}
	}
}

// A trainer without weights and without orders waits, and stops waiting at once
// when its context ends.
func TestCancelledWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newFake(t)
		p.mute = true
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			_, err := Train(ctx, p, p.options(20))
			done <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
		if n := len(seen[leyline.RunClosed](p)); n != 0 {
			t.Error("the run was closed")
		}
	})
}
