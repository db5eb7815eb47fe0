package effect

import (
	"cmp"
	"slices"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// Unheard returns what a trainer that has outlived the plane may not have heard, in the
// order of their ids: commands that it has not answered, and the order to halt.
func Unheard(s *projections.State) (out []Effect) {
	for i := range s.Kasmina.Pending {
		if p := &s.Kasmina.Pending[i]; p.Emergency != leyline.EmergencyCleanup {
			out = append(out, command(s, *p))
		}
	}
	for i := range s.Tolaria.Runs {
		if r := &s.Tolaria.Runs[i]; r.Status == leyline.RunStatusHalted {
			out = append(out, halt(r.HaltOrder, r.ID, r.Halt, r.HaltDetail))
		}
	}
	slices.SortFunc(out, byID)
	return out
}

func byID(a, b Effect) int {
	return cmp.Or(cmp.Compare(a.ID.Seq, b.ID.Seq), cmp.Compare(a.ID.Index, b.ID.Index))
}

// commands are those that nobody has answered, or that the plane itself carries out.
func commands(s *projections.State) (out []Effect) {
	for i := range s.Kasmina.Pending {
		p := &s.Kasmina.Pending[i]
		if p.Emergency == leyline.EmergencyCleanup {
			out = append(out, Effect{ID: p.Effect, Kind: leyline.EffectClean, Run: p.Run})
		} else if !p.Unknown {
			out = append(out, command(s, *p))
		}
	}
	return out
}
