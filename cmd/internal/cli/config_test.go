package cli

import (
	"bytes"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/replay"
)

const referencePage = "../../../leyline/CONFIG.md"

// TestReference holds the reference page in the source tree against the one that
// the program prints, or with -update writes it.
func TestReference(t *testing.T) {
	page := esper(t, exitOK, "config", "reference")
	if *update {
		if err := os.WriteFile(referencePage, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	b, err := os.ReadFile(referencePage)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(b), page); d != "" {
		t.Errorf("leyline/CONFIG.md is not what `esper config reference` prints; `go test ./cmd/internal/cli -run TestReference -update` writes it:\n%s", d)
	}
	for _, key := range keys() {
		if strings.Count(page, "| `"+key+"` |") != 1 || strings.Count(page, "| `"+envName(key)+"` |") != 1 {
			t.Errorf("the page does not have one line for %s", key)
		}
	}
}

// TestReferenceIsJSON wants the same page for machines.
func TestReferenceIsJSON(t *testing.T) {
	out := esper(t, exitOK, "config", "reference", "--json")
	for _, want := range []string{
		`"key": "tolaria.diverge_loss"`, `"environment": "ESPER_KASMINA_LATENCY_MODE"`, `"allowed": "off, shadow or enforce"`,
		`"unit": "ms"`, `"workload": "multimnist"`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the document lacks %s", want)
		}
	}
}

// listed is a source of records that no log holds.
type listed []replay.Entry

func (l listed) All(from leyline.Seq) iter.Seq2[replay.Entry, error] {
	return func(yield func(replay.Entry, error) bool) {
		for _, e := range l {
			if e.Seq >= from && !yield(e, nil) {
				return
			}
		}
	}
}

// TestHistorySaysWhatWasRefused: a configuration that the plane did not take is in
// the list, and changes nothing for the ones behind it.
func TestHistorySaysWhatWasRefused(t *testing.T) {
	var log listed
	add := func(in leyline.Input, ev leyline.Event) {
		r := leyline.Record{Seq: leyline.Seq(len(log) + 2), At: 5, Input: in, Events: []leyline.Event{ev}}
		b, err := wire.AppendRecord(nil, r)
		if err != nil {
			t.Fatal(err)
		}
		log = append(log, replay.Entry{Seq: r.Seq, At: r.At, Payload: b})
	}
	apply := func(every uint32, refused bool) {
		c := leyline.DefaultConfig()
		c.Tolaria.SnapshotEvery = every
		b, digest, err := encodeConfig(c)
		if err != nil {
			t.Fatal(err)
		}
		in := leyline.ConfigApplied{Envelope: leyline.Envelope{PayloadType: leyline.PayloadConfig, KeyID: "k", Payload: b}}
		if refused {
			add(in, leyline.DependencyViolated{Refusal: leyline.Refusal{
				Kind: leyline.RefusalInvalidSignature, Subsystem: leyline.SubsystemPlane, Field: "envelope", Reason: "is signed by nobody", Hint: "sign it",
			}})
			return
		}
		add(in, leyline.ConfigAdopted{Digest: digest, Key: "k", Config: c})
	}
	apply(7, false)
	apply(8, true)
	apply(7, false)
	apply(9, false)
	o := opened{source: log, config: leyline.DefaultConfig()}
	got, err := appliedConfigs(o)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	a := &app{out: &b}
	for _, x := range got {
		if err := a.printApplied(x); err != nil {
			t.Fatal(err)
		}
	}
	var kept []string
	for line := range strings.Lines(b.String()) {
		words, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  1970-")
		kept = append(kept, words)
	}
	want := []string{
		"record 2", "  tolaria.snapshot_every  50 -> 7",
		"record 3", "  refused: " + refusalText(t, log[1]),
		"record 4", "  changes nothing",
		"record 5", "  tolaria.snapshot_every  7 -> 9",
	}
	if d := cmp.Diff(want, kept); d != "" {
		t.Error(d)
	}
	for seq, want := range map[leyline.Seq]uint32{1: 50, 2: 50, 3: 7, 4: 7, 5: 7, 0: 9} {
		if c, err := inForce(o, seq); err != nil || c.Tolaria.SnapshotEvery != want {
			t.Errorf("at record %d every %d steps, %v; want %d", seq, c.Tolaria.SnapshotEvery, err, want)
		}
	}
	if _, err := inForce(o, 6); !as[usageError](err) {
		t.Errorf("a record that does not exist: %v", err)
	}
}

func refusalText(t *testing.T, e replay.Entry) string {
	t.Helper()
	r, err := wire.DecodeRecord(e.Seq, e.At, e.Payload)
	if err != nil {
		t.Fatal(err)
	}
	refusal := r.Events[0].(leyline.DependencyViolated).Refusal
	return refusal.Error()
}

// FuzzConfigFile reads any bytes as a configuration file: it is refused with keys
// and fixes, or it is valid, and then what is shown of it reads as the same.
func FuzzConfigFile(f *testing.F) {
	for _, name := range []string{"config", "config_mistakes", "lists"} {
		b, err := os.ReadFile(filepath.Join("testdata", name+".txtar"))
		if err != nil {
			f.Fatal(err)
		}
		for part := range bytes.SplitSeq(b, []byte(" --\n")) {
			text, _, _ := bytes.Cut(part, []byte("\n-- "))
			f.Add(text)
		}
	}
	f.Add([]byte("[tolaria]\n\"a\\nb\" = 1\n\"\" = 2\n[[x]]\n[x.\"y.z\"]\n"))
	f.Add([]byte("\"\" = 1\n"))
	f.Add([]byte("[[\"\"]]\nx = 1\n[a.\"\"]\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		l := loader{config: leyline.DefaultConfig(), origin: map[string]string{}}
		if err := l.read("f", b); err != nil {
			if !as[usageError](err) {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		err := l.finish()
		var bad *leyline.ConfigError
		if errors.As(err, &bad) {
			for _, p := range bad.Problems {
				if p.Key == "" || p.Reason == "" || p.Fix == "" || strings.ContainsAny(p.Key+p.Reason, "\n\x1b") {
					t.Fatalf("a mistake that cannot be mended: %+q", p)
				}
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		shown, err := toml.Marshal(l.config)
		if err != nil {
			t.Fatal(err)
		}
		again := loader{config: leyline.DefaultConfig(), origin: map[string]string{}}
		if err := errors.Join(again.read("f", shown), again.finish()); err != nil {
			t.Fatalf("%v in\n%s", err, shown)
		}
		if d := differences(l.config, again.config); len(d) > 0 {
			t.Fatalf("%v is read again with other values: %v", l.config, d)
		}
	})
}
