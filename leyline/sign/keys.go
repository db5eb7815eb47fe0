package sign

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const pemType = "PRIVATE KEY"

// MarshalPrivate returns the contents of a key file: PEM with PKCS #8. Keep it
// in a file that only its owner may read.
func MarshalPrivate(s Signer) ([]byte, error) {
	if s.IsZero() {
		return nil, fmt.Errorf("cannot write a key file: %w", ErrPrivateKey)
	}
	der, err := x509.MarshalPKCS8PrivateKey(s.private)
	if err != nil {
		return nil, fmt.Errorf("cannot write a key file: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}), nil
}

// ParsePrivate is the inverse of MarshalPrivate. A file that holds anything
// besides one unencrypted Ed25519 key is ErrPrivateKey.
func ParsePrivate(file []byte) (Signer, error) {
	block, rest := pem.Decode(file)
	switch {
	case block == nil:
		return Signer{}, fmt.Errorf("cannot read key file: %w: no PEM block", ErrPrivateKey)
	case block.Type != pemType:
		return Signer{}, fmt.Errorf("cannot read key file: %w: it holds %q, want %q", ErrPrivateKey, block.Type, pemType)
	case len(bytes.TrimSpace(rest)) > 0:
		return Signer{}, fmt.Errorf("cannot read key file: %w: more follows the key", ErrPrivateKey)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return Signer{}, fmt.Errorf("cannot read key file: %w: %w", ErrPrivateKey, err)
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return Signer{}, fmt.Errorf("cannot read key file: %w: it holds a %T", ErrPrivateKey, key)
	}
	return NewSigner(private)
}

// algEd25519 is the byte for Ed25519 in the text of a public key.
const algEd25519 = 1

// ErrPublicText says that a text is not a public key.
var ErrPublicText = errors.New("not a public key of the form name+hash+base64")

// MarshalPublic returns the text of a public key: name, the first four bytes of
// SHA-256(name LF alg key) in hex, and base64(alg key), joined by "+". The name
// says whose key it is; it is not empty and has no space and no "+".
func MarshalPublic(name string, public []byte) (string, error) {
	if err := checkName(name); err != nil {
		return "", err
	}
	if len(public) != ed25519.PublicKeySize {
		return "", ErrPublicKey
	}
	data := append([]byte{algEd25519}, public...)
	return name + "+" + nameHash(name, data) + "+" + base64.StdEncoding.EncodeToString(data), nil
}

// ParsePublic is the inverse of MarshalPublic. Surrounding white space is
// ignored; anything else that MarshalPublic does not write is ErrPublicText.
func ParsePublic(text string) (name string, public []byte, err error) {
	text = strings.TrimSpace(text)
	name, rest, _ := strings.Cut(text, "+")
	_, encoded, found := strings.Cut(rest, "+")
	if !found {
		return "", nil, ErrPublicText
	}
	data, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return "", nil, fmt.Errorf("%w: %w", ErrPublicText, err)
	}
	if len(data) != 1+ed25519.PublicKeySize || data[0] != algEd25519 {
		return "", nil, fmt.Errorf("%w: it is not an Ed25519 key", ErrPublicText)
	}
	again, err := MarshalPublic(name, data[1:])
	if err != nil {
		return "", nil, err
	}
	if again != text {
		return "", nil, fmt.Errorf("%w: hash or encoding do not belong to name and key", ErrPublicText)
	}
	return name, data[1:], nil
}

func checkName(name string) error {
	if name == "" || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsSpace) || strings.Contains(name, "+") {
		return fmt.Errorf("%w: name %q is empty or has a space or a plus sign", ErrPublicText, name)
	}
	return nil
}

func nameHash(name string, data []byte) string {
	h := sha256.New()
	h.Write([]byte(name + "\n"))
	h.Write(data)
	return hex.EncodeToString(h.Sum(nil)[:4])
}
