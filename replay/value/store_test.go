package value

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
)

// rowOf is a row whose figures follow from its key, so that pairs can be told apart.
func rowOf(workload string, a Arm, seed uint64, accuracy float64) Row {
	return Row{
		Key: Key{workload, a, seed}, Protocol: ProtocolDigest(), Build: "test", Steps: 10,
		Accuracy: accuracy, Loss: 1 - accuracy, Area: 2 - accuracy, Modules: []string{}, Curve: []Point{{0, 2, 0}, {10, 1, accuracy}},
	}
}

func TestStoreKeepsRows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.jsonl")
	s, err := OpenStore(path)
	ok(t, err)
	weights := leyline.Digest{1, 2}
	first, second := rowOf("penguins", Rules, 1, 0.1), rowOf("penguins", Never, 1, 1.0/3)
	first.Weights, first.Failed, first.Kept = &weights, "halted", 2
	ok(t, s.Add(first))
	ok(t, s.Add(second))
	if err := s.Add(first); err == nil {
		t.Error("a run was added twice")
	}
	if _, err := OpenStore(path); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("two writers: %v", err)
	}
	ok(t, s.Close())
	s, err = OpenStore(path)
	ok(t, err)
	if d := cmp.Diff([]Row{first, second}, s.Rows()); d != "" {
		t.Errorf("rows (-want +got):\n%s", d)
	}
	if s.Cut != 0 || s.Find(second.Key) == nil || s.Find(Key{"penguins", Never, 2}) != nil {
		t.Errorf("cut %d, rows %v", s.Cut, s.Rows())
	}
	ok(t, s.Close())
}

// TestStoreCutsATornRow at every byte at which a process may have died: the rows before
// it are there, and what is added next is whole.
func TestStoreCutsATornRow(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "rows.jsonl")
	s, err := OpenStore(path)
	ok(t, err)
	ok(t, s.Add(rowOf("penguins", Rules, 1, 0.1)))
	ok(t, s.Add(rowOf("penguins", Rules, 2, 0.2)))
	ok(t, s.Close())
	whole, err := os.ReadFile(path)
	ok(t, err)
	first := strings.IndexByte(string(whole), '\n') + 1
	for n := first; n < len(whole); n += 7 {
		ok(t, os.WriteFile(path, whole[:n], 0o600))
		s, err := OpenStore(path)
		ok(t, err)
		if len(s.Rows()) != 1 || s.Cut != n-first {
			t.Fatalf("cut at %d: %d rows, %d bytes cut", n, len(s.Rows()), s.Cut)
		}
		ok(t, s.Add(rowOf("penguins", Rules, 2, 0.2)))
		ok(t, s.Close())
		again, err := os.ReadFile(path)
		ok(t, err)
		if string(again) != string(whole) {
			t.Fatalf("cut at %d: the file is %q", n, again)
		}
	}
}

func TestStoreRefusesOtherLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.jsonl")
	s, err := OpenStore(path)
	ok(t, err)
	ok(t, s.Add(rowOf("penguins", Rules, 1, 0.1)))
	ok(t, s.Close())
	whole, err := os.ReadFile(path)
	ok(t, err)
	for what, file := range map[string]string{
		"noise":           string(whole) + "noise\n",
		"no row":          string(whole) + "{}\n",
		"an empty line":   string(whole) + "\n",
		"a row twice":     string(whole) + string(whole),
		"two on a line":   string(whole) + strings.TrimSuffix(string(whole), "\n") + "{}\n",
		"unknown field":   string(whole) + strings.Replace(string(whole), `"workload"`, `"luck":1,"workload"`, 1),
		"a broken digest": string(whole) + strings.Replace(string(whole), `"protocol":"`, `"protocol":"x`, 1),
	} {
		ok(t, os.WriteFile(path, []byte(file), 0o600))
		if s, err := OpenStore(path); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%s: %v", what, err)
			if err == nil {
				ok(t, s.Close())
			}
		}
	}
}

// FuzzRow: whatever is read as a row is written as a line that reads as the same row.
func FuzzRow(f *testing.F) {
	path := filepath.Join(f.TempDir(), "rows.jsonl")
	s, err := OpenStore(path)
	ok(f, err)
	ok(f, s.Add(rowOf("penguins", Rules, 1, 0.1)))
	ok(f, s.Close())
	line, err := os.ReadFile(path)
	ok(f, err)
	f.Add(line)
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := decodeRow(line)
		if err != nil {
			return
		}
		path := filepath.Join(t.TempDir(), "rows.jsonl")
		s, err := OpenStore(path)
		ok(t, err)
		ok(t, s.Add(r))
		ok(t, s.Close())
		s, err = OpenStore(path)
		ok(t, err)
		if len(s.Rows()) != 1 || s.Rows()[0].Key != r.Key || s.Rows()[0].Accuracy != r.Accuracy {
			t.Errorf("%+v became %+v", r, s.Rows())
		}
		ok(t, s.Close())
	})
}

// TestBelongs: rows of anything else are not taken for runs of this experiment.
func TestBelongs(t *testing.T) {
	now := rowOf("penguins", Rules, 1, 0.1)
	ok(t, now.belongs(now))
	for name, change := range map[string]func(*Row){
		"protocol":        func(r *Row) { r.Protocol[0]++ },
		"build":           func(r *Row) { r.Build = "other" },
		"configuration":   func(r *Row) { r.Config[0]++ },
		"number of steps": func(r *Row) { r.Steps++ },
		"width":           func(r *Row) { r.Hidden++ },
	} {
		old := now
		change(&old)
		if err := old.belongs(now); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("another %s: %v", name, err)
		}
	}
}
