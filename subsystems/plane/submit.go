package plane

import (
	"context"

	"github.com/esper-plane/esper/leyline"
)

// Submit hands a report of a trainer to the loop and returns; what is submitted one
// after the other is decided in that order. wait returns the answer once its record is
// durable, and is to be called once. What has to be found out first, such as the digest
// of a snapshot's file or what a solver finds, the caller of Submit waits for. To open
// a run is no report.
func (p *Plane) Submit(ctx context.Context, in leyline.Input, after leyline.Seq) (wait func() (leyline.Answer, error)) {
	in, err := p.prepare(ctx, in)
	q := &request{in: in, after: after}
	if err == nil {
		err = p.hand(ctx, q)
	}
	if err != nil {
		return func() (leyline.Answer, error) { return leyline.Answer{}, err }
	}
	return func() (leyline.Answer, error) {
		r, err := p.await(ctx, q)
		if err == nil && r.again != nil {
			r, err = p.repeat(ctx, q, r.again)
		}
		return r.ans, err
	}
}

// prepare completes a report with what is the plane's own, and refuses what is none.
func (p *Plane) prepare(ctx context.Context, in leyline.Input) (leyline.Input, error) {
	switch x := in.(type) {
	case leyline.StepObserved:
		x.Solution = p.solution(&x)
		return x, nil
	case leyline.SnapshotTaken:
		err := p.measure(ctx, &x)
		return x, err
	case leyline.RollbackReported:
		if x.Phase == leyline.PhasePrepare {
			return nil, &leyline.Refusal{
				Subsystem: leyline.SubsystemPlane, Kind: leyline.RefusalNotAuthorized, Field: "phase", Identifier: x.Phase.String(),
				Reason: "is the plane's own", Hint: "report COMMIT after the restore",
			}
		}
	case leyline.RunOpened:
		return nil, leyline.Invalid("input", "opens a run, which is no report")
	default:
		if in == nil || !reports(in) {
			return nil, leyline.Invalid("input", "is no report of a trainer")
		}
	}
	return in, nil
}

// Step reports a step. after is the cursor of the latest answer. Where the
// aggregation method needs a solver the caller waits for it here, and nobody else:
// Solution of the input is the plane's.
func (p *Plane) Step(ctx context.Context, in leyline.StepObserved, after leyline.Seq) (leyline.Answer, error) {
	return p.Submit(ctx, in, after)()
}

// Epoch reports a held-out evaluation.
func (p *Plane) Epoch(ctx context.Context, in leyline.EpochObserved, after leyline.Seq) (leyline.Answer, error) {
	return p.Submit(ctx, in, after)()
}

// Probe reports a measured contribution that an answer asked for.
func (p *Plane) Probe(ctx context.Context, in leyline.SeedProbed, after leyline.Seq) (leyline.Answer, error) {
	return p.Submit(ctx, in, after)()
}

// Ack reports what became of a command.
func (p *Plane) Ack(ctx context.Context, in leyline.CommandAcked, after leyline.Seq) (leyline.Answer, error) {
	return p.Submit(ctx, in, after)()
}

// Fallback reports that compiled code was given up for eager execution.
func (p *Plane) Fallback(ctx context.Context, in leyline.CompileFallback, after leyline.Seq) (leyline.Answer, error) {
	return p.Submit(ctx, in, after)()
}

// Profiled reports the trace of a profile window, or that there is none.
func (p *Plane) Profiled(ctx context.Context, in leyline.ProfileReported, after leyline.Seq) (leyline.Answer, error) {
	return p.Submit(ctx, in, after)()
}

// Rollback reports the trainer's phase of a rollback, COMMIT. PREPARE is the
// plane's own check of the bytes and is refused here.
func (p *Plane) Rollback(ctx context.Context, in leyline.RollbackReported, after leyline.Seq) (leyline.Answer, error) {
	return p.Submit(ctx, in, after)()
}

// Snapshot reports a snapshot's file. The door reads and hashes it first:
// Measured, Problem and VerifyNs of the input are the plane's.
func (p *Plane) Snapshot(ctx context.Context, in leyline.SnapshotTaken, after leyline.Seq) (leyline.Answer, error) {
	return p.Submit(ctx, in, after)()
}

// Close ends a run; it does not stop the plane.
func (p *Plane) Close(ctx context.Context, in leyline.RunClosed) (leyline.Answer, error) {
	return p.Submit(ctx, in, 0)()
}

// Principal is who opened a run; false when nobody did. It waits for nothing.
func (p *Plane) Principal(run leyline.RunID) (string, bool) {
	who, ok := p.owners.Load(run)
	if !ok {
		return "", false
	}
	return who.(string), true
}

// call hands a request to the loop and waits for its reply.
func (p *Plane) call(ctx context.Context, q *request) (reply, error) {
	if err := p.hand(ctx, q); err != nil {
		return reply{}, err
	}
	return p.await(ctx, q)
}

// hand puts a request into the door.
func (p *Plane) hand(ctx context.Context, q *request) error {
	q.reply = make(chan reply, 1)
	select {
	case p.door <- q:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-p.ended:
		return p.cause()
	}
}

// await waits for the reply to a request that was handed in.
func (p *Plane) await(ctx context.Context, q *request) (reply, error) {
	select {
	case r := <-q.reply:
		return r, r.err
	case <-ctx.Done():
		return reply{}, ctx.Err()
	case <-p.ended:
		select {
		case r := <-q.reply: // the loop answered before it ended
			return r, r.err
		default:
			return reply{}, p.cause()
		}
	}
}
