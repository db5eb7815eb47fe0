package decider_test

import (
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/leylinetest"
	"github.com/esper-plane/esper/leyline/wire"
)

func germinate() leyline.SeedCommand {
	return leyline.SeedCommand{Operation: leyline.OpGerminate, Seed: "seed-a", Blueprint: "bp-1", Mesh: []string{"trunk"}}
}

// quiet is a world with an open run in which Tamiyo proposes nothing.
func quiet(t *testing.T, change ...func(*leyline.ExecutionConfig)) *world {
	w := newWorld(t, append(change, func(c *leyline.ExecutionConfig) { c.Tamiyo.Enabled = false })...)
	w.open()
	return w
}

// TestVerifierReasons changes one thing about a good command and expects the
// one reason for it, and that only an authentic command spends its nonce.
func TestVerifierReasons(t *testing.T) {
	sec := time.Second
	for _, c := range []struct {
		want   leyline.RejectReason
		change func(w *world, c *leyline.Command)
		forge  func(w *world, x *leyline.CommandReceived)
	}{
		{want: leyline.RejectNone},
		{want: leyline.RejectTooLarge, forge: func(w *world, x *leyline.CommandReceived) {
			x.Envelope.Payload = make([]byte, leyline.MaxCommandBytes+1)
		}},
		{want: leyline.RejectMalformed, forge: func(w *world, x *leyline.CommandReceived) { x.Envelope.Payload = []byte{0x93, 0x01} }},
		{want: leyline.RejectMalformed, forge: func(w *world, x *leyline.CommandReceived) { x.Envelope.PayloadType = leyline.PayloadKey }},
		{want: leyline.RejectMalformed, change: func(w *world, c *leyline.Command) {
			c.Metadata.Scores = []leyline.Score{{Kind: leyline.ScoreRisk, Value: 2}}
		}},
		{want: leyline.RejectUnknownKey, forge: func(w *world, x *leyline.CommandReceived) {
			x.Envelope = signer(w.t, 9).Sign(leyline.PayloadCommand, x.Envelope.Payload)
		}},
		{want: leyline.RejectMissingSignature, forge: func(w *world, x *leyline.CommandReceived) { x.Envelope.Signature = nil }},
		{want: leyline.RejectInvalidSignature, forge: func(w *world, x *leyline.CommandReceived) { x.Envelope.Signature[3] ^= 1 }},
		{want: leyline.RejectInvalidSignature, forge: func(w *world, x *leyline.CommandReceived) {
			forged := signer(w.t, 9).Sign(leyline.PayloadCommand, x.Envelope.Payload)
			forged.KeyID = w.tamiyo.KeyID()
			x.Envelope = forged
		}},
		{want: leyline.RejectInvalidSignature, forge: func(w *world, x *leyline.CommandReceived) {
			x.Envelope.Signature = w.tamiyo.Sign(leyline.PayloadKey, x.Envelope.Payload).Signature
		}},
		{want: leyline.RejectNotPermitted, change: func(w *world, c *leyline.Command) { c.Issuer = "operator" }},
		{want: leyline.RejectNotPermitted, change: func(w *world, c *leyline.Command) { c.Kind = leyline.CommandCircuitBreaker }},
		{want: leyline.RejectWrongAudience, change: func(w *world, c *leyline.Command) { c.Audience.Origin = "another-log" }},
		{want: leyline.RejectMissingCommandID, change: func(w *world, c *leyline.Command) { c.ID = "" }},
		{want: leyline.RejectMissingTimestamp, change: func(w *world, c *leyline.Command) { c.IssuedAt = 0 }},
		{want: leyline.RejectFuture, change: func(w *world, c *leyline.Command) { c.IssuedAt = w.at.Add(6 * sec) }},
		{want: leyline.RejectStale, change: func(w *world, c *leyline.Command) { c.IssuedAt = w.at.Add(-61 * sec) }},
		{want: leyline.RejectStale, change: func(w *world, c *leyline.Command) { c.NotAfter = w.at.Add(-sec) }},
		{want: leyline.RejectSequenceReplayed, change: func(w *world, c *leyline.Command) { c.Sequence = 0 }},
		{want: leyline.RejectUnknownRun, change: func(w *world, c *leyline.Command) { c.Audience.Run = "run-9" }},
		{want: leyline.RejectUnknownSeed, change: func(w *world, c *leyline.Command) { c.Seed.Seed = "seed-z" }},
		{want: leyline.RejectUnknownBlueprint, change: func(w *world, c *leyline.Command) { c.Seed.Blueprint = "bp-9" }},
		{want: leyline.RejectMissingMesh, change: func(w *world, c *leyline.Command) { c.Seed.Mesh = nil }},
		{want: leyline.RejectWrongStage, change: func(w *world, c *leyline.Command) { c.Seed.Operation = leyline.OpStartTraining }},
		{want: leyline.RejectWrongStage, change: func(w *world, c *leyline.Command) { c.Seed.Operation = leyline.OpCull }},
		{want: leyline.RejectMalformed, change: func(w *world, c *leyline.Command) { c.Kind = leyline.CommandPause }},
		{want: leyline.RejectWrongStage, change: func(w *world, c *leyline.Command) { c.Seed.Operation = leyline.OpFineTune }},
		{want: leyline.RejectUnsupportedOperation, change: func(w *world, c *leyline.Command) { c.Seed.Operation = leyline.OpUnknown }},
	} {
		t.Run(c.want.String(), func(t *testing.T) {
			w := quiet(t)
			cmd := w.valid(germinate())
			if c.change != nil {
				c.change(w, &cmd)
			}
			in := w.received(cmd)
			if c.forge != nil {
				c.forge(w, &in)
			}
			ev := w.feedNow(in)
			got := leyline.RejectNone
			if e, ok := first[leyline.CommandRejected](ev); ok {
				got = e.Reason
			} else {
				one[leyline.CommandVerified](w, ev)
			}
			if got != c.want {
				t.Fatalf("got %s, want %s: %+v", got, c.want, ev)
			}
			spent := len(w.s.Kasmina.Nonces) == 1
			if spent != leyline.Authentic(c.want) {
				t.Errorf("nonce spent: %v", spent)
			}
		})
	}
}

