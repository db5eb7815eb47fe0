package tree

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
)

// NewSigner returns a signer of notes that signs as name with an Ed25519 key.
// The name becomes the origin of checkpoints. The error wraps ErrInvalid if the
// name is empty, is not UTF-8, or has a space, a plus sign or a control
// character, or if key is not what ed25519.NewKeyFromSeed makes of its seed.
func NewSigner(name string, key ed25519.PrivateKey) (note.Signer, error) {
	if len(key) != ed25519.PrivateKeySize || !ed25519.NewKeyFromSeed(key.Seed()).Equal(key) {
		return nil, fmt.Errorf("%w: the private key of %q is not an Ed25519 key", ErrInvalid, name)
	}
	v, err := NewVerifier(name, key.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, err
	}
	return &signer{v.Name(), v.KeyHash(), key}, nil
}

// signer is a note.Signer.
type signer struct {
	name string
	hash uint32
	key  ed25519.PrivateKey
}

// Name implements note.Signer.
func (s *signer) Name() string { return s.name }

// KeyHash implements note.Signer.
func (s *signer) KeyHash() uint32 { return s.hash }

// Sign implements note.Signer.
func (s *signer) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.key, msg), nil }

// NewVerifier returns a verifier of what the holder of an Ed25519 key has signed
// as name. The error wraps ErrInvalid as that of NewSigner.
func NewVerifier(name string, pub ed25519.PublicKey) (note.Verifier, error) {
	vkey, err := VerifierKey(name, pub)
	if err != nil {
		return nil, err
	}
	return ParseVerifierKey(vkey)
}

// VerifierKey returns the one line that an auditor needs to check a log: its
// name, the identifier of the key and the key, as the signed-note specification
// lays it out. The line is not secret, but it must reach the auditor on a way
// that the operator of the log does not control later. The error wraps
// ErrInvalid as that of NewSigner.
func VerifierKey(name string, pub ed25519.PublicKey) (string, error) {
	if err := checkName(name); err != nil {
		return "", fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	vkey, err := note.NewEd25519VerifierKey(name, pub)
	if err != nil {
		return "", fmt.Errorf("%w: the public key of %q: %w", ErrInvalid, name, err)
	}
	return vkey, nil
}

// ParseVerifierKey returns the verifier that a verifier key describes. Spaces
// and line ends around the key are ignored; anything else that VerifierKey would
// not have written is refused with an error that wraps ErrInvalid.
func ParseVerifierKey(vkey string) (note.Verifier, error) {
	vkey = strings.TrimSpace(vkey)
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, fmt.Errorf("%w: verifier key %q: %w", ErrInvalid, vkey, err)
	}
	_, rest, _ := strings.Cut(vkey, "+")
	_, key64, _ := strings.Cut(rest, "+")
	key, err := base64.StdEncoding.DecodeString(key64)
	if err != nil || len(key) != 1+ed25519.PublicKeySize {
		return nil, fmt.Errorf("%w: verifier key %q is not that of an Ed25519 key", ErrInvalid, vkey)
	}
	again, err := VerifierKey(v.Name(), key[1:])
	if err != nil {
		return nil, err
	}
	if again != vkey {
		return nil, fmt.Errorf("%w: verifier key %q should read %q", ErrInvalid, vkey, again)
	}
	return v, nil
}

// checkName says why a note could not carry a name.
func checkName(name string) error {
	bad := func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == '+' }
	if name == "" || !utf8.ValidString(name) || strings.ContainsFunc(name, bad) {
		return fmt.Errorf("name %q is empty, is not UTF-8, or has a space, a plus sign or a control character", name)
	}
	return nil
}
