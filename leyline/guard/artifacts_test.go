package guard_test

import (
	"math"
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/guard"
)

// check is one call of a guard and what has to come of it.
type check struct {
	name  string
	got   *leyline.Refusal
	want  leyline.RefusalKind // none: admitted
	field string
}

func hold(t *testing.T, checks []check) {
	t.Helper()
	for _, x := range checks {
		switch {
		case x.want == leyline.RefusalNone:
			if x.got != nil {
				t.Errorf("%s: refused: %v", x.name, x.got)
			}
		case x.got == nil:
			t.Errorf("%s: admitted, want %s", x.name, x.want)
		case x.got.Kind != x.want || x.got.Field != x.field || x.got.Subsystem == 0 || x.got.Reason == "" || x.got.Hint == "":
			t.Errorf("%s: %+v, want %s of %s with subsystem, reason and fix", x.name, *x.got, x.want, x.field)
		}
	}
}

func TestRunID(t *testing.T) {
	hold(t, []check{
		{"an id", guard.RunID("run-1"), leyline.RefusalNone, ""},
		{"none", guard.RunID(""), leyline.RefusalMissingRun, "run"},
		{"a path", guard.RunID("../run-1"), leyline.RefusalInvalidField, "run"},
		{"none, of an open run", guard.Open(guard.Run{Status: leyline.RunStatusOpen}, ""), leyline.RefusalMissingRun, "run"},
	})
	if r := guard.RunID(leyline.RunID(strings.Repeat("x", 1<<20))); r == nil || len(r.Identifier) > leyline.MaxIDLen {
		t.Errorf("an endless id is repeated: %d bytes", len(r.Identifier))
	}
}

func TestBlueprint(t *testing.T) {
	good := &leyline.BlueprintRegistered{Blueprint: "bp-1"}
	banned := &leyline.BlueprintRegistered{Blueprint: "bp-1", Quarantine: true}
	plan := []leyline.BlueprintID{"bp-0", "bp-1"}
	hold(t, []check{
		{"fits", guard.Blueprint(good, plan, "bp-1"), leyline.RefusalNone, ""},
		{"not registered", guard.Blueprint(nil, plan, "bp-1"), leyline.RefusalUnknownBlueprint, "blueprint"},
		{"not registered, of a list", guard.Registered(nil, "blueprints[3]", "bp-1"), leyline.RefusalUnknownBlueprint, "blueprints[3]"},
		{"in quarantine", guard.Blueprint(banned, plan, "bp-1"), leyline.RefusalQuarantine, "blueprint"},
		{"of another host", guard.Blueprint(good, plan[:1], "bp-1"), leyline.RefusalUnknownBlueprint, "blueprint"},
		{"of a run without seeds", guard.Blueprint(good, nil, "bp-1"), leyline.RefusalUnknownBlueprint, "blueprint"},
	})
}

func TestKernel(t *testing.T) {
	bp := &leyline.BlueprintRegistered{Blueprint: "bp-1", Kernel: "bp-1.safetensors", Digest: leyline.Digest{7}, Bytes: 6}
	hold(t, []check{
		{"the registered one", guard.Kernel(bp, leyline.Digest{7}, 6), leyline.RefusalNone, ""},
		{"of no blueprint", guard.Kernel(nil, leyline.Digest{7}, 6), leyline.RefusalUnknownBlueprint, "blueprint"},
		{"none", guard.Kernel(bp, leyline.Digest{}, 0), leyline.RefusalMissingKernel, "kernel"},
		{"another one", guard.Kernel(bp, leyline.Digest{8}, 6), leyline.RefusalKernelDigest, "kernel"},
		{"of another size", guard.Kernel(bp, leyline.Digest{7}, 5), leyline.RefusalKernelSize, "kernel"},
	})
}

