package policy_test

import (
	"math"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/tamiyo/policy"
)

// TestSeedLossThatIsNoNumber: a seed may report a loss that is none, and the policy goes
// on answering.
func TestSeedLossThatIsNoNumber(t *testing.T) {
	for _, loss := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		q := question(seed{ID: "a", Stage: leyline.StageTraining, Isolation: projections.Isolation{
			Steps: 60, Quality: leyline.Quality{FirstLoss: 1, Loss: loss},
		}})
		q.Memory.Marks = []leyline.SeedMark{{Seed: "a", Loss: 1}}
		if c := policy.Next(q); c.Reason == leyline.RiskPolicyInvalid {
			t.Errorf("loss %v: %s", loss, c.Why)
		}
	}
}
