package projections

import (
	"slices"
	"strings"

	"github.com/esper-plane/esper/leyline"
)

// Owner is whose a parameter is.
type Owner struct {
	Why     leyline.Ownership // unspecified: nobody's
	Seed    leyline.SeedID    // the seed, or the one that became part of the host
	Teacher leyline.TeacherID
}

// Registry says whose the parameters of a run are. It is no state of its own: the
// host's are those of the plan and of the seeds that were kept, a seed's are its own
// as long as it is on trial, the teacher's are the teacher's. So what culls a seed,
// keeps it or rewinds it does the same to what it owns.
type Registry struct {
	Host    []leyline.Parameter
	Seeds   []Seed
	Teacher *leyline.Teacher
}

// Registry returns whose the parameters of a run are; that of an unknown run is empty.
func (s *State) Registry(run leyline.RunID) Registry {
	r, slots := s.Tolaria.Run(run), s.Kasmina.Run(run)
	if r == nil || slots == nil {
		return Registry{Teacher: &leyline.Teacher{}}
	}
	return Registry{Host: r.Plan.HostParameters, Seeds: slots.Seeds, Teacher: &slots.Teacher}
}

// Owner returns whose a parameter is. Of two, which only a rollback can bring about,
// the teacher is named: nobody updates what is a teacher's.
func (r Registry) Owner(name string) Owner {
	if named(r.Teacher.Parameters, name) {
		return Owner{Why: leyline.OwnedByTeacher, Teacher: r.Teacher.ID}
	}
	if named(r.Host, name) {
		return Owner{Why: leyline.OwnedByHost}
	}
	for i := range r.Seeds {
		s := &r.Seeds[i]
		if !named(s.Parameters, name) {
			continue
		}
		if leyline.OnTrial(s.Stage) {
			return Owner{Why: leyline.OwnedBySeed, Seed: s.ID}
		}
		return Owner{Why: leyline.OwnedByHost, Seed: s.ID}
	}
	return Owner{}
}

func named(ps []leyline.Parameter, name string) bool {
	_, found := slices.BinarySearchFunc(ps, name, func(p leyline.Parameter, name string) int { return strings.Compare(p.Name, name) })
	return found
}

func (k *Kasmina) applyRegistry(e leyline.Event) {
	switch x := e.(type) {
	case leyline.ParametersRegistered:
		k.update(x.Run, x.Seed, func(s *Seed) { s.Parameters = x.Parameters })
	case leyline.TeacherEnrolled:
		if s := k.Run(x.Run); s != nil {
			s.Teacher = x.Teacher
		}
	case leyline.TeacherForgotten:
		if s := k.Run(x.Run); s != nil {
			s.Teacher = leyline.Teacher{}
		}
	}
}
