package decider_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/detmath"
	"github.com/esper-plane/esper/subsystems/tolaria/aggregate"
)

// told is what a pipelined trainer is told by one answer.
type told struct {
	step      leyline.Step
	weights   []float64
	overtaken bool
	faces     []leyline.SeedView
	pending   []leyline.CommandID
	probes    []leyline.SeedID
}

// pipe is a trainer that reports up to lag+1 steps ahead of the answers that it has
// taken in. Whatever is no step it does once it has taken in all of them.
type pipe struct {
	*world
	lag    int
	dice   *detmath.PCG
	next   leyline.Step // to be reported
	flight []told       // answers that are on their way, in order
	view   told         // the newest answer taken in
	lost   bool         // an answer had no weights
	stats  map[string]int
}

func newPipe(t *testing.T, lag uint32, seed uint64) *pipe {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tolaria.RollbackLimit = 50 })
	w.piped(lag)
	p := &pipe{world: w, lag: int(lag), dice: detmath.NewPCG(seed, 77), next: 1, stats: map[string]int{}}
	p.view = p.answer(0, nil)
	p.must(p.snapshot("s-1-0"))
	return p
}

func (p *pipe) one(in int) bool { return p.dice.Uint64()%uint64(in) == 0 }

// answer is what the plane would say now.
func (p *pipe) answer(step leyline.Step, events []leyline.Event) told {
	a := told{step: step}
	if e, ok := first[leyline.GradientsCombined](events); ok {
		a.weights, a.probes = e.Weights, p.s.Kasmina.ProbesDue("run-1", step)
	}
	_, a.overtaken = first[leyline.StepOvertaken](events)
	for _, s := range p.s.Kasmina.Run("run-1").Seeds {
		a.faces = append(a.faces, leyline.SeedView{Seed: s.ID, Stage: s.Stage, Alpha: s.Alpha, Paused: s.Paused})
	}
	for _, c := range p.s.Kasmina.Pending {
		a.pending = append(a.pending, c.Command)
	}
	return a
}

// report sends the next step, run with the newest answer that was taken in.
func (p *pipe) report(ada person) {
	x := leyline.StepObserved{
		Run: "run-1", Incarnation: p.inc, Step: p.next, Losses: []float64{1, 0.5}, Gram: []float64{2, -1, -1, 1}, Seed: p.dice.Uint64(), Samples: 32, LearnRate: 0.1,
	}
	for _, v := range p.view.faces {
		if leyline.Grafted(v.Stage) && !v.Paused {
			x.Seeds = append(x.Seeds, leyline.SeedObserved{Seed: v.Seed, Alpha: v.Alpha, GradNorm: 0.5, HostNorm: 1, Cosine: 0.1, Stage: v.Stage})
		}
	}
	var err error
	g := aggregate.Gram{K: 2, V: x.Gram}
	if x.Applied, err = aggregate.PCGrad(nil, g, aggregate.Orders(2, detmath.NewPCG(detmath.Mix(x.Seed))), p.config.Tolaria.PCGradMean); err != nil {
		p.t.Fatal(err)
	}
	bad := p.one(60)
	if bad {
		p.drain() // it must not apply, and waits instead
		if p.lost {
			return
		}
		x.Losses, x.Applied = []float64{math.NaN(), 1}, nil
	}
	events := p.must(x)
	if e, ok := first[leyline.WeightsMismatched](events); ok {
		p.t.Fatalf("step %d: %+v", x.Step, e)
	}
	if _, ok := first[leyline.StepOvertaken](events); ok {
		p.stats["overtaken"]++
	}
	p.next++
	p.meddle(ada)
	p.flight = append(p.flight, p.answer(x.Step, events))
	p.stats["steps"]++
}

// meddle does what others do to the run after a report: the worker and an operator.
func (p *pipe) meddle(ada person) {
	if k := p.seed().Kernel; !k.Request.IsZero() && p.one(2) {
		p.must(leyline.KernelReady{Request: k.Request, Run: "run-1", Seed: "seed-a", Digest: k.Digest, Guard: k.Guard, Origin: leyline.KernelFromStore, Bytes: 6, TookNs: 1e6})
	}
	c := leyline.Command{Kind: leyline.CommandPause, Pause: leyline.PauseCommand{Action: leyline.PauseStart, Scope: leyline.PauseSeed, Seed: "seed-a", Reason: "test"}}
	switch p.dice.Uint64() % 80 {
	case 0, 1:
	case 2, 3, 4:
		c.Pause.Action = leyline.PauseEnd
	case 5:
		c = leyline.Command{Kind: leyline.CommandSeed, Seed: leyline.SeedCommand{Operation: leyline.OpCull, Seed: "seed-a", Reason: "test"}}
	case 6:
		c = leyline.Command{Kind: leyline.CommandRollback, Rollback: leyline.RollbackCommand{Step: p.run().Track.Step, Reason: "test"}}
	default:
		return
	}
	if why, _ := ada.orders(c); why == leyline.RejectNone {
		p.stats[c.Kind.String()]++
	}
}

