package workload

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// Faults beside those of Corrupt, which damage the network.
const (
	// FaultStall: the trainer says nothing for Levers.Stall.
	FaultStall = "stall"
	// FaultPolicy: the policy does not answer in time; see LatePolicy.
	FaultPolicy = "policy-timeout"
	// FaultKernel: from this step on the kernel store is empty.
	FaultKernel = "kernel-missing"
	// FaultReplay: the envelope of an accepted command is sent again.
	FaultReplay = "replayed-command"
	// FaultSlowStep: this step takes Levers.Slow longer.
	FaultSlowStep = "slow-step"
	// FaultSlowHook: the plane's log hangs for Levers.Slow before the record of this
	// step is on the disk, and the answer waits for that.
	FaultSlowHook = "slow-hook"
	// FaultSlowApply: the next command or order is carried out Levers.Slow more slowly.
	FaultSlowApply = "slow-apply"
	// FaultSlowFinalize: the next time that alphas advance takes Levers.Slow longer.
	FaultSlowFinalize = "slow-finalize"
	// FaultLoad: all processors are kept busy for 5 times Levers.Slow.
	FaultLoad = "cpu-load"
	// FaultRate: the learning rate is 0 until an order sets it or a state is loaded.
	FaultRate = "rate-zero"
	// FaultNoisy: for 20 steps every fourth batch has the labels of other rows.
	FaultNoisy = "noisy-gradients"
	// FaultJump: for 20 steps one row in eight has the label of another row.
	FaultJump = "loss-jump"
	// FaultConflict: for 20 steps every task but the first has the labels that pull
	// the trunk hardest against what the tasks before it ask of it.
	FaultConflict = "task-conflict"
)

// drill is a fault, what it does in a few words, and the lever that it needs.
type drill struct {
	name, does string
	ready      func(Levers) bool // nil: it needs none
}

var drills = [...]drill{
	{FaultSpike, "damages weights so that the losses jump and stay finite", nil},
	{FaultCollapse, "the network forgets everything and guesses", nil},
	{FaultNaN, "writes NaN into a weight", nil},
	{FaultStall, "the trainer says nothing for a while", func(l Levers) bool { return l.Stall > 0 }},
	{FaultPolicy, "the policy answers too late", func(l Levers) bool { return l.LatePolicy }},
	{FaultKernel, "the kernel store is empty from then on", func(l Levers) bool { return l.RemoveKernels != nil }},
	{FaultReplay, "an accepted command is sent again", func(l Levers) bool { return l.ReplayCommand != nil }},
	{FaultLeak, "the gradient of every grafted seed gets into its host", nil},
	{FaultSeed, "every grafted seed puts NaN out", nil},
	{FaultSlowStep, "the step takes 0.2 s longer", slowed},
	{FaultSlowHook, "the log hangs for 0.2 s, and the answer to the step with it", func(l Levers) bool { return slowed(l) && l.HoldAnswers != nil }},
	{FaultSlowApply, "the next command or order takes 0.2 s longer to carry out", slowed},
	{FaultSlowFinalize, "the next advance of a seed's alpha takes 0.2 s longer", slowed},
	{FaultLoad, "keeps all processors busy for 1 s", slowed},
	{FaultRate, "the learning rate is 0 until somebody sets it", nil},
	{FaultNoisy, "for 20 steps every fourth batch has labels of other rows", nil},
	{FaultJump, "for 20 steps one row in eight has the label of another", nil},
	{FaultConflict, "for 20 steps the tasks have labels that contradict each other", nil},
}

func slowed(l Levers) bool { return l.Slow > 0 }

// FaultNames lists the faults that a run can be given.
func FaultNames() []string {
	var names []string
	for i := range drills {
		names = append(names, drills[i].name)
	}
	return names
}

// DescribeFault says in a few words what a fault of FaultNames does; the lengths of
// time are those of `+"`esper run`"+`.
func DescribeFault(name string) string { return lookup(name).does }

// lookup returns the drill of a name, nil when there is none.
func lookup(name string) *drill {
	for i := range drills {
		if drills[i].name == name {
			return &drills[i]
		}
	}
	return nil
}

func (t *trainer) strike(ctx context.Context, f Fault) error {
	switch f.Name {
	case FaultStall:
		select {
		case <-time.After(t.opts.Levers.Stall):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	case FaultKernel:
		return t.opts.Levers.RemoveKernels()
	case FaultReplay:
		return t.opts.Levers.ReplayCommand(ctx)
	case FaultPolicy, FaultNoisy, FaultJump, FaultConflict:
		return nil // the policy is late by itself; for the labels see mislabelled
	case FaultSlowStep:
		time.Sleep(t.opts.Levers.Slow)
		return nil
	case FaultSlowHook:
		return t.opts.Levers.HoldAnswers(t.opts.Levers.Slow)
	case FaultSlowApply:
		t.drags.apply.arm(t.opts.Levers.Slow)
		return nil
	case FaultSlowFinalize:
		t.drags.finalize.arm(t.opts.Levers.Slow)
		return nil
	case FaultLoad:
		t.load.begin(5 * t.opts.Levers.Slow)
		return nil
	case FaultLeak, FaultSeed:
		if len(t.net.seeds) == 0 {
			return ErrNothingYet
		}
	}
	return t.net.Corrupt(f.Name)
}

// drags slow down what comes next of a kind.
type drags struct{ apply, finalize drag }

// drag is a delay that is waiting for something to delay.
type drag time.Duration

func (d *drag) arm(by time.Duration) { *d = drag(by) }

// pull delays its caller, once.
func (d *drag) pull() {
	time.Sleep(time.Duration(*d))
	*d = 0
}

// load keeps processors busy.
type load struct {
	stop chan struct{}
	busy sync.WaitGroup
}

func newLoad() *load { return &load{stop: make(chan struct{})} }

// begin keeps as many goroutines busy as may run at once, for so long or until end.
func (l *load) begin(d time.Duration) {
	over := time.Now().Add(d)
	for range runtime.GOMAXPROCS(0) {
		l.busy.Go(func() {
			for time.Now().Before(over) {
				select {
				case <-l.stop:
					return
				default:
				}
			}
		})
	}
}

// end stops them and waits. Called once.
func (l *load) end() {
	close(l.stop)
	l.busy.Wait()
}

// unstruck notes the drills that were still waiting for something to slow down when
// training ended.
func (t *trainer) unstruck() {
	for _, f := range t.opts.Faults {
		if f.Name == FaultSlowApply && t.drags.apply > 0 || f.Name == FaultSlowFinalize && t.drags.finalize > 0 {
			t.result.Missed = append(t.result.Missed, f)
		}
	}
}
