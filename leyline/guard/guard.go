// Package guard is the strict dependency guard: pure checks of an input, and of
// the artifacts that it leads to, against what the plane knows. Whatever is
// missing, unknown or contradictory is a typed refusal; nothing is ever
// substituted. A refusal of an input becomes the only event of its record,
// dependency.violated, at CRITICAL. That of an artifact is the reason of the event
// that does without it: a command is rejected, a prefetch has failed.
package guard

import (
	"fmt"
	"slices"

	"github.com/esper-plane/esper/leyline"
)

// Run is what the guard must know about a run to judge an input that names it.
type Run struct {
	Status      leyline.RunStatus // zero when the run is unknown
	Incarnation leyline.Incarnation
	Step        leyline.Step // last step decided
	Tasks       int
	Grafted     []leyline.SeedID // seeds that are part of the network now
	Alphas      []float64        // of these, as answered
	Absent      []leyline.SeedID // of these, that need not be reported: they are paused, or were
	Rollback    leyline.RollbackID
	Piped       bool        // the trainer does not wait for answers
	Slots       []Slot      // of a pipelined trainer, in place of Grafted, Alphas and Absent
	Told        leyline.Seq // the record in which the step at hand was reported already; 0: in none
}

// Open refuses a run that is not named, or not open.
func Open(r Run, id leyline.RunID) *leyline.Refusal {
	if bad := RunID(id); bad != nil {
		return bad
	}
	switch r.Status {
	case leyline.RunStatusOpen:
		return nil
	case leyline.RunStatusUnspecified:
		return refuse(leyline.RefusalUnknownRun, "run", string(id), "is not known", "open the run first")
	}
	return refuse(leyline.RefusalRunNotOpen, "run", string(id), "is "+r.Status.String(), "open a new run")
}

// Life refuses a report of another incarnation than the present one.
func Life(r Run, got leyline.Incarnation) *leyline.Refusal {
	if got == r.Incarnation {
		return nil
	}
	return refuse(leyline.RefusalIncarnation, "incarnation", fmt.Sprint(got),
		fmt.Sprintf("is not the present one, %d", r.Incarnation),
		"after a rollback or a resume take the incarnation from the answer")
}

// Settled refuses a report while a rollback is under way.
func Settled(r Run) *leyline.Refusal {
	if r.Rollback == "" {
		return nil
	}
	return refuse(leyline.RefusalRollbackActive, "rollback", string(r.Rollback), "is under way",
		"carry out the restore directive and report it")
}

// Order refuses any step but the next. One that was reported already with another
// content is told apart: the same content again never gets here.
func Order(r Run, got leyline.Step) *leyline.Refusal {
	if got == r.Step+1 {
		return nil
	}
	if bad := Once(r, got); bad != nil {
		return bad
	}
	return refuse(leyline.RefusalStepOrder, "step", fmt.Sprint(got),
		fmt.Sprintf("is not the step after the last decided one, %d", r.Step), fmt.Sprintf("report step %d", r.Step+1))
}

// At refuses a report about any step but the last decided one.
func At(r Run, got leyline.Step) *leyline.Refusal {
	if got == r.Step {
		return nil
	}
	return refuse(leyline.RefusalStepOrder, "step", fmt.Sprint(got),
		fmt.Sprintf("is not the last decided one, %d", r.Step), "report before the next step")
}

// Upto refuses a report about a step that was not decided.
func Upto(r Run, got leyline.Step) *leyline.Refusal {
	if got <= r.Step {
		return nil
	}
	return refuse(leyline.RefusalStepOrder, "step", fmt.Sprint(got),
		fmt.Sprintf("is after the last decided one, %d", r.Step), "report the last decided step")
}

// Gradients refuses a set of losses and inner products that does not cover
// every task of the run exactly once.
func Gradients(r Run, losses, gram int) *leyline.Refusal {
	if losses != r.Tasks {
		return refuse(leyline.RefusalGradients, "losses", "",
			fmt.Sprintf("has %d entries for %d tasks", losses, r.Tasks), "report every task in the order of run.opened")
	}
	if gram != r.Tasks*r.Tasks {
		return refuse(leyline.RefusalGradients, "gram", "",
			fmt.Sprintf("has %d entries, want %d x %d", gram, r.Tasks, r.Tasks), "report all inner products, row by row")
	}
	return nil
}

// Tasks refuses per-task figures that do not cover every task of the run.
func Tasks(r Run, n int) *leyline.Refusal {
	if n == r.Tasks {
		return nil
	}
	return refuse(leyline.RefusalUnknownTask, "losses", "",
		fmt.Sprintf("has %d entries for %d tasks", n, r.Tasks), "report every task in the order of run.opened")
}

// Seeds refuses a report that leaves out a grafted seed, repeats one, names one
// that is not grafted, or ran one with another alpha than it was told. Numbers
// that are not finite are no refusal: they are what a fault looks like.
func Seeds(r Run, seen []leyline.SeedObserved) *leyline.Refusal {
	if r.Piped {
		return Piped(r.Slots, seen)
	}
	if inOrder(r, seen) {
		return nil
	}
	for i, s := range seen {
		if slices.ContainsFunc(seen[:i], func(o leyline.SeedObserved) bool { return o.Seed == s.Seed }) {
			return refuse(leyline.RefusalInvalidField, fmt.Sprintf("seeds[%d]", i), string(s.Seed), "is reported twice", "report every seed once")
		}
		if !slices.Contains(r.Grafted, s.Seed) {
			return refuse(leyline.RefusalUnknownSeed, fmt.Sprintf("seeds[%d]", i), string(s.Seed),
				"is not grafted", "remove it from the network; the answer lists every seed's stage")
		}
	}
	for i, s := range seen {
		if at := slices.Index(r.Grafted, s.Seed); at < len(r.Alphas) && s.Alpha != r.Alphas[at] {
			return refuse(leyline.RefusalInvalidField, fmt.Sprintf("seeds[%d].alpha", i), fmt.Sprint(s.Alpha),
				fmt.Sprintf("is not the alpha that was answered, %v", r.Alphas[at]), "set every seed's alpha from the latest answer")
		}
	}
	for _, id := range r.Grafted {
		if !slices.Contains(r.Absent, id) && !slices.ContainsFunc(seen, func(s leyline.SeedObserved) bool { return s.Seed == id }) {
			return refuse(leyline.RefusalMissingSeed, "seeds", string(id), "is grafted but was not reported",
				"report every grafted seed in every step")
		}
	}
	return nil
}

// inOrder reports whether a report names the grafted seeds in slot order, with their
// alphas, and lacks none but those that may be absent. Nearly every report does, and a
// look at each seed shows it; only another one is searched through.
func inOrder(r Run, seen []leyline.SeedObserved) bool {
	for at, id := range r.Grafted {
		switch {
		case len(seen) > 0 && seen[0].Seed == id:
			if at < len(r.Alphas) && seen[0].Alpha != r.Alphas[at] {
				return false
			}
			seen = seen[1:]
		case !slices.Contains(r.Absent, id):
			return false
		}
	}
	return len(seen) == 0
}

func refuse(kind leyline.RefusalKind, field, id, reason, hint string) *leyline.Refusal {
	return &leyline.Refusal{
		Subsystem: leyline.SubsystemPlane, Kind: kind, Field: field, Identifier: id, Reason: reason, Hint: hint,
	}
}
