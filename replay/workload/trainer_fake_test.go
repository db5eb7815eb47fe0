package workload

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/snapstore"
	"github.com/esper-plane/esper/testdata"
)

// slotName is the slot of the penguins workload.
const slotName = "seed-a"

// penguins is the workload of the trainer's tests.
func penguins(t testing.TB) Spec {
	s, err := Lookup("penguins")
	ok(t, err)
	return s
}

// fakePlane is a plane with a memory and no rules: it holds a trainer to the
// protocol (valid inputs, incarnation, order of steps, every command answered
// once) and does beyond that what a test scripts.
type fakePlane struct {
	t     testing.TB
	dir   string
	every leyline.Step // snapshots are due at multiples
	// script is called with every input that was accepted, before the answer.
	script func(in leyline.Input)
	// refuse is asked before an input is accepted; nil: nothing is refused.
	refuse func(in leyline.Input) error

	inputs []leyline.Input // accepted, in order
	orders []leyline.Directive
	seq    leyline.Seq
	plan   leyline.RunOpened
	now    life
	saved  []save
	bad    []leyline.Step // steps rolled back
	open   leyline.RollbackID
	asked  map[leyline.CommandID]bool

	room      *uint64          // of the fast tier; nil: there is none
	probes    []leyline.SeedID // named by every answer to a step
	mute      bool             // answers carry no weights
	windows   leyline.Step     // profile windows of 3 steps begin at every so many; 0: none
	forgetful bool             // every answer carries every directive of this life again
}

// life is what a rollback and a resume rewind, or count.
type life struct {
	incarnation leyline.Incarnation
	lineage     leyline.Lineage
	step        leyline.Step
	seed        leyline.SeedView
}

// save is a snapshot and the life at that point.
type save struct {
	leyline.SnapshotTaken
	life
}

func newFake(t testing.TB) *fakePlane {
	return &fakePlane{
		t: t, dir: filepath.Join(t.TempDir(), "snapshots", "run-1"), every: 5,
		now: life{seed: leyline.SeedView{Seed: slotName, Stage: leyline.StageDormant}}, asked: map[leyline.CommandID]bool{},
	}
}

func (p *fakePlane) options(steps leyline.Step, faults ...Fault) Options {
	return Options{
		Run: "run-1", Workload: penguins(p.t), Seed: 7, Steps: steps, Faults: faults, Snapshots: snapstore.NewDir(filepath.Dir(p.dir), true), Kernels: testdata.Kernels(),
		Resume: p.plan.Run != "",
	}
}

// accept is the door: it fails the test at an input that no plane would take.
func (p *fakePlane) accept(ctx context.Context, in leyline.Input, inc leyline.Incarnation) error {
	p.t.Helper()
	if err := ctx.Err(); err != nil {
		return err
	}
	if p.refuse != nil {
		if err := p.refuse(in); err != nil {
			return err
		}
	}
	if err := in.Validate(); err != nil {
		p.t.Errorf("%s: %v", in.InputKind(), err)
	}
	if inc != p.now.incarnation {
		p.t.Errorf("%s of incarnation %d in incarnation %d", in.InputKind(), inc, p.now.incarnation)
	}
	if p.open != "" && in.InputKind() != leyline.InputRollbackReported {
		p.t.Errorf("%s while %s is under way", in.InputKind(), p.open)
	}
	p.seq++
	p.inputs = append(p.inputs, in)
	return nil
}

// answer runs the script and hands out everything after the cursor.
func (p *fakePlane) answer(in leyline.Input, after leyline.Seq) leyline.Answer {
	a := leyline.Answer{Seq: p.seq, Run: p.plan.Run}
	if p.script != nil {
		p.script(in)
	}
	a.Incarnation, a.Lineage, a.Step = p.now.incarnation, p.now.lineage, p.now.step
	a.Seeds, a.Cursor = []leyline.SeedView{p.now.seed}, p.seq
	if p.windows > 0 && p.now.step%p.windows < 3 {
		a.Profile = p.now.step - p.now.step%p.windows + 1
	}
	if p.room != nil {
		a.FastRoom = *p.room
	}
	for _, d := range p.orders {
		if p.forgetful || d.ID.Seq > after {
			a.Directives = append(a.Directives, d)
		}
	}
	return a
}

// order makes a directive that the answer at hand will carry.
func (p *fakePlane) order(d leyline.Directive) {
	p.seq++
	d.ID = leyline.EffectID{Seq: p.seq}
	p.orders = append(p.orders, d)
}

