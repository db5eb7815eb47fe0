package plane_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/tensorfile"
)

// TestSnapshotsOfANeighbour: a run that has files read which take for ever does not keep
// the plane from reading those of another.
func TestSnapshotsOfANeighbour(t *testing.T) {
	ctx, b := t.Context(), newBench(t)
	p, err := b.start(ctx, b.newLog())
	if err != nil {
		t.Fatal(err)
	}
	good, err := tensorfile.Encode(nil, []tensorfile.Tensor{{Name: "a", Shape: []int{1}, Data: []float64{1}}})
	if err != nil {
		t.Fatal(err)
	}
	const long = 1 << 40 // bytes that are nowhere
	head := fmt.Sprintf(`{"a":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}`, long, long)
	endless := append(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head...)
	taken := map[leyline.RunID]leyline.SnapshotTaken{}
	for run, bytes := range map[leyline.RunID][]byte{"run-1": endless, "run-2": good} {
		a, err := p.Open(ctx, leyline.RunOpened{
			Run: run, Workload: "test", Framework: "go-gonum", Posture: leyline.Posture{Version: "1", Device: "cpu"}, Tasks: []leyline.TaskID{"a"}, Parameters: 1, Steps: 9,
			Away: leyline.AwayStop, Principal: leyline.PrincipalProcess,
		})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(b.snapshots, string(run), "s")
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, bytes, 0o600); err != nil {
			t.Fatal(err)
		}
		taken[run] = leyline.SnapshotTaken{
			Run: run, Incarnation: a.Incarnation, Snapshot: "s", Tier: leyline.TierFull, File: "s", Bytes: uint64(len(bytes)), Digest: sha256.Sum256(bytes),
		}
	}
	if err := os.Truncate(filepath.Join(b.snapshots, "run-1", "s"), int64(len(endless))+long); err != nil {
		t.Fatal(err)
	}
	held, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			if _, err := p.Snapshot(held, taken["run-1"], 0); err == nil {
				t.Error("what takes for ever was read")
			}
		})
	}
	for p.WorkerStats().Running == 0 {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond) // for the others to come
	soon, end := context.WithTimeout(ctx, 20*time.Second)
	defer end()
	if _, err := p.Snapshot(soon, taken["run-2"], 0); err != nil {
		t.Errorf("the neighbour: %v", err)
	}
	cancel()
	all.Wait()
	if err := p.Shutdown(ctx); err != nil {
		t.Error(err)
	}
}
