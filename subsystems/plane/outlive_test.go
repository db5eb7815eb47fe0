package plane_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/eventlog/memlog"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/replay/workload"
	"github.com/esper-plane/esper/subsystems/plane"
	"github.com/esper-plane/esper/subsystems/snapstore"
)

// life is one process of a plane.
type life struct {
	plane *plane.Plane
	ctx   context.Context // over once the process is killed
}

// lasting is the plane as a trainer in another process sees it: one that dies and comes
// back. Whatever was not answered is sent again to the next process, as it was.
type lasting struct {
	now  life
	next chan life
	sent int // reports that were sent again

	issuer   []byte // public key of the policy's commands
	verified int    // commands
}

func ask[A, I any](l *lasting, in I, send func(context.Context, *plane.Plane, I) (A, error)) (A, error) {
	for {
		a, err := send(l.now.ctx, l.now.plane, in)
		if err == nil || l.now.ctx.Err() == nil {
			return a, err
		}
		l.now = <-l.next
		l.sent++
	}
}

func (l *lasting) Open(_ context.Context, in leyline.RunOpened) (leyline.OpenAnswer, error) {
	in.Principal, in.Away = "uid:1000", leyline.AwayWait
	return ask(l, in, func(ctx context.Context, p *plane.Plane, in leyline.RunOpened) (leyline.OpenAnswer, error) {
		return p.Open(ctx, in)
	})
}

func (l *lasting) report(in leyline.Input, after leyline.Seq) (leyline.Answer, error) {
	a, err := ask(l, in, func(ctx context.Context, p *plane.Plane, in leyline.Input) (leyline.Answer, error) {
		return p.Submit(ctx, in, after)()
	})
	for _, d := range a.Directives {
		if err == nil && d.Command != nil {
			err = l.verify(d.Command)
		}
	}
	return a, err
}

// verify holds a command against what its issuer has signed.
func (l *lasting) verify(v *leyline.VerifiedCommand) error {
	if err := sign.Verify(l.issuer, v.Envelope); err != nil {
		return fmt.Errorf("command %s: %w", v.ID, err)
	}
	c, err := wire.DecodeCommand(v.Envelope.Payload)
	if err == nil && (c.ID != v.ID || c.Kind != v.Kind || c.Seed.Operation != v.Seed.Operation || c.Seed.Seed != v.Seed.Seed) {
		err = fmt.Errorf("command %s is not what was signed, %+v", v.ID, c)
	}
	l.verified++
	return err
}

func (l *lasting) Step(_ context.Context, in leyline.StepObserved, after leyline.Seq) (leyline.Answer, error) {
	return l.report(in, after)
}
func (l *lasting) Epoch(_ context.Context, in leyline.EpochObserved, after leyline.Seq) (leyline.Answer, error) {
	return l.report(in, after)
}
func (l *lasting) Snapshot(_ context.Context, in leyline.SnapshotTaken, after leyline.Seq) (leyline.Answer, error) {
	return l.report(in, after)
}
func (l *lasting) Probe(_ context.Context, in leyline.SeedProbed, after leyline.Seq) (leyline.Answer, error) {
	return l.report(in, after)
}
func (l *lasting) Ack(_ context.Context, in leyline.CommandAcked, after leyline.Seq) (leyline.Answer, error) {
	return l.report(in, after)
}
func (l *lasting) Profiled(_ context.Context, in leyline.ProfileReported, after leyline.Seq) (leyline.Answer, error) {
	return l.report(in, after)
}
func (l *lasting) Rollback(_ context.Context, in leyline.RollbackReported, after leyline.Seq) (leyline.Answer, error) {
	return l.report(in, after)
}
func (l *lasting) Close(_ context.Context, in leyline.RunClosed) (leyline.Answer, error) {
	return l.report(in, 0)
}
func (l *lasting) Directives(_ context.Context, run leyline.RunID, after leyline.Seq) (leyline.Answer, error) {
	return ask(l, run, func(ctx context.Context, p *plane.Plane, run leyline.RunID) (leyline.Answer, error) {
		return p.Directives(ctx, run, after)
	})
}

