package wire

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
)

func command() leyline.Command {
	return leyline.Command{
		Issuer: "tamiyo", Audience: leyline.Audience{Origin: "plane/1", Run: "r"}, ID: "c-1", Sequence: 7,
		IssuedAt: 1_790_000_000_000_000_000, NotAfter: 1_790_000_030_000_000_000, Kind: leyline.CommandSeed,
		Seed: leyline.SeedCommand{Operation: leyline.OpGerminate, Seed: "slot-0", Blueprint: "residual", Mesh: []string{"trunk"}},
	}
}

func TestCommandsAreCanonical(t *testing.T) {
	want := command()
	b, err := EncodeCommand(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeCommand(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for i := range b { // every integer in a longer form, every other first byte
		for c := range 256 {
			damaged := bytes.Clone(b)
			damaged[i] = byte(c)
			v, err := DecodeCommand(damaged)
			if err != nil {
				continue
			}
			if again, err := EncodeCommand(v); err != nil || !bytes.Equal(again, damaged) {
				t.Fatalf("byte %d = %02x: accepted, but encodes to %x, %v", i, c, again, err)
			}
		}
	}
}

func TestUnsetIsAcceptedUnknownIsNot(t *testing.T) {
	c := command()
	c.Kind = leyline.CommandUnknown
	b, err := EncodeCommand(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeCommand(b); err != nil {
		t.Errorf("an unset kind is refused: %v", err)
	}
	// Kind is the zero before the array of the seed command's fields.
	at := bytes.Index(b, []byte{0, 0x90 | byte(reflect.TypeFor[leyline.SeedCommand]().NumField())})
	if at < 0 {
		t.Fatal("the kind is not found")
	}
	b[at] = 100
	if _, err := DecodeCommand(b); err == nil || !strings.Contains(err.Error(), "Kind has code 100") {
		t.Errorf("an unknown kind gives %v", err)
	}
	c.Kind = 100
	if _, err := EncodeCommand(c); err == nil || !strings.Contains(err.Error(), "Kind has code 100") {
		t.Errorf("an unknown kind is encoded: %v", err)
	}
}

func TestPayloadBounds(t *testing.T) {
	big := command()
	big.Seed.Reason = strings.Repeat("x", 4097)
	many := command()
	many.Seed.Mesh = make([]string, 8192)
	text := command()
	text.Seed.Reason = "\xff"
	for name, c := range map[string]leyline.Command{"long text": big, "many elements": many, "not UTF-8": text} {
		var ee *EncodeError
		if _, err := EncodeCommand(c); !errors.As(err, &ee) {
			t.Errorf("%s: %v", name, err)
		}
		b, err := Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var de *DecodeError
		if _, err := DecodeCommand(b); !errors.As(err, &de) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := DecodeCommand(make([]byte, leyline.MaxCommandBytes+1)); err == nil || !strings.Contains(err.Error(), "at most 65536") {
		t.Errorf("65537 bytes: %v", err)
	}
}

func TestDefaultConfigRoundTrips(t *testing.T) {
	b, err := EncodeConfig(leyline.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeConfig(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(leyline.DefaultConfig(), got); d != "" {
		t.Error(d)
	}
	if _, err := DecodeKey(b); err == nil {
		t.Error("a configuration was read as a key")
	}
}

// TestLargestConfigIsStorable: what Validate accepts can be signed.
func TestLargestConfigIsStorable(t *testing.T) {
	c := leyline.DefaultConfig()
	c.Log.CheckpointDir = strings.Repeat("d", leyline.MaxPath)
	for range leyline.MaxArguments {
		c.Log.CheckpointCommand = append(c.Log.CheckpointCommand, c.Log.CheckpointDir)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	b, err := EncodeConfig(c)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeConfig(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(c, got); d != "" {
		t.Error(d)
	}
}

type row struct {
	Name  string
	Small int8
	Cells []uint16
	Flags []leyline.Stage
}

func TestMarshal(t *testing.T) {
	want := []row{{"a", -128, []uint16{0, 65535}, []leyline.Stage{leyline.StageCulled}}, {Name: "b"}}
	b, err := Marshal(&want)
	if err != nil {
		t.Fatal(err)
	}
	var got []row
	if err := Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if err := Unmarshal(append(b, 0), &got); err == nil {
		t.Error("a trailing byte was accepted")
	}
}

func TestUnmarshalChecksRangesAndKeepsTheTarget(t *testing.T) {
	type bytewide struct{ N uint8 }
	over, err := Marshal(struct{ N uint16 }{300})
	if err != nil {
		t.Fatal(err)
	}
	kept := bytewide{7}
	if err := Unmarshal(over, &kept); err == nil || kept.N != 7 {
		t.Errorf("300 into uint8: %v, %v", kept, err)
	}
	negative, err := Marshal(struct{ N int8 }{-1})
	if err != nil {
		t.Fatal(err)
	}
	if err := Unmarshal(negative, &kept); err == nil || kept.N != 7 {
		t.Errorf("-1 into uint8: %v, %v", kept, err)
	}
	for _, n := range []int{128, -129} {
		wide, err := Marshal(struct{ N int }{n})
		if err != nil {
			t.Fatal(err)
		}
		narrow := struct{ N int8 }{7}
		if err := Unmarshal(wide, &narrow); err == nil || narrow.N != 7 {
			t.Errorf("%d into int8: %v, %v", n, narrow, err)
		}
	}
	for _, target := range []any{nil, kept, (*bytewide)(nil), &map[string]int{}} {
		if err := Unmarshal(over, target); err == nil {
			t.Errorf("decoded into %T", target)
		}
	}
}