// command orders an operation on the seed with the shipped kernel.
func (p *fakePlane) command(op leyline.SeedOperation) *leyline.VerifiedCommand {
	kernel := kernelOf(p.t, "residual-mlp-16")
	c := &leyline.VerifiedCommand{
		ID: leyline.CommandID(fmt.Sprintf("cmd-%d", p.seq+1)), Seed: leyline.SeedCommand{Operation: op, Seed: slotName},
		Blueprint: "residual-mlp-16", Kernel: "residual-mlp-16.safetensors", KernelDigest: sha256.Sum256(kernel),
	}
	if op == leyline.OpStartGrafting {
		c.Seed.Blend = leyline.BlendPlan{Mode: leyline.BlendResidual, TotalSteps: 1, Temperature: 1}
	}
	p.asked[c.ID] = true
	p.order(leyline.Directive{Kind: leyline.EffectCommand, Command: c})
	return c
}

func (p *fakePlane) halt(why leyline.FaultReason) {
	p.order(leyline.Directive{Kind: leyline.EffectHalt, Halt: &leyline.HaltOrder{Reason: why, Detail: "scripted"}})
}

// rollback orders the newest snapshot from before a step.
func (p *fakePlane) rollback(fault leyline.Step) {
	s := p.newest(fault)
	p.bad = append(p.bad, fault)
	p.open = leyline.RollbackID(fmt.Sprintf("rb-%d", p.seq))
	p.order(leyline.Directive{Kind: leyline.EffectRestore, Restore: &leyline.RestoreOrder{
		Rollback: p.open, From: s.ref(), Cause: leyline.FaultNonFinite, Fault: fault, Reached: fault,
	}})
}

func (p *fakePlane) newest(before leyline.Step) save {
	for i := len(p.saved) - 1; i >= 0; i-- {
		if p.saved[i].step < before {
			return p.saved[i]
		}
	}
	p.t.Fatalf("no snapshot before step %d", before)
	return save{}
}

func (s save) ref() leyline.SnapshotRef {
	return leyline.SnapshotRef{Snapshot: s.Snapshot, Step: s.step, Tier: s.Tier, File: s.File, Bytes: s.Bytes, Digest: s.Digest}
}

// rewind opens the next incarnation at a snapshot.
func (p *fakePlane) rewind(s save, lineage leyline.Lineage) {
	p.now = life{p.now.incarnation + 1, lineage, s.step, s.seed}
	p.open, p.asked = "", map[leyline.CommandID]bool{}
	for len(p.saved) > 0 && p.saved[len(p.saved)-1].step > s.step {
		p.saved = p.saved[:len(p.saved)-1]
	}
}

func (p *fakePlane) Open(ctx context.Context, in leyline.RunOpened) (leyline.OpenAnswer, error) {
	if err := p.accept(ctx, in, p.now.incarnation); err != nil {
		return leyline.OpenAnswer{}, err
	}
	a := leyline.OpenAnswer{Resumed: in.Resume, Faulted: p.bad}
	if in.Resume {
		plan := p.plan
		plan.Resume = true
		if fmt.Sprintf("%+v", plan) != fmt.Sprintf("%+v", in) {
			p.t.Errorf("resumed with plan\n%+v, opened with\n%+v", in, plan)
		}
		s := p.newest(math.MaxUint64)
		p.rewind(s, p.now.lineage)
		a.From = s.ref()
	} else {
		p.plan, p.now.incarnation = in, 1
	}
	a.Answer = p.answer(in, 0)
	a.Snapshot = !in.Resume
	return a, nil
}

// weightsOf is the fake's way of combining: a function of the seed that the
// trainer reported, so that a wrong one shows in the weights of the net.
func weightsOf(seed uint64) []float64 {
	return []float64{1, 0.5 + float64(seed&0xff)/512, 0.5 + float64(seed>>8&0xff)/512}
}

func (p *fakePlane) Step(ctx context.Context, in leyline.StepObserved, after leyline.Seq) (leyline.Answer, error) {
	if err := p.accept(ctx, in, in.Incarnation); err != nil {
		return leyline.Answer{}, err
	}
	if in.Step != p.now.step+1 {
		p.t.Errorf("step %d after step %d", in.Step, p.now.step)
	}
	if here := leyline.Grafted(p.now.seed.Stage) && !p.now.seed.Paused; here != (len(in.Seeds) == 1) {
		p.t.Errorf("step %d: %d seeds reported, the seed is %s", in.Step, len(in.Seeds), p.now.seed.Stage)
	} else if here && in.Seeds[0].Stage != p.now.seed.Stage {
		p.t.Errorf("step %d: the seed is reported as %s, it is %s", in.Step, in.Seeds[0].Stage, p.now.seed.Stage)
	}
	sick := math.IsNaN(in.Losses[0])
	if sick {
		p.rollback(in.Step)
	} else {
		p.now.step = in.Step
	}
	a := p.answer(in, after)
	if !sick && !p.mute {
		a.Weights, a.Snapshot, a.Probes = weightsOf(in.Seed), in.Step%p.every == 0, p.probes
	}
	return a, nil
}

