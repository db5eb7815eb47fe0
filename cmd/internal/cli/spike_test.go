package cli

import (
	"encoding/json"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/esper-plane/esper/replay/sla"
	"github.com/esper-plane/esper/replay/workload"
)

// lastSummary is the summary at the end of the JSON lines of a run.
func lastSummary(t *testing.T, out string) (s struct {
	Tasks     []workload.TaskResult
	Rollbacks []sla.Rollback
}) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(out), "\n")
	doc := struct{ Summary any }{&s}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &doc); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSpikeIsUndone damages real weights of the digits network: the loss stays
// finite, the damage is caught, exactly the saved bytes are restored, and the
// accuracy ends within one point of the same run without the fault.
func TestSpikeIsUndone(t *testing.T) {
	args := []string{"run", "--json", "--workload", "multimnist", "--steps", "320", "--data"}
	hurt := lastSummary(t, esper(t, 0, append(args, filepath.Join(t.TempDir(), "hurt"), "--fault", "loss-spike@230")...))
	whole := lastSummary(t, esper(t, 0, append(args, filepath.Join(t.TempDir(), "whole"))...))
	if len(whole.Rollbacks) != 0 || len(hurt.Rollbacks) != 1 {
		t.Fatalf("%d rollbacks with the fault, %d without", len(hurt.Rollbacks), len(whole.Rollbacks))
	}
	b := hurt.Rollbacks[0]
	if b.Cause.String() != "diverged" || b.FaultStep != 230 || b.ToStep != 200 || !b.WithinSLA {
		t.Errorf("rolled back %+v", b)
	}
	if b.Saved != b.Restored || b.Saved.IsZero() {
		t.Errorf("saved %s, restored %s", b.Saved.Short(), b.Restored.Short())
	}
	for i, task := range hurt.Tasks {
		if d := task.Accuracy - whole.Tasks[i].Accuracy; math.Abs(d) > 0.01 || task.Accuracy < 0.8 {
			t.Errorf("%s: %.3f with the fault, %.3f without", task.Task, task.Accuracy, whole.Tasks[i].Accuracy)
		}
	}
}
