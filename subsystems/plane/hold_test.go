package plane_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/replay/workload"
	"github.com/esper-plane/esper/subsystems/plane"
)

// shell is an operator with an enrolled key.
type shell struct {
	*bench
	plane *plane.Plane
	key   sign.Signer
	n     atomic.Uint64
}

// operated starts a plane in which only an operator acts.
func (b *bench) operated(log store) *shell {
	b.t.Helper()
	b.config.Tamiyo.Enabled = false
	s := &shell{bench: b, plane: b.mustStart(log), key: testKey(9)}
	body, err := wire.EncodeKey(leyline.Key{
		ID: s.key.KeyID(), Public: s.key.Public(), Issuer: "ada", Kinds: []leyline.CommandKind{leyline.CommandSeed, leyline.CommandEmergency, leyline.CommandRegistry},
	})
	if err == nil {
		_, err = s.plane.Vouch(b.t.Context(), b.admin.Sign(leyline.PayloadKey, body), "test")
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

func (s *shell) judge(ctx context.Context, fill func(*leyline.Command)) (leyline.CommandAnswer, error) {
	n := s.n.Add(1)
	c := leyline.Command{
		Issuer: "ada", Audience: leyline.Audience{Origin: "esper-test", Run: "run-1"}, ID: leyline.CommandID(fmt.Sprintf("ada-%d", n)),
		Sequence: n, IssuedAt: leyline.Instant(time.Now().UnixNano()), Kind: leyline.CommandSeed,
	}
	fill(&c)
	body, err := wire.EncodeCommand(c)
	if err != nil {
		return leyline.CommandAnswer{}, err
	}
	return s.plane.Judge(ctx, leyline.CommandReceived{Envelope: s.key.Sign(leyline.PayloadCommand, body), Peer: leyline.PeerOperator, PeerName: "test"})
}

func seedOp(op leyline.SeedOperation) func(*leyline.Command) {
	return func(c *leyline.Command) {
		c.Seed = leyline.SeedCommand{Operation: op, Seed: "seed-a", Reason: "by hand"}
		if op == leyline.OpGerminate {
			c.Seed.Blueprint, c.Seed.Mesh = "residual-mlp-16", []string{"trunk"}
		}
		if op == leyline.OpStartGrafting {
			c.Seed.Blend = leyline.BlendPlan{Mode: leyline.BlendResidual, TotalSteps: 4, Temperature: 1}
		}
	}
}

// TestCommandsNeverSurpriseTheTrainer fires every operation at a seed, over and over and
// at whatever moment, while a real trainer trains. Each of its reports is of the network
// that the plane believes in, so none is refused.
func TestCommandsNeverSurpriseTheTrainer(t *testing.T) {
	b := newBench(t)
	b.config.Kasmina.EmbargoSteps = 1
	log := b.newLog()
	s := b.operated(log)
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan int)
	go func() {
		accepted := 0
		ops := []leyline.SeedOperation{leyline.OpGerminate, leyline.OpStartTraining, leyline.OpStartGrafting, leyline.OpStabilize, leyline.OpCull}
		for i := 0; ctx.Err() == nil; i++ {
			fill := seedOp(ops[i%len(ops)])
			if i%41 == 40 {
				fill = func(c *leyline.Command) {
					c.Kind, c.Registry = leyline.CommandRegistry, leyline.RegistryCommand{Action: leyline.RegistryResetAll, Reason: "anew"}
				}
			}
			if a, err := s.judge(ctx, fill); err == nil && a.Accepted {
				accepted++
			}
		}
		gone <- accepted
	}()
	_, err := b.train(t.Context(), s.plane, 400, nan(150))
	cancel()
	accepted := <-gone
	if err != nil {
		t.Error(err)
	}
	if err := s.plane.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	if accepted < 20 {
		t.Errorf("only %d commands were accepted, the test shows little", accepted)
	}
	rs := records(t, log)
	if bad := only[leyline.DependencyViolated](rs); len(bad) > 0 {
		t.Errorf("refused: %v", &bad[0].Refusal)
	}
	if bad := only[leyline.RegistryConflicted](rs); len(bad) > 0 {
		t.Errorf("conflict: %+v", bad[0])
	}
	mustRedecide(t, log)
}

// opened opens a run whose trainer says nothing more.
func (s *shell) opened() {
	s.t.Helper()
	_, err := s.plane.Open(s.t.Context(), leyline.RunOpened{
		Run: "run-1", Workload: "test", Framework: "go-gonum", Posture: workload.Posture(), Tasks: []leyline.TaskID{"a"}, Seeds: []leyline.SeedID{"seed-a"},
		Layers: []string{"trunk"}, Blueprints: []leyline.BlueprintID{"residual-mlp-16"}, Parameters: 1, Steps: 9,
		Away: leyline.AwayStop, Principal: leyline.PrincipalProcess,
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// TestCommandWaitsForTheTrainer: a command about a seed is decided behind the next
// report; a command about the emergency level at once; one whose caller has gone never.
func TestCommandWaitsForTheTrainer(t *testing.T) {
	b := newBench(t)
	b.config.Tolaria.Stall = 600_000
	log := b.newLog()
	s := b.operated(log)
	s.opened()
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := s.judge(ctx, seedOp(leyline.OpGerminate))
		left <- err
	}()
	a, err := s.emergency(t.Context())
	if err != nil || !a.Accepted || !a.Settled {
		t.Fatalf("an emergency waits: %+v, %v", a, err)
	}
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the caller has gone: %v", err)
	}
	answer := make(chan leyline.CommandAnswer)
	go func() {
		a, err := s.judge(t.Context(), seedOp(leyline.OpGerminate))
		if err != nil {
			t.Error(err)
		}
		answer <- a
	}()
	for n := uint64(1); ; n++ {
		x := leyline.StepObserved{Run: "run-1", Incarnation: 1, Step: leyline.Step(n), Losses: []float64{1}, Gram: []float64{1}, Samples: 1}
		said, err := s.plane.Step(t.Context(), x, 0)
		if err != nil {
			t.Fatal(err)
		}
		select {
		case a := <-answer:
			if !a.Accepted || a.Seq != said.Seq+1 && said.Seeds[0].Stage != leyline.StageGerminated {
				t.Errorf("%+v, and the report was answered %+v", a, said)
			}
			if err := s.plane.Shutdown(context.Background()); err != nil {
				t.Fatal(err)
			}
			if n := len(only[leyline.CommandVerified](records(t, log))); n != 2 {
				t.Errorf("%d commands were decided, want 2: one of them was withdrawn", n)
			}
			return
		case <-time.After(time.Millisecond): // it has not come to the door yet
		}
	}
}

func (s *shell) emergency(ctx context.Context) (leyline.CommandAnswer, error) {
	return s.judge(ctx, func(c *leyline.Command) {
		c.Kind, c.Emergency = leyline.CommandEmergency, leyline.EmergencyCommand{Action: leyline.EmergencyRaise, Level: leyline.EmergencyElevated, Reason: "x"}
	})
}

// TestCommandDoesNotWaitForASilentTrainer decides it as soon as the trainer is stalled,
// and at once when it is, or when there is none.
func TestCommandDoesNotWaitForASilentTrainer(t *testing.T) {
	b := newBench(t)
	b.config.Tolaria.Stall = 20
	log := b.newLog()
	s := b.operated(log)
	s.opened()
	for range 2 {
		if a, err := s.judge(t.Context(), seedOp(leyline.OpCull)); err != nil || a.Reason != leyline.RejectWrongStage {
			t.Errorf("%+v, %v", a, err)
		}
	}
	if err := s.plane.View(t.Context(), func(st *projections.State) {
		if !st.Tolaria.Run("run-1").Stalled {
			t.Error("the trainer is not stalled")
		}
	}); err != nil {
		t.Error(err)
	}
	if err := s.plane.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// TestHeldCommandEndsWithThePlane: who waits is told.
func TestHeldCommandEndsWithThePlane(t *testing.T) {
	b := newBench(t)
	b.config.Tolaria.Stall = 600_000
	s := b.operated(b.newLog())
	s.opened()
	said := make(chan error)
	go func() {
		_, err := s.judge(t.Context(), seedOp(leyline.OpCull))
		said <- err
	}()
	time.Sleep(20 * time.Millisecond)
	if err := s.plane.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := <-said; !errors.Is(err, leyline.ErrStopping) {
		t.Errorf("the plane has ended: %v", err)
	}
}
