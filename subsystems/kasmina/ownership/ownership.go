// Package ownership judges whether somebody may update parameters: pure functions from
// a registry to a verdict with a reason.
package ownership

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// Verdict says whether parameters may be updated and, if not, what is in the way.
type Verdict struct {
	projections.Owner        // of Parameter; Why is unspecified when nothing is in the way
	Parameter         string // the first that is somebody else's
	Owned, Told       uint64 // of count_mismatch
}

// Allowed reports that nothing is in the way.
func (v Verdict) Allowed() bool { return v.Why == leyline.OwnershipUnspecified }

// Words says what is in the way, as the rest of a sentence about the parameter.
func (v Verdict) Words() string {
	switch v.Why {
	case leyline.OwnedBySeed:
		return fmt.Sprintf("is owned by seed %s", v.Seed)
	case leyline.OwnedByTeacher:
		return fmt.Sprintf("is owned by teacher %s", v.Teacher)
	case leyline.OwnedByHost:
		if v.Seed != "" {
			return fmt.Sprintf("is owned by the host, of which seed %s has become a part", v.Seed)
		}
		return "is owned by the host"
	case leyline.CountMismatch:
		return fmt.Sprintf("are %d numbers of which %d are owned", v.Told, v.Owned)
	}
	return "is nobody's"
}

// Update judges whether a seed may update parameters: all of them must be its own, or
// nobody's as long as it has none. What is the teacher's may be updated by no seed,
// and neither may what is the host's, fossilised seeds included.
func Update(r projections.Registry, seed leyline.SeedID, ps []leyline.Parameter) Verdict {
	return first(r, ps, func(o projections.Owner) bool { return o.Why == leyline.OwnedBySeed && o.Seed == seed })
}

// Teach judges whether parameters may become a teacher's: they must be nobody's, or
// those of the teacher that it replaces.
func Teach(r projections.Registry, ps []leyline.Parameter) Verdict {
	return first(r, ps, func(o projections.Owner) bool { return o.Why == leyline.OwnedByTeacher })
}

// first returns the verdict on the first parameter that is somebody's and not its own.
func first(r projections.Registry, ps []leyline.Parameter, own func(projections.Owner) bool) Verdict {
	for i := range ps {
		o := r.Owner(ps[i].Name)
		if o.Why != leyline.OwnershipUnspecified && !own(o) {
			return Verdict{Owner: o, Parameter: ps[i].Name}
		}
	}
	return Verdict{}
}

// Count judges whether a seed that owns parameters may update as many numbers as the
// trainer says. Where either is not told there is nothing to compare.
func Count(owned []leyline.Parameter, told uint64) Verdict {
	n := leyline.ParameterCount(owned)
	if n == 0 || told == 0 || n == told {
		return Verdict{}
	}
	return Verdict{Owner: projections.Owner{Why: leyline.CountMismatch}, Owned: n, Told: told}
}
