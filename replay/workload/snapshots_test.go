package workload

import (
	"context"
	"crypto/sha256"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/snapstore"
	"github.com/esper-plane/esper/testdata"
)

// Every snapshot is a file under its own name whose bytes are the net's state
// at that step; nothing half-written stays behind.
func TestSnapshotFiles(t *testing.T) {
	p := newFake(t)
	train(t, p, p.options(12, Fault{FaultNaN, 9}))
	want := map[string]leyline.Step{
		"snap-1-0.safetensors": 0, "snap-1-5.safetensors": 5, "snap-2-10.safetensors": 10,
	}
	got := map[string]leyline.Step{}
	for _, s := range seen[leyline.SnapshotTaken](p) {
		got[s.File] = s.Step
		if id := strings.TrimSuffix("run-1-"+strings.TrimPrefix(s.File, "snap-"), ".safetensors"); string(s.Snapshot) != id {
			t.Errorf("%s is snapshot %s, want %s", s.File, s.Snapshot, id)
		}
		if s.Tier != leyline.TierFull || s.WriteNs == 0 {
			t.Errorf("%+v", s)
		}
		b, err := os.ReadFile(filepath.Join(p.dir, s.File))
		ok(t, err)
		if sha256.Sum256(b) != s.Digest {
			t.Errorf("%s does not hash to the digest that was reported", s.File)
		}
		if step, err := SavedStep(b); err != nil || leyline.Step(step) != s.Step {
			t.Errorf("%s holds step %d, %v", s.File, step, err)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("snapshots (-want +got):\n%s", diff)
	}
	entries, err := os.ReadDir(p.dir)
	ok(t, err)
	if len(entries) != len(want) {
		t.Errorf("the directory holds %v", entries)
	}
	if info, err := os.Stat(p.dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory is %v, %v", info.Mode(), err)
	}
}

// The net's alphas in a snapshot are those of the answer before it, so that a
// resume goes on with what the plane decided.
func TestSnapshotHoldsTheLatestAlpha(t *testing.T) {
	p := newFake(t)
	scriptLife(p)
	train(t, p, p.options(20))
	b, err := os.ReadFile(filepath.Join(p.dir, "snap-1-15.safetensors"))
	ok(t, err)
	s := newStory(t, 1)
	ok(t, s.net.Load(b))
	want := []Slot{{slotName, "residual-mlp-16", ModeBlending, 0.15, 16}}
	if diff := cmp.Diff(want, s.net.Slots()); diff != "" {
		t.Errorf("seeds (-want +got):\n%s", diff)
	}
}

// A snapshot that cannot be written stops training and is not reported.
func TestSnapshotThatCannotBeWritten(t *testing.T) {
	p := newFake(t)
	onStep(p, func(s leyline.Step) {
		if s == 5 {
			ok(t, os.Mkdir(filepath.Join(p.dir, "snap-1-5.safetensors"), 0o700))
		}
	})
	_, err := Train(t.Context(), p, p.options(20))
	if err == nil || !strings.HasPrefix(err.Error(), "snapshot of step 5: ") {
		t.Fatalf("ended with %v", err)
	}
	if n := len(seen[leyline.SnapshotTaken](p)); n != 1 {
		t.Errorf("%d snapshots were reported, want the initial one", n)
	}
	if _, err := os.Stat(filepath.Join(p.dir, "snap-1-5.safetensors.tmp")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the temporary file is still there: %v", err)
	}
}

// A run that has been rolled back for a drill does not suffer it again after a
// resume, and is resumed with the same plan.
func TestFaultIsNotInjectedAgain(t *testing.T) {
	p := newFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	o := p.options(20, Fault{FaultNaN, 8})
	o.Observe = func(g Progress) {
		if g.Lineage == 1 && g.Step == 7 {
			cancel()
		}
	}
	if _, err := Train(ctx, p, o); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	before := len(p.inputs)
	r := train(t, p, p.options(20, Fault{FaultNaN, 8}))
	if r.From != 5 || len(r.Recoveries) != 0 {
		t.Errorf("result %+v", r)
	}
	for _, in := range p.inputs[before:] {
		if x, isStep := in.(leyline.StepObserved); isStep && math.IsNaN(x.Losses[0]) {
			t.Errorf("step %d is damaged again", x.Step)
		}
	}
}

// What a run cannot be made of is refused before the plane hears of it.
func TestOptionsRefused(t *testing.T) {
	good := Options{Run: "run-1", Workload: penguins(t), Steps: 10, Snapshots: snapstore.NewDir(t.TempDir(), true), Kernels: testdata.Kernels()}
	for want, edit := range map[string]func(o *Options){
		"steps is 0":                      func(o *Options) { o.Steps = 0 },
		"no snapshot store":               func(o *Options) { o.Snapshots = nil },
		"no kernel store":                 func(o *Options) { o.Kernels = nil },
		"no workload is given":            func(o *Options) { o.Workload = Spec{} },
		"fault stall@3 cannot":            func(o *Options) { o.Faults = []Fault{{FaultStall, 3}} },
		"fault kernel-missing@3 cannot":   func(o *Options) { o.Faults = []Fault{{FaultKernel, 3}} },
		"fault replayed-command@3 cannot": func(o *Options) { o.Faults = []Fault{{FaultReplay, 3}} },
		"fault policy-timeout@3 cannot":   func(o *Options) { o.Faults = []Fault{{FaultPolicy, 3}} },
		"lies outside the run's 10":       func(o *Options) { o.Faults = []Fault{{FaultNaN, 11}} },
		"fault nan@0":                     func(o *Options) { o.Faults = []Fault{{FaultNaN, 0}} },
		"unknown fault \"gremlin\"; ":     func(o *Options) { o.Faults = []Fault{{"gremlin", 1}} },
	} {
		o := good
		edit(&o)
		p := newFake(t)
		if _, err := Train(t.Context(), p, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
		if len(p.inputs) != 0 {
			t.Errorf("%s: the plane heard of it", want)
		}
	}
}

// A refusal keeps its kind and says which call it was.
func TestRefusalsAreReturned(t *testing.T) {
	for kind, want := range map[leyline.InputKind]string{
		leyline.InputRunOpened: "cannot open run run-1: ", leyline.InputStepObserved: "step 1: ",
		leyline.InputEpochObserved: "epoch at step 6: ", leyline.InputSnapshotTaken: "snapshot of step 0: ",
		leyline.InputRunClosed: "cannot close run run-1: ", leyline.InputRollbackReported: "rollback rb-",
	} {
		p := newFake(t)
		p.refuse = func(in leyline.Input) error {
			if in.InputKind() == kind {
				return &leyline.Refusal{Kind: leyline.RefusalInvalidField, Field: "here"}
			}
			return nil
		}
		_, err := Train(t.Context(), p, p.options(9, Fault{FaultNaN, 9}))
		var r *leyline.Refusal
		if !errors.As(err, &r) || r.Field != "here" || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v", kind, err)
		}
	}
}

func TestParseFault(t *testing.T) {
	if f, err := ParseFault("nan@120"); err != nil || f != (Fault{"nan", 120}) {
		t.Errorf("got %v, %v", f, err)
	}
	for _, s := range []string{"", "nan", "nan@", "nan@0", "nan@-1", "nan@1.5", "@3", "nan@3@4", "nan@99999999999999999999"} {
		if f, err := ParseFault(s); err == nil {
			t.Errorf("%q is %v", s, f)
		}
	}
	if _, err := ParseFault("gremlin@3"); err == nil || !strings.Contains(err.Error(), "want one of: "+strings.Join(FaultNames(), ", ")) {
		t.Errorf("the known faults are not listed: %v", err)
	}
}
