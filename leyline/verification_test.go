package leyline_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
)

// TestRejectionIsARefusalWithItsReason makes the error of every reason that a door can
// give: whoever asks for a refusal gets one of a kind, with a field.
func TestRejectionIsARefusalWithItsReason(t *testing.T) {
	kinds := map[leyline.RejectReason]leyline.RefusalKind{
		leyline.RejectTooLarge: leyline.RefusalInvalidField, leyline.RejectMalformed: leyline.RefusalInvalidField,
		leyline.RejectUnknownKey: leyline.RefusalUnknownKey, leyline.RejectKeyRevoked: leyline.RefusalNotAuthorized,
		leyline.RejectMissingSignature: leyline.RefusalMissingField, leyline.RejectInvalidSignature: leyline.RefusalInvalidSignature,
		leyline.RejectNonceReplayed: leyline.RefusalNotAuthorized, leyline.RejectRateLimited: leyline.RefusalNotAuthorized,
	}
	for why, kind := range kinds {
		var err error = leyline.Reject(why, leyline.KeyID(strings.Repeat("k", 300)), "because")
		var rejection *leyline.Rejection
		r, ok := leyline.AsRefusal(err)
		if !ok || r.Kind != kind || r.Field == "" || r.Reason != "because" || len(r.Identifier) > 100 {
			t.Errorf("%s: refusal %+v", why, r)
		}
		if !errors.As(err, &rejection) || rejection.Reason != why || !strings.Contains(err.Error(), why.String()) {
			t.Errorf("%s: rejection %v", why, err)
		}
	}
}

func TestReasonsThatSpendNothing(t *testing.T) {
	for _, why := range leyline.RejectNone.Members() {
		spends := why >= leyline.RejectUnknownRun && why != leyline.RejectNonceQuota && why != leyline.RejectRateLimited
		if leyline.Authentic(why) != spends {
			t.Errorf("%s: authentic is %v", why, !spends)
		}
	}
}

func TestPermits(t *testing.T) {
	k := leyline.Key{Kinds: []leyline.CommandKind{leyline.CommandSeed}}
	limited := k
	limited.Runs = []leyline.RunID{"run-1"}
	for _, c := range []struct {
		key  leyline.Key
		kind leyline.CommandKind
		run  leyline.RunID
		want bool
	}{
		{k, leyline.CommandSeed, "run-9", true}, {k, leyline.CommandSeed, "", true}, {k, leyline.CommandPause, "run-9", false},
		{limited, leyline.CommandSeed, "run-1", true}, {limited, leyline.CommandSeed, "run-2", false}, {limited, leyline.CommandSeed, "", false},
		{leyline.Key{}, leyline.CommandSeed, "run-1", false},
	} {
		if got := c.key.Permits(c.kind, c.run); got != c.want {
			t.Errorf("%+v: %s for %q is %v", c.key, c.kind, c.run, got)
		}
	}
}

func TestPeersAreNamed(t *testing.T) {
	if err := leyline.PeerNamed(leyline.PeerOperator, "uid:1000"); err != nil {
		t.Error(err)
	}
	for name, err := range map[string]error{
		"no kind":   leyline.PeerNamed(0, "x"),
		"long name": leyline.PeerNamed(leyline.PeerOperator, strings.Repeat("x", leyline.MaxText+1)),
	} {
		if _, refused := leyline.AsRefusal(err); !refused {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNonceKeyCap: one key always has room for a command.
func TestNonceKeyCap(t *testing.T) {
	for _, c := range []struct {
		cap   uint32
		share float64
		want  uint32
	}{{10_000, 0.25, 2500}, {1, 0.25, 1}, {8, 1, 8}, {1 << 31, 1, 1 << 31}} {
		k := leyline.KasminaConfig{NonceCap: c.cap, NonceKeyShare: c.share}
		if got := k.NonceKeyCap(); got != c.want {
			t.Errorf("%v of %d is %d, want %d", c.share, c.cap, got, c.want)
		}
	}
}
