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
// is stored as JSON with the fields name, log_key, admin_key and previous in this
// order, without spaces, keys and hashes in standard base64.
type Origin struct {
	// Name identifies the log and is never used for a second one. It is
	// 1 to 255 bytes of UTF-8 without control characters, spaces or plus
	// signs: the name of a key in a signed note.
	Name string
	// LogKey is the raw Ed25519 public key that signs checkpoints. Either
	// empty (a log that nobody signs) or 32 bytes.
	LogKey []byte
	// AdminKey is the raw Ed25519 public key that authorises other keys.
	// Either empty or 32 bytes.
	AdminKey []byte
	// Previous names the log that this one was restored from. It is set in the
	// first record that follows the restored ones, and nil in record 1.
	Previous *Predecessor
}

// Predecessor says of which log, and up to where, another one is the
// continuation. Hash-wise the two share their first Size records, so that old
// checkpoints still prove them.
type Predecessor struct {
	Name string   // of the old origin
	Size uint64   // records taken over: 1 to Size
	Root [32]byte // of the Merkle tree of these records
}

// storedOrigin is the stored form of Origin, format version 0.
type storedOrigin struct {
	Name     string             `json:"name"`
	LogKey   []byte             `json:"log_key,omitempty"`
	AdminKey []byte             `json:"admin_key,omitempty"`
	Previous *storedPredecessor `json:"previous,omitempty"`
}

type storedPredecessor struct {
	Name string `json:"name"`
	Size uint64 `json:"size"`
	Root []byte `json:"root"`
}

// Validate reports the first rule that o breaks; the error wraps ErrInvalid.
func (o Origin) Validate() error {
	if o.Name == "" || len(o.Name) > maxOriginName || !utf8.ValidString(o.Name) {
		return fmt.Errorf("%w: origin name is not 1 to %d bytes of UTF-8", ErrInvalid, maxOriginName)
	}
	if strings.ContainsFunc(o.Name, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) || r == '+' }) {
		return fmt.Errorf("%w: origin name %q has a space, plus sign or control character", ErrInvalid, o.Name)
	}
	for _, k := range []struct {
		name string
		key  []byte
	}{{"log", o.LogKey}, {"admin", o.AdminKey}} {
		if n := len(k.key); n != 0 && n != ed25519.PublicKeySize {
			return fmt.Errorf("%w: %s key of the origin has %d bytes, not %d", ErrInvalid, k.name, n, ed25519.PublicKeySize)
		}
	}
	return o.validatePrevious()
}

func (o Origin) validatePrevious() error {
	p := o.Previous
	switch {
	case p == nil:
		return nil
	case p.Size == 0:
		return fmt.Errorf("%w: the previous log of an origin has no records", ErrInvalid)
	case p.Name == o.Name:
		return fmt.Errorf("%w: origin %q names itself as its previous log: a restored log needs a name of its own", ErrInvalid, o.Name)
	}
	if err := (Origin{Name: p.Name}).Validate(); err != nil {
		return fmt.Errorf("previous log: %w", err)
	}
	return nil
}

func (o Origin) stored() storedOrigin {
	s := storedOrigin{Name: o.Name, LogKey: o.LogKey, AdminKey: o.AdminKey}
	if p := o.Previous; p != nil {
		s.Previous = &storedPredecessor{p.Name, p.Size, p.Root[:]}
	}
	return s
}

func (s storedOrigin) origin() (Origin, error) {
	o := Origin{Name: s.Name, LogKey: s.LogKey, AdminKey: s.AdminKey}
	if p := s.Previous; p != nil {
		if len(p.Root) != len(Predecessor{}.Root) {
			return o, fmt.Errorf("%w: the root of the previous log has %d bytes", ErrInvalid, len(p.Root))
		}
		o.Previous = &Predecessor{p.Name, p.Size, [32]byte(p.Root)}
	}
	return o, nil
}

// MarshalBinary returns the one stored form of o.
func (o Origin) MarshalBinary() ([]byte, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	b, err := json.Marshal(o.stored())
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
	read, err := s.origin()
	if err != nil {
		return err
	}
	again, err := read.MarshalBinary()
	if err != nil {
		return err
	}
	if !bytes.Equal(again, b) {
		return fmt.Errorf("%w: origin is not in its one stored form", ErrInvalid)
	}
	*o = read
	return nil
}

// clone returns an origin that shares no memory with o.
func (o Origin) clone() Origin {
	o.LogKey = bytes.Clone(o.LogKey)
	o.AdminKey = bytes.Clone(o.AdminKey)
	if o.Previous != nil {
		p := *o.Previous
		o.Previous = &p
	}
	return o
}
