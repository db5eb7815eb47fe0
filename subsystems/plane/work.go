package plane

import (
	"context"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/effect"
	"github.com/esper-plane/esper/subsystems/tamiyo/policy"
	"github.com/esper-plane/esper/subsystems/worker"
)

// compute starts a computation on the shared worker. Its deadline is plane
// time's; after a restart there is none and the configured budget holds.
func (l *loop) compute(f effect.Effect, c *chain) {
	if _, running := l.running[f.ID]; running {
		return // the record that started the process has asked for it itself
	}
	done := &completion{effect: f}
	l.running[f.ID] = c
	if c != nil {
		c.waits++
	}
	work, class := l.prefetch, worker.Normal
	switch f.Kind {
	case leyline.EffectStage:
		work, class = l.stage, worker.Urgent // its budget is the rollback's
	case leyline.EffectPolicy:
		work, done.told = l.ask(policy.Ask(l.state, f.Run).Clone()), make(chan struct{})
	case leyline.EffectMetadata:
		work = l.lookUp
	case leyline.EffectPolicyFile:
		work = l.readPolicy
	}
	job := l.submit(worker.Job{
		Name: f.Kind.String() + " " + f.ID.String(), Priority: class, Timeout: l.budget(f),
		Run: func(ctx context.Context) error { return work(ctx, f, done) },
	}, done)
	if f.Kind == leyline.EffectPrefetch && job != nil {
		l.jobs[f.ID] = job
	}
}

func (l *loop) budget(f effect.Effect) time.Duration {
	if f.Deadline != 0 {
		return max(f.Deadline.Sub(l.state.At), time.Nanosecond)
	}
	if f.Kind == leyline.EffectStage {
		return l.state.Plane.Config.Tolaria.RollbackFull.Duration()
	}
	if f.Kind == leyline.EffectPolicyFile {
		return l.state.Plane.Config.Kasmina.CommandDeadline.Duration()
	}
	return l.state.Plane.Config.Kasmina.PrefetchTimeout.Duration()
}

// submit queues a job and returns its handle; a full queue is an outcome like any
// other failure, and then there is none.
func (l *loop) submit(j worker.Job, done *completion) *worker.Handle {
	j.Done = func(o worker.Outcome) {
		l.plane.post(done, o)
		if done.told != nil {
			close(done.told)
		}
	}
	job, err := l.plane.worker.Submit(context.Background(), j)
	if err != nil {
		go l.plane.post(done, worker.Outcome{Name: j.Name, Err: err, State: worker.Failed})
	}
	return job
}

// ask puts a question to the policy. The question was copied: the loop goes on
// changing the state. An answer after the deadline is brought to the loop all the
// same, which records that it was late; it comes behind the news that there was none in
// time, or it would be taken for one. The worker tells that news whether this job has
// returned or not.
func (l *loop) ask(q policy.Question) func(context.Context, effect.Effect, *completion) error {
	p := l.plane
	return func(ctx context.Context, f effect.Effect, c *completion) error {
		began := time.Now()
		choice, err := p.answer(ctx, q)
		if ctx.Err() == nil {
			c.choice = choice
			return err
		}
		if err == nil {
			<-c.told
			p.post(&completion{effect: f, choice: choice}, worker.Outcome{State: worker.Done, Ran: time.Since(began)})
		}
		return ctx.Err()
	}
}

func (p *Plane) answer(ctx context.Context, q policy.Question) (policy.Choice, error) {
	if p.opts.Policy == nil {
		return policy.Consult(policy.Of(&q), &q)
	}
	return p.opts.Policy(ctx, q)
}

// act starts an action. Its record is durable.
func (l *loop) act(f effect.Effect) {
	switch f.Kind {
	case leyline.EffectCommand, leyline.EffectRestore, leyline.EffectHalt, leyline.EffectRates, leyline.EffectRebuild:
		l.orders[f.Run] = append(l.orders[f.Run], *f.Order)
	case leyline.EffectSignal:
		l.broadcast(f)
	case leyline.EffectClean:
		l.clean(f)
	case leyline.EffectReport:
		l.deliver(f)
	case leyline.EffectEvict:
		l.submit(worker.Job{
			Name: "evict " + f.ID.String(), Priority: worker.Background, Timeout: 10 * time.Second,
			Run: func(context.Context) error { return l.plane.remove(f) },
		}, &completion{effect: f})
	}
}
