package workload

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/esper-plane/esper/leyline"
)

// Halted is the error of a run that the plane stopped.
type Halted struct {
	Reason leyline.FaultReason
	Detail string
}

// Error says why.
func (h *Halted) Error() string {
	return fmt.Sprintf("the plane halted the run (%s): %s", h.Reason, h.Detail)
}

// hear takes in an answer. Directives come with any answer and are seen once:
// the cursor that goes back with the next request says that they have arrived,
// so they are kept here until they are carried out. A halt comes before
// everything else. An answer that opens a new incarnation makes void what was
// asked of the network before it.
func (t *trainer) hear(a leyline.Answer) error {
	var void leyline.Seq // directives before this record
	if a.Incarnation != t.answer.Incarnation {
		void = a.Seq
		t.commands, t.restores, t.orders, t.acks = nil, nil, nil, nil
	}
	t.answer = a
	for _, d := range a.Directives {
		if d.Halt != nil {
			return &Halted{Reason: d.Halt.Reason, Detail: d.Halt.Detail}
		}
		if t.heard[d.ID] || d.ID.Seq < void {
			continue
		}
		t.heard[d.ID] = true
		switch {
		case d.Restore != nil:
			t.restores = append(t.restores, newRestore(d))
		case d.Rates != nil:
			t.orders = append(t.orders, order{id: d.ID, kind: d.Kind, rates: d.Rates.Rates})
		case d.Rebuild != nil:
			t.orders = append(t.orders, order{id: d.ID, kind: d.Kind})
		case d.Command != nil:
			t.commands = append(t.commands, d.Command)
		}
	}
	return nil
}

// haltWait bounds how long explain asks for an order to halt. The order is
// durable before the refusal that made it ask, so it is there or never comes.
const haltWait = time.Second

// explain turns the refusal of a run that is no longer open into the order to
// halt that the trainer has not heard yet, if that is what closed the run: a
// rollback's deadline passes, for example, while the trainer still restores.
func (t *trainer) explain(ctx context.Context, err error) error {
	if r, ok := leyline.AsRefusal(err); !ok || r.Kind != leyline.RefusalRunNotOpen || t.answer.Run == "" {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, haltWait)
	defer cancel()
	a, perr := t.plane.Directives(ctx, t.opts.Run, t.answer.Cursor)
	if perr != nil {
		return err
	}
	var halted *Halted
	if herr := t.hear(a); errors.As(herr, &halted) {
		return halted
	}
	return err
}

// good notes the first good step after one or more restores.
func (t *trainer) good() {
	done := len(t.result.Recoveries) - len(t.unproven)
	for i, began := range t.unproven {
		t.result.Recoveries[done+i].FirstGood = time.Since(began)
	}
	t.unproven = t.unproven[:0]
}

// carryOut obeys the commands that were heard, in order, and acknowledges them.
// It stops at an order to restore, which makes the rest void.
func (t *trainer) carryOut(ctx context.Context) error {
	for len(t.commands) > 0 && len(t.restores) == 0 {
		c := t.commands[0]
		t.commands = t.commands[1:]
		began := time.Now()
		in := leyline.CommandAcked{
			Run: t.opts.Run, Incarnation: t.answer.Incarnation, Command: c.ID, Outcome: leyline.OutcomeOK,
		}
		t.drags.apply.pull()
		err := t.obey(c)
		if err == nil && c.Seed.Operation == leyline.OpStartTraining {
			in.Parameters, err = t.net.SeedParameters(string(c.Seed.Seed))
		}
		if err != nil {
			in.Outcome, in.Reason = leyline.OutcomeFailed, clipReason(err)
		}
		t.meters.applied.clock(began)
		in.TookNs = uint64(time.Since(began))
		if err := t.ack(ctx, in); err != nil {
			return fmt.Errorf("command %s: %w", c.ID, err)
		}
	}
	return nil
}

// settle brings the net to where the plane believes it is before the next step.
func (t *trainer) settle(ctx context.Context) error {
	if err := t.carryOut(ctx); err != nil {
		return err
	}
	return t.reconcile()
}

// ack answers a command. That the plane no longer waits for the answer is not a
// failure of training: the deadline has passed, which the log says already.
func (t *trainer) ack(ctx context.Context, in leyline.CommandAcked) error {
	a, err := t.plane.Ack(ctx, in, t.answer.Cursor)
	if r, ok := leyline.AsRefusal(err); ok && r.Kind == leyline.RefusalUnknownCommand {
		return nil
	}
	if err != nil {
		return err
	}
	return t.hear(a)
}

// obey changes the net as a verified command says.
func (t *trainer) obey(c *leyline.VerifiedCommand) error {
	if c.Kind == leyline.CommandPause {
		return t.reconcile()
	}
	slot := string(c.Seed.Seed)
	switch c.Seed.Operation {
	case leyline.OpGerminate:
		return nil // the kernel is not attached yet
	case leyline.OpStartTraining:
		if err := t.attach(slot, c); err != nil {
			return err
		}
		return t.enter(slot, leyline.StageTraining)
	case leyline.OpStartGrafting:
		if err := t.net.SetBlend(slot, c.Seed.Blend); err != nil {
			return err
		}
		return t.enter(slot, leyline.StageBlending)
	case leyline.OpStabilize:
		return t.enter(slot, leyline.StageShadowing)
	case leyline.OpEvaluate:
		return t.enter(slot, leyline.StageProbationary)
	case leyline.OpFossilize:
		return t.enter(slot, leyline.StageFossilized)
	case leyline.OpFineTune:
		if err := t.net.SetAlpha(slot, 0); err != nil {
			return err
		}
		return t.enter(slot, leyline.StageTraining)
	case leyline.OpCull, leyline.OpCancel:
		return t.give(slot)
	}
	return fmt.Errorf("unsupported operation %s", c.Seed.Operation)
}

func (t *trainer) attach(slot string, c *leyline.VerifiedCommand) error {
	kernel, err := fs.ReadFile(t.opts.Kernels, c.Kernel)
	if err != nil {
		return fmt.Errorf("kernel_missing: %w", err)
	}
	if got := leyline.Digest(sha256.Sum256(kernel)); got != c.KernelDigest {
		return fmt.Errorf("kernel_digest_mismatch: %s hashes to %s, the plane verified %s", c.Kernel, got.Short(), c.KernelDigest.Short())
	}
	return t.net.Graft(slot, kernel)
}

// reconcile makes the net agree with the seeds of the latest answer: a seed
// that is no longer part of the network goes, the others take their alpha, and
// take part unless they are paused. One that is managed no more stays.
func (t *trainer) reconcile() error {
	for _, v := range t.answer.Seeds {
		if t.net.find(string(v.Seed)) == nil {
			continue
		}
		if err := t.align(v); err != nil {
			return err
		}
	}
	return nil
}

func (t *trainer) align(v leyline.SeedView) error {
	slot := string(v.Seed)
	if !leyline.Grafted(v.Stage) && v.Stage != leyline.StageTerminated {
		return t.remove(slot)
	}
	defer t.meters.blended.clock(time.Now())
	t.drags.finalize.pull()
	if err := t.net.SetAlpha(slot, v.Alpha); err != nil {
		return err
	}
	return t.hold(slot, v.Paused)
}

func clipReason(err error) string {
	s := err.Error()
	return s[:min(len(s), leyline.MaxText)]
}