// take takes in the oldest answer that is on its way.
func (p *pipe) take() {
	p.view, p.flight = p.flight[0], p.flight[1:]
	if len(p.view.weights) == 0 {
		p.lost = true
	}
}

func (p *pipe) drain() {
	for len(p.flight) > 0 {
		p.take()
	}
}

// settle does what the newest answer asks for.
func (p *pipe) settle() {
	if !p.lost && len(p.view.pending) == 0 && len(p.view.probes) == 0 && p.view.step%5 != 0 {
		return
	}
	p.drain()
	if p.run().Rollback.Active() {
		p.restore()
		return
	}
	for _, c := range p.view.pending {
		if p.s.Kasmina.PendingCommand(c) != nil {
			p.must(leyline.CommandAcked{Run: "run-1", Incarnation: p.inc, Command: c, Outcome: leyline.OutcomeOK})
			p.stats["acks"]++
		}
	}
	p.view = p.answer(p.view.step, nil)
	p.measure(0.02)
	id := fmt.Sprintf("s-%d-%d", p.inc, p.run().Track.Step)
	if p.run().Snapshot(leyline.SnapshotID(id)) == nil && p.run().Track.Step > 0 {
		p.must(p.snapshot(id))
	}
	p.view = p.answer(p.view.step, nil)
}

func (p *pipe) restore() {
	p.stats["rollbacks"]++
	from := p.run().Rollback.Snapshot
	p.must(p.rollback(leyline.PhasePrepare, digest(string(from))))
	p.inc = one[leyline.RollbackFinished](p.world, p.must(p.rollback(leyline.PhaseCommit, digest(string(from))))).Incarnation
	p.next, p.lost = p.run().Track.Step+1, false
	p.view = p.answer(p.run().Track.Step, nil)
	p.settle()
}

// TestAPipelinedTrainerIsNeverRefused lets trainers of several lags grow seeds, meet
// faults and operators, in any order of reports and answers that the lag allows. No
// report is ever refused, and the weights that they apply are those of the plane.
func TestAPipelinedTrainerIsNeverRefused(t *testing.T) {
	stats := map[string]int{}
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	for _, lag := range []uint32{1, 4, leyline.MaxLag} {
		for round := range rounds {
			p := newPipe(t, lag, uint64(round)<<8|uint64(lag))
			ada := p.enrol("ada")
			for range 700 {
				if p.run().Status != leyline.RunStatusOpen {
					break // faults before anything was proven good
				}
				if len(p.flight) <= p.lag && (len(p.flight) == 0 || !p.one(3)) {
					p.report(ada)
					continue
				}
				p.take()
				p.settle()
			}
			folded := &projections.State{}
			for _, r := range p.log {
				folded.ApplyRecord(r)
			}
			if folded.Digest() != p.s.Digest() {
				t.Fatalf("lag %d, round %d: the records fold to another state than was decided on", lag, round)
			}
			for k, n := range p.stats {
				stats[k] += n
			}
		}
	}
	for _, k := range []string{"steps", "overtaken", "rollbacks", "acks", "PAUSE", "SEED", "ROLLBACK"} {
		if stats[k] == 0 {
			t.Errorf("there were no %s, the test shows nothing: %v", k, stats)
		}
	}
	t.Log(stats)
}

// TestALagChangesNoDecision feeds the same inputs to a synchronous run and to one with a
// lag whose trainer waits all the same. What is decided is equal, but for the plan.
func TestALagChangesNoDecision(t *testing.T) {
	var runs [2][]leyline.Record
	for i, lag := range []uint32{0, 8} {
		w := newWorld(t)
		w.piped(lag)
		w.steps(22)
		w.fault()
		to := w.run().Rollback.Snapshot
		w.must(w.rollback(leyline.PhasePrepare, digest(string(to))))
		w.inc = one[leyline.RollbackFinished](w, w.must(w.rollback(leyline.PhaseCommit, digest(string(to))))).Incarnation
		w.steps(25)
		for j := range w.log {
			for k, e := range w.log[j].Events {
				if x, ok := e.(leyline.RunStarted); ok {
					x.Plan.Lag = 0
					w.log[j].Events[k] = x
				}
			}
		}
		if w.seed().Stage != leyline.StageFossilized {
			t.Fatalf("the seed is %s", w.seed().Stage)
		}
		runs[i] = w.log
	}
	for i := range runs[0] {
		a, aerr := wire.AppendEvents(nil, runs[0][i].Events)
		b, berr := wire.AppendEvents(nil, runs[1][i].Events)
		if err := errors.Join(aerr, berr); err != nil || !bytes.Equal(a, b) {
			t.Fatalf("record %d (%s, %v): without a lag\n%+v\nwith one\n%+v", i+1, runs[0][i].Input.InputKind(), err, runs[0][i].Events, runs[1][i].Events)
		}
	}
}
