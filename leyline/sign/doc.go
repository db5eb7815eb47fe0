// Package sign signs and verifies envelopes. It is pure: it reads no clock and
// no file, and chance comes from a reader that the caller gives.
//
// # What is signed
//
// The signature is Ed25519 over the pre-authentication encoding of DSSE:
//
//	"DSSEv1" SP len(type) SP type SP len(payload) SP payload
//
// with lengths in bytes, written in decimal. The payload type is part of what
// is signed, so a signature over a command can never be shown as one over a
// configuration. The payload is opaque: the bytes that were sent are verified,
// and nothing is ever re-encoded.
//
// # Keys
//
// The algorithm is a property of the key, never of the message: every key is an
// Ed25519 key. A key's id is the first 16 bytes, in hex, of
//
//	SHA-256("esper key v0" NUL public key)
//
// An envelope carries the id only to choose the key, and Verify refuses an
// envelope whose id is not that of the key at hand. Whether a key is enrolled,
// and what it may sign, is not decided here.
//
// Private keys are kept as PEM with PKCS #8, public keys as one line of text in
// the form of signed-note verifier keys: name+hash+base64.
package sign
