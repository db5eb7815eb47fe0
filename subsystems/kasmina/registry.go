package kasmina

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/kasmina/ownership"
)

// claim gives a seed the parameters that it was grafted with, or culls it because one
// of them is somebody's.
func claim(t *projections.Turn, x leyline.CommandAcked, s *projections.Seed) {
	if len(x.Parameters) == 0 {
		return // not told
	}
	if v := ownership.Update(t.State.Registry(x.Run), s.ID, x.Parameters); !v.Allowed() {
		conflict(t, x.Run, s, v)
		return
	}
	t.Emit(leyline.ParametersRegistered{Run: x.Run, Seed: s.ID, Command: x.Command, Parameters: x.Parameters})
}

// overreaches culls a seed that is about to update another count of numbers than it
// owns. The trainer says the count with every step, before its optimizer moves.
func overreaches(t *projections.Turn, run leyline.RunID, s *projections.Seed, told uint64) bool {
	if !leyline.OnTrial(s.Stage) {
		return false
	}
	v := ownership.Count(s.Parameters, told)
	if v.Allowed() {
		return false
	}
	conflict(t, run, s, v)
	return true
}

func conflict(t *projections.Turn, run leyline.RunID, s *projections.Seed, v ownership.Verdict) {
	t.Emit(leyline.RegistryConflicted{
		Run: run, Seed: s.ID, Why: v.Why, Parameter: v.Parameter, Owner: v.Seed, Teacher: v.Teacher, Owned: v.Owned, Told: v.Told,
	})
	cull(t, run, s, leyline.ReasonRegistryConflict)
}

// untangle looks at the seeds that a rollback or a resume has brought back. What they
// own again may have become the teacher's in the meantime. A seed on trial goes; one
// that had been kept stays, and the teacher goes, which may be registered anew.
func untangle(t *projections.Turn, run leyline.RunID) {
	slots := t.State.Kasmina.Run(run)
	for i := range slots.Seeds {
		s := &slots.Seeds[i]
		v := ownership.Update(t.State.Registry(run), s.ID, s.Parameters)
		if v.Why != leyline.OwnedByTeacher {
			continue
		}
		kept := !leyline.OnTrial(s.Stage)
		conflict(t, run, s, v)
		if kept {
			forget(t, run, leyline.ReasonRegistryConflict)
		}
	}
}

// teach gives a run its teacher, in place of the one there is.
func teach(t *projections.Turn, run leyline.RunID, x leyline.Teacher) {
	budget := uint64(t.Config().Kasmina.TeacherMemoryMiB) << 20
	t.Emit(leyline.TeacherEnrolled{
		Run: run, Teacher: x, Replaces: t.State.Kasmina.Run(run).Teacher.ID, Budget: budget, Over: x.Bytes > budget,
	})
}

// forget ends the teacher of a run, if it has one.
func forget(t *projections.Turn, run leyline.RunID, cause string) {
	if id := t.State.Kasmina.Run(run).Teacher.ID; id != "" {
		t.Emit(leyline.TeacherForgotten{Run: run, Teacher: id, Cause: cause})
	}
}

// CheckTeacher refuses a teacher that claims what is somebody's.
func CheckTeacher(s *projections.State, x leyline.TeacherRegistered) *leyline.Refusal {
	v := ownership.Teach(s.Registry(x.Run), x.Teacher.Parameters)
	if v.Allowed() {
		return nil
	}
	return &leyline.Refusal{
		Subsystem: leyline.SubsystemKasmina, Kind: leyline.RefusalOwned, Field: "teacher.parameters", Identifier: v.Parameter,
		Reason: v.Words(), Hint: "name the teacher's tensors apart from those of the network that is trained",
	}
}

// registry carries out a REGISTRY command. Nothing of it is the trainer's to answer:
// it is settled in the record that accepts it, and the trainer sees from the stages of
// the next answer which seeds have to go.
func (d *dispatch) registry() {
	why, detail := d.steady()
	if why == leyline.RejectNone {
		why, detail = d.teachable()
	}
	if why != leyline.RejectNone {
		d.reject(why, detail)
		return
	}
	d.accept()
	c := &d.v.Command
	switch c.Registry.Action {
	case leyline.RegistryResetAll:
		d.resetRegistry()
	case leyline.RegistryTeach:
		teach(d.Turn, d.id(), c.Registry.Teacher)
	case leyline.RegistryForget:
		forget(d.Turn, d.id(), d.cause())
	}
	d.Emit(leyline.CommandSettled{Run: d.id(), Command: c.ID, Outcome: leyline.OutcomeOK})
}

// teachable says what stands against the teacher of a command.
func (d *dispatch) teachable() (leyline.RejectReason, string) {
	x := &d.v.Command.Registry
	r := d.State.Registry(d.id())
	switch x.Action {
	case leyline.RegistryTeach:
		if v := ownership.Teach(r, x.Teacher.Parameters); !v.Allowed() {
			return leyline.RejectOwned, fmt.Sprintf("%q %s", v.Parameter, v.Words())
		}
	case leyline.RegistryForget:
		if r.Teacher.ID != x.Teacher.ID {
			return leyline.RejectNoTeacher, fmt.Sprintf("the teacher of the run is %q, not %q", r.Teacher.ID, x.Teacher.ID)
		}
	}
	return leyline.RejectNone, ""
}

// resetRegistry gives up every seed on trial and the teacher, so that all parameters
// that are left are the host's. It goes the way of every cull. What keeps commands from
// being replayed, what counts and what has tripped is not the registry's and stays.
func (d *dispatch) resetRegistry() {
	run, c := d.id(), &d.v.Command
	e := leyline.RegistryReset{Run: run, Command: c.ID, Issuer: c.Issuer, Reason: c.Registry.Reason}
	slots := d.State.Kasmina.Run(run)
	for i := range slots.Seeds {
		s := &slots.Seeds[i]
		if !leyline.OnTrial(s.Stage) {
			continue
		}
		if cancel(d.Turn, run, s, causeReset) {
			e.Cancelled++
		}
		cull(d.Turn, run, s, causeReset)
		e.Culled = append(e.Culled, s.ID)
	}
	forget(d.Turn, run, causeReset)
	d.Emit(e)
}

// causeReset is why seeds, prefetches and the teacher go with a reset.
const causeReset = string(leyline.NameRegistryReset)
