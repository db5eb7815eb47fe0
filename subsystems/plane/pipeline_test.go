package plane_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/eventlog/memlog"
	"github.com/esper-plane/esper/leyline"
)

const pipeLag = 4

// piper is a trainer that sends its steps ahead of the answers. It outlives its plane,
// and sends again whatever was not answered, in the order in which it was sent.
type piper struct {
	*sidecar
	ctx     context.Context
	next    chan life
	sent    []sent // not answered yet, in order
	inc     leyline.Incarnation
	step    leyline.Step // last one sent
	restore *leyline.RestoreOrder
	after   leyline.Seq
	faulty  bool // the fault was reported
	lost    bool // an answer had no weights
	weights map[string][]float64
}

type sent struct {
	in   leyline.Input
	wait func() (leyline.Answer, error)
}

func (p *piper) send(in leyline.Input) {
	p.sent = append(p.sent, sent{in, p.p.Submit(p.ctx, in, p.after)})
}

// take waits for the oldest answer that is out. A plane that died is replaced by the
// next one, to which everything is sent again.
func (p *piper) take() leyline.Answer {
	p.t.Helper()
	for {
		s := p.sent[0]
		a, err := s.wait()
		if err == nil {
			p.sent = p.sent[1:]
			p.hear(s.in, a)
			return a
		}
		if p.ctx.Err() == nil {
			p.t.Fatalf("%s: %v", s.in.InputKind(), err)
		}
		l := <-p.next
		p.p, p.ctx = l.plane, l.ctx
		again := p.sent
		p.sent = nil
		for _, s := range again {
			p.send(s.in)
		}
	}
}

func (p *piper) hear(in leyline.Input, a leyline.Answer) {
	p.after = a.Cursor
	for _, d := range a.Directives {
		if d.Restore != nil {
			p.restore = d.Restore
		}
	}
	if x, ok := in.(leyline.StepObserved); ok {
		p.lost = p.lost || len(a.Weights) == 0
		p.weights[fmt.Sprintf("%d/%d", x.Incarnation, x.Step)] = a.Weights
		if !a.Overtaken {
			return
		}
		p.weights[fmt.Sprintf("%d/%d", x.Incarnation, x.Step)] = []float64{-1}
	}
	p.inc = max(p.inc, a.Incarnation)
}

func (p *piper) drain() {
	for len(p.sent) > 0 {
		p.take()
	}
}

// now reports something that is no step, with nothing else out.
func (p *piper) now(in leyline.Input) leyline.Answer {
	p.t.Helper()
	p.drain()
	p.send(in)
	return p.take()
}

func (p *piper) train(steps leyline.Step) {
	p.t.Helper()
	p.now(p.write("s-1-0", 0))
	for p.step < steps || len(p.sent) > 0 {
		if p.lost {
			p.recover()
			continue
		}
		if len(p.sent) >= pipeLag || p.step == steps {
			p.take()
			continue
		}
		p.step++
		x := twoTasks(p.step)
		x.Incarnation, x.Seed = p.inc, uint64(p.step)*3
		if p.step == 13 && !p.faulty {
			x.Losses, p.faulty = []float64{math.NaN(), 1}, true
		}
		p.send(x)
		if p.step%5 == 0 {
			if p.drain(); p.lost {
				continue
			}
			in := p.write(fmt.Sprintf("s-%d-%d", p.inc, p.step), p.step)
			in.Incarnation = p.inc
			p.now(in)
		}
	}
	p.now(leyline.RunClosed{Run: "run-1", Incarnation: p.inc, Step: steps, Outcome: leyline.OutcomeOK, Digest: leyline.Digest{1}})
}

