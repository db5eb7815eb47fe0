package workload

import (
	"context"

	"github.com/esper-plane/esper/leyline"
)

// Plane is what a trainer needs of a control plane. The plane of
// subsystems/plane is one, in the same process. after is the trainer's cursor:
// the Cursor of the latest answer. Every call returns when what it reports is
// durable; a refusal is a *leyline.Refusal.
type Plane interface {
	// Open opens a run, or resumes it.
	Open(ctx context.Context, in leyline.RunOpened) (leyline.OpenAnswer, error)
	// Step reports a step before any parameter is changed.
	Step(ctx context.Context, in leyline.StepObserved, after leyline.Seq) (leyline.Answer, error)
	// Epoch reports a held-out evaluation.
	Epoch(ctx context.Context, in leyline.EpochObserved, after leyline.Seq) (leyline.Answer, error)
	// Snapshot reports a file; the plane reads it again and fills in what it
	// measured.
	Snapshot(ctx context.Context, in leyline.SnapshotTaken, after leyline.Seq) (leyline.Answer, error)
	// Probe reports a measured contribution that an answer asked for.
	Probe(ctx context.Context, in leyline.SeedProbed, after leyline.Seq) (leyline.Answer, error)
	// Ack reports what became of a command.
	Ack(ctx context.Context, in leyline.CommandAcked, after leyline.Seq) (leyline.Answer, error)
	// Profiled reports the trace of a profile window, or that there is none.
	Profiled(ctx context.Context, in leyline.ProfileReported, after leyline.Seq) (leyline.Answer, error)
	// Rollback reports the restoring of a snapshot.
	Rollback(ctx context.Context, in leyline.RollbackReported, after leyline.Seq) (leyline.Answer, error)
	// Directives waits until there is a directive after the cursor.
	Directives(ctx context.Context, run leyline.RunID, after leyline.Seq) (leyline.Answer, error)
	// Close ends a run.
	Close(ctx context.Context, in leyline.RunClosed) (leyline.Answer, error)
}
