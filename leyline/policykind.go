package leyline

// PolicyKind says which built-in policy decides about adaptations.
type PolicyKind = Enum[policyKinds]

type policyKinds struct{}

func (policyKinds) list() []string { return policyKindNames[:] }

var policyKindNames = [...]string{"unspecified", "rules", "random"}

// The kinds of policy. Random is there to be compared with: it draws among what is
// open to it, and its commands pass the same evaluators and gates.
const (
	PolicyUnspecified PolicyKind = iota
	PolicyRules
	PolicyRandom
)
