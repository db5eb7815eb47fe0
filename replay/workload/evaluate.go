package workload

import (
	"fmt"
	"math"
	"slices"

	"github.com/esper-plane/esper/leyline"
)

// AlphaOverride makes Evaluate blend a seed with another weight than its own,
// whatever its mode. Two evaluations, at alpha and at 0, measure what the seed
// contributes: an override of 0 leaves the seed out, also where a least share of its
// blend is above 0.
type AlphaOverride struct {
	Slot  string
	Alpha float64 // within [0,1]
}

// Evaluation is the result of Evaluate.
type Evaluation struct {
	Rows     int
	Losses   []float64 // per task: mean cross-entropy, in nats
	Accuracy []float64 // per task: share of rows classified correctly, in [0,1]
	// Right[t][i] says whether task t classified the i-th row correctly, in the
	// order in which the rows were given: two evaluations of the same rows can
	// be compared row by row.
	Right [][]bool
	// Failed names the seeds that failed on some of the rows and had no part in the
	// output there.
	Failed []string
}

// Evaluate runs the net forward on any number of rows and changes no state; a
// Pass that waits for Apply stays valid. When a slot is overridden twice the
// last one counts. Errors: no rows, a row that does not exist, ErrUnknownSlot,
// an alpha out of range.
func (n *Net) Evaluate(rows []int, overrides ...AlphaOverride) (Evaluation, error) {
	if err := n.checkRows(rows); err != nil {
		return Evaluation{}, fmt.Errorf("cannot evaluate: %w", err)
	}
	for _, o := range overrides {
		if n.find(o.Slot) == nil {
			return Evaluation{}, fmt.Errorf("cannot evaluate: override of %q: %w", o.Slot, ErrUnknownSlot)
		}
		if !validAlpha(o.Alpha) {
			return Evaluation{}, fmt.Errorf("cannot evaluate: override of %q: alpha %v is not within 0 and 1", o.Slot, o.Alpha)
		}
	}
	k := len(n.data.Tasks)
	ev := Evaluation{Rows: len(rows), Losses: make([]float64, k), Accuracy: make([]float64, k), Right: make([][]bool, k)}
	for at := 0; at < len(rows); at += n.cfg.Batch {
		part := rows[at:min(at+n.cfg.Batch, len(rows))]
		n.forward(part, overrides...)
		n.teach(part, nil)
		ev.Failed = n.failed(ev.Failed)
		for t := range n.data.Tasks {
			logits := top(n.logits[t], len(part))
			n.head(t).forward(logits, top(n.current, len(part)))
			for i, row := range part {
				z := logits.Data[i*logits.Stride:]
				ev.Right[t] = append(ev.Right[t], wins(z[:logits.Cols], n.data.Labels[t][row]))
			}
			sum, correct := crossEntropy(logits, n.labels[t], 1)
			ev.Losses[t] += sum
			ev.Accuracy[t] += float64(correct)
		}
	}
	for t := range ev.Losses {
		ev.Losses[t] /= float64(len(rows))
		ev.Accuracy[t] /= float64(len(rows))
	}
	return ev, nil
}

// failed adds the seeds that failed in the last forward pass to names.
func (n *Net) failed(names []string) []string {
	for _, s := range n.seeds {
		if s.failure != leyline.SeedFailureNone && !slices.Contains(names, s.ID) {
			names = append(names, s.ID)
		}
	}
	return names
}

// Faults that Corrupt knows.
const (
	// FaultNaN writes NaN into the first weight of the second trunk layer, as
	// a broken kernel or memory would: every later loss is NaN.
	FaultNaN = "nan"
	// FaultSpike multiplies the second trunk layer's weights by -1000: every
	// unit saturates with the wrong sign, so losses jump and stay finite.
	FaultSpike = "loss-spike"
	// FaultCollapse saturates every unit of the second trunk layer by its bias and
	// erases the heads: no row can be told from another and hardly any gradient
	// reaches the trunk, as when every unit of a network has died. The loss is that
	// of guessing.
	FaultCollapse = "collapse"
	// FaultLeak breaks the detach of every seed that is grafted now: the
	// gradient at its input really reaches the host. It lasts until the seed is
	// removed or a state is loaded; it is no part of the state.
	FaultLeak = "leak"
	// FaultSeed writes NaN into the last layer of every seed that is grafted now,
	// as a broken kernel or memory would: their output is NaN, the host's is not.
	FaultSeed = "seed-nan"
)

// Corrupt does real damage, for fault drills. An unknown kind is an error; so
// are FaultLeak and FaultSeed without a seed. The other damage is undone by
// Load, and FaultRate by SetLearningRate too.
func (n *Net) Corrupt(kind string) error {
	_, second := n.trunk.over(n.trunk.value)
	switch kind {
	case FaultNaN:
		second.w.Data[0] = math.NaN()
	case FaultSpike:
		for i := range second.w.Data {
			second.w.Data[i] *= -1000
		}
	case FaultCollapse:
		n.saturate(second)
	case FaultLeak:
		if len(n.seeds) == 0 {
			return fmt.Errorf("cannot corrupt: no seed is grafted that could leak")
		}
		for _, s := range n.seeds {
			s.leaky = true
		}
	case FaultSeed:
		if len(n.seeds) == 0 {
			return fmt.Errorf("cannot corrupt: no seed is grafted that could fail")
		}
		for _, s := range n.seeds {
			s.shape.over(s.value).out.b[0] = math.NaN()
		}
	case FaultRate:
		n.stuck = true
	default:
		return fmt.Errorf("cannot corrupt: unknown fault %q (known: %s, %s, %s, %s, %s, %s)", kind, FaultNaN, FaultSpike, FaultCollapse, FaultLeak, FaultSeed, FaultRate)
	}
	return nil
}

// saturate is the damage of FaultCollapse; second is the trunk's second layer.
func (n *Net) saturate(second affine) {
	clear(second.w.Data)
	for i := range second.b {
		second.b[i] = 30 // tanh is 1 to the last bit, its slope 0
	}
	for _, h := range n.heads {
		clear(h.value)
		clear(h.velocity)
	}
}
