package projections_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/leylinetest"
	"github.com/esper-plane/esper/projections"
)

// TestInvalidEventsAreNotDecided emits every event without each of its mandatory
// fields: the turn names kind and field, decides nothing and changes nothing.
func TestInvalidEventsAreNotDecided(t *testing.T) {
	for _, c := range leylinetest.Events() {
		for _, f := range c.Mandatory {
			s := &projections.State{}
			turn := projections.NewTurn(s, leyline.Meta{Seq: 7, At: 8})
			before := projections.DigestOf(*s)
			said := emit(turn, c.Without(f))
			if want := "record 7: a rule decided an invalid " + c.Value.EventKind().String(); !strings.Contains(said, want) || !strings.Contains(said, " "+f+" ") {
				t.Errorf("%s without %s: %q", c.Name, f, said)
			}
			if len(turn.Events()) != 0 || projections.DigestOf(*s) != before {
				t.Errorf("%s without %s was decided", c.Name, f)
			}
		}
	}
}

// emit returns what the turn panics with.
func emit(t *projections.Turn, e leyline.Event) (said string) {
	defer func() {
		if v := recover(); v != nil {
			said = fmt.Sprint(v)
		}
	}()
	t.Emit(e)
	return ""
}
