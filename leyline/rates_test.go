package leyline_test

import (
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
)

// TestUnknownPolicyIsRefusedByName holds both ways in: a name in a file, and a
// configuration that was built without one.
func TestUnknownPolicyIsRefusedByName(t *testing.T) {
	var p leyline.LRPolicy
	if err := p.UnmarshalText([]byte("plateau")); err == nil || !strings.Contains(err.Error(), "plateau") || !strings.Contains(err.Error(), "cosine_restarts") {
		t.Errorf("the name plateau: %v", err)
	}
	for _, code := range []leyline.LRPolicy{leyline.LRUnspecified, leyline.LRStep + 1} {
		c := leyline.DefaultConfig()
		c.Tolaria.LRPolicy = code
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "tolaria.lr_policy") {
			t.Errorf("code %d: %v", code, err)
		}
	}
}
