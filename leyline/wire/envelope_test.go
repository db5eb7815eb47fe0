package wire

import (
	"bytes"
	"errors"
	"testing"

	"github.com/esper-plane/esper/leyline"
)

func TestEnvelope(t *testing.T) {
	want := leyline.Envelope{
		PayloadType: leyline.PayloadCommand, Payload: bytes.Repeat([]byte{7}, leyline.MaxCommandBytes), KeyID: "k", Signature: bytes.Repeat([]byte{9}, 64),
	}
	b, err := EncodeEnvelope(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeEnvelope(b)
	if err != nil || got.PayloadType != want.PayloadType || got.KeyID != want.KeyID || !bytes.Equal(got.Payload, want.Payload) || !bytes.Equal(got.Signature, want.Signature) {
		t.Errorf("came back as %d bytes of %s by %s, %v", len(got.Payload), got.PayloadType, got.KeyID, err)
	}
	for name, b := range map[string][]byte{"nothing": nil, "cut": b[:100], "more": append(bytes.Clone(b), 0), "a number": {1}} {
		var de *DecodeError
		if _, err := DecodeEnvelope(b); !errors.As(err, &de) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzEnvelope: what is decoded encodes to the same bytes, so an envelope has one form.
func FuzzEnvelope(f *testing.F) {
	b, err := EncodeEnvelope(leyline.Envelope{PayloadType: "t", Payload: []byte{1, 2}, KeyID: "k", Signature: []byte{3}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		env, err := DecodeEnvelope(b)
		if err != nil {
			return
		}
		again, err := EncodeEnvelope(env)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x became %x, %v", b, again, err)
		}
	})
}
