package workload

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
)

// onStep scripts what happens at steps that were accepted.
func onStep(p *fakePlane, do func(s leyline.Step)) {
	p.script = func(in leyline.Input) {
		if x, isStep := in.(leyline.StepObserved); isStep && p.open == "" {
			do(x.Step)
		}
	}
}

// acks renders the answers to commands, in order.
func acks(p *fakePlane) []string {
	var out []string
	for _, a := range seen[leyline.CommandAcked](p) {
		out = append(out, fmt.Sprintf("%s %s %s", a.Command, a.Outcome, a.Reason))
	}
	return out
}

// A seed's life changes the network: grafted it is measured, blended it counts
// with the alpha of the answer, culled it is gone.
func TestSeedLifecycle(t *testing.T) {
	p := newFake(t)
	onStep(p, func(s leyline.Step) {
		seed := &p.now.seed
		switch s {
		case 2:
			p.command(leyline.OpGerminate)
			seed.Stage = leyline.StageGerminated
		case 3:
			p.command(leyline.OpStartTraining)
			seed.Stage = leyline.StageTraining
		case 6:
			p.command(leyline.OpStartGrafting)
			seed.Stage, seed.Alpha = leyline.StageBlending, 0.25
		case 7:
			seed.Alpha = 0.75
		case 8:
			p.command(leyline.OpStabilize)
			seed.Stage, seed.Alpha = leyline.StageShadowing, 1
		case 11:
			p.command(leyline.OpCull)
			seed.Stage, seed.Alpha = leyline.StageEmbargoed, 0
		}
	})
	train(t, p, p.options(13))
	var alphas []string
	for _, s := range seen[leyline.StepObserved](p) {
		for _, o := range s.Seeds {
			alphas = append(alphas, fmt.Sprintf("%d: %v %t %t %v", s.Step, o.Alpha, o.Loss > 0, o.GradNorm > 0, o.Leak))
			if o.HostNorm <= 0 || o.Cosine == 0 {
				t.Errorf("step %d: %+v", s.Step, o)
			}
		}
	}
	want := []string{
		"4: 0 true true 0", "5: 0 true true 0", "6: 0 true true 0", "7: 0.25 false true 0", "8: 0.75 false true 0",
		"9: 1 false true 0", "10: 1 false true 0", "11: 1 false true 0",
	}
	if diff := cmp.Diff(want, alphas); diff != "" {
		t.Errorf("step, alpha, own loss, own gradient, leak (-want +got):\n%s", diff)
	}
	for _, a := range seen[leyline.CommandAcked](p) {
		if a.Outcome != leyline.OutcomeOK {
			t.Errorf("acknowledged %+v", a)
		}
	}
	if n := len(acks(p)); n != 5 {
		t.Errorf("%d commands were answered, want 5", n)
	}
}

// A seed that the plane has culled without a command leaves with the answer
// that says so, before the next step.
func TestSeedGoesWithItsStage(t *testing.T) {
	p := newFake(t)
	onStep(p, func(s leyline.Step) {
		switch s {
		case 2:
			p.command(leyline.OpStartTraining)
			p.now.seed.Stage = leyline.StageTraining
		case 5:
			p.now.seed.Stage = leyline.StageEmbargoed
		}
	})
	train(t, p, p.options(8)) // the fake fails a step that reports a seed too many
	alone := newFake(t)
	if a, b := p.saved[1].Digest, snapshotOf(t, alone, 5); a != b {
		t.Errorf("snapshot of step 5 is %s, of a net that never had the seed %s", a.Short(), b.Short())
	}
}

// snapshotOf trains to a step and returns the digest of its snapshot.
func snapshotOf(t *testing.T, p *fakePlane, steps leyline.Step) leyline.Digest {
	train(t, p, p.options(steps))
	return p.saved[len(p.saved)-1].Digest
}

// What cannot be done is answered with FAILED and a reason, and changes nothing.
func TestCommandsThatFail(t *testing.T) {
	p := newFake(t)
	onStep(p, func(s leyline.Step) {
		switch s {
		case 1:
			p.command(leyline.OpUnknown)
		case 2:
			p.command(leyline.OpStartTraining).KernelDigest[0] ^= 1
		case 3:
			p.command(leyline.OpStartTraining).Kernel = "none.safetensors"
		case 4:
			p.command(leyline.OpStartGrafting)
		case 5:
			p.command(leyline.OpCull)
		}
	})
	r := train(t, p, p.options(6))
	got := strings.Join(acks(p), "\n")
	for i, want := range []string{"failed unsupported operation UNKNOWN", "failed kernel_digest_mismatch", "failed kernel_missing", "failed", "ok "} {
		if a := acks(p); !strings.Contains(a[i], want) {
			t.Errorf("command %d: %q, want %q; all:\n%s", i, a[i], want, got)
		}
	}
	if plain := newFake(t); train(t, plain, plain.options(6)).Digest != r.Digest {
		t.Error("a command that failed changed the net")
	}
}

