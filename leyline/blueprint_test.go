package leyline_test

import (
	"math"
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/leylinetest"
)

// TestBlueprintMistakes changes one thing about a good record and expects the one
// field that is named for it.
func TestBlueprintMistakes(t *testing.T) {
	type record = leyline.BlueprintRegistered
	for _, c := range []struct {
		field, says string
		change      func(*record)
	}{
		{"tier", "missing", func(b *record) { b.Tier = 0 }},
		{"tier", "unknown", func(b *record) { b.Tier = 9 }},
		{"framework", "letters", func(b *record) { b.Framework = "go gonum" }},
		{"mesh", "missing", func(b *record) { b.Mesh = nil }},
		{"mesh[1]", "repeats", func(b *record) { b.Mesh = []string{"trunk", "trunk"} }},
		{"parameters[1].name", "not after", func(b *record) {
			b.Parameters = []leyline.ParameterBounds{{Name: "b", Max: 1}, {Name: "a", Max: 1}}
		}},
		{"parameters[0].max", "lower bound", func(b *record) { b.Parameters[0].Min = 2 }},
		{"parameters[0].max", "finite", func(b *record) { b.Parameters[0].Max = math.Inf(1) }},
		{"guard", "missing", func(b *record) { b.Guard = leyline.Digest{} }},
		{"hazard.score", "0 to 1", func(b *record) { b.Hazard.Score = 1.5 }},
		{"hazard.band", "missing", func(b *record) { b.Hazard.Band = 0 }},
		{"hazard.handling", "missing", func(b *record) { b.Hazard.Handling = 0 }},
		{"hazard.resource", "missing", func(b *record) { b.Hazard.Resource = 0 }},
		{"hazard.provenance", "missing", func(b *record) { b.Hazard.Provenance = 0 }},
		{"hazard.mitigations[0].rationale", "missing", func(b *record) { b.Hazard.Mitigations = []leyline.HazardMitigation{{Action: "x"}} }},
		{"quarantine", "QUARANTINE", func(b *record) { b.Hazard.Handling = leyline.HandlingQuarantine }},
	} {
		b := leylinetest.Blueprint("bp-1", []byte("kernel"))
		if err := b.Validate(); err != nil {
			t.Fatalf("a good record is refused: %v", err)
		}
		b.Parameters = []leyline.ParameterBounds{{Name: "a", Min: 0, Max: 1}}
		c.change(&b)
		r, ok := leyline.AsRefusal(b.Validate())
		if !ok || r.Field != c.field || !strings.Contains(r.Error(), c.says) {
			t.Errorf("want %s, %s: %v", c.field, c.says, r)
		}
	}
	held := leylinetest.Blueprint("bp-1", []byte("kernel"))
	held.Hazard.Handling, held.Quarantine = leyline.HandlingQuarantine, true
	if err := held.Validate(); err != nil {
		t.Errorf("a blueprint in quarantine cannot be registered: %v", err)
	}
}

func TestCleanupHasNoLevel(t *testing.T) {
	c := leyline.EmergencyCommand{Action: leyline.EmergencyCleanup, Reason: "memory is short"}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	c.Level = leyline.EmergencyHalt
	if r, ok := leyline.AsRefusal(c.Validate()); !ok || r.Field != "level" || r.Hint == "" {
		t.Errorf("a cleanup with a level: %v", r)
	}
}