func TestReplayIsRejectedEvenAfterManyOthers(t *testing.T) {
	w := quiet(t, func(c *leyline.ExecutionConfig) { c.Kasmina.NonceCap, c.Kasmina.NonceKeyShare = 8, 1 })
	victim := w.received(w.valid(germinate()))
	w.must(victim)
	var full bool
	for range 20 {
		w.at = w.at.Add(time.Millisecond)
		if w.command(germinate()) == leyline.RejectLedgerFull {
			full = true
		}
	}
	if !full {
		t.Error("the ledger took more nonces than it may hold")
	}
	ev := w.must(victim)
	if e := one[leyline.CommandRejected](w, ev); e.Reason != leyline.RejectNonceReplayed {
		t.Errorf("the replay is rejected as %s", e.Reason)
	}
	w.at = w.at.Add(66 * time.Second)
	if r := w.command(germinate()); r == leyline.RejectLedgerFull {
		t.Error("expired nonces still fill the ledger")
	}
	if e := one[leyline.CommandRejected](w, w.must(victim)); e.Reason != leyline.RejectStale {
		t.Errorf("the forgotten nonce is rejected as %s", e.Reason)
	}
}

func TestUntimedCommandBurnsNothing(t *testing.T) {
	w := quiet(t)
	cmd := w.valid(germinate())
	untimed := cmd
	untimed.IssuedAt = 0
	for range 2 {
		if e := one[leyline.CommandRejected](w, w.must(w.received(untimed))); e.Reason != leyline.RejectMissingTimestamp {
			t.Errorf("rejected as %s", e.Reason)
		}
	}
	one[leyline.CommandVerified](w, w.feedNow(w.received(cmd)))
}

