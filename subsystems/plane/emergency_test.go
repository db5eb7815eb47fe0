package plane_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/replay/workload"
	"github.com/esper-plane/esper/subsystems/plane"
)

// TestSignalThatHangs lets the write of a level hang while a real run is rolled
// back and goes on: the deadline ends each attempt, training does not wait, and
// once the writer lets go the signal says the newest level.
func TestSignalThatHangs(t *testing.T) {
	b := newBench(t)
	b.config.Tolaria.EmergencyDispatch = 50
	log := b.newLog()
	p := b.mustStart(log)
	hang := make(chan struct{})
	b.signal.change(func(s *memSignal) { s.hang = hang })
	if _, err := b.train(t.Context(), p, 60, nan(20)); err != nil {
		t.Fatal(err)
	}
	var sent []leyline.EmergencyPublished
	for len(sent) < 2 {
		time.Sleep(5 * time.Millisecond)
		sent = only[leyline.EmergencyPublished](records(t, log))
	}
	for _, e := range sent[:2] {
		if e.Outcome != leyline.OutcomeDeadline || e.TookNs < 50e6 || !strings.Contains(e.Reason, "50ms") {
			t.Errorf("published as %+v", e)
		}
	}
	if level, _, _ := b.signal.Get(); level != leyline.EmergencyNotice {
		t.Errorf("nothing could be written, and the signal says %s", level)
	}
	close(hang)
	for waiting := true; waiting; {
		err := p.View(t.Context(), func(s *projections.State) {
			x := s.Tolaria.Run("run-1").Broadcast
			waiting = x.Queued || !x.Effect.IsZero()
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if err := p.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	rs := records(t, log)
	sent = only[leyline.EmergencyPublished](rs)
	last := sent[len(sent)-1]
	s := mustRedecide(t, log)
	if level, _, _ := b.signal.Get(); last.Outcome != leyline.OutcomeOK || level != s.Tolaria.Run("run-1").Emergency {
		t.Errorf("at last %+v, the signal says %s, decided was %s", last, level, s.Tolaria.Run("run-1").Emergency)
	}
	if raised, given := only[leyline.EmergencyEscalated](rs), only[leyline.EmergencyDispatched](rs); len(raised) != 1 || len(given) < 3 {
		t.Errorf("%d levels raised, %d attempts", len(raised), len(given))
	}
}

// TestOperatorHaltsARealRun hands a signed command to a plane whose trainer is at
// work. The run stops, the signal says so before the plane is gone, and another
// command clears it.
func TestOperatorHaltsARealRun(t *testing.T) {
	b := newBench(t)
	key := testKey(9)
	b.operator = &key
	reached := make(chan struct{})
	b.released = func(r leyline.Record) {
		if x, ok := r.Input.(leyline.StepObserved); ok && x.Step == 10 {
			close(reached)
		}
	}
	log := b.newLog()
	p := b.mustStart(log)
	trained := make(chan error, 1)
	go func() {
		_, err := b.train(t.Context(), p, 1_000_000)
		trained <- err
	}()
	<-reached
	b.command(p, 1_000_000, leyline.EmergencyRaise, leyline.EmergencyHalt)
	var halted *workload.Halted
	if err := <-trained; !errors.As(err, &halted) || halted.Reason != leyline.FaultOperator || halted.Detail != "by hand" {
		t.Fatalf("training ended with %v", err)
	}
	b.command(p, 1_000_001, leyline.EmergencyClear, leyline.EmergencyElevated)
	if err := p.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if level, reason, _ := b.signal.Get(); level != leyline.EmergencyElevated || reason != leyline.FaultOperator.String() {
		t.Errorf("the signal says %s for %q", level, reason)
	}
	for _, e := range only[leyline.EmergencyPublished](records(t, log)) {
		if e.Outcome != leyline.OutcomeOK {
			t.Errorf("published as %+v", e)
		}
	}
	if r := mustRedecide(t, log).Tolaria.Run("run-1"); r.Status != leyline.RunStatusHalted || r.Emergency != leyline.EmergencyElevated {
		t.Errorf("the run is %s at %s", r.Status, r.Emergency)
	}
}

// TestLastLevelIsPublishedBeforeThePlaneEnds shuts a plane down while the level of
// a halt is being written.
func TestLastLevelIsPublishedBeforeThePlaneEnds(t *testing.T) {
	b := newBench(t)
	log := b.newLog()
	p := b.mustStart(log)
	hang := make(chan struct{})
	b.signal.change(func(s *memSignal) { s.hang = hang })
	var halted *workload.Halted
	if _, err := b.train(t.Context(), p, 9, nan(1)); !errors.As(err, &halted) {
		t.Fatalf("training ended with %v", err)
	}
	down := make(chan error, 1)
	go func() { down <- p.Shutdown(t.Context()) }()
	select {
	case <-p.Done():
		t.Error("the plane ended while a level was on its way")
	case <-time.After(50 * time.Millisecond):
	}
	close(hang)
	if err := <-down; err != nil {
		t.Fatal(err)
	}
	sent := only[leyline.EmergencyPublished](records(t, log))
	if level, _, _ := b.signal.Get(); len(sent) != 1 || sent[0].Outcome != leyline.OutcomeOK || level != leyline.EmergencyHalt {
		t.Errorf("published %+v, the signal says %s", sent, level)
	}
}

// command signs an EMERGENCY command and hands it in from outside.
func (b *bench) command(p *plane.Plane, sequence uint64, action leyline.EmergencyAction, level leyline.EmergencyLevel) {
	b.t.Helper()
	var at leyline.Instant
	err := p.View(b.t.Context(), func(s *projections.State) { at = s.At })
	if err != nil {
		b.t.Fatal(err)
	}
	body, err := wire.EncodeCommand(leyline.Command{
		Issuer: "ada", Audience: leyline.Audience{Origin: b.origin.Name, Run: "run-1"}, ID: leyline.CommandID("by-hand-" + level.String()),
		Sequence: sequence, IssuedAt: at, Kind: leyline.CommandEmergency,
		Emergency: leyline.EmergencyCommand{Action: action, Level: level, Reason: "by hand"},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := p.Command(b.t.Context(), leyline.CommandReceived{
		Envelope: b.operator.Sign(leyline.PayloadCommand, body), Peer: leyline.PeerOperator, PeerName: "ada",
	}); err != nil {
		b.t.Fatal(err)
	}
}
