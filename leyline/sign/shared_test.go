package sign_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
)

var update = flag.Bool("update", false, "rewrite the vectors that other languages are held to")

// sharedVectors is the file that this package and the Python package are held to.
const sharedVectors = "../leylinetest/testdata/envelopes.json"

type shared struct {
	Signatures []signatureVector `json:"signatures"`
	Commands   []commandVector   `json:"commands"`
	Malformed  []malformedVector `json:"malformed"` // payloads that are no command
}

type signatureVector struct {
	Name      string `json:"name"`
	Public    string `json:"public"`
	Message   string `json:"message"`
	Signature string `json:"signature"`
	Good      bool   `json:"good"`
}

type commandVector struct {
	Name     string          `json:"name"`
	Public   string          `json:"public"`
	Key      string          `json:"key"`
	Issuer   string          `json:"issuer"`
	Origin   string          `json:"origin"`
	Run      string          `json:"run"`
	Envelope json.RawMessage `json:"envelope"`
	Want     map[string]any  `json:"want"`
}

type malformedVector struct {
	Name    string `json:"name"`
	Payload string `json:"payload"`
}

// smallOrder are encodings of the points of order 1, 2, 4 and 8, some of them not
// canonical: y of p or more, or the sign of an x that is 0.
var smallOrder = []string{
	"0100000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000080",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0000000000000000000000000000000000000000000000000000000000000080",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"0200000000000000000000000000000000000000000000000000000000000000", // no point
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func judged(name string, public, message, signature []byte) signatureVector {
	good := len(public) == ed25519.PublicKeySize && ed25519.Verify(public, message, signature)
	return signatureVector{name, hex.EncodeToString(public), hex.EncodeToString(message), hex.EncodeToString(signature), good}
}

// rfc8032 are the first three tests of RFC 8032, section 7.1.
var rfc8032 = [][3]string{
	{"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "", "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
	{"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72", "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
	{"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82", "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
}

// order is that of the group, little-endian.
var order = unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")

// plusOrder adds the order of the group to the scalar of a signature.
func plusOrder(signature []byte) []byte {
	out, carry := slices.Clone(signature), 0
	for i, o := range order {
		carry += int(out[32+i]) + int(o)
		out[32+i] = byte(carry)
		carry >>= 8
	}
	return out
}

func signatures() []signatureVector {
	var out []signatureVector
	for i, v := range rfc8032 {
		out = append(out, judged(fmt.Sprintf("RFC 8032 test %d", i+1), unhex(v[0]), unhex(v[1]), unhex(v[2])))
	}
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	public, message := []byte(key.Public().(ed25519.PublicKey)), []byte("a message")
	good := ed25519.Sign(key, message)
	changed := func(at int, bit byte) []byte {
		b := slices.Clone(good)
		b[at] ^= bit
		return b
	}
	out = append(out,
		judged("good", public, message, good),
		judged("another message", public, []byte("b message"), good),
		judged("another R", public, message, changed(0, 1)),
		judged("another S", public, message, changed(32, 1)),
		judged("S over the order", public, message, plusOrder(good)),
		judged("top bit of S", public, message, changed(63, 128)),
		judged("short", public, message, good[:63]),
		judged("long", public, message, append(slices.Clone(good), 0)),
		judged("short key", public[:31], message, good),
		judged("zeros", public, message, make([]byte, 64)),
	)
	for i, a := range smallOrder {
		out = append(out, ofSmallOrder(i, unhex(a))...)
	}
	return out
}

// ofSmallOrder are signatures by a key that is no key: S is 0, and R a point of small
// order. Two that are accepted and two that are not, if there are.
func ofSmallOrder(i int, public []byte) []signatureVector {
	var out []signatureVector
	var seen [2]int
	for m := range 40 {
		for j, r := range smallOrder {
			v := judged(fmt.Sprintf("small order: key %d, R %d, message %d", i, j, m), public, []byte{byte(m)}, append(unhex(r), make([]byte, 32)...))
			kind := 0
			if v.Good {
				kind = 1
			}
			if seen[kind] < 2 {
				seen[kind]++
				out = append(out, v)
			}
		}
	}
	return out
}

func sharedCommand(kind leyline.CommandKind) leyline.Command {
	return leyline.Command{
		Issuer: "ops", Audience: leyline.Audience{Origin: "esper/test", Run: "run-1"}, ID: "cmd-1", Sequence: 1 << 40,
		IssuedAt: 1_700_000_000_000_000_000, NotAfter: 1_700_000_060_000_000_000, Kind: kind,
	}
}

func commands(t *testing.T) []commandVector {
	graft := sharedCommand(leyline.CommandSeed)
	graft.Seed = leyline.SeedCommand{Operation: leyline.OpStartGrafting, Seed: "slot-1", Blend: leyline.BlendPlan{
		Mode: leyline.BlendConfidence, TotalSteps: 20, Temperature: 2, Gate: leyline.ConfidenceGate{K: 4, Tau: 0.2, Hi: 1}, Source: leyline.LogitsPolicy,
		Logits: []float64{-1.5, 2},
	}}
	graft.Metadata = leyline.DecisionMetadata{Policy: "rules", Scores: []leyline.Score{{Kind: leyline.ScoreValue, Value: 0.5}}, Digest: leyline.Digest{1}}
	grow := sharedCommand(leyline.CommandSeed)
	grow.Seed = leyline.SeedCommand{Operation: leyline.OpGerminate, Seed: "slot-1", Blueprint: "bp", Mesh: []string{"trunk", "trünk"}, Parameters: []leyline.ParameterValue{{Name: "width", Value: 16}}}
	pause := sharedCommand(leyline.CommandPause)
	pause.Pause = leyline.PauseCommand{Action: 1, Scope: leyline.PauseSeed, Seed: "slot-1", Reason: "look"}
	var out []commandVector
	for _, c := range []struct {
		name string
		leyline.Command
		want map[string]any
	}{
		{"graft", graft, map[string]any{"kind": "SEED", "operation": "START_GRAFTING", "seed": "slot-1", "mode": "CONFIDENCE", "source": "POLICY", "logits": []any{-1.5, 2.0}, "tau": 0.2, "total_steps": 20.0}},
		{"germinate", grow, map[string]any{"kind": "SEED", "operation": "GERMINATE", "seed": "slot-1", "blueprint": "bp", "mesh": []any{"trunk", "trünk"}, "parameters": []any{map[string]any{"name": "width", "value": 16.0}}}},
		{"pause", pause, map[string]any{"kind": "PAUSE", "pause_seed": "slot-1"}},
	} {
		out = append(out, signed(t, c.name, c.Command, c.want))
	}
	return out
}

func signed(t *testing.T, name string, c leyline.Command, want map[string]any) commandVector {
	t.Helper()
	s, err := sign.Generate(bytes.NewReader(bytes.Repeat([]byte{9}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := wire.EncodeCommand(c)
	if err != nil {
		t.Fatal(err)
	}
	file, err := sign.MarshalEnvelope(s.Sign(leyline.PayloadCommand, payload))
	if err != nil {
		t.Fatal(err)
	}
	return commandVector{name, hex.EncodeToString(s.Public()), string(s.KeyID()), c.Issuer, c.Audience.Origin, string(c.Audience.Run), file, want}
}

// malformed are changes of a good payload that its decoder refuses.
func malformed(t *testing.T) []malformedVector {
	good, err := wire.EncodeCommand(sharedCommand(leyline.CommandPause))
	if err != nil {
		t.Fatal(err)
	}
	top := func(change func([]byte) []byte) []byte { return change(slices.Clone(good)) }
	var out []malformedVector
	for _, c := range []struct {
		name    string
		payload []byte
	}{
		{"empty", nil},
		{"cut", good[:len(good)-1]},
		{"more behind", append(slices.Clone(good), 0)},
		{"a map", []byte{0x80}},
		{"nil", []byte{0xc0}},
		{"a field less", top(func(b []byte) []byte { b[2]--; return b[:len(b)-1] })},
		{"a long head", top(func(b []byte) []byte { return append([]byte{0xdd, 0, 0, 0, b[2]}, b[3:]...) })},
		{"issuer is bin", top(func(b []byte) []byte { return append(append(slices.Clone(b[:3]), 0xc4, 3), b[4:]...) })},
		{"issuer is no UTF-8", top(func(b []byte) []byte { b[4] = 0xff; return b })},
		{"a promise", []byte{0xdc, 0xff, 0xff}},
		{"deep", bytes.Repeat([]byte{0x91}, 40)},
	} {
		if _, err := wire.DecodeCommand(c.payload); err == nil {
			t.Errorf("%s: is accepted", c.name)
		}
		out = append(out, malformedVector{c.name, hex.EncodeToString(c.payload)})
	}
	return out
}

// TestSharedVectors holds the file that other languages test against to what this
// package and crypto/ed25519 say.
func TestSharedVectors(t *testing.T) {
	got := shared{signatures(), commands(t), malformed(t)}
	b, err := json.MarshalIndent(got, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	b = append(b, '\n')
	if *update {
		if err := os.WriteFile(sharedVectors, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(sharedVectors)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(b)); diff != "" {
		t.Errorf("the vectors changed; run with -update if that is right: %.2000s", diff)
	}
	for _, c := range got.Commands {
		env, err := sign.ParseEnvelope(c.Envelope)
		if err == nil {
			err = sign.Verify(unhex(c.Public), env)
		}
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
}
