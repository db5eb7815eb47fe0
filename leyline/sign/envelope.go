package sign

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/esper-plane/esper/leyline"
)

// ErrEnvelope says that a file is not an envelope.
var ErrEnvelope = errors.New("not a DSSE envelope in JSON with one signature")

// maxEnvelope bounds an envelope in JSON: the payload in base64, and some room.
const maxEnvelope = 2*leyline.MaxCommandBytes + 4096

// dsse is the JSON form of an envelope, as the DSSE specification has it.
type dsse struct {
	PayloadType string      `json:"payloadType"`
	Payload     []byte      `json:"payload"` // base64
	Signatures  []signature `json:"signatures"`
}

type signature struct {
	KeyID string `json:"keyid"`
	Sig   []byte `json:"sig"` // base64
}

// MarshalEnvelope returns the contents of an envelope file: a DSSE envelope in JSON.
func MarshalEnvelope(env leyline.Envelope) ([]byte, error) {
	b, err := json.MarshalIndent(dsse{env.PayloadType, env.Payload, []signature{{string(env.KeyID), env.Signature}}}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot write an envelope: %w", err)
	}
	return append(b, '\n'), nil
}

// ParseEnvelope is the inverse of MarshalEnvelope. It verifies nothing. Unknown fields,
// more than one signature and anything behind the envelope are ErrEnvelope.
func ParseEnvelope(file []byte) (leyline.Envelope, error) {
	if len(file) > maxEnvelope {
		return leyline.Envelope{}, fmt.Errorf("%w: it has %d bytes, at most %d are allowed", ErrEnvelope, len(file), maxEnvelope)
	}
	var d dsse
	r := json.NewDecoder(bytes.NewReader(file))
	r.DisallowUnknownFields()
	if err := r.Decode(&d); err != nil {
		return leyline.Envelope{}, fmt.Errorf("%w: %w", ErrEnvelope, err)
	}
	if _, err := r.Token(); !errors.Is(err, io.EOF) {
		return leyline.Envelope{}, fmt.Errorf("%w: more follows it", ErrEnvelope)
	}
	if len(d.Signatures) != 1 {
		return leyline.Envelope{}, fmt.Errorf("%w: it has %d signatures", ErrEnvelope, len(d.Signatures))
	}
	s := d.Signatures[0]
	return leyline.Envelope{PayloadType: d.PayloadType, Payload: d.Payload, KeyID: leyline.KeyID(s.KeyID), Signature: s.Sig}, nil
}
