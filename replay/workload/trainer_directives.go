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

// recover follows the plane's orders after a step that was given no weights,
// until the net is restored or the run is halted.
func (t *trainer) recover(ctx context.Context, s leyline.Step) error {
	for {
		for _, d := range t.answer.Directives {
			switch {
			case d.Halt != nil:
				return &Halted{Reason: d.Halt.Reason, Detail: d.Halt.Detail}
			case d.Restore != nil:
				if done, err := t.restore(ctx, s, d.Restore); done || err != nil {
					return err
				}
			}
		}
		a, err := t.plane.Directives(ctx, t.opts.Run, t.answer.Cursor)
		if err != nil {
			return fmt.Errorf("waiting for orders after step %d: %w", s, err)
		}
		t.answer = a
	}
}

// restore loads a snapshot and reports it. It returns false when the plane did
// not accept the result and further orders will follow.
func (t *trainer) restore(ctx context.Context, fault leyline.Step, o *leyline.RestoreOrder) (bool, error) {
	began := time.Now()
	b, digest, err := readSnapshot(t.opts.SnapshotDir, o.From)
	if err == nil {
		err = t.net.Load(b)
	}
	in := leyline.RollbackReported{
		Run: t.opts.Run, Incarnation: t.answer.Incarnation, Rollback: o.Rollback, Phase: leyline.PhaseCommit,
		Outcome: leyline.OutcomeOK, Digest: digest, TookNs: uint64(time.Since(began)),
	}
	if err != nil {
		in.Outcome, in.Reason = leyline.OutcomeFailed, clipReason(err)
	}
	a, perr := t.plane.Rollback(ctx, in, t.answer.Cursor)
	if perr != nil {
		return false, errors.Join(fmt.Errorf("rollback %s: %w", o.Rollback, perr), err)
	}
	t.answer = a
	if err != nil || a.Step != o.From.Step {
		return false, nil
	}
	t.restored = time.Now()
	t.recovery = &Recovery{
		Rollback: o.Rollback, Cause: o.Cause, FaultStep: fault, ToStep: o.From.Step, Restore: time.Since(began), Digest: digest,
	}
	t.step = o.From.Step
	t.faulted = append(t.faulted, fault)
	return true, t.reconcile()
}

// good notes the first good step after a restore.
func (t *trainer) good(began time.Time) {
	if t.recovery == nil {
		return
	}
	t.recovery.FirstGood = time.Since(t.faultedAt)
	t.result.Recoveries = append(t.result.Recoveries, *t.recovery)
	t.recovery = nil
}

// carryOut obeys the commands of an answer, each once, and acknowledges them.
func (t *trainer) carryOut(ctx context.Context, ds []leyline.Directive) error {
	for _, d := range ds {
		if d.Halt != nil {
			return &Halted{Reason: d.Halt.Reason, Detail: d.Halt.Detail}
		}
		if d.Command == nil || t.carried[d.ID] {
			continue
		}
		t.carried[d.ID] = true
		began := time.Now()
		in := leyline.CommandAcked{
			Run: t.opts.Run, Incarnation: t.answer.Incarnation, Command: d.Command.ID, Outcome: leyline.OutcomeOK,
		}
		if err := t.obey(d.Command); err != nil {
			in.Outcome, in.Reason = leyline.OutcomeFailed, clipReason(err)
		}
		in.TookNs = uint64(time.Since(began))
		a, err := t.plane.Ack(ctx, in, t.answer.Cursor)
		if err != nil {
			return fmt.Errorf("command %s: %w", d.Command.ID, err)
		}
		t.answer = a
	}
	return nil
}

// obey changes the net as a verified command says.
func (t *trainer) obey(c *leyline.VerifiedCommand) error {
	slot := string(c.Seed.Seed)
	switch c.Seed.Operation {
	case leyline.OpGerminate, leyline.OpStabilize:
		return nil // nothing in the net changes: the kernel is not attached yet; alpha comes with the answer
	case leyline.OpStartTraining:
		return t.attach(slot, c)
	case leyline.OpStartGrafting:
		return t.net.SetMode(slot, ModeBlending)
	case leyline.OpCull, leyline.OpCancel:
		if t.net.find(slot) == nil {
			return nil
		}
		return t.net.Remove(slot)
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
// that is no longer part of the network goes, the others take their alpha.
func (t *trainer) reconcile() error {
	for _, v := range t.answer.Seeds {
		if t.net.find(string(v.Seed)) == nil {
			continue
		}
		var err error
		if leyline.Grafted(v.Stage) {
			err = t.net.SetAlpha(string(v.Seed), v.Alpha)
		} else {
			err = t.net.Remove(string(v.Seed))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// snapshot writes the net's state and reports it. A snapshot that cannot be
// written is not reported as taken: training stops, because it would go on
// without anything to return to.
func (t *trainer) snapshot(ctx context.Context) error {
	if err := t.reconcile(); err != nil {
		return err
	}
	began := time.Now()
	b, err := t.net.Save(uint64(t.step))
	if err != nil {
		return fmt.Errorf("snapshot of step %d: %w", t.step, err)
	}
	id := fmt.Sprintf("%d-%d", t.answer.Incarnation, t.step)
	in := leyline.SnapshotTaken{
		Run: t.opts.Run, Incarnation: t.answer.Incarnation, Step: t.step,
		Snapshot: leyline.SnapshotID(fmt.Sprintf("%s-%s", t.opts.Run, id)), Tier: leyline.TierFull,
		File: "snap-" + id + ".safetensors", Bytes: uint64(len(b)), Digest: sha256.Sum256(b),
	}
	if err := writeDurable(t.opts.SnapshotDir, in.File, b); err != nil {
		return fmt.Errorf("snapshot of step %d: %w", t.step, err)
	}
	in.WriteNs = uint64(time.Since(began))
	a, err := t.plane.Snapshot(ctx, in, t.answer.Cursor)
	if err != nil {
		return fmt.Errorf("snapshot of step %d: %w", t.step, err)
	}
	t.answer = a
	return nil
}

func clipReason(err error) string {
	s := err.Error()
	return s[:min(len(s), leyline.MaxText)]
}
