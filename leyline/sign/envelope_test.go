package sign

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
)

func TestEnvelopeFile(t *testing.T) {
	s := signer(t, 3)
	env := s.Sign(leyline.PayloadKey, []byte{0x93, 0, 1, 0xff})
	file, err := MarshalEnvelope(env)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseEnvelope(file)
	if err != nil || !reflect.DeepEqual(again, env) || Verify(s.Public(), again) != nil {
		t.Errorf("%+v came back as %+v, %v", env, again, err)
	}
	good := string(file)
	for name, bad := range map[string]string{
		"nothing":        "",
		"no signature":   strings.Replace(good, `"signatures": [`, `"signatures": [], "x": [`, 1),
		"unknown field":  strings.Replace(good, `"payloadType"`, `"type"`, 1),
		"more behind":    good + "{}",
		"two signatures": strings.Replace(good, `"signatures": [`, `"signatures": [{"keyid": "", "sig": ""},`, 1),
		"not base64":     strings.Replace(good, `"payload": "`, `"payload": "!`, 1),
		"too large":      good + strings.Repeat(" ", maxEnvelope),
	} {
		if _, err := ParseEnvelope([]byte(bad)); !errors.Is(err, ErrEnvelope) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzParseEnvelope reads bytes that nobody here wrote. What is read is written and
// read again as the same.
func FuzzParseEnvelope(f *testing.F) {
	f.Add([]byte(`{"payloadType":"t","payload":"AAE=","signatures":[{"keyid":"k","sig":"AA=="}]}`))
	f.Add([]byte(`{"signatures":[{}]}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		env, err := ParseEnvelope(file)
		if err != nil {
			if !errors.Is(err, ErrEnvelope) {
				t.Fatal(err)
			}
			return
		}
		again, err := MarshalEnvelope(env)
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseEnvelope(again)
		if err != nil || back.PayloadType != env.PayloadType || string(back.Payload) != string(env.Payload) || back.KeyID != env.KeyID || string(back.Signature) != string(env.Signature) {
			t.Fatalf("%+v came back as %+v, %v", env, back, err)
		}
	})
}

// TestProofCoversWhatWasVerifiedAndNothingElse changes one thing after the proof.
func TestProofCoversWhatWasVerifiedAndNothingElse(t *testing.T) {
	s := signer(t, 3)
	env := s.Sign(leyline.PayloadCommand, []byte{1, 2, 3})
	proof, err := Prove(s.Public(), env)
	if err != nil || !proof.Covers(s.Public(), env) {
		t.Fatalf("a good signature is not covered: %v", err)
	}
	for name, change := range map[string]func(e *leyline.Envelope){
		"payload":   func(e *leyline.Envelope) { e.Payload = []byte{1, 2, 4} },
		"type":      func(e *leyline.Envelope) { e.PayloadType = leyline.PayloadKey },
		"key id":    func(e *leyline.Envelope) { e.KeyID = "x" },
		"signature": func(e *leyline.Envelope) { e.Signature = make([]byte, 64) },
	} {
		other := env
		if change(&other); proof.Covers(s.Public(), other) {
			t.Errorf("another %s is covered", name)
		}
	}
	if proof.Covers(signer(t, 4).Public(), env) || (Proof{}).Covers(nil, leyline.Envelope{}) {
		t.Error("another key, or nothing, is covered")
	}
	env.Payload[0] = 9 // the sender's memory
	if !proof.Covers(s.Public(), leyline.Envelope{PayloadType: env.PayloadType, Payload: []byte{1, 2, 3}, KeyID: env.KeyID, Signature: env.Signature}) {
		t.Error("the proof changes with the memory of the sender")
	}
	env.Signature = append([]byte(nil), env.Signature...)
	if _, err := Prove(s.Public(), env); !errors.Is(err, ErrSignature) {
		t.Errorf("a wrong signature is proven: %v", err)
	}
}
