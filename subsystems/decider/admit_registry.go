package decider

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// declared admits parameters with the one answer that can bring them: that a seed was
// grafted.
func declared(s *projections.State, x leyline.CommandAcked) *leyline.Refusal {
	p := s.Kasmina.PendingCommand(x.Command)
	if len(x.Parameters) == 0 || p == nil || p.Seed.Operation == leyline.OpStartTraining && x.Outcome == leyline.OutcomeOK {
		return nil
	}
	return refuse(leyline.RefusalInvalidField, "parameters", string(x.Command),
		fmt.Sprintf("came with %s after %s, which grafts nothing", x.Outcome, p.Seed.Operation), "declare a seed's tensors when START_TRAINING has grafted it")
}

// thisTeacher admits the end of the teacher that there is.
func thisTeacher(s *projections.State, x leyline.TeacherDeregistered) *leyline.Refusal {
	now := s.Kasmina.Run(x.Run).Teacher.ID
	if now == x.Teacher {
		return nil
	}
	return refuse(leyline.RefusalNoTeacher, "teacher", string(x.Teacher), fmt.Sprintf("is not the teacher of the run, which is %q", now),
		"name the teacher that was registered last")
}
