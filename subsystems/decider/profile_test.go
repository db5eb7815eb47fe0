package decider_test

import (
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/tolaria"
)

func TestProfileWindow(t *testing.T) {
	for _, x := range []struct {
		every, steps uint32
		step, want   leyline.Step
	}{
		{0, 50, 1, 0},
		{10, 3, 0, 0}, {10, 3, 1, 1}, {10, 3, 3, 1}, {10, 3, 4, 0}, {10, 3, 10, 0}, {10, 3, 11, 11}, {10, 3, 13, 11},
		{2, 3, 1, 1}, {2, 3, 2, 1}, {2, 3, 3, 3}, // overlapping ones follow one another
	} {
		c := leyline.TolariaConfig{ProfileEvery: x.every, ProfileSteps: x.steps}
		if got := tolaria.ProfileWindow(&c, x.step); got != x.want {
			t.Errorf("step %d of %d in %d: window %d, want %d", x.step, x.steps, x.every, got, x.want)
		}
	}
}

// A profile may end behind the step that a rollback went back to.
func TestProfileIsRecordedWhateverBecameOfItsSteps(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.steps(3)
	in := leyline.ProfileReported{
		Run: "run-1", Incarnation: w.inc, First: 1, Last: 9, File: "a.trace.json", Bytes: 5, Outcome: leyline.OutcomeOK, TookNs: 7,
	}
	e := one[leyline.ProfileRecorded](w, w.must(in))
	if e != in.Recorded() || e.Last != 9 || e.TookNs != 7 {
		t.Errorf("recorded as %+v", e)
	}
	in.Incarnation++
	if r := w.refused(in); r.Kind != leyline.RefusalIncarnation {
		t.Errorf("of another incarnation it is refused as %s", r.Kind)
	}
}
