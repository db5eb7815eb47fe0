package decider_test

import (
	"flag"
	"fmt"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

var (
	modelInputs = flag.Uint64("model.inputs", 1_000_000, "inputs that TestLifecycleHoldsItsInvariants decides; 20,000 with -short or the race detector")
	modelSeed   = flag.Uint64("model.seed", 0, "begin TestLifecycleHoldsItsInvariants with this history")
)

// historyInputs is how long one history is, at most.
const historyInputs = 1000

// TestLifecycleHoldsItsInvariants drives planes with random commands, reports and
// faults, and holds every record against a model: no stage is skipped, every move
// is behind its gate, nothing blends without a verified kernel, an embargo is
// respected, alpha never falls within a blend, a paused seed does not move, a closed
// slot stays closed; and the log of a history folds to the state that decided it.
func TestLifecycleHoldsItsInvariants(t *testing.T) {
	inputs := *modelInputs
	if testing.Short() || raced {
		inputs = min(inputs, 20_000)
	}
	reached, moves, histories := map[leyline.Stage]int{}, 0, 0
	left := inputs
	for seed := *modelSeed; left > 0; seed++ {
		n, m := history(t, seed, min(left, historyInputs), reached)
		left -= min(left, n)
		moves, histories = moves+m, histories+1
	}
	for _, s := range leyline.StageUnknown.Members() {
		if reached[s] == 0 {
			t.Errorf("no seed was ever %s", s)
		}
	}
	t.Logf("%d inputs in %d histories moved seeds %d times: %v", inputs, histories, moves, reached)
}

// history makes one history of at most n inputs. It returns how many were decided
// and how often seeds moved, and counts the stages that they reached.
func history(t *testing.T, seed, n uint64, reached map[leyline.Stage]int) (uint64, int) {
	t.Helper()
	g := newGardener(t, seed)
	m := newModel(t, fmt.Sprintf("go test ./subsystems/decider -run LifecycleHolds -model.seed=%d", seed), g.world)
	from := len(g.log)
	g.watch = func(r leyline.Record) {
		m.check(r, g.s)
		for _, e := range r.Events {
			if x, ok := e.(leyline.SeedMoved); ok {
				reached[x.To]++
			}
		}
	}
	g.begin()
	for uint64(len(g.log)-from) < n && g.run().Status == leyline.RunStatusOpen {
		g.next()
	}
	folded := &projections.State{}
	for _, r := range g.log {
		folded.ApplyRecord(r)
	}
	if projections.DigestOf(*folded) != projections.DigestOf(*g.s) {
		t.Fatalf("%s: the log folds to another state than decided it", m.what)
	}
	return uint64(len(g.log) - from), m.moves
}
