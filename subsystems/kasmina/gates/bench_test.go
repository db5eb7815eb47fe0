package gates_test

import (
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/kasmina/gates"
)

// BenchmarkGates judges a good seed by every gate on its way.
func BenchmarkGates(b *testing.B) {
	c := leyline.DefaultConfig().Kasmina
	s := worthy()
	s.LossBefore, s.Contribution = 1, projections.Contribution{Probes: 9, Accuracy: 1}
	bp := &leyline.BlueprintRegistered{Blueprint: "bp"}
	layers := []string{"layer1", "layer2"}
	for _, x := range []struct {
		name string
		gate func() gates.Verdict
	}{
		{"G0", func() gates.Verdict { return gates.Sanity(bp, s.Mesh) }},
		{"G1", func() gates.Verdict { return gates.GradientHealth(&c, s, true) }},
		{"G2", func() gates.Verdict { return gates.Stability(&c, s, 500, 0) }},
		{"G3", func() gates.Verdict { return gates.Interface(&c, s, layers, 0) }},
		{"G4", func() gates.Verdict { return gates.SystemImpact(&c, s, 1, 0) }},
		{"G4 for good", func() gates.Verdict { return gates.Permanence(&c, s, 1, 0) }},
		{"G5", func() gates.Verdict { return gates.Reset(&projections.Seed{ID: "seed-a"}) }},
	} {
		b.Run(x.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if v := x.gate(); !v.Passed {
					b.Fatal(v.Reason)
				}
			}
		})
	}
}
