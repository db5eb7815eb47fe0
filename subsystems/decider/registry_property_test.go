package decider_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/detmath"
)

// TestNobodySharesAParameter lets seeds and teachers claim tensors out of a small pool,
// at random, with culls, resets and rollbacks in between. After every record each tensor
// has one owner at most, and the log folds to the state that decided it.
func TestNobodySharesAParameter(t *testing.T) {
	histories := 40
	if testing.Short() {
		histories = 8
	}
	conflicts := 0
	for h := range uint64(histories) {
		o := owned(t, func(c *leyline.ExecutionConfig) { c.Kasmina.EmbargoSteps, c.Tolaria.RollbackLimit = 1, 100 })
		d := drawn{o, detmath.NewPCG(h, 17)}
		for range 60 {
			d.act()
			d.disjoint()
		}
		var again projections.State
		for _, r := range o.log {
			again.ApplyRecord(r)
			for _, e := range r.Events {
				if _, ok := e.(leyline.RegistryConflicted); ok {
					conflicts++
				}
			}
		}
		if again.Digest() != o.s.Digest() {
			t.Fatalf("history %d folds to another state", h)
		}
	}
	if conflicts < histories {
		t.Errorf("only %d conflicts in %d histories, the test shows little", conflicts, histories)
	}
}

// drawn is a registrar who acts at random.
type drawn struct {
	*registrar
	dice *detmath.PCG
}

func (d drawn) n(below uint64) uint64 { return d.dice.Uint64() % below }

// names draws up to three tensors out of eight, two of which are the host's.
func (d drawn) names() []string {
	pool := []string{"a", "b", "c", "d", "e", "f", "trunk.b", "trunk.w"}
	var out []string
	for range 1 + d.n(3) {
		if x := pool[d.n(uint64(len(pool)))]; !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}

func (d drawn) act() {
	seed := []leyline.SeedID{"seed-a", "seed-b"}[d.n(2)]
	s := d.s.Kasmina.Seed("run-1", seed)
	switch what := d.n(10); {
	case s.Stage == leyline.StageEmbargoed:
		d.at = d.at.Add(d.config.Kasmina.Embargo.Duration())
		if due, ok := d.s.NextTimer(); ok && due.Due <= d.at {
			d.feedNow(due)
		}
	case what < 4 && s.Stage == leyline.StageDormant:
		d.trains(seed, d.names()...)
	case what < 5 && leyline.OnTrial(s.Stage):
		d.commands(leyline.SeedCommand{Operation: leyline.OpCull, Seed: seed})
		d.answers()
	case what < 7:
		d.feed(leyline.TeacherRegistered{Run: "run-1", Teacher: teacherOf(leyline.TeacherID(fmt.Sprint("t", d.seq)), d.names()...), Peer: leyline.PeerTrainer})
	case what < 8 && d.run().Good(d.run().Track.Step) != nil:
		d.rollsBack()
	case what < 9:
		d.must(d.report())
		d.must(d.snapshot(fmt.Sprint("s", d.seq)))
		d.must(d.report())
	default:
		d.registers(leyline.RegistryResetAll, leyline.Teacher{})
	}
}

func (d drawn) rollsBack() {
	to := one[leyline.RollbackStarted](d.world, d.fault())
	at := digest(string(to.Snapshot))
	d.must(d.rollback(leyline.PhasePrepare, at))
	d.inc = one[leyline.RollbackFinished](d.world, d.must(d.rollback(leyline.PhaseCommit, at))).Incarnation
}

// disjoint fails for a tensor of two owners.
func (d drawn) disjoint() {
	d.t.Helper()
	owner := map[string]string{}
	claim := func(who string, ps []leyline.Parameter) {
		for _, p := range ps {
			if other, taken := owner[p.Name]; taken {
				d.t.Fatalf("record %d: %s is owned by %s and by %s", d.seq, p.Name, other, who)
			}
			owner[p.Name] = who
		}
	}
	r := d.s.Registry("run-1")
	claim("the host", r.Host)
	claim("the teacher", r.Teacher.Parameters)
	for i := range r.Seeds {
		claim(string(r.Seeds[i].ID), r.Seeds[i].Parameters)
	}
}
