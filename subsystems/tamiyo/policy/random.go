package policy

import (
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/detmath"
)

// The identity of the random policy. It reads no weights and no settings, so its digest
// is that of its name.
const (
	RandomID      = "random"
	RandomVersion = "1"
)

// streamRandom keeps its draws apart from those of the step, which are seeded with
// (lineage, step) alone.
const streamRandom = 1

// Random draws with equal chance among all that is open to it and to do nothing; a
// germination counts once for every slot and kind of seed. It is there to be compared
// with: what it proposes passes the same evaluators, gates and signatures.
//
// The draw is a function of the run's seed, its lineage and the step: the first IntN of
// detmath's PCG seeded with Mix(seed, lineage, step, 1). So a replay draws the same, and
// so does a run that was stopped and resumed; one that was rolled back draws anew.
type Random struct{}

// Identity implements Policy.
func (Random) Identity(*leyline.ExecutionConfig) leyline.PolicyIdentity {
	return leyline.PolicyIdentity{ID: RandomID, Version: RandomVersion, Digest: projections.DigestOf(RandomID)}
}

// Answer implements Policy. It never fails. What was drawn scores 1, all else 0.
func (Random) Answer(q *Question) (leyline.PolicyOutput, error) {
	lots := lots(q)
	hi, lo := detmath.Mix(q.Plan.Seed, uint64(q.Lineage), uint64(q.Step), streamRandom)
	drawn := lots[detmath.NewPCG(hi, lo).IntN(len(lots))]
	out := leyline.PolicyOutput{
		Actions: make([]float64, drawn.Operation+1), Seeds: make([]float64, len(q.Seeds)), Blueprints: make([]float64, len(q.Blueprints)),
	}
	out.Actions[drawn.Operation] = 1
	if drawn.Operation == leyline.OpUnknown {
		return out, nil
	}
	out.Seeds[drawn.Slot] = 1
	if drawn.Operation == leyline.OpGerminate {
		out.Blueprints[drawn.kind] = 1
	}
	return out, nil
}

// lot is one thing that may be drawn. The zero operation is to do nothing.
type lot struct {
	Option
	kind int // place of the blueprint of a GERMINATE in the question
}

// lots lists what is drawn from: to do nothing first, then what is open in its order,
// a germination once per kind.
func lots(q *Question) []lot {
	out := []lot{{}}
	options, _ := Options(q)
	kinds := Kinds(q)
	for _, o := range options {
		if o.Operation != leyline.OpGerminate {
			out = append(out, lot{Option: o})
			continue
		}
		for _, k := range kinds {
			out = append(out, lot{Option: o, kind: k})
		}
	}
	return out
}
