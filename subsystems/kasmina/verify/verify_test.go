package verify_test

import (
	"crypto/ed25519"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/kasmina/verify"
)

type noise struct{ *rand.Rand }

func (n noise) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(n.Uint32())
	}
	return len(b), nil
}

// scene is a verifier with one key, and a ledger of live nonces.
type scene struct {
	facts verify.Facts
	key   sign.Signer
}

func newScene(t testing.TB, live int) *scene {
	t.Helper()
	key, err := sign.Generate(noise{rand.New(rand.NewPCG(1, 2))})
	if err != nil {
		t.Fatal(err)
	}
	s := &projections.State{}
	now := leyline.Instant(1_700_000_000_000_000_000)
	s.Plane.Keys = []leyline.Key{{ID: key.KeyID(), Public: key.Public(), Issuer: "ada", Kinds: []leyline.CommandKind{leyline.CommandSeed}}}
	for n := range live {
		s.ApplyRecord(leyline.Record{Seq: leyline.Seq(n + 1), At: now, Events: []leyline.Event{leyline.CommandRejected{
			Command: leyline.CommandID(fmt.Sprintf("cmd-%08x", uint32(n)*2654435761)), Key: "another", Sequence: uint64(n + 1), KeepUntil: now.Add(time.Minute),
		}}})
	}
	return &scene{key: key, facts: verify.Facts{
		Origin: "esper-test", Now: now, Freshness: leyline.Freshness{Window: time.Minute, Skew: 5 * time.Second},
		NonceCap: 20_000, KeyCap: 5_000, Plane: &s.Plane, Ledger: &s.Kasmina,
	}}
}

// command is one as Tamiyo signs them.
func (s *scene) command(t testing.TB) leyline.Envelope {
	t.Helper()
	body, err := wire.EncodeCommand(leyline.Command{
		Issuer: "ada", Audience: leyline.Audience{Origin: "esper-test", Run: "run-1"}, ID: "ada-1", Sequence: 1, IssuedAt: s.facts.Now,
		Kind: leyline.CommandSeed, Seed: leyline.SeedCommand{Operation: leyline.OpGerminate, Seed: "seed-a", Blueprint: "residual-mlp-16", Mesh: []string{"trunk"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s.key.Sign(leyline.PayloadCommand, body)
}

// TestProofIsAskedForTheVeryEnvelope gives the verifier a proof of another envelope: the
// signature is then checked as ever.
func TestProofIsAskedForTheVeryEnvelope(t *testing.T) {
	s := newScene(t, 0)
	env := s.command(t)
	proof, err := sign.Prove(s.key.Public(), env)
	if err != nil {
		t.Fatal(err)
	}
	s.facts.Proven = proof.Covers
	if v := verify.Command(s.facts, env); v.Reason != leyline.RejectNone {
		t.Errorf("a proven command: %s", v.Reason)
	}
	env.Signature = append([]byte(nil), env.Signature...)
	env.Signature[3] ^= 1
	if v := verify.Command(s.facts, env); v.Reason != leyline.RejectInvalidSignature {
		t.Errorf("another signature: %s", v.Reason)
	}
}

func TestQuota(t *testing.T) {
	for _, c := range []struct {
		cap, share uint32
		keys       int
		want       uint32
	}{
		{10_000, 2_500, 0, 2_500}, {10_000, 2_500, 1, 2_500}, {10_000, 2_500, 4, 2_500}, {10_000, 2_500, 5, 2_000}, {10_000, 2_500, 64, 156},
		{3, 1, 64, 1}, {1, 1, 1, 1},
	} {
		got := verify.Quota(c.cap, c.share, c.keys)
		if got != c.want {
			t.Errorf("of %d, at most %d, with %d keys: %d, want %d", c.cap, c.share, c.keys, got, c.want)
		}
		if all := uint64(got) * uint64(c.keys); got > 1 && all > uint64(c.cap) {
			t.Errorf("%d keys with %d each hold more than %d", c.keys, got, c.cap)
		}
	}
}

// BenchmarkVerify is one command, with 10,000 live nonces in the ledger, against the
// bare Ed25519 verification of the same message. The bar is 1.2.
func BenchmarkVerify(b *testing.B) {
	s := newScene(b, 10_000)
	env := s.command(b)
	public, message := s.key.Public(), sign.AppendPAE(nil, env.PayloadType, env.Payload)
	b.Run("what=command", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if verify.Command(s.facts, env).Reason != leyline.RejectNone {
				b.Fatal("rejected")
			}
		}
	})
	b.Run("what=ed25519", func(b *testing.B) {
		for b.Loop() {
			if !ed25519.Verify(public, message, env.Signature) {
				b.Fatal("refused")
			}
		}
	})
	proof, err := sign.Prove(public, env)
	if err != nil {
		b.Fatal(err)
	}
	s.facts.Proven = proof.Covers
	b.Run("what=proven", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if verify.Command(s.facts, env).Reason != leyline.RejectNone {
				b.Fatal("rejected")
			}
		}
	})
}

// FuzzSigned gives the door bytes of strangers: it says why it refuses them, and takes
// nothing that the key did not sign.
func FuzzSigned(f *testing.F) {
	s := newScene(f, 0)
	good := s.command(f)
	f.Add(good.PayloadType, good.Payload, string(good.KeyID), good.Signature)
	f.Add(leyline.PayloadKey, []byte{0x93}, "k", []byte(nil))
	f.Fuzz(func(t *testing.T, payloadType string, payload []byte, key string, signature []byte) {
		env := leyline.Envelope{PayloadType: payloadType, Payload: payload, KeyID: leyline.KeyID(key), Signature: signature}
		v := verify.Signed(s.facts.Plane, env, sign.Verify)
		switch {
		case v.Reason == leyline.RejectNone:
			if string(payload) != string(good.Payload) || string(signature) != string(good.Signature) {
				t.Fatalf("%+v is taken for signed", env)
			}
		case v.Detail == "" || leyline.Authentic(v.Reason):
			t.Fatalf("refused as %s: %q", v.Reason, v.Detail)
		}
		if full := verify.Command(s.facts, env); v.Reason != leyline.RejectNone && full.Reason != v.Reason {
			t.Fatalf("the door says %s, the verifier %s", v.Reason, full.Reason)
		}
	})
}
