package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/replay"
	"github.com/esper-plane/esper/replay/workload"
	"github.com/esper-plane/esper/subsystems/plane"
	"github.com/esper-plane/esper/subsystems/telemetry"
	"github.com/esper-plane/esper/testdata"
)

// The one place of the worker is held until this step of the run; three windows of
// five steps open the breaker before that, and its cool-down ends after it.
const (
	timeoutFreed = 32
	timeoutSteps = 200
	timeoutLimit = 2 * time.Minute
)

var tamiyoTimeout = Scenario{
	Name: "tamiyo-timeout",
	Claim: "a policy that really is late is missed after its budget, CRITICAL, makes the run conservative and proposes nothing; three such open " +
		"its breaker, which blocks and then probes; an answer that comes too late is recorded and ignored; training goes on",
	run: func(ctx context.Context, s Site, r *Result) error {
		ctx, cancel := context.WithTimeoutCause(ctx, timeoutLimit, errors.New("what was waited for did not come"))
		defer cancel()
		spec, err := workload.Lookup("penguins")
		if err != nil {
			return err
		}
		if err := playLate(ctx, s, spec, r); err != nil {
			return err
		}
		return playVoid(ctx, s, spec, r)
	},
}

// timeoutConfig asks the policy on the worker, within the default budget.
func timeoutConfig(spec workload.Spec) leyline.ExecutionConfig {
	c := spec.Config()
	t := &c.Tamiyo
	t.PolicyInline, t.WindowSteps, t.WarmupSteps, t.HealthyWindows, t.CooldownSteps = false, 5, 5, 2, 5
	c.Breaker.OpenSteps, c.Tolaria.SnapshotEvery = 20, 2*timeoutSteps
	c.Tolaria.FailedEpochs = 0 // epochs in which the policy was late fail, and three of them would halt the run
	c.Kasmina.PrefetchTimeout, c.Kasmina.CommandDeadline = 60_000, 120_000
	return c
}

// watch lets a scenario wait for events of released records.
type watch struct {
	mu   sync.Mutex
	wake chan struct{}
	seen []leyline.Event
}

func newWatch() *watch { return &watch{wake: make(chan struct{})} }

// released is called by the plane's loop.
func (w *watch) released(r leyline.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, r.Events...)
	close(w.wake)
	w.wake = make(chan struct{})
}

// until waits for an event of a kind.
func (w *watch) until(ctx context.Context, k leyline.EventKind) error {
	for {
		w.mu.Lock()
		seen, wake := w.seen, w.wake
		w.mu.Unlock()
		for _, e := range seen {
			if e.EventKind() == k {
				return nil
			}
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return fmt.Errorf("no %s: %w", k, context.Cause(ctx))
		}
	}
}

// playLate trains a run while the only place of the worker is held by the fetch of a
// kernel from a pipe that nobody writes to: the questions wait in the queue until they
// are late.
func playLate(ctx context.Context, s Site, spec workload.Spec, r *Result) error {
	config := timeoutConfig(spec)
	config.Plane.Workers = 1
	p, err := s.Open("tamiyo-timeout", spec, config)
	if err != nil {
		return err
	}
	r.Data = append(r.Data, p.Path)
	source := p.Path + "-source"
	slow, err := makePipes(source, spec, 1)
	if err == nil {
		err = trainLate(ctx, p, spec, slow, r)
	}
	return errors.Join(err, p.Close(), os.RemoveAll(source))
}

func trainLate(ctx context.Context, p *Place, spec workload.Spec, slow *pipes, r *Result) error {
	pl, w, err := startWith(ctx, p, slow)
	if err != nil {
		return err
	}
	k, blocker := slow.kernels[0], seat{"blocker", "seed-0"}
	err = openBare(ctx, pl, blocker, k.record.Blueprint)
	var slowest time.Duration
	var done workload.Result
	var held error
	if err == nil {
		done, err = workload.Train(ctx, pl, workload.Options{
			Run: "run-1", Workload: spec, Seed: 1, Steps: timeoutSteps, Kernels: testdata.Kernels(), Snapshots: p.Full, Fast: p.Fast,
			Observe: func(now workload.Progress) {
				slowest = max(slowest, now.Waited)
				switch now.Step {
				case 1: // the first snapshot is verified: the place is not needed for that any more
					held = germinate(ctx, pl, &p.Options, 1, blocker, k)
				case timeoutFreed:
					held = errors.Join(held, k.serve().err, w.until(ctx, leyline.EventPrefetchSettled))
				}
			},
		})
	}
	if err = errors.Join(err, held, pl.Shutdown(context.WithoutCancel(ctx))); err != nil {
		return err
	}
	r.check("training went on to its end", done.Steps == timeoutSteps, "%d of %d steps", done.Steps, timeoutSteps)
	r.metric("longest wait of the trainer for an answer", slowest.Seconds()*1e3, leyline.UnitMs)
	return judgeLate(ctx, p, r)
}

// startWith starts a plane whose kernel store are the pipes beside the shipped kernels.
func startWith(ctx context.Context, p *Place, slow *pipes) (*plane.Plane, *watch, error) {
	w, o := newWatch(), p.Options
	o.Released = w.released
	o.Kernels = shelves{slow.store(), o.Kernels}
	boot := o.Bootstrap
	o.Bootstrap = func(s *projections.State) ([]leyline.Input, error) {
		in, err := boot(s)
		for _, k := range slow.kernels {
			in = append(in, k.record)
		}
		return in, err
	}
	pl, err := plane.Start(ctx, o)
	return pl, w, err
}

// openBare opens a run of which nothing is reported by itself.
func openBare(ctx context.Context, pl *plane.Plane, at seat, kind leyline.BlueprintID) error {
	_, err := pl.Open(ctx, barePlan(at, kind))
	return err
}

