package projections

import "github.com/esper-plane/esper/leyline"

func (t *Tamiyo) applyCaution(m leyline.Meta, steps uint64, e leyline.Event) {
	switch x := e.(type) {
	case leyline.ConservativeEntered:
		t.Run(x.Run).Caution = Caution{
			Conservative: true, Reason: x.Reason, Entered: x.Step, By: x.By, Last: x.Reason, Times: 1, Seq: m.Seq,
			EnteredAt: m.At, EnteredSteps: steps, Until: x.Until, UntilStep: x.UntilStep,
		}
	case leyline.ConservativeRefreshed:
		c := &t.Run(x.Run).Caution
		c.Seq, c.By, c.Last, c.Times, c.Until, c.UntilStep, c.Healthy = m.Seq, x.By, x.Reason, x.Times, x.Until, x.UntilStep, 0
	case leyline.ConservativeLeft:
		t.Run(x.Run).Caution = Caution{Healthy: x.Healthy}
	}
}

// returnCaution goes back to the caution of a snapshot. What an operator has set stays
// as it is, what an operator has left since does not come back, and a mode that a rule
// has entered since stays on.
func (p *Policy) returnCaution(was Caution) {
	switch {
	case p.Caution.By == leyline.PartyOperator:
	case was.By == leyline.PartyOperator && p.Caution.Conservative:
	case was.By == leyline.PartyOperator:
		p.Caution = Caution{}
	default:
		p.Caution = was
	}
}
