package tamiyo

import (
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/leylinetest"
	"github.com/esper-plane/esper/projections"
)

// begunState is the state of a plane with one open run, right after record 3.
func begunState(change ...func(*leyline.ExecutionConfig)) *projections.State {
	c := leyline.DefaultConfig()
	c.Tamiyo.HealthyWindows, c.Tamiyo.CooldownMs = 1, 0
	for _, f := range change {
		f(&c)
	}
	s := &projections.State{}
	plan := leyline.RunOpened{Run: "r", Seeds: []leyline.SeedID{"seed-a"}, Blueprints: []leyline.BlueprintID{"bp-1"}, Layers: []string{"trunk"}}
	for i, e := range []leyline.Event{
		leyline.ConfigAdopted{Config: c},
		leyline.BlueprintAdmitted{Blueprint: leylinetest.Blueprint("bp-1", []byte("kernel"))},
		leyline.RunStarted{Run: "r", Incarnation: 1, Plan: plan},
	} {
		m := leyline.Meta{Seq: leyline.Seq(i + 1), At: 1}
		s.Begin(m)
		s.Apply(m, 0, e)
	}
	return s
}

// TestNeverLeftInTheRecordThatEnteredIt: everything holds that must before the mode is
// left, but the record is the one that gave the reason for it. The next one may.
func TestNeverLeftInTheRecordThatEnteredIt(t *testing.T) {
	for _, twice := range []bool{false, true} {
		s := begunState()
		seq := leyline.Seq(4)
		turn := func() *projections.Turn {
			seq++
			return projections.NewTurn(s, leyline.Meta{Seq: seq, At: 1, Run: "r"})
		}
		run, p := s.Tolaria.Run("r"), s.Tamiyo.Run("r")
		run.Track.Step = 10
		if twice {
			enter(turn(), p, 8, leyline.RiskLossSpike)
		}
		now := turn()
		enter(now, p, 10, leyline.RiskLossSpike)
		if stabilise(now, run, p, 99); len(now.Events()) != 1 || !p.Caution.Conservative {
			t.Errorf("twice %v: the record holds %d events, conservative %v", twice, len(now.Events()), p.Caution.Conservative)
		}
		if stabilise(turn(), run, p, 99); p.Caution.Conservative {
			t.Errorf("twice %v: the next record does not leave it", twice)
		}
	}
}

// TestIncompleteProposals: a proposal without an id that it needs, or with one that
// there is not, is a failure that names the field.
func TestIncompleteProposals(t *testing.T) {
	good := leyline.SeedCommand{Operation: leyline.OpGerminate, Seed: "seed-a", Blueprint: "bp-1"}
	for _, x := range []struct {
		name   string
		change func(*answer)
		kind   leyline.RefusalKind
		field  string
	}{
		{"good", func(*answer) {}, leyline.RefusalNone, ""},
		{"nothing", func(a *answer) { a.Command, a.Reason = leyline.SeedCommand{}, leyline.RiskNothingToDo }, leyline.RefusalNone, ""},
		{"no seed", func(a *answer) { a.Command.Seed = "" }, leyline.RefusalMissingSeed, "seed"},
		{"unknown seed", func(a *answer) { a.Command.Seed = "seed-z" }, leyline.RefusalUnknownSeed, "seed"},
		{"no blueprint", func(a *answer) { a.Command.Blueprint = "" }, leyline.RefusalMissingField, "blueprint"},
		{"unknown blueprint", func(a *answer) { a.Command.Blueprint = "bp-9" }, leyline.RefusalUnknownBlueprint, "blueprint"},
		{"a cull needs no blueprint", func(a *answer) { a.Command.Operation, a.Command.Blueprint = leyline.OpCull, "" }, leyline.RefusalNone, ""},
		{"invalid", func(a *answer) { a.Command, a.Reason, a.Why = leyline.SeedCommand{}, leyline.RiskPolicyInvalid, "NaN" }, leyline.RefusalInvalidField, "answer"},
	} {
		s := begunState()
		s.Kasmina.Run("r").Seeds[0].Stage = leyline.StageDormant
		turn := projections.NewTurn(s, leyline.Meta{Seq: 4, At: 1, Run: "r"})
		run, p := s.Tolaria.Run("r"), s.Tamiyo.Run("r")
		run.Track.Step = 10
		a := answer{}
		a.Command = good
		x.change(&a)
		ok := complete(turn, run, p, &a)
		if ok != (x.kind == leyline.RefusalNone) {
			t.Errorf("%s: complete %v", x.name, ok)
			continue
		}
		if ok {
			if len(turn.Events()) != 0 {
				t.Errorf("%s: leads to %d events", x.name, len(turn.Events()))
			}
			continue
		}
		e := turn.Events()[0].(leyline.PolicyRefused)
		if e.Refusal.Kind != x.kind || e.Refusal.Field != x.field || e.Reason != leyline.RiskPolicyInvalid {
			t.Errorf("%s: %+v", x.name, e)
		}
		if !p.Caution.Conservative || run.Breaker(leyline.BreakerInference).Failures != 1 || len(turn.Events()) != 4 {
			t.Errorf("%s: conservative %v, breaker %+v, %d events", x.name, p.Caution.Conservative, run.Breaker(leyline.BreakerInference), len(turn.Events()))
		}
	}
}
