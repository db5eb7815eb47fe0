package leyline_test

import (
	"slices"
	"testing"

	"github.com/esper-plane/esper/leyline"
)

// follows is the naive twin of the table: SPEC.md 4.4, and the way back that
// FINE_TUNE is.
func follows(from leyline.Stage) []leyline.Stage {
	switch from {
	case leyline.StageUnknown:
		return []leyline.Stage{leyline.StageDormant}
	case leyline.StageDormant:
		return []leyline.Stage{leyline.StageGerminated, leyline.StageTerminated}
	case leyline.StageGerminated:
		return []leyline.Stage{leyline.StageTraining, leyline.StageCulled}
	case leyline.StageTraining:
		return []leyline.Stage{leyline.StageBlending, leyline.StageCulled}
	case leyline.StageBlending:
		return []leyline.Stage{leyline.StageShadowing, leyline.StageTraining, leyline.StageCulled}
	case leyline.StageShadowing:
		return []leyline.Stage{leyline.StageProbationary, leyline.StageTraining, leyline.StageCulled}
	case leyline.StageProbationary:
		return []leyline.Stage{leyline.StageFossilized, leyline.StageTraining, leyline.StageCulled}
	case leyline.StageFossilized:
		return []leyline.Stage{leyline.StageTerminated}
	case leyline.StageCulled:
		return []leyline.Stage{leyline.StageEmbargoed}
	case leyline.StageEmbargoed:
		return []leyline.Stage{leyline.StageResetting}
	case leyline.StageResetting:
		return []leyline.Stage{leyline.StageDormant}
	}
	return nil
}

func stages() []leyline.Stage {
	return append([]leyline.Stage{leyline.StageUnknown}, leyline.StageUnknown.Members()...)
}

// TestTransitionsAreThoseOfTheSpecification asks for every pair of stages, both
// the table and the event.
func TestTransitionsAreThoseOfTheSpecification(t *testing.T) {
	for _, from := range stages() {
		for _, to := range stages() {
			want := slices.Contains(follows(from), to)
			if got := leyline.MayMove(from, to); got != want {
				t.Errorf("from %s to %s: %v", from, to, got)
			}
			moved := leyline.SeedMoved{
				Run: "r", Seed: "s", From: from, To: to, Blueprint: "b", Mesh: []string{"trunk"}, ProbeFrom: 1, Cause: "test",
			}
			if err := moved.Validate(); (err == nil) != want {
				t.Errorf("the event from %s to %s: %v", from, to, err)
			}
		}
	}
}

// TestOperationsHaveOneTransitionPerStage also holds every row to who may cause it:
// a party that a row does not name is refused.
func TestOperationsHaveOneTransitionPerStage(t *testing.T) {
	for _, e := range leyline.Edges() {
		if (e.Operation == leyline.OpUnknown) != (e.Cause != "") {
			t.Errorf("%+v has not exactly one of operation and cause", e)
		}
		if got := e.MayAsk(leyline.PartyPlane); got != (e.Cause != "") {
			t.Errorf("%+v: the plane may: %v", e, got)
		}
		if got := e.MayAsk(leyline.PartyOperator); got != (e.Cause == "") {
			t.Errorf("%+v: an operator may: %v", e, got)
		}
		if got := e.MayAsk(leyline.PartyPolicy); got != (e.Cause == "" && !e.Operator) {
			t.Errorf("%+v: the policy may: %v", e, got)
		}
		if e.MayAsk(leyline.PartyUnspecified) {
			t.Errorf("%+v: anybody may", e)
		}
		if e.Operation == leyline.OpUnknown {
			continue
		}
		if got, ok := leyline.EdgeOf(e.Operation, e.From); !ok || got != e {
			t.Errorf("%s of a %s seed is %+v, want %+v", e.Operation, e.From, got, e)
		}
	}
	for _, op := range leyline.OpUnknown.Members() {
		if len(leyline.StartsFrom(op)) == 0 {
			t.Errorf("%s starts from nowhere", op)
		}
	}
	if _, ok := leyline.EdgeOf(leyline.OpUnknown, leyline.StageUnknown); ok || leyline.StartsFrom(leyline.OpUnknown) != nil {
		t.Error("no operation moves a seed")
	}
}

func TestPartyOf(t *testing.T) {
	if p := leyline.PartyOf(leyline.IssuerTamiyo); p != leyline.PartyPolicy {
		t.Errorf("the policy's commands are the %s's", p)
	}
	if p := leyline.PartyOf("ada"); p != leyline.PartyOperator {
		t.Errorf("a person's commands are the %s's", p)
	}
}

// TestGateLevel holds the severities against the list of SPEC.md 4.4, and what this
// plane adds to it.
func TestGateLevel(t *testing.T) {
	for reason, want := range map[string]leyline.Level{
		"fallback_kernel_used": leyline.LevelCritical, "stage_mismatch": leyline.LevelCritical,
		"resume_kernel_fetch_failed": leyline.LevelCritical, "kernel_fetch_failed": leyline.LevelCritical,
		"kernel_fetch_latency_exceeded": leyline.LevelCritical, "prefetch_timeout": leyline.LevelCritical,
		"breaker_denied": leyline.LevelCritical, "registry_conflict": leyline.LevelCritical, "isolation_violated": leyline.LevelCritical,
		"mesh_incomplete": leyline.LevelWarning, "trained_steps": leyline.LevelWarning, "contribution": leyline.LevelWarning,
		"improvement": leyline.LevelWarning, "": leyline.LevelWarning,
	} {
		if got := leyline.GateLevel(reason); got != want {
			t.Errorf("%q is %s, want %s", reason, got, want)
		}
	}
}

// BenchmarkEdges looks up the transition that is last in the table.
func BenchmarkEdges(b *testing.B) {
	for b.Loop() {
		if !leyline.MayMove(leyline.StageFossilized, leyline.StageTerminated) {
			b.Fatal("no such transition")
		}
	}
}
