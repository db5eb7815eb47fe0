package projections

import (
	"slices"

	"github.com/esper-plane/esper/leyline"
)

// Tamiyo is the projection of policy and risk.
type Tamiyo struct {
	Runs    []Policy // sorted by run
	Reports Reports

	Artifacts []Artifact  // policies that were imported, in order of import
	Installed []Installed // which of them decide, sorted by run
}

// Policy is Tamiyo's view of one run.
type Policy struct {
	Run       leyline.RunID
	Caution   Caution
	Windows   uint64 // evaluated, over all incarnations
	Proposals uint64
	Window    Window
	Asked     Question     // outstanding; the zero value means there is none
	Memos     []PolicyMemo // one per registered snapshot
	Memory    Memory
	Effect    leyline.RiskEffect // of the last window

	Lookup  Lookup              // outstanding; the zero value means there is none
	Looks   []Looked            // safety sheets that the run has had; sorted by blueprint
	Doubted leyline.BlueprintID // whose last lookup failed; empty: none did since the last that went well
	Budgets Budgets

	Seen   leyline.StepSeen // of the step that ends the last window, decided or not
	Fallen Fallen
}

// Memory is what the policy has learned of a run; it is rewound with it. Norms and
// Marks are never changed in place, so a copy of a Memory is independent.
type Memory struct {
	Norms []leyline.FeatureNorm // ascending by key: at most one of each
	Marks []leyline.SeedMark    // of seeds that trained in the last window, in slot order
}

// Fallen is whose compiled code was given up since the last window was decided.
type Fallen struct {
	Run   bool
	Seeds []leyline.SeedID // each once, in the order of the reports
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
	By           leyline.Party
	Last         leyline.RiskReason // the newest reason; Reason is the first
	Times        uint32             // reasons since it was entered
	Seq          leyline.Seq        // of the record that gave the newest one
	EnteredAt    leyline.Instant
	EnteredSteps uint64          // healthy steps of all incarnations then
	Until        leyline.Instant // end of the cool-down
	UntilStep    leyline.Step    // the same in a lockstep run
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
}

// PolicyMemo is what there was when the run last stood at a snapshot.
type PolicyMemo struct {
	Snapshot leyline.SnapshotID
	Window   Window
	Caution  Caution
	Memory   Memory
}

func (f *Fallen) add(seed leyline.SeedID) {
	switch {
	case seed == "":
		f.Run = true
	case !slices.Contains(f.Seeds, seed):
		f.Seeds = append(slices.Clone(f.Seeds), seed)
	}
}

func policyRun(p *Policy) leyline.RunID { return p.Run }

// Run returns Tamiyo's view of a run, or nil.
func (t *Tamiyo) Run(id leyline.RunID) *Policy { return get(t.Runs, id, policyRun) }

// apply assigns the results of one event. steps are the healthy steps of its run so
// far, over all incarnations.
func (t *Tamiyo) apply(m leyline.Meta, id leyline.EffectID, steps uint64, e leyline.Event) {
	switch x := e.(type) {
	case leyline.RunStarted:
		t.Runs = put(t.Runs, Policy{Run: x.Run}, policyRun)
	case leyline.RiskAssessed:
		p := t.Run(x.Run)
		p.Caution.Healthy = x.Healthy
		p.Windows++
		p.Effect, p.Fallen = x.Effect, Fallen{}
		p.Window, p.Asked = Window{Step: x.Step, Loss: x.Loss}, Question{}
	case leyline.PolicyWeighed:
		t.Run(x.Run).Memory = Memory{Norms: x.Norms, Marks: x.Marks}
	case leyline.CompileFellBack:
		t.Run(x.Run).Fallen.add(x.Seed)
	case leyline.WindowEnded:
		t.Run(x.Run).Seen = x.Seen
	case leyline.EpochFailed:
		t.Run(x.Run).Caution.Healthy = 0
	case leyline.PolicyAsked:
		t.Run(x.Run).Asked = Question{Effect: id, Step: x.Step}
	case leyline.PolicyMissed:
		p := t.Run(x.Run)
		p.Asked, p.Caution.Healthy = Question{}, 0
	case leyline.ActionNone:
		if p := t.Run(x.Run); x.Request == p.Asked.Effect {
			p.Asked = Question{}
		}
	case leyline.PlaneBooted: // what the last process was asked it will never answer
		for i := range t.Runs {
			t.Runs[i].Asked, t.Runs[i].Lookup = Question{}, Lookup{}
		}
	case leyline.CommandProposed:
		t.Run(x.Run).Proposals++
	case leyline.PolicyRefused:
		p := t.Run(x.Run)
		p.Caution.Healthy = 0
		if x.Request == p.Asked.Effect {
			p.Asked = Question{}
		}
	case leyline.RunEnded:
		t.Run(x.Run).close()
	case leyline.RunHalted:
		t.Run(x.Run).close()
	default:
		t.applyMemo(e)
		t.applyCaution(m, steps, e)
		t.applyMetadata(m, id, steps, e)
		t.applyBudget(e)
	}
}

// close forgets what nobody waits for any more.
func (p *Policy) close() { p.Asked, p.Lookup = Question{}, Lookup{} }

func (t *Tamiyo) applyMemo(e leyline.Event) {
	switch x := e.(type) {
	case leyline.SnapshotRegistered:
		if p := t.Run(x.Run); !x.Further {
			p.Memos = append(p.Memos, PolicyMemo{x.Snapshot, p.Window, p.Caution, p.Memory})
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
	p.Window, p.Memory = memo.Window, memo.Memory
	p.close()
	if rollback {
		memo.Caution = p.Caution
	}
	p.returnCaution(memo.Caution)
}
