package wire

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/esper-plane/esper/leyline"
)

// payloadLimits bounds what may be inside an envelope.
var payloadLimits = Limits{Bytes: leyline.MaxCommandBytes, Depth: 8, Elements: 8192, Length: 4096}

// envelopeLimits bounds an envelope that travels alone: its payload and a few short
// texts.
var envelopeLimits = Limits{Bytes: leyline.MaxCommandBytes + 8192, Depth: 2, Elements: 16, Length: leyline.MaxCommandBytes + 1}

// stateLimits bounds what Marshal and Unmarshal handle.
var stateLimits = Limits{Bytes: 256 << 20, Depth: 32, Elements: 64 << 20, Length: 16 << 20}

// EncodeCommand encodes the payload of a command envelope. Text must be UTF-8.
// The error is an *EncodeError.
func EncodeCommand(c leyline.Command) ([]byte, error) { return encodePayload("command", c) }

// DecodeCommand decodes the payload of a command envelope. It accepts only what
// EncodeCommand makes: anything else is a *DecodeError.
func DecodeCommand(b []byte) (leyline.Command, error) {
	return decodePayload[leyline.Command]("command", b)
}

// EncodeConfig encodes the payload of a config envelope, as EncodeCommand does.
func EncodeConfig(c leyline.ExecutionConfig) ([]byte, error) {
	return encodePayload("configuration", c)
}

// DecodeConfig decodes the payload of a config envelope, as DecodeCommand does.
// Whether the configuration makes sense is for its Validate to say.
func DecodeConfig(b []byte) (leyline.ExecutionConfig, error) {
	return decodePayload[leyline.ExecutionConfig]("configuration", b)
}

// EncodeReport encodes a field report, as EncodeCommand does.
func EncodeReport(r leyline.FieldReport) ([]byte, error) { return encodePayload("field report", r) }

// DecodeReport decodes a field report, as DecodeCommand does. Whether it is
// complete is for its Validate to say.
func DecodeReport(b []byte) (leyline.FieldReport, error) {
	return decodePayload[leyline.FieldReport]("field report", b)
}

// EncodeKey encodes the payload of a key envelope, as EncodeCommand does.
func EncodeKey(k leyline.Key) ([]byte, error) { return encodePayload("key", k) }

// DecodeKey decodes the payload of a key envelope, as DecodeCommand does.
func DecodeKey(b []byte) (leyline.Key, error) { return decodePayload[leyline.Key]("key", b) }

// EncodeSheet encodes the payload of the envelope of a safety sheet, as EncodeCommand
// does.
func EncodeSheet(s leyline.SafetySheet) ([]byte, error) { return encodePayload("safety sheet", s) }

// DecodeSheet decodes the payload of the envelope of a safety sheet, as DecodeCommand
// does. Whether it makes sense is for its Validate to say.
func DecodeSheet(b []byte) (leyline.SafetySheet, error) {
	return decodePayload[leyline.SafetySheet]("safety sheet", b)
}

// EncodeRevocation encodes the payload of an envelope that revokes a key, as
// EncodeCommand does.
func EncodeRevocation(r leyline.KeyRevocation) ([]byte, error) {
	return encodePayload("key revocation", r)
}

// DecodeRevocation decodes the payload of an envelope that revokes a key, as
// DecodeCommand does.
func DecodeRevocation(b []byte) (leyline.KeyRevocation, error) {
	return decodePayload[leyline.KeyRevocation]("key revocation", b)
}

// EncodePolicy encodes the payload of an envelope that imports a policy, as
// EncodeCommand does.
func EncodePolicy(a leyline.PolicyArtifact) ([]byte, error) { return encodePayload("policy", a) }

// DecodePolicy decodes the payload of an envelope that imports a policy, as
// DecodeCommand does.
func DecodePolicy(b []byte) (leyline.PolicyArtifact, error) {
	return decodePayload[leyline.PolicyArtifact]("policy", b)
}

// EncodeEnvelope encodes an envelope that travels alone. Text must be UTF-8.
func EncodeEnvelope(e leyline.Envelope) ([]byte, error) {
	return encodeValue("envelope", reflect.ValueOf(e), envelopeLimits, true)
}

// DecodeEnvelope decodes what EncodeEnvelope makes: anything else is a *DecodeError.
func DecodeEnvelope(b []byte) (leyline.Envelope, error) {
	var e leyline.Envelope
	rv := reflect.ValueOf(&e).Elem()
	if err := decodeInto(b, envelopeLimits, true, mustCodec(rv.Type()), rv, "envelope"); err != nil {
		return leyline.Envelope{}, err
	}
	return e, nil
}

func encodePayload(what string, v any) ([]byte, error) {
	return encodeValue(what, reflect.ValueOf(v), payloadLimits, true)
}

func decodePayload[T any](what string, b []byte) (T, error) {
	var v T
	rv := reflect.ValueOf(&v).Elem()
	if err := decodeInto(b, payloadLimits, true, mustCodec(rv.Type()), rv, what); err != nil {
		return *new(T), err
	}
	return v, nil
}

// encodeValue encodes v and makes sure that its decoder will take it.
func encodeValue(what string, v reflect.Value, l Limits, text bool) ([]byte, error) {
	c, err := codecOf(v.Type())
	if err != nil {
		return nil, &EncodeError{What: what, Problem: err.Error()}
	}
	e := begin(nil, text)
	b, failed := e.end(nil, c.encode(e, v))
	if failed != nil {
		failed.What = what
		return nil, failed
	}
	if refused := guard(b, l); refused != nil {
		return nil, &EncodeError{What: what, Problem: refused.Problem}
	}
	return b, nil
}

// Marshal encodes a value in the format of this package, for projections and
// bundles. v is a value or a non-nil pointer to one; a type without a stored
// form is an *EncodeError.
func Marshal(v any) ([]byte, error) {
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.Pointer {
		rv = rv.Elem()
	}
	if !rv.IsValid() {
		return nil, &EncodeError{Problem: "is nil"}
	}
	return encodeValue(rv.Type().String(), rv, stateLimits, false)
}

// Unmarshal decodes what Marshal made of the same type into the value v points
// to, and accepts nothing else. On an error the value is unchanged.
func Unmarshal(b []byte, v any) error {
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		return errors.New("cannot decode into anything but a non-nil pointer")
	}
	t := rv.Type().Elem()
	c, err := codecOf(t)
	if err != nil {
		return fmt.Errorf("cannot decode %s: %w", t, err)
	}
	fresh := reflect.New(t).Elem()
	if err := decodeInto(b, stateLimits, false, c, fresh, t.String()); err != nil {
		return err
	}
	rv.Elem().Set(fresh)
	return nil
}