// A directive is followed once, however often it arrives.
func TestDirectivesAreFollowedOnce(t *testing.T) {
	p := newFake(t)
	p.forgetful = true
	onStep(p, func(s leyline.Step) {
		switch s {
		case 2:
			p.command(leyline.OpGerminate)
		case 8:
			p.command(leyline.OpStabilize)
		}
	})
	train(t, p, p.options(12, Fault{FaultNaN, 7}))
	if a, r := acks(p), seen[leyline.RollbackReported](p); len(a) != 2 || len(r) != 1 {
		t.Errorf("answered %q, restored %d times", a, len(r))
	}
}

// Commands that come with any answer are carried out before the next report:
// what is reported then is the network that the plane believes in.
func TestDirectivesOfEveryAnswer(t *testing.T) {
	p := newFake(t)
	p.every = 3 // a snapshot and an epoch at step 6
	acked := 0
	p.script = func(in leyline.Input) {
		switch in.(type) {
		case leyline.CommandAcked:
			if acked++; acked == 1 {
				p.command(leyline.OpStabilize)
			}
		case leyline.RunOpened, leyline.EpochObserved, leyline.SnapshotTaken, leyline.RollbackReported:
			p.command(leyline.OpStabilize)
		}
	}
	train(t, p, p.options(6, Fault{FaultNaN, 5}))
	var got []string
	for _, in := range p.inputs {
		k := in.InputKind().String()
		if x, isStep := in.(leyline.StepObserved); isStep {
			k = fmt.Sprintf("step %d", x.Step)
		}
		got = append(got, k)
	}
	want := []string{
		"run.opened", "command.acked", "command.acked", "snapshot.taken", "command.acked",
		"step 1", "step 2", "step 3", "snapshot.taken", "command.acked",
		"step 4", "step 5", "rollback.reported", "command.acked",
		"step 4", "step 5", "step 6", "epoch.observed", "command.acked", "snapshot.taken", "command.acked",
		"run.closed",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("inputs (-want +got):\n%s", diff)
	}
}

// A rewind voids the commands that were on their way to the old network.
func TestRollbackVoidsCommands(t *testing.T) {
	p := newFake(t)
	p.script = func(in leyline.Input) {
		if x, isStep := in.(leyline.StepObserved); isStep && x.Step == 7 && p.open != "" {
			p.command(leyline.OpStartTraining)
		}
	}
	train(t, p, p.options(9, Fault{FaultNaN, 7})) // the fake fails an answer that it does not wait for
	if got := acks(p); len(got) != 0 {
		t.Errorf("answered %q", got)
	}
}

// A command that expired before its answer does not end training.
func TestExpiredCommand(t *testing.T) {
	p := newFake(t)
	onStep(p, func(s leyline.Step) {
		if s == 2 {
			p.command(leyline.OpStabilize)
		}
	})
	p.refuse = func(in leyline.Input) error {
		if x, isAck := in.(leyline.CommandAcked); isAck {
			delete(p.asked, x.Command)
			return &leyline.Refusal{Kind: leyline.RefusalUnknownCommand, Field: "command"}
		}
		return nil
	}
	train(t, p, p.options(4))
}

// No kernel is read that lies outside the kernel store.
func TestKernelOutsideStore(t *testing.T) {
	dir := t.TempDir()
	ok(t, os.WriteFile(filepath.Join(dir, "a"), []byte("kernel"), 0o600))
	ok(t, os.Mkdir(filepath.Join(dir, "store"), 0o700))
	tr := &trainer{opts: Options{Kernels: os.DirFS(filepath.Join(dir, "store"))}}
	c := &leyline.VerifiedCommand{Seed: leyline.SeedCommand{Operation: leyline.OpStartTraining, Seed: slotName}, Kernel: "../a"}
	if err := tr.obey(c); err == nil || !strings.HasPrefix(err.Error(), "kernel_missing: ") {
		t.Errorf("got %v", err)
	}
}
