package sign

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/esper-plane/esper/leyline"
)

// Why Verify refuses an envelope.
var (
	ErrPublicKey        = errors.New("the public key is not an Ed25519 key of 32 bytes")
	ErrMissingSignature = errors.New("the envelope has no signature")
	ErrKeyID            = errors.New("the envelope names another key")
	ErrSignature        = errors.New("the signature does not match")
)

// ErrPrivateKey says that bytes are not a usable Ed25519 private key.
var ErrPrivateKey = errors.New("not an Ed25519 private key")

const keyDomain = "esper key v0\x00"

// KeyIDOf returns the id of a public key.
func KeyIDOf(public []byte) leyline.KeyID {
	h := sha256.New()
	h.Write([]byte(keyDomain))
	h.Write(public)
	return leyline.KeyID(hex.EncodeToString(h.Sum(nil)[:16]))
}

// AppendPAE appends the DSSE pre-authentication encoding to dst: the bytes
// that are signed.
func AppendPAE(dst []byte, payloadType string, payload []byte) []byte {
	dst = append(dst, "DSSEv1 "...)
	dst = strconv.AppendInt(dst, int64(len(payloadType)), 10)
	dst = append(dst, ' ')
	dst = append(dst, payloadType...)
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, int64(len(payload)), 10)
	dst = append(dst, ' ')
	return append(dst, payload...)
}

func pae(payloadType string, payload []byte) []byte {
	return AppendPAE(make([]byte, 0, len(payloadType)+len(payload)+48), payloadType, payload)
}

// Signer holds a private key. Make one with NewSigner, Generate or
// ParsePrivate; the zero Signer cannot sign. A Signer never changes and may be
// used by several goroutines at once.
type Signer struct {
	private ed25519.PrivateKey
	id      leyline.KeyID
}

// NewSigner takes a private key over. A key of the wrong length, or whose
// public half does not belong to its seed, is ErrPrivateKey.
func NewSigner(private ed25519.PrivateKey) (Signer, error) {
	if len(private) != ed25519.PrivateKeySize {
		return Signer{}, fmt.Errorf("%w: it has %d bytes, want %d", ErrPrivateKey, len(private), ed25519.PrivateKeySize)
	}
	own := ed25519.NewKeyFromSeed(private.Seed())
	if !own.Equal(private) {
		return Signer{}, fmt.Errorf("%w: its public half belongs to another key", ErrPrivateKey)
	}
	return Signer{private: own, id: KeyIDOf(own[ed25519.SeedSize:])}, nil
}

// Generate makes a key out of the next 32 bytes of rand: equal bytes give equal
// keys.
func Generate(rand io.Reader) (Signer, error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(rand, seed); err != nil {
		return Signer{}, fmt.Errorf("cannot read randomness for a key: %w", err)
	}
	return NewSigner(ed25519.NewKeyFromSeed(seed))
}

// IsZero reports whether the signer holds no key.
func (s Signer) IsZero() bool { return s.private == nil }

// KeyID returns the id of the key.
func (s Signer) KeyID() leyline.KeyID { return s.id }

// Public returns a copy of the public key.
func (s Signer) Public() []byte { return append([]byte(nil), s.private[ed25519.SeedSize:]...) }

// Private returns a copy of the private key.
func (s Signer) Private() ed25519.PrivateKey { return append(ed25519.PrivateKey(nil), s.private...) }

// String names the key and keeps the private half out of logs.
func (s Signer) String() string { return "signer " + string(s.id) }

// GoString is String, so that %#v shows no private key either.
func (s Signer) GoString() string { return s.String() }

// Sign returns an envelope with a copy of the payload. It panics on the zero
// Signer.
func (s Signer) Sign(payloadType string, payload []byte) leyline.Envelope {
	return leyline.Envelope{
		PayloadType: payloadType,
		Payload:     append([]byte(nil), payload...),
		KeyID:       s.id,
		Signature:   ed25519.Sign(s.private, pae(payloadType, payload)),
	}
}

// Verify checks that the envelope was signed with the key: nil, or an error
// that is one of ErrPublicKey, ErrMissingSignature, ErrKeyID and ErrSignature.
// The caller decides whether the payload type is the one it wants.
func Verify(public []byte, env leyline.Envelope) error {
	if len(public) != ed25519.PublicKeySize {
		return ErrPublicKey
	}
	if len(env.Signature) == 0 {
		return ErrMissingSignature
	}
	if env.KeyID != KeyIDOf(public) {
		return ErrKeyID
	}
	if !ed25519.Verify(public, pae(env.PayloadType, env.Payload), env.Signature) {
		return ErrSignature
	}
	return nil
}

// Proof is a signature that Prove found good. The zero Proof covers nothing.
type Proof struct {
	public []byte
	env    leyline.Envelope
}

// Prove is Verify, and returns a proof that remembers what was verified.
func Prove(public []byte, env leyline.Envelope) (Proof, error) {
	env.Payload, env.Signature = bytes.Clone(env.Payload), bytes.Clone(env.Signature)
	p := Proof{public: bytes.Clone(public), env: env}
	if err := Verify(p.public, p.env); err != nil {
		return Proof{}, err
	}
	return p, nil
}

// Covers reports whether the proof is one of exactly this envelope under exactly this
// key: Verify would return nil.
func (p Proof) Covers(public []byte, env leyline.Envelope) bool {
	return p.public != nil && bytes.Equal(p.public, public) && p.env.KeyID == env.KeyID && p.env.PayloadType == env.PayloadType &&
		bytes.Equal(p.env.Payload, env.Payload) && bytes.Equal(p.env.Signature, env.Signature)
}
