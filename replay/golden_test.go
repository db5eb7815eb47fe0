package replay_test

import (
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay"
)

// golden holds what real runs recorded: one log per format version, and
// incidents cut out of it. TestMakeGolden in cmd/internal/cli makes them.
const golden = "../testdata/golden"

// logSource reads a log's transitions.
type logSource struct{ *eventlog.Reader }

func (l logSource) All(from leyline.Seq) iter.Seq2[replay.Entry, error] {
	return func(yield func(replay.Entry, error) bool) {
		for e, err := range l.Reader.All(uint64(from)) {
			if err == nil && e.Kind != eventlog.KindTransition {
				continue
			}
			if !yield(replay.Entry{Seq: leyline.Seq(e.Seq), At: leyline.Instant(e.At), Payload: e.Payload}, err) {
				return
			}
		}
	}
}

// TestGoldenLogs re-decides every committed log. It runs in CI with other
// instruction sets and without gonum's assembly as well: no decision may depend
// on the machine.
func TestGoldenLogs(t *testing.T) {
	logs, err := filepath.Glob(filepath.Join(golden, "*", "log"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("no golden log: %v", err)
	}
	for _, dir := range logs {
		t.Run(filepath.Base(filepath.Dir(dir)), func(t *testing.T) {
			r, err := eventlog.OpenReader(dir)
			if err != nil {
				t.Fatal(err)
			}
			rep, err := replay.Run(t.Context(), logSource{r}, replay.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if !rep.Identical || rep.Redecided != rep.Records || rep.Records < 100 {
				t.Fatalf("%d of %d records decided again: %v", rep.Redecided, rep.Records, rep.Divergence)
			}
			var got strings.Builder
			for _, d := range rep.Digests {
				fmt.Fprintf(&got, "%s %s\n", d.Name, d.Digest)
			}
			want, err := os.ReadFile(filepath.Join(filepath.Dir(dir), "digests.txt"))
			if err != nil || got.String() != string(want) {
				t.Errorf("projections\n%swant\n%s%v", got.String(), want, err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestGoldenIncidents re-decides every committed incident on its own.
func TestGoldenIncidents(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(golden, "*", "*.esper"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden incident: %v", err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			b, err := replay.OpenBundle(f)
			if err != nil {
				t.Fatal(err)
			}
			rep, err := replay.Run(t.Context(), b.Source(), replay.Options{Start: b.Start()})
			if err != nil || !rep.Identical || rep.Redecided == 0 {
				t.Fatalf("%+v, %v", rep.Divergence, err)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
