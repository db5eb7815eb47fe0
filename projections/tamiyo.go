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
	Run       leyline.RunID
	Caution   Caution
	Windows   uint64 // evaluated, over all incarnations
	Proposals uint64
	Window    Window
	Asked     Question           // outstanding; the zero value means there is none
	Memos     []PolicyMemo       // one per registered snapshot
	Effect    leyline.RiskEffect // of the last window
}

// Caution is conservative mode and the way out of it. A rollback leaves it as
// it is. A resume returns it to what it was when the run last stood at the
// snapshot it resumes from, be it that the snapshot was taken or that a rollback
// ended there: the windows since then are seen once more and must not count
// twice.
type Caution struct {
	Conservative bool
	Reason       leyline.RiskReason // why it was entered
	Entered      leyline.Step
	Healthy      uint32 // consecutive healthy windows
}

// Window is what Tamiyo remembers of the last window; it is rewound.
type Window struct {
	Step leyline.Step
	Loss float64 // loss EWMA at the end of the window
}

// Question is what the policy was asked and has not answered.
type Question struct {
	Effect leyline.EffectID
	Step   leyline.Step // of the window
	Seen   leyline.StepSeen
}

// PolicyMemo is what there was when the run last stood at a snapshot.
type PolicyMemo struct {
	Snapshot leyline.SnapshotID
	Window   Window
	Caution  Caution
}

func policyRun(p *Policy) leyline.RunID { return p.Run }

// Run returns Tamiyo's view of a run, or nil.
func (t *Tamiyo) Run(id leyline.RunID) *Policy { return get(t.Runs, id, policyRun) }

func (t *Tamiyo) apply(id leyline.EffectID, e leyline.Event) {
	switch x := e.(type) {
	case leyline.RunStarted:
		t.Runs = put(t.Runs, Policy{Run: x.Run}, policyRun)
	case leyline.ConservativeEntered:
		t.Run(x.Run).Caution = Caution{Conservative: true, Reason: x.Reason, Entered: x.Step}
	case leyline.ConservativeLeft:
		p := t.Run(x.Run)
		p.Caution.Conservative, p.Caution.Reason = false, leyline.RiskNone
	case leyline.RiskAssessed:
		p := t.Run(x.Run)
		p.Caution.Healthy = x.Healthy
		p.Windows++
		p.Effect = x.Effect
		p.Window, p.Asked = Window{Step: x.Step, Loss: x.Loss}, Question{}
	case leyline.EpochFailed:
		t.Run(x.Run).Caution.Healthy = 0
	case leyline.PolicyAsked:
		t.Run(x.Run).Asked = Question{Effect: id, Step: x.Step, Seen: x.Seen}
	case leyline.PolicyMissed:
		p := t.Run(x.Run)
		p.Asked, p.Caution.Healthy = Question{}, 0
	case leyline.ActionNone:
		if p := t.Run(x.Run); x.Request == p.Asked.Effect {
			p.Asked = Question{}
		}
	case leyline.PlaneBooted: // what the last process was asked it will never answer
		for i := range t.Runs {
			t.Runs[i].Asked = Question{}
		}
	case leyline.CommandProposed:
		t.Run(x.Run).Proposals++
	case leyline.RunEnded:
		t.Run(x.Run).Asked = Question{}
	case leyline.RunHalted:
		t.Run(x.Run).Asked = Question{}
	default:
		t.applyMemo(e)
	}
}

func (t *Tamiyo) applyMemo(e leyline.Event) {
	switch x := e.(type) {
	case leyline.SnapshotRegistered:
		if p := t.Run(x.Run); !x.Further {
			p.Memos = append(p.Memos, PolicyMemo{x.Snapshot, p.Window, p.Caution})
		}
	case leyline.SnapshotEvicted:
		if p := t.Run(x.Run); x.Gone {
			p.Memos = slices.DeleteFunc(p.Memos, func(m PolicyMemo) bool { return m.Snapshot == x.Snapshot })
		}
	case leyline.RunResumed:
		t.Run(x.Run).rewind(x.Snapshot, x.Rollback != "")
	case leyline.RollbackFinished:
		if x.Outcome == leyline.OutcomeOK {
			t.Run(x.Run).rewind(x.Snapshot, true)
		}
	}
}

// rewind returns the window to a snapshot, or to the beginning when there is
// none. A rollback, also one that a resume completes, keeps its caution, and
// that is the caution of this snapshot from now on.
func (p *Policy) rewind(id leyline.SnapshotID, rollback bool) {
	memo := &PolicyMemo{}
	for i := range p.Memos {
		if p.Memos[i].Snapshot == id {
			memo = &p.Memos[i]
		}
	}
	p.Window, p.Asked = memo.Window, Question{}
	if rollback {
		memo.Caution = p.Caution
	}
	p.Caution = memo.Caution
}
