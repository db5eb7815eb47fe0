package wire

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
)

var update = flag.Bool("update", false, "rewrite testdata/wire/v0")

const goldenDir = "../../testdata/wire/v0"

// golden returns the stored bytes of name, after rewriting them when asked to.
func golden(t *testing.T, name string, current []byte) []byte {
	t.Helper()
	path := filepath.Join(goldenDir, name+".hex")
	if *update {
		if err := os.WriteFile(path, []byte(hexLines(current)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
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

func TestGoldenRecords(t *testing.T) {
	forEachType(t, func(t *testing.T, name string, _ reflect.Value, r leyline.Record) {
		now := mustRecord(t, r)
		stored := golden(t, name, now)
		compareGolden(t, stored, now)
		got, err := DecodeRecord(r.Seq, r.At, stored)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(r, got); d != "" {
			t.Error(d)
		}
	})
}

func TestGoldenPayloads(t *testing.T) {
	t.Run("command", func(t *testing.T) { goldenPayload(t, "payload.command", EncodeCommand, DecodeCommand) })
	t.Run("config", func(t *testing.T) { goldenPayload(t, "payload.config", EncodeConfig, DecodeConfig) })
	t.Run("key", func(t *testing.T) { goldenPayload(t, "payload.key", EncodeKey, DecodeKey) })
}

func goldenPayload[T any](t *testing.T, name string, encode func(T) ([]byte, error), decode func([]byte) (T, error)) {
	v := fullOf[T]()
	now, err := encode(v)
	if err != nil {
		t.Fatal(err)
	}
	stored := golden(t, name, now)
	compareGolden(t, stored, now)
	got, err := decode(stored)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(v, got); d != "" {
		t.Error(d)
	}
}

func TestNoStrayGoldenFiles(t *testing.T) {
	files, err := os.ReadDir(goldenDir)
	if err != nil {
		t.Fatal(err)
	}
	want := len(leyline.InputKind(0).Members()) + len(leyline.EventKind(0).Members()) + 3
	if len(files) != want {
		t.Errorf("%d golden files, want %d", len(files), want)
	}
}
