package decider_test

import (
	"slices"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

func TestSeedOwnsWhatItWasGraftedWith(t *testing.T) {
	o := owned(t)
	e := one[leyline.ParametersRegistered](o.world, o.trains("seed-a", "a.w", "a.b"))
	if e.Seed != "seed-a" || len(e.Parameters) != 2 || e.Command == "" {
		t.Errorf("registered as %+v", e)
	}
	o.owners("a.w: seed seed-a", "a.b: seed seed-a", "trunk.w: host", "b.w: nobody")
	o.commands(leyline.SeedCommand{Operation: leyline.OpCull, Seed: "seed-a"})
	o.owners("a.w: nobody", "a.b: nobody", "trunk.w: host")
}

// TestSharedParameterIsAViolation claims what somebody owns already, in every way that
// there is; separate tensors are no violation.
func TestSharedParameterIsAViolation(t *testing.T) {
	for _, c := range []struct {
		name string
		want leyline.RegistryConflicted
	}{
		{"trunk.w", leyline.RegistryConflicted{Why: leyline.OwnedByHost}},
		{"a.w", leyline.RegistryConflicted{Why: leyline.OwnedBySeed, Owner: "seed-a"}},
		{"teach.w", leyline.RegistryConflicted{Why: leyline.OwnedByTeacher, Teacher: "t1"}},
	} {
		t.Run(c.want.Why.String(), func(t *testing.T) {
			o := owned(t)
			o.must(leyline.TeacherRegistered{Run: "run-1", Teacher: teacherOf("t1", "teach.w"), Peer: leyline.PeerTrainer})
			o.trains("seed-a", "a.w")
			ev := o.trains("seed-b", "b.w", c.name)
			c.want.Run, c.want.Seed, c.want.Parameter = "run-1", "seed-b", c.name
			if got := one[leyline.RegistryConflicted](o.world, ev); got != c.want {
				t.Errorf("conflict %+v", got)
			}
			if m := one[leyline.SeedMoved](o.world, ev); m.To != leyline.StageCulled || m.Cause != "registry_conflict" {
				t.Errorf("moved %+v", m)
			}
			if s := o.s.Kasmina.Seed("run-1", "seed-b"); s.Stage != leyline.StageEmbargoed || len(s.Parameters) != 0 {
				t.Errorf("the seed is %+v", s)
			}
			o.owners("a.w: seed seed-a", "b.w: nobody", "trunk.w: host", "teach.w: teacher t1")
		})
	}
	o := owned(t)
	o.trains("seed-a", "a.w")
	if _, bad := first[leyline.RegistryConflicted](o.trains("seed-b", "b.w")); bad {
		t.Error("separate tensors are a conflict")
	}
}

// TestUpdateOfMoreThanIsOwned says with a step that a seed updates another count of
// numbers than it owns.
func TestUpdateOfMoreThanIsOwned(t *testing.T) {
	o := owned(t)
	o.trains("seed-a", "a.b", "a.w")
	x := o.report()
	x.Seeds[0].Parameters = 2
	if _, bad := first[leyline.RegistryConflicted](o.must(x)); bad {
		t.Error("what it owns is a violation")
	}
	x = o.report()
	x.Seeds[0].Parameters = 3
	ev := o.must(x)
	if got := one[leyline.RegistryConflicted](o.world, ev); got.Why != leyline.CountMismatch || got.Owned != 2 || got.Told != 3 {
		t.Errorf("conflict %+v", got)
	}
	if o.seed().Stage != leyline.StageEmbargoed {
		t.Errorf("the seed is %s", o.seed().Stage)
	}
	if _, seen := first[leyline.IsolationAssessed](ev); seen {
		t.Error("something was learned of a seed that goes")
	}
}

func TestUntoldParametersAreNotCompared(t *testing.T) {
	o := owned(t)
	if _, told := first[leyline.ParametersRegistered](o.trains("seed-a")); told {
		t.Error("nothing was declared, and was registered")
	}
	x := o.report()
	x.Seeds[0].Parameters = 99
	if _, bad := first[leyline.RegistryConflicted](o.must(x)); bad {
		t.Error("a count is compared with nothing")
	}
}

// TestParametersComeWithTheGraft refuses them with any other answer.
func TestParametersComeWithTheGraft(t *testing.T) {
	o := owned(t)
	o.commands(germinate())
	in := leyline.CommandAcked{Run: "run-1", Incarnation: o.inc, Command: o.s.Kasmina.Pending[0].Command, Outcome: leyline.OutcomeOK, Parameters: params("a.w")}
	if r := o.refused(in); r.Field != "parameters" || r.Kind != leyline.RefusalInvalidField {
		t.Errorf("refused as %+v", r)
	}
	in.Parameters = nil
	o.must(in)
	o.commands(leyline.SeedCommand{Operation: leyline.OpStartTraining, Seed: "seed-a"})
	in.Command, in.Outcome, in.Parameters = o.s.Kasmina.Pending[0].Command, leyline.OutcomeFailed, params("a.w")
	if r := o.refused(in); r.Field != "parameters" {
		t.Errorf("refused as %+v", r)
	}
}

// TestRollbackRewindsOwnership goes back to before a seed was grafted, and to after.
func TestRollbackRewindsOwnership(t *testing.T) {
	o := owned(t)
	rewinds := func(id string) {
		t.Helper()
		o.must(o.snapshot(id))
		o.must(o.report())
	}
	o.must(o.report())
	rewinds("before")
	o.trains("seed-a", "a.w")
	o.must(o.report())
	back := func(id string) {
		t.Helper()
		if s := one[leyline.RollbackStarted](o.world, o.fault()); string(s.Snapshot) != id {
			t.Fatalf("rolls back to %s", s.Snapshot)
		}
		o.must(o.rollback(leyline.PhasePrepare, digest(id)))
		o.inc = one[leyline.RollbackFinished](o.world, o.must(o.rollback(leyline.PhaseCommit, digest(id)))).Incarnation
	}
	back("before")
	o.owners("a.w: nobody", "trunk.w: host")
	o.trains("seed-b", "a.w")
	o.must(o.report())
	rewinds("after")
	o.commands(leyline.SeedCommand{Operation: leyline.OpCull, Seed: "seed-b"})
	o.answers()
	o.must(leyline.TeacherRegistered{Run: "run-1", Teacher: teacherOf("t1", "z.w"), Peer: leyline.PeerTrainer})
	back("after")
	o.owners("a.w: seed seed-b", "z.w: teacher t1")

	// What the seed gave up has become the teacher's: it cannot have it back.
	o.must(o.report())
	o.commands(leyline.SeedCommand{Operation: leyline.OpCull, Seed: "seed-b"})
	o.answers()
	o.must(leyline.TeacherRegistered{Run: "run-1", Teacher: teacherOf("t2", "a.w"), Peer: leyline.PeerTrainer})
	back("after")
	if e := one[leyline.RegistryConflicted](o.world, o.last); e.Seed != "seed-b" || e.Teacher != "t2" {
		t.Errorf("conflict %+v", e)
	}
	o.owners("a.w: teacher t2", "z.w: nobody")
}

func TestTeacher(t *testing.T) {
	o := owned(t, func(c *leyline.ExecutionConfig) { c.Kasmina.TeacherMemoryMiB = 1 })
	o.trains("seed-a", "a.w")
	for name, owner := range map[string]string{"trunk.w": "is owned by the host", "a.w": "is owned by seed seed-a"} {
		r := o.refused(leyline.TeacherRegistered{Run: "run-1", Teacher: teacherOf("t1", "t.w", name), Peer: leyline.PeerTrainer})
		if r.Kind != leyline.RefusalOwned || r.Identifier != name || r.Reason != owner {
			t.Errorf("%s of a teacher: %+v", name, r)
		}
	}
	e := one[leyline.TeacherEnrolled](o.world, o.must(leyline.TeacherRegistered{Run: "run-1", Teacher: teacherOf("t1", "t.w", "t.old"), Peer: leyline.PeerTrainer}))
	if e.Over || e.Budget != 1<<20 || e.Replaces != "" {
		t.Errorf("enrolled as %+v", e)
	}
	big := teacherOf("t2", "t.w", "t.new")
	big.Bytes++
	e = one[leyline.TeacherEnrolled](o.world, o.must(leyline.TeacherRegistered{Run: "run-1", Teacher: big, Peer: leyline.PeerTrainer}))
	if !e.Over || e.Replaces != "t1" {
		t.Errorf("enrolled as %+v", e)
	}
	o.owners("t.w: teacher t2", "t.new: teacher t2", "t.old: nobody")
	if r := o.refused(leyline.TeacherDeregistered{Run: "run-1", Teacher: "t1", Peer: leyline.PeerTrainer}); r.Kind != leyline.RefusalNoTeacher {
		t.Errorf("refused as %+v", r)
	}
	seeds := projections.DigestOf(o.s.Kasmina.Run("run-1").Seeds)
	ev := o.must(leyline.TeacherDeregistered{Run: "run-1", Teacher: "t2", Peer: leyline.PeerTrainer})
	if f := one[leyline.TeacherForgotten](o.world, ev); len(ev) != 1 || f.Teacher != "t2" || projections.DigestOf(o.s.Kasmina.Run("run-1").Seeds) != seeds {
		t.Errorf("forgotten as %+v", ev)
	}
	o.owners("t.w: nobody", "a.w: seed seed-a")
}

func TestTeacherByCommand(t *testing.T) {
	o := owned(t)
	if r := one[leyline.CommandRejected](o.world, o.registers(leyline.RegistryTeach, teacherOf("t1", "trunk.w"))); r.Reason != leyline.RejectOwned {
		t.Errorf("rejected as %+v", r)
	}
	if r := one[leyline.CommandRejected](o.world, o.registers(leyline.RegistryForget, leyline.Teacher{ID: "t1"})); r.Reason != leyline.RejectNoTeacher {
		t.Errorf("rejected as %+v", r)
	}
	ev := o.registers(leyline.RegistryTeach, teacherOf("t1", "t.w"))
	if one[leyline.TeacherEnrolled](o.world, ev).Teacher.ID != "t1" || one[leyline.CommandSettled](o.world, ev).Outcome != leyline.OutcomeOK {
		t.Errorf("carried out as %s", kinds(ev))
	}
	one[leyline.TeacherForgotten](o.world, o.registers(leyline.RegistryForget, leyline.Teacher{ID: "t1"}))
	o.owners("t.w: nobody")
	if len(o.s.Kasmina.Pending) != 0 {
		t.Error("the trainer is to answer")
	}
}

// TestRegistryReset gives up one seed that trains and one whose kernel is on its way,
// and touches nothing that keeps commands from being replayed.
func TestRegistryReset(t *testing.T) {
	o := owned(t)
	stolen := o.signed(leyline.CommandSeed, germinate(), leyline.RegistryCommand{})
	one[leyline.CommandVerified](o.world, o.must(stolen))
	k := o.seed().Kernel
	o.must(leyline.KernelReady{Request: k.Request, Run: "run-1", Seed: "seed-a", Digest: k.Digest, Guard: k.Guard, Origin: leyline.KernelFromStore, Bytes: 6, TookNs: 1e6})
	o.answers()
	o.commands(leyline.SeedCommand{Operation: leyline.OpStartTraining, Seed: "seed-a"})
	o.answers(params("a.w")...)
	waits := germinate()
	waits.Seed = "seed-b"
	one[leyline.CommandVerified](o.world, o.must(o.signed(leyline.CommandSeed, waits, leyline.RegistryCommand{})))
	o.must(leyline.TeacherRegistered{Run: "run-1", Teacher: teacherOf("t1", "t.w"), Peer: leyline.PeerTrainer})

	nonces, windows := slices.Clone(o.s.Kasmina.Nonces), slices.Clone(o.s.Kasmina.Windows)
	keys, breakers, accepted := projections.DigestOf(o.s.Plane.Keys), projections.DigestOf(o.run().Breakers), o.s.Audit.Accepted
	ev := o.registers(leyline.RegistryResetAll, leyline.Teacher{})

	e := one[leyline.RegistryReset](o.world, ev)
	if !slices.Equal(e.Culled, []leyline.SeedID{"seed-a", "seed-b"}) || e.Cancelled != 1 || e.Issuer != "ada" || e.Reason != "by hand" {
		t.Errorf("reset as %+v", e)
	}
	if p := one[leyline.PrefetchSettled](o.world, ev); p.Outcome != leyline.OutcomeSuperseded || p.Reason != "registry_reset" || p.Seed != "seed-b" {
		t.Errorf("the prefetch is settled as %+v", p)
	}
	one[leyline.TeacherForgotten](o.world, ev)
	for _, s := range o.s.Kasmina.Run("run-1").Seeds {
		if s.Stage != leyline.StageEmbargoed || !s.Kernel.Request.IsZero() {
			t.Errorf("seed %s is %s", s.ID, s.Stage)
		}
	}
	o.owners("a.w: nobody", "t.w: nobody", "trunk.w: host")
	for _, n := range nonces {
		if !o.s.Kasmina.Spent(n.Command) {
			t.Errorf("command %s could be replayed", n.Command)
		}
	}
	if len(o.s.Kasmina.Nonces) != len(nonces)+1 || len(o.s.Kasmina.Windows) != len(windows) || o.s.Kasmina.High(o.key.KeyID()) != o.n ||
		projections.DigestOf(o.s.Plane.Keys) != keys || projections.DigestOf(o.run().Breakers) != breakers || o.s.Audit.Accepted != accepted+1 {
		t.Error("the reset went beyond the registry")
	}
	if r := one[leyline.CommandRejected](o.world, o.must(stolen)); r.Reason != leyline.RejectNonceReplayed {
		t.Errorf("after the reset a command is replayed: %+v", r)
	}
	if moved, ok := first[leyline.SeedMoved](o.last); ok {
		t.Errorf("the replay moved a seed: %+v", moved)
	}
}

// TestResetKeepsWhatIsKept leaves a fossilised seed to the host.
func TestResetKeepsWhatIsKept(t *testing.T) {
	o := owned(t)
	o.trains("seed-a", "a.w")
	graft := leyline.SeedCommand{Operation: leyline.OpStartGrafting, Seed: "seed-a", Blend: leyline.BlendPlan{Mode: leyline.BlendResidual, TotalSteps: 2, Temperature: 1}}
	for _, c := range []leyline.SeedCommand{
		graft, {Operation: leyline.OpStabilize, Seed: "seed-a"}, {Operation: leyline.OpEvaluate, Seed: "seed-a"}, {Operation: leyline.OpFossilize, Seed: "seed-a"},
	} {
		for range 12 {
			o.must(o.report())
			o.measure(0.02)
		}
		o.commands(c)
		o.answers()
	}
	if o.seed().Stage != leyline.StageFossilized {
		t.Fatalf("the seed is %s", o.seed().Stage)
	}
	o.owners("a.w: host")
	o.registers(leyline.RegistryResetAll, leyline.Teacher{})
	o.owners("a.w: host", "trunk.w: host")
	if o.seed().Stage != leyline.StageFossilized {
		t.Errorf("the seed is %s", o.seed().Stage)
	}
	if e := one[leyline.RegistryConflicted](o.world, o.trains("seed-b", "a.w")); e.Why != leyline.OwnedByHost || e.Owner != "seed-a" {
		t.Errorf("conflict %+v", e)
	}
}

func TestRegistryCommandsOfNoRun(t *testing.T) {
	o := owned(t)
	o.must(leyline.RunClosed{Run: "run-1", Incarnation: o.inc, Outcome: leyline.OutcomeFailed})
	if r := one[leyline.CommandRejected](o.world, o.registers(leyline.RegistryResetAll, leyline.Teacher{})); r.Reason != leyline.RejectRunNotOpen {
		t.Errorf("rejected as %+v", r)
	}
	if r := o.refused(leyline.TeacherRegistered{Run: "run-1", Teacher: teacherOf("t1", "t.w"), Peer: leyline.PeerTrainer}); r.Kind != leyline.RefusalRunNotOpen {
		t.Errorf("refused as %+v", r)
	}
	if r := one[leyline.CommandRejected](o.world, o.registers(leyline.RegistryActionUnspecified, leyline.Teacher{})); r.Reason != leyline.RejectMalformed {
		t.Errorf("rejected as %+v", r)
	}
}
