package sign

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
)

func TestPrivateKeyFile(t *testing.T) {
	s := signer(t, 3)
	file, err := MarshalPrivate(s)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(file), "-----BEGIN PRIVATE KEY-----\n") {
		t.Errorf("file is %q", file)
	}
	again, err := ParsePrivate(file)
	if err != nil || !again.Private().Equal(s.Private()) || again.KeyID() != s.KeyID() {
		t.Errorf("another key came back: %v, %v", again, err)
	}
	if _, err := MarshalPrivate(Signer{}); !errors.Is(err, ErrPrivateKey) {
		t.Errorf("the zero signer was written: %v", err)
	}
}

func TestParsePrivateRefuses(t *testing.T) {
	good, err := MarshalPrivate(signer(t, 3))
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string][]byte{
		"nothing":       nil,
		"text":          []byte("not a key"),
		"another block": bytes.ReplaceAll(good, []byte("PRIVATE KEY"), []byte("PUBLIC KEY")),
		"two keys":      append(bytes.Clone(good), good...),
		"text behind":   append(bytes.Clone(good), "x"...),
		"damaged":       pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: []byte{1, 2, 3}}),
		"another kind":  pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}),
	} {
		if _, err := ParsePrivate(file); !errors.Is(err, ErrPrivateKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParsePrivate(append(bytes.Clone(good), "\n \n"...)); err != nil {
		t.Errorf("blank lines behind: %v", err)
	}
}

// The example key of the signed-note format, written by other software.
const foreignKey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"

func TestPublicKeyText(t *testing.T) {
	name, public, err := ParsePublic(foreignKey + "\n")
	if err != nil || name != "PeterNeumann" || len(public) != 32 {
		t.Fatalf("%q, %x, %v", name, public, err)
	}
	if text, err := MarshalPublic(name, public); err != nil || text != foreignKey {
		t.Errorf("%q, %v", text, err)
	}
	own, err := MarshalPublic("plane/1", signer(t, 4).Public())
	if err != nil {
		t.Fatal(err)
	}
	if name, public, err := ParsePublic(own); err != nil || name != "plane/1" || !bytes.Equal(public, signer(t, 4).Public()) {
		t.Errorf("%q, %x, %v", name, public, err)
	}
}

func TestPublicKeyTextRefuses(t *testing.T) {
	short := base64.StdEncoding.EncodeToString([]byte{1, 2, 3})
	for name, text := range map[string]string{
		"nothing":           "",
		"one part":          "PeterNeumann",
		"two parts":         "PeterNeumann+c74f20a3",
		"another name":      "Q" + foreignKey[1:],
		"another hash":      strings.Replace(foreignKey, "c74f20a3", "c74f20a4", 1),
		"upper-case hash":   strings.Replace(foreignKey, "c74f20a3", "C74F20A3", 1),
		"another key":       strings.Replace(foreignKey, "ARpc", "ARpd", 1),
		"another algorithm": strings.Replace(foreignKey, "+ARpc", "+AhpC", 1),
		"short":             "n+00000000+" + short,
		"not base64":        "n+00000000+!",
		"no name":           foreignKey[len("PeterNeumann"):],
	} {
		if _, _, err := ParsePublic(text); !errors.Is(err, ErrPublicText) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"", "a b", "a+b", "a\nb", "\xff"} {
		if _, err := MarshalPublic(name, make([]byte, 32)); !errors.Is(err, ErrPublicText) {
			t.Errorf("name %q: %v", name, err)
		}
	}
	if _, err := MarshalPublic("n", make([]byte, 31)); !errors.Is(err, ErrPublicKey) {
		t.Errorf("31 bytes: %v", err)
	}
}
