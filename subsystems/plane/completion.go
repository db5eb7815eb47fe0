package plane

import (
	"cmp"
	"fmt"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/effect"
	"github.com/esper-plane/esper/subsystems/kernelcache"
	"github.com/esper-plane/esper/subsystems/policyfile"
	"github.com/esper-plane/esper/subsystems/snapstore"
	"github.com/esper-plane/esper/subsystems/tamiyo/policy"
	"github.com/esper-plane/esper/subsystems/worker"
)

// completion is what came of an effect.
type completion struct {
	effect  effect.Effect
	outcome worker.Outcome
	sums    snapstore.Sums
	kernel  fetched             // PREFETCH
	cleared kernelcache.Cleared // CLEAN
	choice  policy.Choice
	sheet   leyline.Envelope       // METADATA
	policy  policyfile.Found       // POLICY_FILE
	told    chan struct{}          // POLICY: closed when the loop has been told
	copy    leyline.SnapshotRef    // of an audit, which is no effect
	level   leyline.EmergencyLevel // published
}

// post brings a completion to the loop, unless the loop has ended.
func (p *Plane) post(c *completion, o worker.Outcome) {
	c.outcome = o
	select {
	case p.done <- c:
	case <-p.ended:
	}
}

// complete records what came of an effect. A computation that the state no
// longer waits for was voided by a rollback, a resume or its deadline, which is
// in the log already; its late result is recorded and ignored where it is a kernel,
// an answer of the policy or a safety sheet, and dropped where it is a snapshot's.
func (l *loop) complete(c *completion) {
	f := c.effect
	switch f.Kind {
	case leyline.EffectUnspecified:
		l.audited(c)
		return
	case leyline.EffectEvict:
		l.evicted(c)
		return
	case leyline.EffectReport:
		l.delivered(c)
		return
	case leyline.EffectClean:
		if in := l.cleanedInput(c); in != nil {
			l.stamp(in, nil)
		}
		return
	}
	if f.Kind == leyline.EffectSignal {
		l.signalled(c)
		return
	}
	owner := l.running[f.ID]
	delete(l.running, f.ID)
	delete(l.jobs, f.ID)
	if in := l.input(c); in != nil {
		l.stamp(in, owner)
	} else {
		l.log.Debug("late completion dropped", "effect", f.ID.String(), "kind", f.Kind.String())
	}
	if owner != nil {
		owner.waits--
	}
}

// evicted says when the bytes of an evicted snapshot could not be deleted. They
// are found and deleted at the next start.
func (l *loop) evicted(c *completion) {
	if c.outcome.State != worker.Done {
		l.log.Warn("cannot delete an evicted snapshot", "run", c.effect.Run, "file", c.effect.File, "err", c.outcome.Err)
	}
}

func (l *loop) input(c *completion) leyline.Input {
	switch c.effect.Kind {
	case leyline.EffectPrefetch:
		return l.kernelInput(c)
	case leyline.EffectStage:
		return l.stageInput(c)
	case leyline.EffectPolicy:
		return l.policyInput(c)
	case leyline.EffectMetadata:
		return l.metadataInput(c)
	case leyline.EffectPolicyFile:
		return l.policyFileInput(c)
	}
	return nil
}

func (l *loop) policyInput(c *completion) leyline.Input {
	f, took := c.effect, uint64(c.outcome.Queued+c.outcome.Ran)
	if l.forgotten(c, func() leyline.EffectID { return l.state.Tamiyo.Run(f.Run).Asked.Effect }) {
		return nil
	}
	failed := leyline.PolicyFailed{Request: f.ID, Run: f.Run, Outcome: outcomeOf(c.outcome), Reason: clip(c.outcome.Err), TookNs: took}
	if c.outcome.State != worker.Done {
		return failed
	}
	in, err := storable(c.choice.Record(f.ID, f.Run, took))
	if err == nil {
		err = in.Validate()
	}
	if err != nil { // an answer that means nothing is none
		failed.Outcome, failed.Reason = leyline.OutcomeFailed, clip(fmt.Errorf("the answer cannot be used: %w", err))
		return failed
	}
	return in
}

func (l *loop) stageInput(c *completion) leyline.Input {
	f := c.effect
	r := l.state.Tolaria.Run(f.Run)
	if r == nil || r.Rollback.Effect != f.ID {
		return nil
	}
	in := leyline.RollbackReported{
		Run: f.Run, Incarnation: r.Incarnation, Rollback: f.Rollback, Phase: leyline.PhasePrepare, Tier: f.Tier,
		Outcome: leyline.OutcomeOK, TookNs: uint64(c.outcome.Queued + c.outcome.Ran),
	}
	if c.outcome.State != worker.Done {
		in.Outcome, in.Reason = outcomeOf(c.outcome), clip(c.outcome.Err)
		return in
	}
	in.Digest, in.Check, in.Bytes = c.sums.Digest, c.sums.Check, c.sums.Bytes
	return in
}

func outcomeOf(o worker.Outcome) leyline.Outcome {
	if o.State == worker.TimedOut {
		return leyline.OutcomeDeadline
	}
	return leyline.OutcomeFailed
}

func clip(err error) string {
	s := "cancelled"
	if err != nil {
		s = cmp.Or(err.Error(), "failed without a reason")
	}
	return s[:min(len(s), leyline.MaxText)]
}
