package tree_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/esper-plane/esper/eventlog/tree"
)

func TestCheckpointRoundTrip(t *testing.T) {
	l := newLog(t, 20)
	for size := range 21 {
		want := tree.Checkpoint{Origin: "plane-7", Size: int64(size), Root: l.roots[size]}
		b := l.checkpoint(size)
		if got, err := tree.OpenCheckpoint(b, l.verifier); err != nil || got != want {
			t.Errorf("opened %+v, %v, not %+v", got, err, want)
		}
		if got, err := tree.ReadCheckpoint(b); err != nil || got != want {
			t.Errorf("read %+v, %v, not %+v", got, err, want)
		}
		if again := l.checkpoint(size); !bytes.Equal(again, b) {
			t.Errorf("signed twice as %q and %q", b, again)
		}
	}
}

func TestSignRefuses(t *testing.T) {
	l := newLog(t, 3)
	good := tree.Checkpoint{Origin: "plane-7", Size: 3, Root: l.roots[3]}
	for name, change := range map[string]func(*tree.Checkpoint){
		"another name":    func(c *tree.Checkpoint) { c.Origin = "plane-8" },
		"no name":         func(c *tree.Checkpoint) { c.Origin = "" },
		"two lines":       func(c *tree.Checkpoint) { c.Origin = "plane\n7" },
		"negative size":   func(c *tree.Checkpoint) { c.Size = -1 },
		"too large":       func(c *tree.Checkpoint) { c.Size = tree.MaxSize + 1 },
		"root of nothing": func(c *tree.Checkpoint) { c.Size = 0 },
	} {
		c := good
		change(&c)
		if b, err := c.Sign(l.signer); !errors.Is(err, tree.ErrInvalid) {
			t.Errorf("%s: signed %q, %v", name, b, err)
		}
	}
	broken := errors.New("no hand free")
	if _, err := good.Sign(brokenSigner{l.signer, broken}); !errors.Is(err, broken) {
		t.Errorf("broken signer: %v", err)
	}
}

// brokenSigner cannot sign.
type brokenSigner struct {
	note.Signer
	err error
}

func (s brokenSigner) Sign([]byte) ([]byte, error) { return nil, s.err }

