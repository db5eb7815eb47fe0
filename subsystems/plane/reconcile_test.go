package plane_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// TestRegistryAndDirectoriesAreReconciled changes both tiers while nothing runs.
// Every disagreement is a record, and nothing of it is left.
func TestRegistryAndDirectoriesAreReconciled(t *testing.T) {
	file := func(r *projections.Run, t leyline.Tier) string { return r.Snapshots[0].Copy(t).File }
	for name, c := range map[string]struct {
		damage  func(b *bench, r *projections.Run) error
		tier    leyline.Tier
		why     leyline.EvictReason
		problem string
		n       int
	}{
		"full copy missing": {func(b *bench, r *projections.Run) error {
			return os.Remove(filepath.Join(b.snapshots, "run-1", file(r, leyline.TierFull)))
		}, leyline.TierFull, leyline.EvictLost, "the file is missing", 1},
		"full copy cut": {func(b *bench, r *projections.Run) error {
			return os.Truncate(filepath.Join(b.snapshots, "run-1", file(r, leyline.TierFull)), 9)
		}, leyline.TierFull, leyline.EvictLost, "the file has 9 bytes", 1},
		"fast copy changed": {func(b *bench, r *projections.Run) error {
			return flip(filepath.Join(b.fast, "run-1", file(r, leyline.TierFast)))
		}, leyline.TierFast, leyline.EvictLost, "the file hashes to", 1},
		"full copy is no tensors any more": {func(b *bench, r *projections.Run) error {
			path := filepath.Join(b.snapshots, "run-1", file(r, leyline.TierFull))
			info, err := os.Stat(path)
			return errors.Join(err, os.WriteFile(path, make([]byte, info.Size()), 0o600))
		}, leyline.TierFull, leyline.EvictLost, "safetensors: header", 1},
		"memory gone after a reboot": {func(b *bench, r *projections.Run) error { return os.RemoveAll(b.fast) },
			leyline.TierFast, leyline.EvictLost, "the file is missing", 3},
		"no fast tier any more": {func(b *bench, r *projections.Run) error { b.fast = ""; return nil },
			leyline.TierFast, leyline.EvictNoRoom, "", 3},
		"a file on disk that nobody registered": {func(b *bench, r *projections.Run) error {
			return os.WriteFile(filepath.Join(b.snapshots, "run-1", "stray"), []byte("x"), 0o600)
		}, leyline.TierFull, leyline.EvictOrphaned, "no registered snapshot names it", 1},
		"a file in memory of a run that nobody knows": {func(b *bench, r *projections.Run) error {
			return errors.Join(os.Mkdir(filepath.Join(b.fast, "run-9"), 0o700), os.WriteFile(filepath.Join(b.fast, "run-9", "stray"), []byte("x"), 0o600))
		}, leyline.TierFast, leyline.EvictOrphaned, "no registered snapshot names it", 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			log := b.runUntil(b.newLog(), 30, 36)
			before := uint64(len(records(t, log)))
			if err := c.damage(b, mustRedecide(t, log).Tolaria.Run("run-1")); err != nil {
				t.Fatal(err)
			}
			p, err := b.start(t.Context(), log)
			if err != nil {
				t.Fatal(err)
			}
			var found []leyline.SnapshotEvicted
			for end := time.Now().Add(10 * time.Second); len(found) < c.n && time.Now().Before(end); time.Sleep(time.Millisecond) {
				if err := p.View(t.Context(), func(*projections.State) {}); err != nil {
					t.Fatal(err)
				}
				found = only[leyline.SnapshotEvicted](records(t, log)[before:])
			}
			if err := p.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
			found = only[leyline.SnapshotEvicted](records(t, log)[before:])
			if len(found) != c.n {
				t.Fatalf("%d disagreements are recorded, want %d: %+v", len(found), c.n, found)
			}
			for _, x := range found {
				if x.Tier != c.tier || x.Why != c.why || !strings.Contains(x.Detail, c.problem) {
					t.Errorf("recorded %+v", x)
				}
				for _, dir := range []string{b.snapshots, b.fast} {
					if _, err := os.Stat(filepath.Join(dir, string(x.Run), x.File)); x.Tier == c.tier && (dir == b.fast) == (c.tier == leyline.TierFast) && !errors.Is(err, os.ErrNotExist) {
						t.Errorf("%s is still there: %v", x.File, err)
					}
				}
			}
			mustRedecide(t, log)
		})
	}
}

// flip changes the last byte of a file.
func flip(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	b[len(b)-1] ^= 1
	return os.WriteFile(path, b, 0o600)
}

// TestMemoryIsLeftEmpty holds the fast tier to be used while a run is on and to be
// empty after it.
func TestMemoryIsLeftEmpty(t *testing.T) {
	b := newBench(t)
	log := b.newLog()
	b.finish(log, 22)
	rs := records(t, log)
	n := 0
	for _, x := range only[leyline.SnapshotRegistered](rs) {
		if x.Tier == leyline.TierFast {
			n++
		}
	}
	if n == 0 {
		t.Error("no copy was taken in the fast tier")
	}
	if _, err := os.Stat(b.fast); !errors.Is(err, os.ErrNotExist) {
		left, _ := filepath.Glob(filepath.Join(b.fast, "*", "*"))
		t.Errorf("the fast tier holds %v, %v", left, err)
	}
}