func TestPolicyArtifact(t *testing.T) {
	with := func(change func(*leyline.PolicyArtifact)) *leyline.Refusal {
		a := leyline.PolicyArtifact{
			ID: "policy-1", Version: "3", Architecture: leyline.RulesArchitecture, Format: leyline.PolicyTOML, Digest: leyline.Digest{7}, Bytes: 6,
			Origin: leyline.PolicyTrained, Run: "run-1", Created: "2026-11-26T21:00:00Z", Registries: leyline.FixedRegistries(),
		}
		if change != nil {
			change(&a)
		}
		return guard.PolicyArtifact(&a, leyline.Digest{7}, 6)
	}
	const kind = leyline.RefusalArtifact
	hold(t, []check{
		{"whole", with(nil), leyline.RefusalNone, ""},
		{"no id", with(func(a *leyline.PolicyArtifact) { a.ID = "" }), kind, "id"},
		{"an id that is a path", with(func(a *leyline.PolicyArtifact) { a.ID = "../../etc/passwd" }), kind, "id"},
		{"no version", with(func(a *leyline.PolicyArtifact) { a.Version = "" }), kind, "version"},
		{"no architecture", with(func(a *leyline.PolicyArtifact) { a.Architecture = "" }), kind, "architecture"},
		{"an architecture without a number", with(func(a *leyline.PolicyArtifact) { a.Architecture = "rules" }), kind, "architecture"},
		{"an architecture with a sign", with(func(a *leyline.PolicyArtifact) { a.Architecture = "rules/+2" }), kind, "architecture"},
		{"no format", with(func(a *leyline.PolicyArtifact) { a.Format = 0 }), kind, "format"},
		{"a format that there is not", with(func(a *leyline.PolicyArtifact) { a.Format = 9 }), kind, "format"},
		{"a format of another architecture", with(func(a *leyline.PolicyArtifact) { a.Format = leyline.PolicySafetensors }), kind, "format"},
		{"no digest", with(func(a *leyline.PolicyArtifact) { a.Digest = leyline.Digest{} }), kind, "digest"},
		{"other bytes", with(func(a *leyline.PolicyArtifact) { a.Digest = leyline.Digest{8} }), kind, "digest"},
		{"another size", with(func(a *leyline.PolicyArtifact) { a.Bytes = 5 }), kind, "bytes"},
		{"more than the rules need", with(func(a *leyline.PolicyArtifact) { a.Bytes = leyline.MaxRulesBytes + 1 }), kind, "bytes"},
		{"no origin", with(func(a *leyline.PolicyArtifact) { a.Origin = 0 }), kind, "origin"},
		{"trained in no run", with(func(a *leyline.PolicyArtifact) { a.Run = "" }), kind, "run"},
		{"written by hand in a run", with(func(a *leyline.PolicyArtifact) { a.Origin = leyline.PolicyHandWritten }), kind, "run"},
		{"no time", with(func(a *leyline.PolicyArtifact) { a.Created = "yesterday" }), kind, "created"},
		{"no registries", with(func(a *leyline.PolicyArtifact) { a.Registries = nil }), kind, "registries"},
		{"a registry that the rules index is missing", with(func(a *leyline.PolicyArtifact) { a.Registries = a.Registries[:1] }), kind, "registries.blend_modes"},
		{"registries in disorder", with(func(a *leyline.PolicyArtifact) { a.Registries[0], a.Registries[1] = a.Registries[1], a.Registries[0] }), kind, "registries[1].kind"},
		{"a registry of nothing", with(func(a *leyline.PolicyArtifact) { a.Registries[0].Size = 0 }), kind, "registries[0].size"},
	})
}

func TestLogits(t *testing.T) {
	const confidence = leyline.BlendConfidence
	hold(t, []check{
		{"of three samples", guard.Logits(confidence, 2, []float64{1, 2, 3, 4, 5, 6}), leyline.RefusalNone, ""},
		{"of another mode", guard.Logits(leyline.BlendResidual, 0, nil), leyline.RefusalNone, ""},
		{"none", guard.Logits(confidence, 2, nil), leyline.RefusalLogits, "logits"},
		{"one per sample", guard.Logits(confidence, 1, []float64{1, 2}), leyline.RefusalLogits, "logits"},
		{"no number of classes", guard.Logits(confidence, 0, []float64{1, 2}), leyline.RefusalLogits, "logits"},
		{"half a sample", guard.Logits(confidence, 2, []float64{1, 2, 3}), leyline.RefusalLogits, "logits"},
		{"a NaN", guard.Logits(confidence, 2, []float64{1, math.NaN()}), leyline.RefusalLogits, "logits"},
		{"an infinity", guard.Logits(confidence, 2, []float64{math.Inf(-1), 1}), leyline.RefusalLogits, "logits"},
	})
	if r := guard.Logits(confidence, 2, nil); r.Kind.String() != "confidence_gate_missing_logits" {
		t.Errorf("missing logits are refused as %s", r.Kind)
	}
}

// TestGradients: what is missing of a gradient set is named, and nothing is
// combined of the rest.
func TestGradients(t *testing.T) {
	r := guard.Run{Tasks: 3}
	hold(t, []check{
		{"whole", guard.Gradients(r, 3, 9), leyline.RefusalNone, ""},
		{"no losses", guard.Gradients(r, 0, 9), leyline.RefusalGradients, "losses"},
		{"a loss is missing", guard.Gradients(r, 2, 9), leyline.RefusalGradients, "losses"},
		{"a loss too many", guard.Gradients(r, 4, 9), leyline.RefusalGradients, "losses"},
		{"no products", guard.Gradients(r, 3, 0), leyline.RefusalGradients, "gram"},
		{"products of two tasks", guard.Gradients(r, 3, 4), leyline.RefusalGradients, "gram"},
	})
}