// recover restores what the plane orders, and goes on from there.
func (p *piper) recover() {
	p.t.Helper()
	p.drain()
	for p.restore == nil {
		a, err := p.p.Directives(p.ctx, "run-1", p.after)
		if err == nil {
			p.hear(leyline.RunClosed{}, a)
			continue
		}
		if p.ctx.Err() == nil {
			p.t.Fatal(err)
		}
		l := <-p.next
		p.p, p.ctx = l.plane, l.ctx
	}
	o := p.restore
	a := p.now(leyline.RollbackReported{
		Run: "run-1", Incarnation: p.inc, Rollback: o.Rollback, Phase: leyline.PhaseCommit, Tier: o.From.Tier,
		Outcome: leyline.OutcomeOK, Digest: o.From.Digest, Check: o.From.Check, Bytes: o.From.Bytes,
	})
	p.inc, p.step, p.restore, p.lost = a.Incarnation, o.From.Step, nil, false
}

// piped trains a run of so many steps on a log, on which the plane is killed once record
// last is durable; 0 kills nothing.
func piped(t *testing.T, last uint64, steps leyline.Step) (*piper, *memlog.Log) {
	t.Helper()
	b := newBench(t)
	b.config.Tamiyo.Enabled = false
	log := b.newLog()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	d := &deadline{Log: log, last: last, kill: cancel, dead: make(chan struct{})}
	var on store = log
	if last > 0 {
		on = d
	}
	p := &piper{sidecar: sidecarOn(t, b, on, pipeLag), ctx: ctx, next: make(chan life, 1), inc: 1, weights: map[string][]float64{}}
	first, done := p.p, make(chan *memlog.Log, 1)
	go func() {
		if last == 0 {
			done <- log
			return
		}
		<-ctx.Done()
		close(d.dead)
		<-first.Done()
		log := log.CrashAt(last)
		again, err := b.start(context.Background(), log)
		if err != nil {
			t.Errorf("start again: %v", err)
		}
		p.next <- life{again, context.Background()}
		done <- log
	}()
	p.train(steps)
	cancel()
	log = <-done
	if err := p.p.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	return p, log
}

// TestAPipelineOutlivesThePlane kills the plane after every single record of a run whose
// trainer is ahead of the answers, through a rollback. Each step is in the log once, and
// answered as if nothing had happened.
func TestAPipelineOutlivesThePlane(t *testing.T) {
	const steps = 24
	whole, log := piped(t, 0, steps)
	reports := told(t, log)
	if r := mustRedecide(t, log).Tolaria.Run("run-1"); r.Rollbacks != 1 || r.Status != leyline.RunStatusEnded {
		t.Fatalf("the run is %s after %d rollbacks", r.Status, r.Rollbacks)
	}
	first, last, stride := uint64(0), log.Next()-1, uint64(1)
	for _, r := range records(t, log) {
		if r.Input.InputKind() == leyline.InputRunOpened {
			first = uint64(r.Seq) + 1
		}
	}
	if testing.Short() {
		stride = 7
	}
	for n := first; n < last-1; n += stride {
		p, survivor := piped(t, n, steps)
		for step, w := range whole.weights {
			if got := p.weights[step]; !cmp.Equal(got, w) && !overtakable(step) {
				t.Errorf("killed after record %d: step %s was answered with %v, want %v", n, step, got, w)
			}
		}
		end := mustRedecide(t, survivor).Tolaria.Run("run-1")
		if end.Incarnation != 2 || end.Status != leyline.RunStatusEnded {
			t.Errorf("killed after record %d: the run is %s in incarnation %d", n, end.Status, end.Incarnation)
		}
		for x, times := range told(t, survivor) {
			if want := reports[x]; times != 1 || want != 1 && !(x.Kind == leyline.InputStepObserved && x.Key > 13 && x.Incarnation == 1) {
				t.Errorf("killed after record %d: %+v is in the log %d times", n, x, times)
			}
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("killed after each of records %d to %d", first, last-1)
}

// overtakable are the steps that the trainer may or may not have sent before it heard of
// the fault in step 13.
func overtakable(step string) bool {
	return step == "1/14" || step == "1/15" || step == "1/16" || step == "1/17"
}
