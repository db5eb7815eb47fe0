package projections

import "github.com/esper-plane/esper/leyline"

// VoidFetch is a fetch that was outstanding when its seed was rewound.
type VoidFetch struct {
	Seed      leyline.SeedID
	Blueprint leyline.BlueprintID
	Request   leyline.EffectID
}

// Inflight counts the fetches of kernels that are outstanding.
func (s *Slots) Inflight() uint32 {
	n := uint32(0)
	for i := range s.Seeds {
		if !s.Seeds[i].Kernel.Request.IsZero() {
			n++
		}
	}
	return n
}
