package ownership

import (
	"slices"
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// params are parameters of one number each.
func params(names ...string) []leyline.Parameter {
	slices.Sort(names)
	var out []leyline.Parameter
	for _, n := range names {
		out = append(out, leyline.Parameter{Name: n, Size: 1})
	}
	return out
}

func registry() projections.Registry {
	return projections.Registry{
		Host: params("trunk.weight", "trunk.bias"),
		Seeds: []projections.Seed{
			{ID: "s1", Stage: leyline.StageTraining, Parameters: params("seed.s1.w", "seed.s1.b")},
			{ID: "s2", Stage: leyline.StageFossilized, Parameters: params("seed.s2.w")},
			{ID: "s3", Stage: leyline.StageTraining},
		},
		Teacher: &leyline.Teacher{ID: "t1", Parameters: params("teacher.w")},
	}
}

// TestUpdate asks for every seed what it may update, and for the reason.
func TestUpdate(t *testing.T) {
	for _, c := range []struct {
		seed  leyline.SeedID
		names string
		want  leyline.Ownership
		first string
		words string
	}{
		{"s1", "seed.s1.w seed.s1.b", leyline.OwnershipUnspecified, "", "is nobody's"},
		{"s1", "new.w", leyline.OwnershipUnspecified, "", "is nobody's"},
		{"s1", "", leyline.OwnershipUnspecified, "", "is nobody's"},
		{"s3", "a seed.s1.w trunk.bias", leyline.OwnedBySeed, "seed.s1.w", "is owned by seed s1"},
		{"s1", "seed.s1.w trunk.bias", leyline.OwnedByHost, "trunk.bias", "is owned by the host"},
		{"s1", "seed.s2.w", leyline.OwnedByHost, "seed.s2.w", "is owned by the host, of which seed s2 has become a part"},
		{"s2", "seed.s2.w", leyline.OwnedByHost, "seed.s2.w", "is owned by the host, of which seed s2 has become a part"},
		{"s1", "teacher.w", leyline.OwnedByTeacher, "teacher.w", "is owned by teacher t1"},
		{"s2", "teacher.w", leyline.OwnedByTeacher, "teacher.w", "is owned by teacher t1"},
		{"s3", "teacher.w", leyline.OwnedByTeacher, "teacher.w", "is owned by teacher t1"},
	} {
		v := Update(registry(), c.seed, params(strings.Fields(c.names)...))
		if v.Why != c.want || v.Parameter != c.first || v.Words() != c.words || v.Allowed() != (c.want == leyline.OwnershipUnspecified) {
			t.Errorf("%s updates %q: %+v, %q", c.seed, c.names, v, v.Words())
		}
	}
}

func TestTeach(t *testing.T) {
	if v := Teach(registry(), params("teacher.w", "teacher.b")); !v.Allowed() {
		t.Errorf("a teacher cannot take the place of the one before: %+v", v)
	}
	for name, want := range map[string]leyline.Ownership{
		"trunk.bias": leyline.OwnedByHost, "seed.s1.w": leyline.OwnedBySeed, "seed.s2.w": leyline.OwnedByHost,
	} {
		if v := Teach(registry(), params("a", name)); v.Why != want || v.Parameter != name {
			t.Errorf("%s becomes a teacher's: %+v", name, v)
		}
	}
}

func TestCount(t *testing.T) {
	own := []leyline.Parameter{{Name: "a", Size: 3}, {Name: "b", Size: 4}}
	for told, want := range map[uint64]leyline.Ownership{
		0: leyline.OwnershipUnspecified, 7: leyline.OwnershipUnspecified, 6: leyline.CountMismatch, 8: leyline.CountMismatch,
	} {
		if v := Count(own, told); v.Why != want {
			t.Errorf("%d told: %+v", told, v)
		}
	}
	if v := Count(nil, 5); !v.Allowed() {
		t.Errorf("nothing is owned that could be compared: %+v", v)
	}
	huge := []leyline.Parameter{{Name: "a", Size: ^uint64(0)}, {Name: "b", Size: 8}}
	if v := Count(huge, 7); v.Why != leyline.CountMismatch || v.Owned != ^uint64(0) {
		t.Errorf("sizes wrap around: %+v", v)
	}
}
