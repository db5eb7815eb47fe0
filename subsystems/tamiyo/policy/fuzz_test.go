package policy_test

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/tamiyo/policy"
)

// FuzzDecode takes any bytes for an answer. It is refused by name, or it makes a choice
// that is open, names what there is, and holds what Kasmina will demand of it.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{1, 2, 3}, uint8(0))
	f.Add(make([]byte, 400), uint8(1))
	f.Add(binary.BigEndian.AppendUint64(nil, math.Float64bits(math.NaN())), uint8(2))
	f.Fuzz(func(t *testing.T, b []byte, which uint8) {
		qs := []policy.Question{training(), question(seed{ID: "a", Stage: leyline.StageDormant}), question()}
		q := qs[int(which)%len(qs)]
		out := answerOf(b)
		c, err := policy.Decode(&q, somebody, out)
		if err != nil {
			if _, ok := leyline.AsRefusal(err); !ok {
				t.Fatalf("an error without a name: %v", err)
			}
			return
		}
		cmd := c.Command
		if c.Weighed.Open&(1<<cmd.Operation) == 0 {
			t.Fatalf("%s is not open: %b", cmd.Operation, c.Weighed.Open)
		}
		if cmd.Operation == leyline.OpUnknown {
			if c.Reason == leyline.RiskNone {
				t.Fatal("nothing without a reason")
			}
			return
		}
		if c.Weighed.Seed >= len(q.Seeds) || q.Seeds[c.Weighed.Seed].ID != cmd.Seed || c.Why == "" {
			t.Fatalf("chooses %+v", c)
		}
		if cmd.Operation == leyline.OpGerminate && (q.Blueprints[c.Weighed.Kind].Blueprint != cmd.Blueprint || len(cmd.Mesh) == 0) {
			t.Fatalf("germinates %+v", cmd)
		}
		if cmd.Operation == leyline.OpStartGrafting && cmd.Blend.Validate() != nil {
			t.Fatalf("blends %+v: %v", cmd.Blend, cmd.Blend.Validate())
		}
	})
}

// answerOf cuts bytes into the lists of an answer.
func answerOf(b []byte) leyline.PolicyOutput {
	list := func(most int) []float64 {
		if len(b) == 0 {
			return nil
		}
		n := int(b[0]) % (most + 1)
		b = b[1:]
		var out []float64
		for range n {
			if len(b) < 8 {
				break
			}
			out = append(out, math.Float64frombits(binary.BigEndian.Uint64(b)))
			b = b[8:]
		}
		return out
	}
	return leyline.PolicyOutput{
		Actions: list(34), Blends: list(9), Schedule: list(3), Params: list(9), Seeds: list(3), Blueprints: list(5), Risk: list(9),
		Channels: list(3), Logits: list(3),
	}
}
