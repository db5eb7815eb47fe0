package sign

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
)

// signer returns a key made of one repeated byte.
func signer(t testing.TB, b byte) Signer {
	t.Helper()
	s, err := Generate(bytes.NewReader(bytes.Repeat([]byte{b}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPreAuthenticationEncoding(t *testing.T) {
	for _, tt := range []struct{ typ, payload, want string }{
		{"http://example.com/HelloWorld", "hello world", "DSSEv1 29 http://example.com/HelloWorld 11 hello world"},
		{"", "", "DSSEv1 0  0 "},
		{"é", "é", "DSSEv1 2 é 2 é"},
	} {
		if got := string(AppendPAE([]byte(">"), tt.typ, []byte(tt.payload))); got != ">"+tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

const (
	knownID        = "b11862f748cd3284da37e36bf30c4bec"
	knownSignature = "e031d7dd99f8aa904abc48fb99a13c3bdbbd6e35c49cf2cb9f25d5509d8f5c94" +
		"7c0d22dc2f7403a45bdf24e8f7a41fd23c7b25e898386e8c6c31be8abee60007"
)

// TestKnownSignature pins the id of a key and a signature by it, so that no
// later change can alter what is signed. The seed is that of the first test
// vector of RFC 8032, section 7.1.
func TestKnownSignature(t *testing.T) {
	seed, _ := hex.DecodeString("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
	s, err := Generate(bytes.NewReader(seed))
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(s.Public()); got != "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a" {
		t.Errorf("public key is %s", got)
	}
	if got := s.KeyID(); got != knownID {
		t.Errorf("key id is %s", got)
	}
	env := s.Sign("http://example.com/HelloWorld", []byte("hello world"))
	if got := hex.EncodeToString(env.Signature); got != knownSignature {
		t.Errorf("signature is %s", got)
	}
	if !ed25519.Verify(s.Public(), []byte("DSSEv1 29 http://example.com/HelloWorld 11 hello world"), env.Signature) {
		t.Error("the signature is not over the encoding of the specification")
	}
}

func TestSignedEnvelopesVerify(t *testing.T) {
	s := signer(t, 1)
	for _, payload := range [][]byte{nil, []byte("x"), make([]byte, leyline.MaxCommandBytes)} {
		env := s.Sign(leyline.PayloadCommand, payload)
		if err := Verify(s.Public(), env); err != nil {
			t.Errorf("%d bytes: %v", len(payload), err)
		}
		if err := leyline.CheckID(env.KeyID); err != nil {
			t.Errorf("key id %q %v", env.KeyID, err)
		}
	}
}

func TestSignCopiesThePayload(t *testing.T) {
	s, payload := signer(t, 1), []byte("payload")
	env := s.Sign(leyline.PayloadCommand, payload)
	payload[0] = 'P'
	if err := Verify(s.Public(), env); err != nil {
		t.Error(err)
	}
}

func TestVerifyRefusesEveryChange(t *testing.T) {
	s, other := signer(t, 1), signer(t, 2)
	for _, tt := range []struct {
		name   string
		change func(e *leyline.Envelope, public *[]byte)
		want   error
	}{
		{"payload type", func(e *leyline.Envelope, _ *[]byte) { e.PayloadType = leyline.PayloadConfig }, ErrSignature},
		{"payload", func(e *leyline.Envelope, _ *[]byte) { e.Payload[3] ^= 1 }, ErrSignature},
		{"byte moved from payload to type", func(e *leyline.Envelope, _ *[]byte) {
			e.PayloadType, e.Payload = e.PayloadType+string(e.Payload[:1]), e.Payload[1:]
		}, ErrSignature},
		{"no payload", func(e *leyline.Envelope, _ *[]byte) { e.Payload = nil }, ErrSignature},
		{"key id of another", func(e *leyline.Envelope, _ *[]byte) { e.KeyID = other.KeyID() }, ErrKeyID},
		{"no key id", func(e *leyline.Envelope, _ *[]byte) { e.KeyID = "" }, ErrKeyID},
		{"key id in upper case", func(e *leyline.Envelope, _ *[]byte) { e.KeyID = leyline.KeyID(strings.ToUpper(string(e.KeyID))) }, ErrKeyID},
		{"no signature", func(e *leyline.Envelope, _ *[]byte) { e.Signature = nil }, ErrMissingSignature},
		{"short signature", func(e *leyline.Envelope, _ *[]byte) { e.Signature = e.Signature[:63] }, ErrSignature},
		{"long signature", func(e *leyline.Envelope, _ *[]byte) { e.Signature = append(e.Signature, 0) }, ErrSignature},
		{"signature of another", func(e *leyline.Envelope, _ *[]byte) {
			e.Signature = other.Sign(e.PayloadType, e.Payload).Signature
		}, ErrSignature},
		{"another key", func(_ *leyline.Envelope, p *[]byte) { *p = other.Public() }, ErrKeyID},
		{"another key with its id", func(e *leyline.Envelope, p *[]byte) { *p, e.KeyID = other.Public(), other.KeyID() }, ErrSignature},
		{"short key", func(_ *leyline.Envelope, p *[]byte) { *p = (*p)[:31] }, ErrPublicKey},
		{"no key", func(_ *leyline.Envelope, p *[]byte) { *p = nil }, ErrPublicKey},
	} {
		env, public := s.Sign(leyline.PayloadCommand, []byte("payload")), s.Public()
		tt.change(&env, &public)
		if err := Verify(public, env); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
	env := s.Sign(leyline.PayloadCommand, []byte("payload"))
	for bit := range len(env.Signature) * 8 {
		env.Signature[bit/8] ^= 1 << (bit % 8)
		if err := Verify(s.Public(), env); !errors.Is(err, ErrSignature) {
			t.Errorf("signature with bit %d flipped: %v", bit, err)
		}
		env.Signature[bit/8] ^= 1 << (bit % 8)
	}
}

func TestNewSignerRefusesBrokenKeys(t *testing.T) {
	good := signer(t, 1).Private()
	mixed := append(append(ed25519.PrivateKey{}, good[:32]...), signer(t, 2).Public()...)
	for name, key := range map[string]ed25519.PrivateKey{"none": nil, "short": good[:63], "mixed halves": mixed} {
		if _, err := NewSigner(key); !errors.Is(err, ErrPrivateKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s, err := NewSigner(good); err != nil || s.KeyID() != signer(t, 1).KeyID() {
		t.Errorf("a good key: %v, %v", s, err)
	}
}

func TestGenerateNeedsRandomness(t *testing.T) {
	if _, err := Generate(bytes.NewReader(make([]byte, 31))); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("31 bytes were enough: %v", err)
	}
}

func TestSignerKeepsItsSecret(t *testing.T) {
	s := signer(t, 1)
	secret := hex.EncodeToString(s.Private()[:8])
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		out := fmt.Sprintf(format, s)
		if strings.Contains(hex.EncodeToString([]byte(out)), secret) || strings.Contains(out, "1 1 1") || !strings.Contains(out, string(s.KeyID())) {
			t.Errorf("%s prints %q", format, out)
		}
	}
	s.Public()[0], s.Private()[0] = 0, 0
	if err := Verify(s.Public(), s.Sign("t", nil)); err != nil {
		t.Errorf("a returned key aliases the signer: %v", err)
	}
}

func BenchmarkVerify(b *testing.B) {
	s := signer(b, 1)
	payload := bytes.Repeat([]byte("x"), 200)
	env, public := s.Sign(leyline.PayloadCommand, payload), s.Public()
	message := AppendPAE(nil, leyline.PayloadCommand, payload)
	b.Run("what=envelope", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if Verify(public, env) != nil {
				b.Fatal("refused")
			}
		}
	})
	b.Run("what=ed25519", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if !ed25519.Verify(public, message, env.Signature) {
				b.Fatal("refused")
			}
		}
	})
	b.Run("what=sign", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.Sign(leyline.PayloadCommand, payload)
		}
	})
}
