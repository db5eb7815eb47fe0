package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/leylinetest"
)

var update = flag.Bool("update", false, "rewrite the vectors of the versions that are written, testdata/wire/v*")

const vectors = "../../testdata/wire"

// vectorPath is where the bytes of version n of a kind or a payload are.
func vectorPath(name string, n int) string {
	return filepath.Join(vectors, fmt.Sprintf("v%d", n), name+".hex")
}

// golden returns the stored bytes of name, after rewriting them when asked to.
func golden(t *testing.T, name string, version int, current []byte) []byte {
	t.Helper()
	path := vectorPath(name, version)
	if *update {
		if err := os.WriteFile(path, []byte(hexLines(current)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return readVector(t, path)
}

func readVector(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run: go test ./leyline/wire -run Golden -update", err)
	}
	b, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func hexLines(b []byte) string {
	var out strings.Builder
	for len(b) > 0 {
		n := min(len(b), 32)
		out.WriteString(hex.EncodeToString(b[:n]) + "\n")
		b = b[n:]
	}
	return out.String()
}

func compareGolden(t *testing.T, want, got []byte) {
	t.Helper()
	if !bytes.Equal(want, got) {
		t.Errorf("stored form changed; stored:\n%snow:\n%s", hexLines(want), hexLines(got))
	}
}

// present is the version of a kind that is written.
func present[I any](versions []stored[I]) int { return len(versions) - 1 + firstVersion }

// valid returns one record of every kind whose input or event is a valid value,
// with every field set, by the name of its vector.
func valid(t *testing.T) map[string]leyline.Record {
	t.Helper()
	out := map[string]leyline.Record{}
	add := func(name string, r leyline.Record) {
		if _, known := out[name]; !known { // the first variant of a kind is its vector
			out[name] = r
		}
	}
	for _, c := range leylinetest.Inputs() {
		add("input."+c.Value.InputKind().String(), leyline.Record{Seq: 9, At: 8, Wall: -7, Run: "run-1", Input: c.Value})
	}
	cause := leyline.TimerFired{Timer: leyline.TimerSilence, Run: "run-1", Subject: "run-1", Due: 7}
	for _, c := range leylinetest.Events() {
		add("event."+c.Value.EventKind().String(), leyline.Record{
			Seq: 9, At: 8, Wall: 7, Run: "run-1", Input: cause, Events: []leyline.Event{c.Value},
		})
	}
	return out
}

func TestGoldenRecords(t *testing.T) {
	for name, r := range valid(t) {
		t.Run(name, func(t *testing.T) {
			version := present(inputs[r.Input.InputKind()])
			if len(r.Events) > 0 {
				version = present(events[r.Events[0].EventKind()])
			}
			now := mustRecord(t, r)
			vector := golden(t, name, version, now)
			compareGolden(t, vector, now)
			got, err := DecodeRecord(r.Seq, r.At, vector)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(r, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestGoldenPayloads(t *testing.T) {
	t.Run("command", func(t *testing.T) { goldenPayload(t, "payload.command", EncodeCommand, DecodeCommand) })
	t.Run("config", func(t *testing.T) { goldenPayload(t, "payload.config", EncodeConfig, DecodeConfig) })
	t.Run("key", func(t *testing.T) { goldenPayload(t, "payload.key", EncodeKey, DecodeKey) })
	t.Run("report", func(t *testing.T) { goldenPayload(t, "payload.report", EncodeReport, DecodeReport) })
}

// payloadVersion is that of every payload type (leyline.PayloadCommand, ...).
const payloadVersion = 1

func goldenPayload[T any](t *testing.T, name string, encode func(T) ([]byte, error), decode func([]byte) (T, error)) {
	v := fullOf[T]()
	now, err := encode(v)
	if err != nil {
		t.Fatal(err)
	}
	vector := golden(t, name, payloadVersion, now)
	compareGolden(t, vector, now)
	got, err := decode(vector)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(v, got); d != "" {
		t.Error(d)
	}
}

// TestEveryVectorIsRead reads the vectors of every version there ever was and
// demands one for each version that is registered.
func TestEveryVectorIsRead(t *testing.T) {
	want := map[string]bool{}
	for _, k := range leyline.InputKind(0).Members() {
		for n := range inputs[k] {
			want[vectorPath("input."+k.String(), n+firstVersion)] = true
		}
	}
	for _, k := range leyline.EventKind(0).Members() {
		for n := range events[k] {
			want[vectorPath("event."+k.String(), n+firstVersion)] = true
		}
	}
	for _, name := range []string{"command", "config", "key", "report"} {
		want[vectorPath("payload."+name, payloadVersion)] = true
	}
	files, err := filepath.Glob(filepath.Join(vectors, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		if !want[path] {
			t.Errorf("%s belongs to no version", path)
			continue
		}
		delete(want, path)
		b := readVector(t, path)
		if strings.HasPrefix(filepath.Base(path), "payload.") {
			continue // TestGoldenPayloads
		}
		if _, err := DecodeRecord(9, 8, b); err != nil {
			t.Errorf("%s cannot be read any more: %v", path, err)
		}
	}
	for path := range want {
		t.Errorf("no vector %s; run: go test ./leyline/wire -run Golden -update", path)
	}
}

// TestFormerVersionsAreRead keeps a kind whose second version has a field more.
func TestFormerVersionsAreRead(t *testing.T) {
	type first struct{ Run leyline.RunID }
	table := [][]stored[leyline.Input]{{
		former[first, leyline.TimerFired, leyline.Input](func(o first) (leyline.TimerFired, error) {
			if o.Run == "" {
				return leyline.TimerFired{}, errors.New("no run")
			}
			return leyline.TimerFired{Run: o.Run}, nil
		}),
		input[leyline.TimerFired](),
	}}
	for name, b := range map[string]string{
		"first":  "\x00\x01\x91\xa5run-1",
		"second": "\x00\x02\x94\x00\xa5run-1\xa0\x00",
	} {
		d := decoder{b: []byte(b)}
		got, present, err := decodeKind(&d, table)
		if err != nil || d.done() != nil || present != (name == "second") {
			t.Fatalf("%s version: %v", name, err)
		}
		if x, ok := got.(leyline.TimerFired); !ok || x.Run != "run-1" {
			t.Errorf("%s version: %#v", name, got)
		}
	}
	d := decoder{b: []byte("\x00\x01\x91\xa0")}
	if _, _, err := decodeKind(&d, table); err == nil || !strings.Contains(err.Error(), "no run") {
		t.Errorf("a first version without its run: %v", err)
	}
	e := begin(nil, false)
	out, err := e.end(nil, encodeKind[leyline.Input](e, table, 0, leyline.TimerFired{Run: "run-1"}))
	if err != nil || string(out) != "\x00\x02\x94\x00\xa5run-1\xa0\x00" {
		t.Errorf("%x is written, %v", out, err)
	}
}