func barePlan(at seat, kind leyline.BlueprintID) leyline.RunOpened {
	return leyline.RunOpened{
		Run: at.run, Workload: "penguins", Framework: workload.Framework, Posture: leyline.Posture{Version: "1", Device: "cpu", Compile: leyline.SwitchOff},
		Tasks: []leyline.TaskID{"species"}, Layers: []string{"trunk"}, Parameters: 1, Seed: 1, Steps: timeoutSteps,
		Seeds: []leyline.SeedID{at.seed}, Blueprints: []leyline.BlueprintID{kind},
		Away: leyline.AwayStop, Principal: leyline.PrincipalProcess,
	}
}

// lateStory is what the log says of the questions of run-1, in order.
type lateStory struct {
	missed                 []leyline.PolicyMissed
	moved                  []leyline.BreakerMoved
	blocked, asked, probed int // windows without a question, questions, questions on trial
	openAsked              int // questions while the breaker stood OPEN
	proposedLate           int // commands in the windows of questions that were missed
	entered                []leyline.ConservativeEntered
	left                   []leyline.ConservativeLeft
	state                  leyline.BreakerState
	late                   map[leyline.Step]bool
	critical               int // misses that telemetry tells as CRITICAL
}

func (h *lateStory) add(e leyline.Event) {
	switch x := e.(type) {
	case leyline.PolicyMissed:
		h.missed, h.late[x.Step] = append(h.missed, x), true
	case leyline.BreakerMoved:
		if x.Breaker == leyline.BreakerInference {
			h.moved, h.state = append(h.moved, x), x.To
		}
	case leyline.PolicyAsked:
		h.ask()
	case leyline.ActionNone:
		if x.Reason == leyline.RiskPolicyBreaker {
			h.blocked++
		}
	case leyline.CommandProposed:
		if h.late[x.Step] {
			h.proposedLate++
		}
	case leyline.ConservativeEntered:
		h.entered = append(h.entered, x)
	case leyline.ConservativeLeft:
		h.left = append(h.left, x)
	}
}

// told counts a miss if the packets of its record tell of it as CRITICAL.
func (h *lateStory) told(rec leyline.Record, e leyline.Event) {
	if e.EventKind() != leyline.EventPolicyMissed {
		return
	}
	for _, p := range telemetry.Packets(rec) {
		for _, x := range p.Events {
			if x.Name == leyline.NamePolicyTimeout && x.Level == leyline.LevelCritical {
				h.critical++
			}
		}
	}
}

func (h *lateStory) ask() {
	h.asked++
	switch h.state {
	case leyline.BreakerOpen:
		h.openAsked++
	case leyline.BreakerHalfOpen:
		h.probed++
	}
}

// eachEvent walks the events of a log.
func eachEvent(src replay.Source, see func(leyline.Record, leyline.Event)) error {
	for e, err := range src.All(1) {
		if err != nil {
			return err
		}
		rec, err := wire.DecodeRecord(e.Seq, e.At, e.Payload)
		if err != nil {
			return err
		}
		for _, x := range rec.Events {
			see(rec, x)
		}
	}
	return nil
}

func judgeLate(ctx context.Context, p *Place, r *Result) error {
	h := lateStory{late: map[leyline.Step]bool{}}
	if err := eachEvent(p.Source, func(rec leyline.Record, e leyline.Event) {
		h.add(e)
		h.told(rec, e)
	}); err != nil {
		return err
	}
	c := leyline.DefaultConfig() // whose budget the scenario runs with
	budget, late, opened := c.Tamiyo.PolicyBudget.Duration(), 0, false
	for _, m := range h.missed {
		if m.Outcome == leyline.OutcomeDeadline && m.TookNs >= uint64(budget) {
			late++
		}
	}
	for _, m := range h.moved {
		opened = opened || m.To == leyline.BreakerOpen && m.From == leyline.BreakerClosed && m.Failures == 3
	}
	r.check("every question that waited was missed at its deadline, with the time that took", late >= 3 && late == len(h.missed), "%d of %d", late, len(h.missed))
	r.check("each was told as CRITICAL", h.critical == len(h.missed), "%d of %d", h.critical, len(h.missed))
	r.check("the run went conservative for it", len(h.entered) > 0 && h.entered[0].Reason == leyline.RiskPolicyTimeout && h.entered[0].By == leyline.PartyPlane, "%d times", len(h.entered))
	r.check("no command was proposed in a window whose question was missed", h.proposedLate == 0, "%d were", h.proposedLate)
	r.check("the third one opened the breaker", opened, "%d moves", len(h.moved))
	r.check("while it stood open no question was put", h.blocked > 0 && h.openAsked == 0, "%d windows were blocked, %d questions", h.blocked, h.openAsked)
	r.check("after its cool-down it probed, and closed on answers", h.probed >= 2 && h.state == leyline.BreakerClosed, "%d questions on trial, %s in the end", h.probed, h.state)
	r.check("conservative mode was left for what stabilised, after that", len(h.left) > 0 && h.left[len(h.left)-1].Reason == leyline.RiskStabilised, "%d times", len(h.left))
	r.metric("questions that were missed", float64(len(h.missed)), leyline.UnitCount)
	r.metric("windows that the breaker blocked", float64(h.blocked), leyline.UnitCount)
	return sameAgain(ctx, p, r)
}

// sameAgain decides the log again.
func sameAgain(ctx context.Context, p *Place, r *Result) error {
	again, err := replay.Run(ctx, p.Source, replay.Options{Mode: replay.Redecide})
	if err == nil {
		r.check("the log is decided again bit for bit", again.Identical, "%d records", again.Records)
	}
	return err
}
