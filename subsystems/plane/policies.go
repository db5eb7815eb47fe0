package plane

import (
	"context"
	"errors"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/effect"
	"github.com/esper-plane/esper/subsystems/policyfile"
	"github.com/esper-plane/esper/subsystems/worker"
)

// errNoPolicies says that the process was started without a policy store.
var errNoPolicies = &policyfile.Fault{Kind: leyline.PolicyFileMissing, Err: errors.New("this plane has no policy store")}

// readPolicy reads and verifies the file of a policy.
func (l *loop) readPolicy(ctx context.Context, f effect.Effect, c *completion) (err error) {
	if l.plane.opts.Policies == nil {
		return errNoPolicies
	}
	c.policy, err = l.plane.opts.Policies.Load(ctx, f.File, f.Digest, f.Bytes)
	return err
}

// policyFileInput is what was found in the file of a policy, if somebody still waits for
// it. What is in force may have been replaced while it was verified anew.
func (l *loop) policyFileInput(c *completion) leyline.Input {
	f := c.effect
	i := l.state.Tamiyo.Scope(f.Run)
	if i == nil || i.Loading.Request != f.ID && i.Proving != f.ID {
		return nil
	}
	in := leyline.PolicyLoaded{Run: f.Run, Request: f.ID, TookNs: uint64(c.outcome.Queued + c.outcome.Ran)}
	var fault *policyfile.Fault
	switch { // after its deadline the job may still be writing down what it finds
	case c.outcome.State == worker.Done:
		in.Digest, in.Bytes, in.Rules = c.policy.Digest, c.policy.Bytes, c.policy.Rules
		return in
	case errors.As(c.outcome.Err, &fault):
		in.Digest, in.Bytes, in.Fault = c.policy.Digest, c.policy.Bytes, fault.Kind
	case c.outcome.State == worker.TimedOut:
		in.Fault = leyline.PolicyFileLate
	default:
		in.Fault = leyline.PolicyFileUnreadable
	}
	in.Reason = clip(c.outcome.Err)
	return in
}