// outlive trains a run whose plane is killed once record last is durable, before
// anything of it is answered, and is then started again; the trainer lives on. last 0
// kills nothing.
func (b *bench) outlive(log *memlog.Log, last uint64, steps leyline.Step) (leyline.Digest, *memlog.Log, *lasting) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	d := &deadline{Log: log, last: last, kill: cancel, dead: make(chan struct{})}
	var on store = log
	if last > 0 {
		on = d
	}
	p, err := b.start(ctx, on)
	if err != nil {
		b.t.Fatalf("start: %v", err)
	}
	l := &lasting{now: life{p, ctx}, next: make(chan life, 1), issuer: b.tamiyo.Public()}
	trained, done := make(chan workload.Result, 1), make(chan error, 1)
	go func() {
		spec, err := workload.Lookup("penguins")
		if err != nil {
			done <- err
			return
		}
		r, err := workload.Train(context.Background(), l, workload.Options{
			Run: "run-1", Workload: spec, Seed: 7, Steps: steps, Faults: []workload.Fault{nan(20)},
			Snapshots: snapstore.NewDir(b.snapshots, true), Fast: snapstore.NewDir(b.fast, false), Kernels: b.kernels,
		})
		trained <- r
		done <- err
	}()
	if last > 0 {
		<-ctx.Done()
		close(d.dead)
		<-p.Done()
		log = log.CrashAt(last)
		if p, err = b.start(context.Background(), log); err != nil {
			b.t.Fatalf("start again: %v", err)
		}
		l.next <- life{p, context.Background()}
	}
	if err := <-done; err != nil {
		b.t.Fatalf("killed after record %d: %v", last, err)
	}
	cancel()
	if err := p.Shutdown(context.Background()); err != nil {
		b.t.Fatal(err)
	}
	return (<-trained).Digest, log, l
}

// TestATrainerOutlivesThePlane kills the plane after every single record of a run that
// grows a seed and rolls back a fault, and starts it again. The trainer, which is another
// process, sends again what was not answered. The run goes on in the incarnation that it
// was in, every step, epoch and snapshot is in the log exactly once, and nothing is
// refused. It ends with the weights of a run whose plane was never killed, unless what
// the plane lost is a proposal that it had not signed yet: that is made anew in a later
// window.
func TestATrainerOutlivesThePlane(t *testing.T) {
	const steps = 42
	whole := newBench(t)
	want, log, alone := whole.outlive(whole.newLog(), 0, steps)
	if alone.verified < 5 {
		t.Errorf("%d commands were verified", alone.verified)
	}
	checkStory(t, mustRedecide(t, log), leyline.StageFossilized)
	first, last := uint64(0), log.Next()-1
	for _, r := range records(t, log) {
		if r.Input.InputKind() == leyline.InputRunOpened {
			first = uint64(r.Seq) + 1
		}
	}
	reports := told(t, log)
	stride := uint64(1)
	if testing.Short() {
		stride = 17
	}
	again := 0
	for n := first; n < last; n += stride {
		b := newBench(t)
		got, survivor, l := b.outlive(b.newLog(), n, steps)
		again += l.sent
		if proposed := unsigned(records(t, survivor), n); got != want && !proposed {
			t.Errorf("killed after record %d: ended with weights %s, want %s", n, got.Short(), want.Short())
		}
		end := mustRedecide(t, survivor)
		if r := end.Tolaria.Run("run-1"); r.Incarnation != 2 || r.Status != leyline.RunStatusEnded {
			t.Errorf("killed after record %d: the run is %s in incarnation %d, want it ended in the 2nd", n, r.Status, r.Incarnation)
		}
		if diff := cmp.Diff(reports, told(t, survivor)); diff != "" {
			t.Errorf("killed after record %d, the reports in the log (-want +got):\n%s", n, diff)
		}
		if t.Failed() {
			for _, r := range records(t, survivor) {
				if uint64(r.Seq)+3 > n && uint64(r.Seq) < n+12 {
					t.Logf("record %d: %+v: %+v", r.Seq, r.Input, r.Events)
				}
			}
			return
		}
	}
	if again == 0 {
		t.Error("nothing was sent again, the test shows nothing")
	}
	t.Logf("killed after each of records %d to %d; %d requests were sent again", first, last, again)
}

// unsigned reports whether the newest record up to n has proposed what no later one
// carries.
func unsigned(rs []leyline.Record, n uint64) bool {
	for _, r := range rs {
		if uint64(r.Seq) != n {
			continue
		}
		for _, e := range r.Events {
			if _, ok := e.(leyline.CommandProposed); ok {
				return true
			}
		}
	}
	return false
}

// told counts the admitted reports of a log; the places of records differ from run to run.
func told(t *testing.T, log store) map[projections.Told]int {
	t.Helper()
	out := map[projections.Told]int{}
	for _, r := range records(t, log) {
		if x, ok := projections.ToldOf(r.Input); ok {
			switch x.Kind {
			case leyline.InputStepObserved, leyline.InputEpochObserved, leyline.InputSnapshotTaken, leyline.InputRunClosed:
				out[x]++ // others depend on the commands, and name records
			}
		}
		for _, e := range r.Events {
			if x, ok := e.(leyline.DependencyViolated); ok {
				t.Errorf("record %d was refused: %v", r.Seq, &x.Refusal)
			}
		}
	}
	return out
}
