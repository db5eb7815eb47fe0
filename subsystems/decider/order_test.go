package decider_test

import (
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/detmath"
)

// TestOrderOverRandomHistories holds two rules over histories drawn at random, with
// faults, late and forged reports, rollbacks and restarts:
//
// No snapshot is registered of a state that the governor distrusts: its step was
// given weights and assessed healthy, and no rollback is under way.
//
// No command that was decided before a rollback takes effect after it: whatever the
// trainer is handed, or has carried out, was issued in the present lineage, and what
// was pending when a rollback ended is void.
func TestOrderOverRandomHistories(t *testing.T) {
	var snapshots, commands, rollbacks int
	for seed := range uint64(60) {
		w := newWorld(t, func(c *leyline.ExecutionConfig) {
			c.Tolaria.DivergeWarmup, c.Tolaria.DivergeSteps = 3, 2
			c.Kasmina.EmbargoSteps, c.Kasmina.Embargo = 1, 1
		})
		w.open()
		roomy(w, 35)
		z := &scrambler{w: w, r: detmath.NewPCG(seed, 11)}
		o := &order{t: t, verified: map[leyline.CommandID]leyline.Lineage{}}
		for i := 0; i < 400 && w.run().Status == leyline.RunStatusOpen; i++ {
			o.suspect, o.active = w.run().Track.Suspect, w.run().Rollback.Active()
			from := len(w.log)
			z.next()
			for _, r := range w.log[from:] {
				o.record(r)
			}
			o.voided(w.s)
		}
		snapshots, commands, rollbacks = snapshots+o.snapshots, commands+o.commands, rollbacks+o.rollbacks
	}
	if snapshots < 100 || commands < 100 || rollbacks < 30 {
		t.Errorf("the histories had %d snapshots, %d commands and %d rollbacks: too few to mean anything", snapshots, commands, rollbacks)
	}
}

// order follows a history from outside the deciders.
type order struct {
	t        *testing.T
	lineage  leyline.Lineage
	health   leyline.Health // of the step that was assessed last
	suspect  uint32         // before the record at hand
	active   bool           // likewise: a rollback was under way
	rewound  leyline.Instant
	verified map[leyline.CommandID]leyline.Lineage

	snapshots, commands, rollbacks int
}

func (o *order) record(r leyline.Record) {
	for _, e := range r.Events {
		switch x := e.(type) {
		case leyline.TrainingAssessed:
			o.health = x.Health
		case leyline.SnapshotRegistered:
			o.snapshots++
			if o.suspect > 0 || o.active || o.health == leyline.HealthSuspect || o.health == leyline.HealthNonFinite || o.health == leyline.HealthDiverged {
				o.t.Fatalf("record %d registers a snapshot of a %s state, rollback under way %v", r.Seq, o.health, o.active)
			}
		case leyline.RollbackFinished:
			if x.Outcome == leyline.OutcomeOK {
				o.lineage, o.rewound, o.health = x.Lineage, r.At, leyline.HealthHealthy
				o.rollbacks++
			}
		case leyline.RunResumed:
			if x.Lineage != o.lineage {
				o.rewound = r.At
			}
			o.lineage, o.health = x.Lineage, leyline.HealthHealthy
		case leyline.CommandVerified:
			o.commands++
			o.verified[x.Command] = o.lineage
			if x.IssuedAt < o.rewound {
				o.t.Fatalf("record %d accepts command %s, which was issued before the rollback", r.Seq, x.Command)
			}
		case leyline.CommandSettled:
			if o.verified[x.Command] != o.lineage {
				o.t.Fatalf("record %d settles command %s of lineage %d in lineage %d", r.Seq, x.Command, o.verified[x.Command], o.lineage)
			}
		}
	}
}

// voided holds what the trainer still owes an answer for against the lineage.
func (o *order) voided(s *projections.State) {
	for _, p := range s.Kasmina.Pending {
		if o.verified[p.Command] != o.lineage {
			o.t.Fatalf("command %s of lineage %d is pending in lineage %d", p.Command, o.verified[p.Command], o.lineage)
		}
	}
}

// TestCommandFromBeforeARollbackIsRejected keeps a signed command back until the run
// it was meant for has been rolled back.
func TestCommandFromBeforeARollbackIsRejected(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.steps(11)
	held := w.valid(germinate())
	w.fault()
	w.must(w.rollback(leyline.PhasePrepare, digest("s-1-10")))
	w.must(w.rollback(leyline.PhaseCommit, digest("s-1-10")))
	w.inc = w.run().Incarnation
	if e, ok := first[leyline.CommandRejected](w.feed(w.received(held))); !ok || e.Reason != leyline.RejectOutdated {
		t.Errorf("after the rollback: %+v", e)
	}
}
