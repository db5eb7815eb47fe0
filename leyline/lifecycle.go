package leyline

import "slices"

// IssuerTamiyo is the issuer of the commands that the policy of this plane
// proposes. Every other issuer is an operator.
const IssuerTamiyo = "tamiyo"

// Party is who causes a transition of a seed.
type Party = Enum[parties]

type parties struct{}

func (parties) list() []string { return partyNames[:] }

var partyNames = [...]string{"unspecified", "policy", "operator", "plane"}

// The parties. The plane acts by itself: when something failed, or when a time
// is over.
const (
	PartyUnspecified Party = iota
	PartyPolicy
	PartyOperator
	PartyPlane
)

// PartyOf says whose commands an issuer's are.
func PartyOf(issuer string) Party {
	if issuer == IssuerTamiyo {
		return PartyPolicy
	}
	return PartyOperator
}

// Edge is a transition that a seed may make. There is no other.
type Edge struct {
	Operation SeedOperation // that asks for it; unset where the plane makes it by itself
	Cause     string        // of a transition that the plane makes, in words
	From      Stage
	To        Stage
	Gate      Gate // that passes in the record of the transition; unset: none
	// Answered: the gate passes in the record that accepts the command, and the seed
	// moves in that of the trainer's answer, since nothing undoes the stage.
	Answered bool
	Operator bool // only an operator may ask for it, not the policy
}

// edges is the life of a seed (SPEC.md 1.1 and 4.4).
var edges = [...]Edge{
	{Operation: OpGerminate, From: StageDormant, To: StageGerminated, Gate: GateSanity},
	{Operation: OpStartTraining, From: StageGerminated, To: StageTraining, Gate: GateGradientHealth},
	{Operation: OpStartGrafting, From: StageTraining, To: StageBlending, Gate: GateStability},
	{Operation: OpStabilize, From: StageBlending, To: StageShadowing, Gate: GateInterface},
	{Operation: OpEvaluate, From: StageShadowing, To: StageProbationary, Gate: GateSystemImpact},
	{Operation: OpFossilize, From: StageProbationary, To: StageFossilized, Gate: GateSystemImpact, Answered: true},

	{Operation: OpFineTune, From: StageBlending, To: StageTraining, Gate: GateGradientHealth},
	{Operation: OpFineTune, From: StageShadowing, To: StageTraining, Gate: GateGradientHealth},
	{Operation: OpFineTune, From: StageProbationary, To: StageTraining, Gate: GateGradientHealth},

	{Operation: OpCull, From: StageGerminated, To: StageCulled},
	{Operation: OpCull, From: StageTraining, To: StageCulled},
	{Operation: OpCull, From: StageBlending, To: StageCulled},
	{Operation: OpCull, From: StageShadowing, To: StageCulled},
	{Operation: OpCull, From: StageProbationary, To: StageCulled},
	{Operation: OpCancel, From: StageGerminated, To: StageCulled},
	{Operation: OpCancel, From: StageTraining, To: StageCulled},
	{Operation: OpCancel, From: StageBlending, To: StageCulled},
	{Operation: OpCancel, From: StageShadowing, To: StageCulled},
	{Operation: OpCancel, From: StageProbationary, To: StageCulled},
	{Operation: OpCancel, From: StageDormant, To: StageTerminated, Operator: true},
	{Operation: OpCancel, From: StageFossilized, To: StageTerminated, Operator: true},

	{Cause: "run opened", From: StageUnknown, To: StageDormant},
	{Cause: "failure", From: StageGerminated, To: StageCulled},
	{Cause: "failure", From: StageTraining, To: StageCulled},
	{Cause: "failure", From: StageBlending, To: StageCulled},
	{Cause: "failure", From: StageShadowing, To: StageCulled},
	{Cause: "failure", From: StageProbationary, To: StageCulled},

	{Cause: "culled", From: StageCulled, To: StageEmbargoed},
	{Cause: "embargo over", From: StageEmbargoed, To: StageResetting},
	{Cause: "embargo over", From: StageResetting, To: StageDormant, Gate: GateReset},
	{Cause: "slot closed", From: StageDormant, To: StageTerminated},
	{Cause: "slot closed", From: StageFossilized, To: StageTerminated},
}

// Edges returns the life of a seed, every transition in the order in which it is
// documented.
func Edges() []Edge { return slices.Clone(edges[:]) }

// MayMove reports whether a seed may move from one stage to another at all.
func MayMove(from, to Stage) bool {
	for i := range edges {
		if edges[i].From == from && edges[i].To == to {
			return true
		}
	}
	return false
}

// EdgeOf returns the transition that an operation asks of a seed of a stage;
// false when there is none.
func EdgeOf(op SeedOperation, from Stage) (Edge, bool) {
	for i := range edges {
		if e := &edges[i]; e.Operation == op && e.From == from && op != OpUnknown {
			return *e, true
		}
	}
	return Edge{}, false
}

// StartsFrom lists the stages that an operation starts from, in the order of
// Edges; none for an operation that there is not.
func StartsFrom(op SeedOperation) []Stage {
	var out []Stage
	for i := range edges {
		if e := &edges[i]; e.Operation == op && op != OpUnknown {
			out = append(out, e.From)
		}
	}
	return out
}

// MayAsk reports whether a party may cause a transition.
func (e Edge) MayAsk(p Party) bool {
	switch p {
	case PartyPlane:
		return e.Operation == OpUnknown
	case PartyPolicy:
		return e.Operation != OpUnknown && !e.Operator
	case PartyOperator:
		return e.Operation != OpUnknown
	}
	return false
}