func TestAdmission(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.steps(6)
	step := func(change func(x *leyline.StepObserved)) leyline.StepObserved {
		x := w.report()
		change(&x)
		return x
	}
	cfg, err := wire.EncodeConfig(leyline.ExecutionConfig{})
	w.check(err)
	good, err := wire.EncodeConfig(leyline.DefaultConfig())
	w.check(err)
	for _, c := range []struct {
		name string
		in   leyline.Input
		want leyline.RefusalKind
	}{
		{"no run", step(func(x *leyline.StepObserved) { x.Run = "" }), leyline.RefusalMissingField},
		{"unknown run", step(func(x *leyline.StepObserved) { x.Run = "run-2" }), leyline.RefusalUnknownRun},
		{"bad id", step(func(x *leyline.StepObserved) { x.Run = "a/b" }), leyline.RefusalInvalidField},
		{"old incarnation", step(func(x *leyline.StepObserved) { x.Incarnation = 9 }), leyline.RefusalIncarnation},
		{"skipped step", step(func(x *leyline.StepObserved) { x.Step++ }), leyline.RefusalStepOrder},
		{"repeated step", step(func(x *leyline.StepObserved) { x.Step-- }), leyline.RefusalStepConflict},
		{"missing task", step(func(x *leyline.StepObserved) { x.Losses = x.Losses[:1] }), leyline.RefusalGradients},
		{"short gram", step(func(x *leyline.StepObserved) { x.Gram = x.Gram[:3] }), leyline.RefusalGradients},
		{"asymmetric gram", step(func(x *leyline.StepObserved) { x.Gram = []float64{2, -1, 1, 1} }), leyline.RefusalGradients},
		{"impossible gram", step(func(x *leyline.StepObserved) { x.Gram = []float64{1, 5, 5, 1} }), leyline.RefusalGradients},
		{"unknown seed", step(func(x *leyline.StepObserved) {
			x.Seeds = []leyline.SeedObserved{{Seed: "seed-z", Stage: leyline.StageTraining}}
		}), leyline.RefusalUnknownSeed},
		{"negative norm", step(func(x *leyline.StepObserved) {
			x.Seeds = []leyline.SeedObserved{{Seed: "seed-a", GradNorm: -1, Stage: leyline.StageTraining}}
		}), leyline.RefusalInvalidField},
		{"run exists", plan(), leyline.RefusalRunExists},
		{"forged config", leyline.ConfigApplied{Envelope: w.tamiyo.Sign(leyline.PayloadConfig, good)}, leyline.RefusalInvalidSignature},
		{"invalid config", leyline.ConfigApplied{Envelope: w.admin.Sign(leyline.PayloadConfig, cfg)}, leyline.RefusalConfig},
		{"forged key", leyline.KeyAdded{Envelope: w.tamiyo.Sign(leyline.PayloadKey, good)}, leyline.RefusalInvalidSignature},
		{"blueprint twice", leylinetest.Blueprint("bp-1", []byte("k")), leyline.RefusalBlueprintExists},
		{"another log", leyline.PlaneStarted{Boot: "b", Origin: "esper-other", AdminKey: w.admin.Public(), Decider: 1}, leyline.RefusalNotAuthorized},
		{"restored from yet another log", leyline.PlaneStarted{Boot: "b", Origin: "esper-new", Previous: "esper-other", AdminKey: w.admin.Public(), Decider: 1}, leyline.RefusalNotAuthorized},
		{"restored with another admin key", leyline.PlaneStarted{Boot: "b", Origin: "esper-new", Previous: "esper-test", AdminKey: w.tamiyo.Public(), Decider: 1}, leyline.RefusalNotAuthorized},
		{"unknown command", leyline.CommandAcked{Run: "run-1", Incarnation: 1, Command: "cmd-9.9", Outcome: leyline.OutcomeOK}, leyline.RefusalUnknownCommand},
		{"prefetch for no slot", leyline.KernelReady{Request: leyline.EffectID{Seq: 9}, Run: "run-1", Seed: "seed-z", Digest: digest("k"), Origin: leyline.KernelFromStore}, leyline.RefusalUnknownSeed},
		{"unknown rollback", w.rollback(leyline.PhaseCommit, digest("x")), leyline.RefusalMissingField},
		{"snapshot twice", func() leyline.Input { x := w.snapshot("s-1-5"); return x }(), leyline.RefusalSnapshotExists},
		{"snapshot file twice", func() leyline.Input { x := w.snapshot("s-new"); x.File = "s-1-5.safetensors"; return x }(), leyline.RefusalSnapshotExists},
		{"snapshot file elsewhere", func() leyline.Input { x := w.snapshot("s-new"); x.File = "../other/f"; return x }(), leyline.RefusalInvalidField},
		{"other framework", func() leyline.Input { x := plan(); x.Run, x.Framework = "run-2", "jax"; return x }(), leyline.RefusalPosture},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.t = t
			if r := w.refused(c.in); r.Kind != c.want {
				t.Errorf("refused as %s, want %s: %v", r.Kind, c.want, &r)
			}
		})
	}
}

