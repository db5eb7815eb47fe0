package projections

import (
	"slices"

	"github.com/esper-plane/esper/leyline"
)

// Tamiyo is the projection of policy and risk.
type Tamiyo struct {
	Runs []Policy // sorted by run
}

// Policy is Tamiyo's view of one run.
type Policy struct {
	Run          leyline.RunID
	Conservative bool
	Reason       leyline.RiskReason // why it was entered
	Entered      leyline.Step
	Healthy      uint32 // consecutive healthy windows
	Windows      uint64 // evaluated, over all incarnations
	Proposals    uint64
	Window       Window
	Memos        []WindowMemo // one per registered snapshot
}

// Window is what Tamiyo remembers of the last window; it is rewound.
type Window struct {
	Step leyline.Step
	Loss float64 // loss EWMA at the end of the window
}

// WindowMemo is the window at a snapshot.
type WindowMemo struct {
	Snapshot leyline.SnapshotID
	Window   Window
}

func policyRun(p *Policy) leyline.RunID { return p.Run }

// Run returns Tamiyo's view of a run, or nil.
func (t *Tamiyo) Run(id leyline.RunID) *Policy { return get(t.Runs, id, policyRun) }

func (t *Tamiyo) apply(e leyline.Event) {
	switch x := e.(type) {
	case leyline.RunStarted:
		t.Runs = put(t.Runs, Policy{Run: x.Run}, policyRun)
	case leyline.ConservativeEntered:
		p := t.Run(x.Run)
		p.Conservative, p.Reason, p.Entered, p.Healthy = true, x.Reason, x.Step, 0
	case leyline.ConservativeLeft:
		p := t.Run(x.Run)
		p.Conservative, p.Reason = false, leyline.RiskNone
	case leyline.RiskAssessed:
		p := t.Run(x.Run)
		p.Healthy = x.Healthy
		p.Windows++
		p.Window = Window{Step: x.Step, Loss: x.Loss}
	case leyline.CommandProposed:
		t.Run(x.Run).Proposals++
	default:
		t.applyMemo(e)
	}
}

func (t *Tamiyo) applyMemo(e leyline.Event) {
	switch x := e.(type) {
	case leyline.SnapshotRegistered:
		p := t.Run(x.Run)
		p.Memos = append(p.Memos, WindowMemo{x.Snapshot, p.Window})
	case leyline.SnapshotEvicted:
		p := t.Run(x.Run)
		p.Memos = slices.DeleteFunc(p.Memos, func(m WindowMemo) bool { return m.Snapshot == x.Snapshot })
	case leyline.RunResumed:
		t.Run(x.Run).rewind(x.Snapshot)
	case leyline.RollbackFinished:
		if x.Outcome == leyline.OutcomeOK {
			t.Run(x.Run).rewind(x.Snapshot)
		}
	}
}

func (p *Policy) rewind(id leyline.SnapshotID) {
	p.Window = Window{}
	for _, m := range p.Memos {
		if m.Snapshot == id {
			p.Window = m.Window
		}
	}
}
