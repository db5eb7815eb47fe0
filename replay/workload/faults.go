package workload

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/esper-plane/esper/leyline"
)

// Fault is a fault drill: real damage to real weights before a step.
type Fault struct {
	Name string
	Step leyline.Step
}

// drills are the faults that a trainer can inject.
var drills = []string{FaultNaN}

// ParseFault parses "name@step", for example "nan@120".
func ParseFault(s string) (Fault, error) {
	name, at, ok := strings.Cut(s, "@")
	step, err := strconv.ParseUint(at, 10, 64)
	if !ok || err != nil || step == 0 {
		return Fault{}, fmt.Errorf("fault %q: want NAME@STEP with a step of 1 or more, for example nan@120", s)
	}
	f := Fault{Name: name, Step: leyline.Step(step)}
	return f, f.check(f.Step)
}

func (f Fault) check(steps leyline.Step) error {
	if !slices.Contains(drills, f.Name) {
		return fmt.Errorf("unknown fault %q; want one of: %s", f.Name, strings.Join(drills, ", "))
	}
	if f.Step == 0 || f.Step > steps {
		return fmt.Errorf("fault %s@%d lies outside the run's %d steps", f.Name, f.Step, steps)
	}
	return nil
}

// inject does the damage that is declared for a step. A fault that the run has
// been rolled back for has happened and does not happen again.
func (t *trainer) inject(s leyline.Step) error {
	for _, f := range t.opts.Faults {
		if f.Step == s && !slices.Contains(t.faulted, s) {
			if err := t.net.Corrupt(f.Name); err != nil {
				return err
			}
		}
	}
	return nil
}