// signText signs any text as the log.
func signText(t testing.TB, s note.Signer, text string) []byte {
	t.Helper()
	b, err := note.Sign(&note.Note{Text: text}, s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Bytes that the log has signed, but that are no checkpoint, or not in the one
// form of a checkpoint, are refused with and without the verifier.
func TestCheckpointForms(t *testing.T) {
	l := newLog(t, 3)
	root, empty := l.roots[3].String(), l.roots[0].String()
	for text, ok := range map[string]bool{
		"plane-7\n3\n" + root + "\n":                              true,
		"plane-7\n0\n" + empty + "\n":                             true,
		"plane-7\n1152921504606846976\n" + root + "\n":            true,
		"plane-7\n1152921504606846977\n" + root + "\n":            false,
		"plane-7\n18446744073709551615\n" + root + "\n":           false,
		"plane-7\n0\n" + root + "\n":                              false,
		"plane-7\n03\n" + root + "\n":                             false,
		"plane-7\n+3\n" + root + "\n":                             false,
		"plane-7\n-3\n" + root + "\n":                             false,
		"plane-7\n\n" + root + "\n":                               false,
		"\n3\n" + root + "\n":                                     false,
		"plane-7\n3\n" + root + "\nextension\n":                   false,
		"plane-7\n3\n" + root + "\n\n":                            false,
		"plane-7\n3\n" + root[:40] + "\n":                         false,
		"plane-7\n3\n" + strings.TrimRight(root, "=") + "\n":      false,
		"plane-7\n3\n" + trailingBits(root) + "\n":                false,
		"plane-7\n3\n":                                            false,
		"plane-7\n3\n" + strings.ToLower(root) + "AAAA" + "\n":    false,
		"go.sum database tree\n3\n" + root + "\n":                 false,
		strings.Repeat("plane-7", 5000) + "\n3\n" + root + "\n\n": false,
	} {
		b := signText(t, l.signer, text)
		_, errOpen := tree.OpenCheckpoint(b, l.verifier)
		_, errRead := tree.ReadCheckpoint(b)
		for _, err := range []error{errOpen, errRead} {
			if (err == nil) != ok || err != nil && !errors.Is(err, tree.ErrCheckpoint) {
				t.Errorf("%.80q: %v, %v", text, errOpen, errRead)
			}
		}
	}
}

// trailingBits spells a hash in base64 in a way that decodes to the same bytes.
func trailingBits(b64 string) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	last := len(b64) - 2 // before the padding
	return b64[:last] + string(digits[strings.IndexByte(digits, b64[last])^1]) + "="
}

// The checkpoint of another log, of a log of the same name with another key, and
// one that lost its signature, is not one of this log.
func TestOpenCheckpointRefusesOthers(t *testing.T) {
	l := newLog(t, 3)
	other := newNamedLog(t, "plane-8", 3)
	impostor, err := tree.NewSigner("plane-7", keyOf("impostor"))
	if err != nil {
		t.Fatal(err)
	}
	text := "plane-7\n3\n" + l.roots[3].String() + "\n"
	foreign := "plane-8\n3\n" + l.roots[3].String() + "\n"
	for name, b := range map[string][]byte{
		"another log":            other.checkpoint(3),
		"another key":            signText(t, impostor, text),
		"another name":           signText(t, other.signer, text),
		"another origin":         signText(t, l.signer, foreign),
		"no signature":           []byte(text),
		"no signature but a gap": []byte(text + "\n"),
		"line ends of DOS":       bytes.ReplaceAll(l.checkpoint(3), []byte("\n"), []byte("\r\n")),
		"nothing":                nil,
		"one byte more":          append(l.checkpoint(3), ' '),
		"too long":               append(l.checkpoint(3), bytes.Repeat([]byte("— x AAAAAAA=\n"), 3000)...),
	} {
		if c, err := tree.OpenCheckpoint(b, l.verifier); !errors.Is(err, tree.ErrCheckpoint) || c != (tree.Checkpoint{}) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	// Without a verifier it is only a text, whoever has signed it.
	if c, err := tree.ReadCheckpoint(signText(t, impostor, text)); err != nil || c.Size != 3 {
		t.Errorf("read %+v, %v", c, err)
	}
}

// A witness may add its signature.
func TestOpenCheckpointWithCosignature(t *testing.T) {
	l := newLog(t, 3)
	witness := newNamedLog(t, "witness.example", 0)
	n, err := note.Open(l.checkpoint(3), note.VerifierList(l.verifier))
	if err != nil {
		t.Fatal(err)
	}
	b, err := note.Sign(n, witness.signer)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := tree.OpenCheckpoint(b, l.verifier); err != nil || c.Size != 3 {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := tree.OpenCheckpoint(b, witness.verifier); !errors.Is(err, tree.ErrCheckpoint) {
		t.Errorf("the witness passes for the log: %v", err)
	}
}

// With any bit changed a checkpoint is refused, or it is the same checkpoint: the
// last bits of a signature in base64 have no meaning.
func TestCheckpointBitFlips(t *testing.T) {
	l := newLog(t, 9)
	b := l.checkpoint(9)
	want, err := tree.OpenCheckpoint(b, l.verifier)
	if err != nil {
		t.Fatal(err)
	}
	same := 0
	for bit, changed := range flips(b) {
		got, err := tree.OpenCheckpoint(changed, l.verifier)
		switch {
		case err == nil && got == want:
			same++
		case !errors.Is(err, tree.ErrCheckpoint):
			t.Errorf("bit %d: %+v, %v", bit, got, err)
		}
		if _, err := tree.ReadCheckpoint(changed); err != nil && !errors.Is(err, tree.ErrCheckpoint) {
			t.Errorf("bit %d: read: %v", bit, err)
		}
	}
	if same > 8 {
		t.Errorf("%d bits have no meaning", same)
	}
}

func TestKeys(t *testing.T) {
	for name, ok := range map[string]bool{
		"plane-7": true, "example.com/log/42": true, "Ebene-ä": true,
		"": false, "plane 7": false, "plane+7": false, "plane\n": false, "plane\x01": false, "\xff": false, "a\u00a0b": false, "a\u0085b": false,
	} {
		key := keyOf("key")
		s, err := tree.NewSigner(name, key)
		if (err == nil) != ok || !ok && !errors.Is(err, tree.ErrInvalid) {
			t.Errorf("signer %q: %v", name, err)
		}
		v, err := tree.NewVerifier(name, key.Public().(ed25519.PublicKey))
		if (err == nil) != ok || !ok && !errors.Is(err, tree.ErrInvalid) {
			t.Errorf("verifier %q: %v", name, err)
		}
		if ok && (s.Name() != name || v.Name() != name || s.KeyHash() != v.KeyHash()) {
			t.Errorf("%q: signer %q %x, verifier %q %x", name, s.Name(), s.KeyHash(), v.Name(), v.KeyHash())
		}
	}
}

func TestKeysOfWrongLength(t *testing.T) {
	key := keyOf("key")
	halves := append(bytes.Clone(key[:32]), keyOf("other")[32:]...)
	for _, k := range []ed25519.PrivateKey{nil, key[:32], append(bytes.Clone(key), 0), halves} {
		if _, err := tree.NewSigner("plane-7", k); !errors.Is(err, tree.ErrInvalid) {
			t.Errorf("private key of %d bytes: %v", len(k), err)
		}
	}
	for _, k := range []ed25519.PublicKey{nil, ed25519.PublicKey(key[32:63]), ed25519.PublicKey(key[31:])} {
		if _, err := tree.NewVerifier("plane-7", k); !errors.Is(err, tree.ErrInvalid) {
			t.Errorf("public key of %d bytes: %v", len(k), err)
		}
	}
}

func TestVerifierKey(t *testing.T) {
	l := newLog(t, 3)
	pub := keyOf("plane-7").Public().(ed25519.PublicKey)
	vkey, err := tree.VerifierKey("plane-7", pub)
	if err != nil {
		t.Fatal(err)
	}
	for _, same := range []string{vkey, vkey + "\n", " " + vkey + "\r\n"} {
		v, err := tree.ParseVerifierKey(same)
		if err != nil {
			t.Errorf("%q: %v", same, err)
			continue
		}
		if _, err := tree.OpenCheckpoint(l.checkpoint(3), v); err != nil {
			t.Errorf("%q: %v", same, err)
		}
	}
	name, rest, _ := strings.Cut(vkey, "+")
	id, key64, _ := strings.Cut(rest, "+")
	cosigner := base64.StdEncoding.EncodeToString(append([]byte{4}, pub...))
	for _, bad := range []string{
		"", "+", "++", name, name + "+" + id, name + "+" + id + "+", vkey + "A", vkey[:len(vkey)-1],
		"plane-8+" + rest, name + "+00000000+" + key64, name + "+" + strings.ToUpper(id) + "+" + key64,
		name + "+" + id + "+" + key64[:20] + "\n" + key64[20:], name + "+" + id + "+" + cosigner,
		name + "+" + id + "+" + trailingBits(key64), vkey + "\n" + vkey,
	} {
		if _, err := tree.ParseVerifierKey(bad); !errors.Is(err, tree.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for bit, changed := range flips([]byte(vkey)) {
		if _, err := tree.ParseVerifierKey(string(changed)); !errors.Is(err, tree.ErrInvalid) {
			t.Errorf("bit %d: %q: %v", bit, changed, err)
		}
	}
}
