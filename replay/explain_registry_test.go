package replay

import (
	"testing"

	"github.com/esper-plane/esper/leyline"
)

func TestRegistryInWords(t *testing.T) {
	own := []leyline.Parameter{{Name: "a", Size: 3}, {Name: "b", Size: 4}}
	for _, c := range []struct {
		event leyline.Event
		want  string
	}{
		{leyline.ParametersRegistered{Seed: "s1", Parameters: own}, "seed s1 owns 2 tensors of 7 numbers from here on"},
		{leyline.RegistryConflicted{Seed: "s1", Why: leyline.OwnedByHost, Parameter: "trunk.w"}, `seed s1 claims "trunk.w", which is owned by the host`},
		{leyline.RegistryConflicted{Seed: "s1", Why: leyline.OwnedByHost, Parameter: "w", Owner: "s0"},
			`seed s1 claims "w", which is owned by the host (seed s0 became a part of it)`},
		{leyline.RegistryConflicted{Seed: "s1", Why: leyline.OwnedBySeed, Parameter: "w", Owner: "s0"}, `seed s1 claims "w", which is owned by seed s0`},
		{leyline.RegistryConflicted{Seed: "s1", Why: leyline.OwnedByTeacher, Parameter: "w", Teacher: "t"}, `seed s1 claims "w", which is owned by teacher t`},
		{leyline.RegistryConflicted{Seed: "s1", Why: leyline.CountMismatch, Owned: 7, Told: 9}, "seed s1 owns 7 numbers and is about to update 9"},
		{leyline.TeacherEnrolled{Teacher: leyline.Teacher{ID: "t2", Parameters: own, Bytes: 2 << 20}, Replaces: "t1", Budget: 1 << 20, Over: true},
			"teacher t2 is registered in place of t1: 2 tensors of 7 numbers that nobody may update, 2.0 MiB of memory, over the 1.0 MiB of kasmina.teacher_memory_mib"},
		{leyline.TeacherForgotten{Teacher: "t", Cause: "registry_reset"}, `teacher t is forgotten: "registry_reset"`},
		{leyline.RegistryReset{Issuer: "ada", Culled: []leyline.SeedID{"s1", "s2"}, Cancelled: 1, Reason: "begin anew"},
			`the registry of parameters is reset by "ada": seeds [s1 s2] go, 1 prefetches are cancelled: "begin anew"`},
	} {
		if got := eventWords(c.event); got != c.want {
			t.Errorf("%s\n got %q\nwant %q", c.event.EventKind(), got, c.want)
		}
	}
}

func TestOwnersOfASituation(t *testing.T) {
	x := Situation{Run: "r", Teacher: "t1", Seeds: []Sprout{
		{Seed: "s1", Stage: leyline.StageTraining, Steps: 3, Parameters: 7}, {Seed: "s2", Stage: leyline.StageFossilized, Parameters: 9}, {Seed: "s3", Stage: leyline.StageTraining},
	}}
	got := map[string]string{}
	for _, f := range x.figures() {
		got[f.Name] = f.Value
	}
	for name, want := range map[string]string{
		"teacher": "t1", "s1": "TRAINING for 3 steps, owns 7 numbers", "s2": "FOSSILIZED for 0 steps, gave the host 9 numbers", "s3": "TRAINING for 0 steps",
	} {
		if got[name] != want {
			t.Errorf("%s is told as %q, want %q", name, got[name], want)
		}
	}
}
