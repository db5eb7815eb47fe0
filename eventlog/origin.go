package eventlog

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxOriginName is the longest name of a log, in bytes.
const maxOriginName = 255

// Origin is the payload of record 1: which log this is and whom it trusts. It
// is stored as JSON with the fields name, log_key and admin_key in this order,
// without spaces, keys in standard base64.
type Origin struct {
	// Name identifies the log and is never used for a second one. It is
	// 1 to 255 bytes of UTF-8 without control characters or spaces.
	Name string
	// LogKey is the raw Ed25519 public key that signs checkpoints. Either
	// empty (a log that nobody signs) or 32 bytes.
	LogKey []byte
	// AdminKey is the raw Ed25519 public key that authorises other keys.
	// Either empty or 32 bytes.
	AdminKey []byte
}

// storedOrigin is the stored form of Origin, format version 0.
type storedOrigin struct {
	Name     string `json:"name"`
	LogKey   []byte `json:"log_key,omitempty"`
	AdminKey []byte `json:"admin_key,omitempty"`
}

// Validate reports the first rule that o breaks; the error wraps ErrInvalid.
func (o Origin) Validate() error {
	if o.Name == "" || len(o.Name) > maxOriginName || !utf8.ValidString(o.Name) {
		return fmt.Errorf("%w: origin name is not 1 to %d bytes of UTF-8", ErrInvalid, maxOriginName)
	}
	if strings.ContainsFunc(o.Name, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
		return fmt.Errorf("%w: origin name %q has a space or control character", ErrInvalid, o.Name)
	}
	for _, k := range []struct {
		name string
		key  []byte
	}{{"log", o.LogKey}, {"admin", o.AdminKey}} {
		if n := len(k.key); n != 0 && n != ed25519.PublicKeySize {
			return fmt.Errorf("%w: %s key of the origin has %d bytes, not %d", ErrInvalid, k.name, n, ed25519.PublicKeySize)
		}
	}
	return nil
}

// MarshalBinary returns the one stored form of o.
func (o Origin) MarshalBinary() ([]byte, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	b, err := json.Marshal(storedOrigin(o))
	if err != nil {
		return nil, fmt.Errorf("cannot encode the origin: %w", err)
	}
	return b, nil
}

// UnmarshalBinary is the inverse of MarshalBinary. It refuses everything that
// MarshalBinary would have written differently.
func (o *Origin) UnmarshalBinary(b []byte) error {
	var s storedOrigin
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return fmt.Errorf("%w: origin: %w", ErrInvalid, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("%w: origin is followed by other bytes", ErrInvalid)
	}
	again, err := Origin(s).MarshalBinary()
	if err != nil {
		return err
	}
	if !bytes.Equal(again, b) {
		return fmt.Errorf("%w: origin is not in its one stored form", ErrInvalid)
	}
	*o = Origin(s)
	return nil
}

// clone returns an origin that shares no memory with o.
func (o Origin) clone() Origin {
	o.LogKey = bytes.Clone(o.LogKey)
	o.AdminKey = bytes.Clone(o.AdminKey)
	return o
}
