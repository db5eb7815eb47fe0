package projections

import (
	"slices"

	"github.com/esper-plane/esper/leyline"
)

// Artifact is a policy that was imported.
type Artifact struct {
	Facts    leyline.PolicyArtifact
	Imported leyline.Instant
	Seq      leyline.Seq // of the record
	By       leyline.KeyID
}

// Installed says which policy decides in a scope: in one run, or in all that have none
// of their own. It is no part of what is trained, so a rollback leaves it alone.
type Installed struct {
	Run       leyline.RunID       // empty: all
	Stack     []leyline.PolicyRef // activated, one after the other; the last is in force; empty: the settings
	Forgotten uint32              // of the oldest, which a rollback does not find any more
	Since     leyline.Seq         // of the record with which it came into force
	Loading   Loading             // outstanding; the zero value means there is none
	Fault     leyline.PolicyFault // why the one in force is not used
	Detail    string              // with a fault
	Unproven  bool                // its file was not verified since the process was started
	Proving   leyline.EffectID    // that verifies it, outstanding
	Rules     leyline.RulesConfig // the weights of what is in force
}

// Loading is a file that is being read and verified.
type Loading struct {
	Request  leyline.EffectID
	Policy   leyline.PolicyRef
	Action   leyline.PolicyAction
	Command  leyline.CommandID
	Deadline leyline.Instant // also after a restart: what a command wants is wanted by then
}

// InForce is the policy that decides in the scope; zero: none of its own.
func (i *Installed) InForce() leyline.PolicyRef {
	if i == nil || len(i.Stack) == 0 {
		return leyline.PolicyRef{}
	}
	return i.Stack[len(i.Stack)-1]
}

// Before is the policy before the one in force; zero: the settings.
func (i *Installed) Before() leyline.PolicyRef {
	if i == nil || len(i.Stack) < 2 {
		return leyline.PolicyRef{}
	}
	return i.Stack[len(i.Stack)-2]
}

func installedRun(i *Installed) leyline.RunID { return i.Run }

// Artifact returns an imported policy by its id and version, or nil.
func (t *Tamiyo) Artifact(id leyline.PolicyID, version string) *Artifact {
	for i := range t.Artifacts {
		if a := &t.Artifacts[i]; a.Facts.ID == id && a.Facts.Version == version {
			return a
		}
	}
	return nil
}

// Scope returns what is installed in a scope, or nil.
func (t *Tamiyo) Scope(run leyline.RunID) *Installed { return get(t.Installed, run, installedRun) }

// Deciding returns what decides in a run: that of its own scope, or that of all. nil:
// the settings do.
func (t *Tamiyo) Deciding(run leyline.RunID) *Installed {
	for _, id := range []leyline.RunID{run, ""} {
		if i := t.Scope(id); i != nil && len(i.Stack) > 0 {
			return i
		}
	}
	return nil
}

// InForce is the policy that decides in a run, or in all without one of their own; zero:
// the settings do.
func (t *Tamiyo) InForce(run leyline.RunID) leyline.PolicyRef { return t.Deciding(run).InForce() }

func (t *Tamiyo) scope(run leyline.RunID) *Installed {
	if t.Scope(run) == nil {
		t.Installed = put(t.Installed, Installed{Run: run}, installedRun)
	}
	return t.Scope(run)
}

func (t *Tamiyo) applyArtifact(m leyline.Meta, id leyline.EffectID, e leyline.Event) {
	switch x := e.(type) {
	case leyline.PolicyAdmitted:
		t.Artifacts = append(t.Artifacts, Artifact{Facts: x.Artifact, Imported: m.At, Seq: m.Seq, By: x.By})
	case leyline.PolicyRequested:
		t.scope(x.Run).ask(id, x)
	case leyline.PolicyActivated:
		t.scope(x.Run).install(m.Seq, x)
	case leyline.PolicyReverted:
		t.scope(x.Run).revert(m.Seq)
	case leyline.PolicyConfirmed:
		t.scope(x.Run).usable()
	case leyline.PolicyRejected:
		t.scope(x.Run).refused(x)
	case leyline.PlaneBooted:
		for k := range t.Installed {
			i := &t.Installed[k]
			i.Unproven, i.Proving = len(i.Stack) > 0, leyline.EffectID{}
		}
	}
}

// ask notes what is being read: for a command, or what is in force.
func (i *Installed) ask(id leyline.EffectID, x leyline.PolicyRequested) {
	if x.Action == leyline.PolicyActionUnspecified {
		i.Proving = id
		return
	}
	i.Loading = Loading{Request: id, Policy: x.Policy, Action: x.Action, Command: x.Command, Deadline: x.Deadline}
}

// install puts a policy on top, or takes away the one on top of it. One that was on top
// and could not be used stays where it is.
func (i *Installed) install(seq leyline.Seq, x leyline.PolicyActivated) {
	switch {
	case x.Action == leyline.PolicyRollback:
		i.Stack = i.Stack[:len(i.Stack)-1]
	case i.InForce() != x.Policy:
		i.Stack = append(slices.Clone(i.Stack), x.Policy)
	}
	if over := len(i.Stack) - leyline.MaxPolicyStack; over > 0 {
		i.Stack, i.Forgotten = i.Stack[over:], i.Forgotten+uint32(over)
	}
	i.Since, i.Rules = seq, x.Rules
	i.usable()
	i.Loading = Loading{}
}

func (i *Installed) revert(seq leyline.Seq) {
	i.Stack, i.Since, i.Rules = nil, seq, leyline.RulesConfig{}
	i.usable()
}

// usable says that the file of what is in force is what was imported.
func (i *Installed) usable() {
	i.Unproven, i.Proving, i.Fault, i.Detail = false, leyline.EffectID{}, leyline.PolicyFaultNone, ""
}

func (i *Installed) refused(x leyline.PolicyRejected) {
	if !x.Suspended {
		i.Loading = Loading{}
		return
	}
	i.Unproven, i.Proving, i.Fault, i.Detail = false, leyline.EffectID{}, x.Fault, x.Detail
}

// Usable reports whether what is in force may decide.
func (i *Installed) Usable() bool { return !i.Unproven && i.Fault == leyline.PolicyFaultNone }
