package plane_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay/workload"
	"github.com/esper-plane/esper/subsystems/tamiyo/policy"
)

// only returns the events of one kind, in order.
func only[E leyline.Event](rs []leyline.Record) []E {
	var out []E
	for _, r := range rs {
		for _, e := range r.Events {
			if x, ok := e.(E); ok {
				out = append(out, x)
			}
		}
	}
	return out
}

// TestPolicyThatIsLateIsMissed lets the policy think for longer than its budget
// on the shared worker, once, whether it honours its deadline or not.
func TestPolicyThatIsLateIsMissed(t *testing.T) {
	for _, polite := range []bool{true, false} {
		b := newBench(t)
		b.config.Tamiyo.PolicyInline, b.config.Tamiyo.PolicyBudget = false, 300
		var asked atomic.Int32 // the worker asks on goroutines of its own
		gone := make(chan struct{})
		b.policy = func(ctx context.Context, q policy.Question) (policy.Choice, error) {
			if asked.Add(1) != 2 {
				return policy.Next(q), nil
			}
			if polite {
				<-ctx.Done()
				return policy.Choice{}, ctx.Err()
			}
			<-gone
			return policy.Next(q), nil
		}
		log := b.newLog()
		p, err := b.start(t.Context(), log)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.train(t.Context(), p, 16); err != nil {
			t.Fatal(err)
		}
		close(gone)
		if err := p.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		rs := records(t, log)
		missed := only[leyline.PolicyMissed](rs)
		if len(missed) != 1 || missed[0].Outcome != leyline.OutcomeDeadline || missed[0].Step != 6 {
			t.Fatalf("polite %v: missed %+v", polite, missed)
		}
		if took := time.Duration(missed[0].TookNs); took < 300*time.Millisecond {
			t.Errorf("polite %v: given up after %v", polite, took)
		}
		if c := only[leyline.ConservativeEntered](rs); len(c) != 1 || c[0].Reason != leyline.RiskPolicyTimeout {
			t.Errorf("polite %v: conservative %+v", polite, c)
		}
		for _, p := range only[leyline.CommandProposed](rs) {
			if p.Step == 6 {
				t.Errorf("polite %v: %s was proposed without the policy", polite, p.Seed.Operation)
			}
		}
		mustRedecide(t, log)
	}
}

// TestCommandSentTwice hands in an envelope that was accepted before.
func TestCommandSentTwice(t *testing.T) {
	b := newBench(t)
	log := b.newLog()
	ctx := context.Background()
	p, err := b.start(ctx, log)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.train(ctx, p, 12); err != nil {
		t.Fatal(err)
	}
	var seen leyline.CommandReceived
	for _, r := range records(t, log) {
		if x, ok := r.Input.(leyline.CommandReceived); ok {
			seen = x
		}
	}
	var refusal *leyline.Refusal
	if _, err := p.Command(ctx, seen); !errors.As(err, &refusal) || refusal.Field != "peer" {
		t.Errorf("a command in the plane's own name: %v", err)
	}
	seq, err := p.Command(ctx, leyline.CommandReceived{Envelope: seen.Envelope, Peer: leyline.PeerTrainer, PeerName: "thief"})
	if err != nil {
		t.Fatal(err)
	}
	rs := records(t, log)
	last := rs[len(rs)-1]
	rejected := only[leyline.CommandRejected](rs)
	if last.Seq != seq || len(rejected) != 1 || rejected[0].Reason != leyline.RejectNonceReplayed {
		t.Errorf("record %d is the last, the answer names %d; rejected %+v", last.Seq, seq, rejected)
	}
	if err := p.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestSpikeIsCaughtAndUndone damages the weights of a real network so that its
// loss stays finite.
func TestSpikeIsCaughtAndUndone(t *testing.T) {
	b := newBench(t)
	b.config.Tolaria.DivergeLoss = 2
	log := b.newLog()
	ctx := context.Background()
	p, err := b.start(ctx, log)
	if err != nil {
		t.Fatal(err)
	}
	r, err := b.train(ctx, p, 60, workload.Fault{Name: workload.FaultSpike, Step: 34})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	rs := records(t, log)
	started, finished := only[leyline.RollbackStarted](rs), only[leyline.RollbackFinished](rs)
	if len(started) != 1 || started[0].Cause != leyline.FaultDiverged || started[0].FaultStep != 34 || started[0].ToStep != 30 {
		t.Fatalf("rolled back %+v", started)
	}
	if len(finished) != 1 || finished[0].Outcome != leyline.OutcomeOK || !finished[0].WithinSLA {
		t.Errorf("finished %+v", finished)
	}
	if x := only[leyline.SnapshotRefused](rs); len(x) != 0 {
		t.Errorf("a snapshot of a suspect step was asked for: %+v", x)
	}
	if len(r.Recoveries) != 1 || r.Recoveries[0].FaultStep != 34 || r.Steps != 60 {
		t.Errorf("the trainer saw %+v", r.Recoveries)
	}
	mustRedecide(t, log)
}

// TestPolicyThatAnswersNonsenseIsMissed gives answers that cannot be recorded or
// mean nothing.
func TestPolicyThatAnswersNonsenseIsMissed(t *testing.T) {
	for name, answer := range map[string]func() (policy.Choice, error){
		"no reason": func() (policy.Choice, error) { return policy.Choice{}, nil },
		"unknown operation": func() (policy.Choice, error) {
			return policy.Choice{Command: leyline.SeedCommand{Operation: 99, Seed: "seed-a"}}, nil
		},
		"an empty error": func() (policy.Choice, error) { return policy.Choice{}, errors.New("") },
	} {
		b := newBench(t)
		b.config.Tamiyo.PolicyInline, b.config.Tamiyo.PolicyBudget = false, 9_000
		b.policy = func(context.Context, policy.Question) (policy.Choice, error) { return answer() }
		log := b.newLog()
		p, err := b.start(t.Context(), log)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.train(t.Context(), p, 9); err != nil {
			t.Fatal(err)
		}
		if err := p.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		rs := records(t, log)
		missed := only[leyline.PolicyMissed](rs)
		if len(missed) != 3 || missed[0].Outcome != leyline.OutcomeFailed || missed[0].Reason == "" {
			t.Errorf("%s: missed %+v, want every question of steps 4, 6 and 8", name, missed)
		}
		if n := len(only[leyline.DependencyViolated](rs)); n != 0 {
			t.Errorf("%s: %d refusals", name, n)
		}
		mustRedecide(t, log)
	}
}
