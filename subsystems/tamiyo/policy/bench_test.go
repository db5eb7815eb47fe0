package policy_test

import (
	"fmt"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/tamiyo/policy"
)

// BenchmarkNext asks the rules about so many seeds, one of them on trial: the whole
// decision, features and coverage included.
func BenchmarkNext(b *testing.B) {
	for _, n := range []int{1, 8, 64, leyline.MaxSeeds} {
		b.Run(fmt.Sprintf("seeds=%d", n), func(b *testing.B) {
			var seeds []seed
			for i := range n {
				seeds = append(seeds, seed{ID: leyline.SeedID(fmt.Sprintf("seed-%03d", i)), Stage: leyline.StageFossilized, Blueprint: "safe"})
			}
			seeds[0].Stage, seeds[0].Isolation.Steps = leyline.StageTraining, 100
			q := question(seeds...)
			q.Track.Step = 100
			b.ReportAllocs()
			for b.Loop() {
				if c := policy.Next(q); c.Command.Operation != leyline.OpStartGrafting {
					b.Fatalf("chooses %+v", c.Command)
				}
			}
		})
	}
}