func (p *fakePlane) Snapshot(ctx context.Context, in leyline.SnapshotTaken, after leyline.Seq) (leyline.Answer, error) {
	b, err := os.ReadFile(filepath.Join(p.dir, in.File))
	ok(p.t, err)
	in.Measured = sha256.Sum256(b)
	if err := p.accept(ctx, in, in.Incarnation); err != nil {
		return leyline.Answer{}, err
	}
	if in.Measured != in.Digest || in.Bytes != uint64(len(b)) || in.Step != p.now.step {
		p.t.Errorf("snapshot %+v; the file has %d bytes and digest %s", in, len(b), in.Measured.Short())
	}
	p.saved = append(p.saved, save{in, p.now})
	return p.answer(in, after), nil
}

func (p *fakePlane) Epoch(ctx context.Context, in leyline.EpochObserved, after leyline.Seq) (leyline.Answer, error) {
	if err := p.accept(ctx, in, in.Incarnation); err != nil {
		return leyline.Answer{}, err
	}
	return p.answer(in, after), nil
}

func (p *fakePlane) Probe(ctx context.Context, in leyline.SeedProbed, after leyline.Seq) (leyline.Answer, error) {
	if err := p.accept(ctx, in, in.Incarnation); err != nil {
		return leyline.Answer{}, err
	}
	if in.Step != p.now.step || in.Alpha != p.now.seed.Alpha {
		p.t.Errorf("probe of step %d at alpha %v; the seed is at step %d with %v", in.Step, in.Alpha, p.now.step, p.now.seed.Alpha)
	}
	return p.answer(in, after), nil
}

func (p *fakePlane) Ack(ctx context.Context, in leyline.CommandAcked, after leyline.Seq) (leyline.Answer, error) {
	if err := p.accept(ctx, in, in.Incarnation); err != nil {
		return leyline.Answer{}, err
	}
	if !p.asked[in.Command] {
		p.t.Errorf("command %s was not waiting for an answer", in.Command)
	}
	delete(p.asked, in.Command)
	return p.answer(in, after), nil
}

func (p *fakePlane) Profiled(ctx context.Context, in leyline.ProfileReported, after leyline.Seq) (leyline.Answer, error) {
	if err := p.accept(ctx, in, in.Incarnation); err != nil {
		return leyline.Answer{}, err
	}
	return p.answer(in, after), nil
}

func (p *fakePlane) Rollback(ctx context.Context, in leyline.RollbackReported, after leyline.Seq) (leyline.Answer, error) {
	if err := p.accept(ctx, in, in.Incarnation); err != nil {
		return leyline.Answer{}, err
	}
	if in.Rollback != p.open {
		p.t.Errorf("report of rollback %s, under way is %q", in.Rollback, p.open)
	}
	if s := p.newest(p.bad[len(p.bad)-1]); in.Outcome == leyline.OutcomeOK && in.Digest == s.Digest {
		p.rewind(s, p.now.lineage+1)
	}
	return p.answer(in, after), nil
}

func (p *fakePlane) Directives(ctx context.Context, _ leyline.RunID, after leyline.Seq) (leyline.Answer, error) {
	a := p.answer(nil, after)
	if a.Seq = 0; len(a.Directives) > 0 {
		return a, nil
	}
	<-ctx.Done()
	return leyline.Answer{}, ctx.Err()
}

func (p *fakePlane) Close(ctx context.Context, in leyline.RunClosed) (leyline.Answer, error) {
	if err := p.accept(ctx, in, in.Incarnation); err != nil {
		return leyline.Answer{}, err
	}
	if len(p.asked) != 0 {
		p.t.Errorf("closed with commands that were never answered: %v", p.asked)
	}
	return p.answer(in, 0), nil
}

// seen returns the accepted inputs of one type.
func seen[T leyline.Input](p *fakePlane) []T {
	var out []T
	for _, in := range p.inputs {
		if x, ok := in.(T); ok {
			out = append(out, x)
		}
	}
	return out
}
