package plane_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/replay/workload"
	"github.com/esper-plane/esper/subsystems/plane"
)

// ada orders something of a plane and returns why it was rejected.
func (b *bench) order(ctx context.Context, p *plane.Plane, c leyline.Command) leyline.RejectReason {
	b.t.Helper()
	key := b.operator.KeyID()
	if err := p.View(ctx, func(s *projections.State) {
		c.Sequence, c.IssuedAt = s.Kasmina.High(key)+1, s.At
	}); err != nil {
		b.t.Fatal(err)
	}
	c.Issuer, c.Audience, c.ID = "ada", leyline.Audience{Origin: "esper-test", Run: "run-1"}, leyline.CommandID(fmt.Sprintf("ada-%d", c.Sequence))
	body, err := wire.EncodeCommand(c)
	if err != nil {
		b.t.Fatal(err)
	}
	seq, err := p.Command(ctx, leyline.CommandReceived{
		Envelope: b.operator.Sign(leyline.PayloadCommand, body), Peer: leyline.PeerOperator, PeerName: "ada",
	})
	if err != nil || seq == 0 {
		b.t.Fatalf("%s: record %d, %v", c.Kind, seq, err)
	}
	why := leyline.RejectNone
	if err := p.View(ctx, func(s *projections.State) {
		for _, r := range s.Audit.Rejected {
			if r.N > b.rejected[r.Reason] {
				why = r.Reason
				b.rejected[r.Reason] = r.N
			}
		}
	}); err != nil {
		b.t.Fatal(err)
	}
	return why
}

// TestOperatorCommandsBetweenSteps: a trainer that is in the middle of a step hears
// of what an operator has decided meanwhile, carries it out, and trains on. The log
// of it all is decided again without a difference.
func TestOperatorCommandsBetweenSteps(t *testing.T) {
	seed := func(op leyline.SeedOperation) leyline.Command {
		return leyline.Command{Kind: leyline.CommandSeed, Seed: leyline.SeedCommand{Operation: op, Seed: "seed-a"}}
	}
	pause := func(a leyline.PauseAction) leyline.Command {
		return leyline.Command{Kind: leyline.CommandPause, Pause: leyline.PauseCommand{Action: a, Scope: leyline.PauseRun, Reason: "test"}}
	}
	optimizer := func(a leyline.OptimizerAction, f float64) leyline.Command {
		return leyline.Command{Kind: leyline.CommandOptimizer, Optimizer: leyline.OptimizerCommand{Action: a, Factor: f, Reason: "test"}}
	}
	b := newBench(t)
	key := testKey(9)
	b.operator, b.rejected = &key, map[leyline.RejectReason]uint64{}
	log := b.newLog()
	p, err := b.start(t.Context(), log)
	if err != nil {
		t.Fatal(err)
	}
	script := map[leyline.Step][]leyline.Command{
		12: {pause(leyline.PauseStart)}, 16: {pause(leyline.PauseEnd)},
		24: {seed(leyline.OpFineTune)},
		30: {optimizer(leyline.OptimizerScale, 0.5), optimizer(leyline.OptimizerRebuildNow, 0)},
		34: {{Kind: leyline.CommandRollback, Rollback: leyline.RollbackCommand{Step: 30, Reason: "test"}}},
		60: {seed(leyline.OpCancel)},
	}
	done := map[leyline.Step]bool{}
	b.observe = func(x workload.Progress) {
		if done[x.Step] {
			return // once, also after a rollback
		}
		done[x.Step] = true
		for _, c := range script[x.Step] {
			if why := b.order(t.Context(), p, c); why != leyline.RejectNone {
				t.Errorf("step %d: %s %s is rejected as %s", x.Step, c.Kind, c.Seed.Operation, why)
			}
		}
	}
	r, err := b.train(t.Context(), p, 64)
	if err != nil || r.Steps != 64 || len(r.Recoveries) != 1 || r.Recoveries[0].Cause != leyline.FaultOperator {
		t.Errorf("trained %d steps with %+v: %v", r.Steps, r.Recoveries, err)
	}
	if err := p.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := mustRedecide(t, log)
	if s.Audit.Applied == 0 || s.Audit.Failed != 0 || s.Audit.Expired != 0 {
		t.Errorf("audit %+v", s.Audit)
	}
	if got := s.Tolaria.Run("run-1"); got.RateScale != 0.5 || got.Rebuild.Done != 1 || got.Rates.Rates[0] != got.Plan.Groups[0].Rate/2 {
		t.Errorf("rates %+v scaled by %v, rebuilt %d times", got.Rates, got.RateScale, got.Rebuild.Done)
	}
	seen := map[string]int{}
	for _, rec := range records(t, log) {
		for _, e := range rec.Events {
			switch x := e.(type) {
			case leyline.SeedPaused, leyline.SeedResumed:
				seen[e.EventKind().String()]++
			case leyline.SeedMoved:
				seen[x.From.String()+" "+x.To.String()]++
			}
		}
	}
	if got := s.Kasmina.Seed("run-1", "seed-a"); got.Stage != leyline.StageTerminated || got.Alpha != 1 {
		t.Errorf("the seed is %+v", got)
	}
	if seen["seed.paused"] != 1 || seen["seed.resumed"] != 1 {
		t.Errorf("seen %v", seen)
	}
}
