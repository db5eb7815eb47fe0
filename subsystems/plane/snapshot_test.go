package plane_test

import (
	"context"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/tensorfile"
)

// TestSnapshotIsWhatThePlaneReads reports snapshots that are not what the trainer
// says: only what the door has read and found to match is registered, and each of
// the others is refused for a reason.
func TestSnapshotIsWhatThePlaneReads(t *testing.T) {
	ctx, b := context.Background(), newBench(t)
	log := b.newLog()
	p, err := b.start(ctx, log)
	if err != nil {
		t.Fatal(err)
	}
	open, err := p.Open(ctx, leyline.RunOpened{
		Run: "run-1", Workload: "test", Framework: "go-gonum", Posture: leyline.Posture{Version: "1", Device: "cpu"}, Tasks: []leyline.TaskID{"a"}, Parameters: 1, Steps: 9,
		Away: leyline.AwayStop, Principal: leyline.PrincipalProcess,
	})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(b.snapshots, "run-1")
	bytes, err := tensorfile.Encode(nil, []tensorfile.Tensor{{Name: "a", Shape: []int{1}, Data: []float64{1}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "cut-short"), bytes[:len(bytes)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	reasons := map[leyline.SnapshotID]string{}
	for _, c := range []struct {
		id     leyline.SnapshotID
		reason string // part of why it is refused; empty: it is registered
		change func(x *leyline.SnapshotTaken)
	}{
		{"missing", "no such file", func(x *leyline.SnapshotTaken) { x.File = "never-written" }},
		{"longer", "bytes, the trainer reported", func(x *leyline.SnapshotTaken) { x.Bytes++ }},
		{"other", "the file hashes to", func(x *leyline.SnapshotTaken) { x.Digest = sha256.Sum256([]byte("another")) }},
		{"vouched", "no such file", func(x *leyline.SnapshotTaken) { x.File, x.Measured = "never-written", x.Digest }},
		{"unwritten", "no space left", func(x *leyline.SnapshotTaken) { x.Unwritten = "no space left" }},
		{"cut", "ends at 8, after the data of 7 bytes", func(x *leyline.SnapshotTaken) { x.File = "cut-short" }},
		{"good", "", func(*leyline.SnapshotTaken) {}},
	} {
		x := leyline.SnapshotTaken{
			Run: "run-1", Incarnation: open.Incarnation, Snapshot: c.id, Tier: leyline.TierFull, File: string(c.id),
			Bytes: uint64(len(bytes)), Digest: sha256.Sum256(bytes),
		}
		c.change(&x)
		if err := os.WriteFile(filepath.Join(dir, string(c.id)), bytes, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Snapshot(ctx, x, 0); err != nil {
			t.Errorf("%s: %v", c.id, err)
		}
		reasons[c.id] = c.reason
	}
	if err := p.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	for _, r := range records(t, log) {
		in, ok := r.Input.(leyline.SnapshotTaken)
		if !ok {
			continue
		}
		why := ""
		for _, e := range r.Events {
			if x, ok := e.(leyline.SnapshotRefused); ok {
				why = x.Reason
			}
		}
		want := reasons[in.Snapshot]
		if (why == "") != (want == "") || !strings.Contains(why, want) {
			t.Errorf("%s: refused for %q, want %q", in.Snapshot, why, want)
		}
		delete(reasons, in.Snapshot)
	}
	if len(reasons) > 0 {
		t.Errorf("not in the log: %v", reasons)
	}
}
