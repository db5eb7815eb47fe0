package replay

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
)

// besideWords says how a trainer of another process runs beside its plane.
func besideWords(p *leyline.RunOpened) string {
	s := when(p.Principal == "" || p.Principal == leyline.PrincipalProcess, "", fmt.Sprintf("; %s has opened it", p.Principal))
	if p.Lag > 0 {
		s += fmt.Sprintf(", its answers may be %d steps behind", p.Lag)
	}
	return s
}

// pipelineWords tells what is particular to a trainer that does not wait for answers.
func pipelineWords(e leyline.Event) string {
	switch x := e.(type) {
	case leyline.WeightsMismatched:
		return fmt.Sprintf("step %d: the trainer has applied the weights %v, %s", x.Step, x.Applied,
			when(len(x.Derived) == 0, "and nothing was to be applied", fmt.Sprintf("the plane derives %v", x.Derived)))
	case leyline.StepOvertaken:
		return fmt.Sprintf("step %d of incarnation %d came after rollback %s had made it void: nothing is decided from it", x.Step, x.Incarnation, x.Rollback)
	}
	return ""
}
