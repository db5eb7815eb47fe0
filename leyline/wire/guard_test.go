package wire

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
)

var roomy = Limits{Bytes: 1 << 10, Depth: 4, Elements: 8, Length: 16}

func TestGuard(t *testing.T) {
	for _, tt := range []struct{ name, b, want string }{
		{"a scalar", "\x05", ""},
		{"nil", "\xc0", ""},
		{"an empty array", "\x90", ""},
		{"arrays in arrays", "\x92\x91\x91\x91\x01\xa2hi", ""},
		{"a string as long as allowed", "\xb0" + strings.Repeat("x", 16), ""},
		{"nothing", "", "ends within a value at byte 0"},
		{"a trailing byte", "\x05\x05", "1 bytes behind its end at byte 1"},
		{"a cut head", "\xcd\x01", "ends within a value at byte 0"},
		{"a cut string", "\xa3hi", "announces 3 bytes, 2 are left"},
		{"a missing element", "\x92\x01", "announces 2 values, 1 bytes are left"},
		{"a long string", "\xb1" + strings.Repeat("x", 17), "17 bytes, at most 16"},
		{"a long bin", "\xc4\x11" + strings.Repeat("x", 17), "17 bytes, at most 16"},
		{"too deep", "\x91\x91\x91\x91\x91\x01", "nested deeper than 4 at byte 4"},
		{"too many elements", "\x99" + strings.Repeat("\x01", 9), "more than 8 elements"},
		{"too many elements in all", "\x93\x92\x01\x01\x92\x01\x01\x92\x01\x01", "more than 8 elements"},
		{"owed more than is left", "\x93\x93\x01\x01\x93\x01", "announces"},
		{"too long", strings.Repeat("\x01", 1025), "1025 bytes, at most 1024"},
		{"a map", "\x81\x01\x01", "holds a map"},
		{"a map of 16 bits", "\xde\x00\x00", "holds a map"},
		{"an extension", "\xd4\x01\x01", "holds an extension"},
		{"an extension of 8 bits", "\xc7\x00\x01", "holds an extension"},
		{"the invalid code", "\xc1", "holds an invalid code"},
	} {
		err := Guard([]byte(tt.b), roomy)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestForgottenLimitsRefuse(t *testing.T) {
	for _, tt := range []struct {
		b string
		l Limits
	}{
		{"\x01", Limits{Depth: 1, Elements: 1, Length: 1}},
		{"\x91\x01", Limits{Bytes: 9, Elements: 1, Length: 1}},
		{"\x91\x01", Limits{Bytes: 9, Depth: 1, Length: 1}},
		{"\xa1x", Limits{Bytes: 9, Depth: 1, Elements: 1}},
		{"\xa1x", Limits{Bytes: 9, Length: -1}},
	} {
		if err := Guard([]byte(tt.b), tt.l); err == nil {
			t.Errorf("%x is accepted under %+v", tt.b, tt.l)
		}
	}
}

func TestGuardDoesNotAllocate(t *testing.T) {
	b := mustRecord(t, stepRecord())
	if n := testing.AllocsPerRun(100, func() { _ = Guard(b, recordLimits) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// bombs are short messages that make naive decoders allocate gigabytes or
// overflow the stack.
func bombs() map[string][]byte {
	header := func(code byte, n uint32) []byte { return binary.BigEndian.AppendUint32([]byte{code}, n) }
	bombs := map[string][]byte{
		"array32 4G":       append(header(0xdd, 1<<32-1), 0, 0, 0, 0, 0),
		"array32 64M":      append(header(0xdd, 64<<20), 0, 0, 0, 0, 0),
		"map32 4G":         append(header(0xdf, 1<<32-1), 0, 0, 0, 0, 0),
		"map32 16M":        append(header(0xdf, 16<<20), 0, 0, 0, 0, 0),
		"bin32 4G":         append(header(0xc6, 1<<32-1), 0, 0, 0, 0, 0),
		"str32 4G":         append(header(0xdb, 1<<32-1), 0, 0, 0, 0, 0),
		"nested array32":   bytes.Repeat(header(0xdd, 16<<20), 5),
		"depth 3e6":        bytes.Repeat([]byte{0x91}, 3_000_000),
		"array key":        {0x81, 0x90, 0xc0},
		"ext32 4G":         append(header(0xc9, 1<<32-1), 0, 0, 0, 0, 0),
		"amplified arrays": bytes.Repeat([]byte{0xdc, 0xff, 0xff}, 1000),
	}
	// the same inside a record, where a slice of structs is expected
	at := bytes.LastIndexByte(timerRecord(nil), 0x90)
	for _, name := range []string{"array32 4G", "array32 64M", "nested array32", "bin32 4G"} {
		bombs["events "+name] = append(timerRecord(nil)[:at], bombs[name]...)
	}
	return bombs
}

func TestBombs(t *testing.T) {
	for name, b := range bombs() {
		targets := map[string]func() error{
			"record":  func() error { _, err := DecodeRecord(1, 1, b); return err },
			"command": func() error { _, err := DecodeCommand(b); return err },
			"[]int64": func() error { return Unmarshal(b, new([]int64)) },
			"structs": func() error { return Unmarshal(b, new([]leyline.Command)) },
			"strings": func() error { return Unmarshal(b, new([]string)) },
			"bytes":   func() error { return Unmarshal(b, new([]byte)) },
		}
		for target, decode := range targets {
			_ = decode() // codecs are made once
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := decode()
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Errorf("%s was decoded into %s", name, target)
			}
			if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<10 {
				t.Errorf("%s into %s allocated %d bytes", name, target, grown)
			}
		}
	}
}