func TestInputsBeforeAConfigurationAreRefused(t *testing.T) {
	w := newWorld(t)
	w.s.Plane.Configured = false
	if r := w.refused(plan()); r.Kind != leyline.RefusalNotConfigured {
		t.Errorf("refused as %s", r.Kind)
	}
}

func TestBadSnapshotIsRefusedLoudly(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.steps(1)
	for _, change := range []func(*leyline.SnapshotTaken){
		func(x *leyline.SnapshotTaken) { x.Measured = digest("other") },
		func(x *leyline.SnapshotTaken) { x.Measured, x.Problem = leyline.Digest{}, "no such file" },
	} {
		x := w.snapshot("s-bad")
		change(&x)
		if e := one[leyline.SnapshotRefused](w, w.must(x)); e.Reason == "" {
			t.Error("refused without a reason")
		}
	}
	if len(w.run().Snapshots) != 0 {
		t.Error("a bad snapshot was registered")
	}
}

// TestRestoredLogGoesOnUnderItsOwnName starts a plane on a log that says it was
// restored from the one before. A command for that one is then for somebody else.
func TestRestoredLogGoesOnUnderItsOwnName(t *testing.T) {
	w := quiet(t)
	stolen := w.received(leyline.Command{
		Issuer: "tamiyo", Audience: leyline.Audience{Origin: "esper-test", Run: "run-1"}, ID: "cmd-x", Sequence: 9,
		IssuedAt: w.at, Kind: leyline.CommandSeed, Seed: leyline.SeedCommand{Operation: leyline.OpGerminate, Seed: "seed-a", Blueprint: "bp-1"},
	})
	events := w.must(leyline.PlaneStarted{Boot: "b2", Origin: "esper-new", Previous: "esper-test", AdminKey: w.admin.Public(), Decider: 1})
	if x, _ := first[leyline.PlaneBooted](events); x.Previous != "esper-test" || w.s.Plane.Origin != "esper-new" {
		t.Errorf("booted %+v, origin %q", x, w.s.Plane.Origin)
	}
	if x, _ := first[leyline.CommandRejected](w.feed(stolen)); x.Reason != leyline.RejectWrongAudience {
		t.Errorf("a command for the old log: %+v", x)
	}
	events = w.must(leyline.PlaneStarted{Boot: "b3", Origin: "esper-new", Previous: "esper-test", AdminKey: w.admin.Public(), Decider: 1})
	if x, _ := first[leyline.PlaneBooted](events); x.Previous != "" {
		t.Errorf("a second start says again that the log was restored: %+v", x)
	}
}
