package leyline

import "slices"

// PayloadPolicy is the payload type of an envelope that imports a policy artifact.
const PayloadPolicy = "application/vnd.esper.policy.v1+msgpack"

// PolicyAction is what a POLICY command does.
type PolicyAction = Enum[policyActions]

type policyActions struct{}

func (policyActions) list() []string { return policyActionNames[:] }

var policyActionNames = [...]string{"unspecified", "activate", "rollback"}

// The actions: let an imported policy decide, or go back to what decided before.
const (
	PolicyActionUnspecified PolicyAction = iota
	PolicyActivate
	PolicyRollback
)

// PolicyScope says whose decisions a POLICY command is about.
type PolicyScope = Enum[policyScopes]

type policyScopes struct{}

func (policyScopes) list() []string { return policyScopeNames[:] }

var policyScopeNames = [...]string{"unspecified", "run", "all"}

// The scopes: the run that the command is addressed to, or every run for which none
// was activated by itself, runs to come included. A command for all is addressed to
// no run.
const (
	PolicyScopeUnspecified PolicyScope = iota
	PolicyOfRun
	PolicyOfAll
)

// PolicyCommand is the argument of a POLICY command.
type PolicyCommand struct {
	Action PolicyAction
	Scope  PolicyScope
	Policy PolicyRef // of the action activate, whole
	Reason string    // why, for people
}

// Validate returns a *Refusal that names the first field that is missing or wrong.
func (x PolicyCommand) Validate() error {
	var c check
	needEnum(&c, "action", x.Action)
	needEnum(&c, "scope", x.Scope)
	if x.Action == PolicyActivate {
		c.part("policy", x.Policy.Validate())
	} else if !x.Policy.IsZero() {
		c.fail(Invalid("policy", "is set, but the action is "+x.Action.String()))
	}
	needText(&c, "reason", x.Reason)
	return c.result()
}

// Validate demands all of a name.
func (r PolicyRef) Validate() error {
	var c check
	needID(&c, "id", r.ID)
	needID(&c, "version", r.Version)
	need(&c, "digest", !r.Digest.IsZero())
	return c.result()
}

// checkPolicy demands that a POLICY command is addressed to whom it is about.
func (c Command) checkPolicy() error {
	if err := c.Policy.Validate(); err != nil {
		return err
	}
	if run := c.Audience.Run; (c.Policy.Scope == PolicyOfRun) != (run != "") {
		return Invalid("scope", "is "+c.Policy.Scope.String()+", but the command is addressed to run \""+clip(string(run))+"\"")
	}
	return nil
}

// PolicyFault says what stands against a policy artifact. The names are those of the
// rejections of POLICY commands, and of what is found when its file is read.
type PolicyFault = Enum[policyFaults]

type policyFaults struct{}

func (policyFaults) list() []string { return policyFaultNames[:] }

var policyFaultNames = [...]string{
	"none", "policy_missing", "policy_digest_mismatch", "policy_invalid", "policy_timeout", "policy_unreadable",
}

// The faults of a file that was to be used.
const (
	PolicyFaultNone      PolicyFault = iota
	PolicyFileMissing                // it is not in the policy store
	PolicyFileDigest                 // it is not the file that was imported
	PolicyFileInvalid                // it is, and means nothing
	PolicyFileLate                   // it could not be read in time
	PolicyFileUnreadable             // it is no regular file, or the disk fails
)

// updateReasons maps the reasons for which SPEC.md 3.12 refuses a policy update to those
// of this plane. swap_failed has no counterpart: there is nothing to swap but the state
// that the log makes.
var updateReasons = [...]struct {
	spec    string
	rejects []RejectReason // at the command
	faults  []PolicyFault  // when the file is read
}{
	{"version_mismatch", []RejectReason{RejectPolicyUnknown}, nil},
	{"stale_update", []RejectReason{RejectPolicyStale}, nil},
	{"invalid_payload", []RejectReason{RejectPolicyDigest}, []PolicyFault{PolicyFileMissing, PolicyFileDigest, PolicyFileUnreadable, PolicyFileLate}},
	{"registry_mismatch", []RejectReason{RejectPolicyRegistry}, nil},
	{"shape_mismatch", nil, []PolicyFault{PolicyFileInvalid}},
	{"incompatible_update", []RejectReason{RejectPolicyArchitecture}, nil},
}

// UpdateRejected is what SPEC.md 3.12 calls the rejection of a POLICY command; empty
// for a reason that is not about the policy.
func UpdateRejected(why RejectReason) string {
	for _, r := range updateReasons {
		if slices.Contains(r.rejects, why) {
			return r.spec
		}
	}
	return ""
}

// UpdateRefused is what SPEC.md 3.12 calls a fault of the file of a policy; empty for
// none.
func UpdateRefused(f PolicyFault) string {
	for _, r := range updateReasons {
		if slices.Contains(r.faults, f) {
			return r.spec
		}
	}
	return ""
}
