package telemetry

import l "github.com/esper-plane/esper/leyline"

// registryStory is what is said of whose parameters are whose.
var registryStory = []scene{
	{"a trainer says what it has grafted", "r1", l.CommandAcked{Run: "r1", Command: "c1"}, []l.Event{
		l.ParametersRegistered{Run: "r1", Seed: "s1", Command: "c1", Parameters: []l.Parameter{{Name: "seed.s1.bias", Size: 4}, {Name: "seed.s1.weight", Size: 12}}},
	}},
	{"a seed claims a tensor of the host", "r1", l.CommandAcked{Run: "r1", Command: "c2"}, []l.Event{
		l.RegistryConflicted{Run: "r1", Seed: "s2", Why: l.OwnedByHost, Parameter: "trunk.weight"},
	}},
	{"a seed claims a tensor of another", "r1", l.CommandAcked{Run: "r1", Command: "c3"}, []l.Event{
		l.RegistryConflicted{Run: "r1", Seed: "s2", Why: l.OwnedBySeed, Parameter: "seed.s1.weight", Owner: "s1"},
	}},
	{"a seed is about to update more than it owns", "r1", l.StepObserved{Run: "r1", Step: 3}, []l.Event{
		l.RegistryConflicted{Run: "r1", Seed: "s1", Why: l.CountMismatch, Owned: 16, Told: 20},
	}},
	{"a small teacher", "r1", l.TeacherRegistered{Run: "r1"}, []l.Event{
		l.TeacherEnrolled{Run: "r1", Teacher: l.Teacher{ID: "t1", Parameters: []l.Parameter{{Name: "teacher.weight", Size: 2}}, Bytes: 1 << 29}, Budget: 7 << 30},
	}},
	{"a large one takes its place", "r1", l.TeacherRegistered{Run: "r1"}, []l.Event{
		l.TeacherEnrolled{Run: "r1", Teacher: l.Teacher{ID: "t2", Bytes: 8 << 30}, Replaces: "t1", Budget: 7 << 30, Over: true},
	}},
	{"a seed claims what is the teacher's", "r1", l.CommandAcked{Run: "r1", Command: "c4"}, []l.Event{
		l.RegistryConflicted{Run: "r1", Seed: "s1", Why: l.OwnedByTeacher, Parameter: "teacher.weight", Teacher: "t2"},
	}},
	{"an operator resets the registry", "r1", l.CommandReceived{Peer: l.PeerOperator}, []l.Event{
		l.TeacherForgotten{Run: "r1", Teacher: "t2", Cause: "registry_reset"},
		l.RegistryReset{Run: "r1", Command: "c5", Issuer: "ada", Reason: "begin anew", Culled: []l.SeedID{"s1", "s2"}, Cancelled: 1},
	}},
}
