package decider_test

import (
	"fmt"
	"testing"

	"github.com/esper-plane/esper/leyline"
)

// TestManySeeds trains a run of as many seeds as there may be, reported in any order.
func TestManySeeds(t *testing.T) {
	w := newWorld(t)
	p := plan()
	p.Seeds = nil
	for i := range leyline.MaxSeeds {
		p.Seeds = append(p.Seeds, leyline.SeedID(fmt.Sprintf("seed-%d", i))) // slot order is not that of the ids
	}
	w.inc = one[leyline.RunStarted](w, w.must(p)).Incarnation
	x := w.fullReport(p)
	one[leyline.TrainingAssessed](w, w.must(x))
	for i, id := range p.Seeds {
		s := w.s.Kasmina.Seed(p.Run, id)
		if s == nil || s != &w.s.Kasmina.Run(p.Run).Seeds[i] || s.Isolation.Steps != 1 {
			t.Fatalf("%s is %+v after a step", id, s)
		}
	}
	if s := w.s.Kasmina.Seed(p.Run, "seed-512"); s != nil {
		t.Errorf("a seed that there is not is %+v", s)
	}
	x.Step++
	x.Seeds[3], x.Seeds[500] = x.Seeds[500], x.Seeds[3]
	one[leyline.TrainingAssessed](w, w.must(x))
	if n := w.s.Kasmina.Seed(p.Run, p.Seeds[500]).Isolation.Steps; n != 2 {
		t.Errorf("a seed reported out of order has seen %d steps", n)
	}
	x.Step++
	x.Seeds[7].Seed = x.Seeds[8].Seed
	if v := one[leyline.DependencyViolated](w, w.feed(x)); v.Refusal.Kind != leyline.RefusalInvalidField {
		t.Errorf("a seed reported twice: %+v", v.Refusal)
	}
	p.Run, p.Seeds = "run-2", append(p.Seeds, "one-more")
	if r, ok := leyline.AsRefusal(p.Validate()); !ok || r.Field != "seeds" {
		t.Errorf("a run of %d seeds: %v", len(p.Seeds), r)
	}
}
