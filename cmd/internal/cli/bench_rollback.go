package cli

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay/sla"
	"github.com/esper-plane/esper/subsystems/snapstore"
)

type rollbackFlags struct {
	benchFlags
	fast  string
	tier  string
	sizes []int
}

func newBenchRollback(a *app) *cobra.Command {
	var f rollbackFlags
	c := &cobra.Command{
		Use:   "rollback",
		Short: "Measure how long snapshots of any size take to be restored, and how late a deadline stops that",
		Long: "Measure the restore of snapshots from both tiers: the plane prepares the bytes (of a large copy\n" +
			"in shared memory it looks at size and header), the trainer reads and checks them into memory\nthat it has. " +
			"The full tier is read from the disk, not from the page cache. Beside it the same file is\ncopied by io.Copy. Then restores are stopped by a deadline on their way: how late did they stop?\n\n" +
			"The budgets are those of the default configuration.",
		Example: "  esper bench rollback\n  esper bench rollback --mib 4096 --rounds 3 --tier fast",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.benchRollback(cmd.Context(), f) },
	}
	f.add(c)
	c.Flags().StringVar(&f.fast, "fast-dir", "/dev/shm", "directory of shared memory for the fast tier; empty: full tier only")
	c.Flags().StringVar(&f.tier, "tier", "", "only this tier, fast or full; empty: both")
	c.Flags().IntSliceVar(&f.sizes, "mib", []int{1, 16, 256, 1024}, "sizes of the snapshot in MiB")
	return c
}

func (f *rollbackFlags) check() error {
	for _, n := range f.sizes {
		if n < 1 || n > 1<<16 {
			return usagef("--mib %d; want 1 to 65536", n)
		}
	}
	if f.tier != "" && f.tier != leyline.TierFast.String() && f.tier != leyline.TierFull.String() {
		return usagef("--tier %q; want fast or full", f.tier)
	}
	if info, err := os.Stat(f.fast); f.fast != "" && (err != nil || !info.IsDir()) {
		return usagef("--fast-dir %s is no directory", f.fast)
	}
	return f.benchFlags.check()
}

// restoreTimes is what restoring one size from one tier took.
type restoreTimes struct {
	Tier     leyline.Tier     `json:"tier"`
	MiB      int              `json:"mib"`
	Bytes    uint64           `json:"bytes"` // saved, and restored in every round
	BudgetMs float64          `json:"budget_ms"`
	Restore  sla.Distribution `json:"restore_ms"`
	Copy     sla.Distribution `json:"copy_ms"`
	Late     sla.Distribution `json:"stopped_after_deadline_ms"`
	Within   bool             `json:"within_budget"` // every round
	Same     bool             `json:"bytes_restored_equal_saved"`
}

func (a *app) benchRollback(ctx context.Context, f rollbackFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	var all []restoreTimes
	do := func(t leyline.Tier, s *snapstore.Dir) error {
		for _, mib := range f.sizes {
			r, err := measureRestore(ctx, s, t, mib, f.rounds)
			if err != nil {
				return fmt.Errorf("%s tier, %d MiB: %w", t, mib, err)
			}
			all = append(all, r)
		}
		return nil
	}
	if f.fast != "" && f.tier != leyline.TierFull.String() {
		if err := inBenchDir(f.fast, "esper-bench-*", func(dir string) error { return do(leyline.TierFast, snapstore.NewDir(dir, false)) }); err != nil {
			return err
		}
	}
	if f.tier != leyline.TierFast.String() {
		if err := inBenchDir(f.dir, "esper-bench-*", func(dir string) error { return do(leyline.TierFull, snapstore.NewDir(dir, true)) }); err != nil {
			return err
		}
	}
	return a.printRestores(f.rounds, all)
}

func (a *app) printRestores(rounds int, all []restoreTimes) error {
	if a.json {
		return a.document(struct {
			Rounds   int            `json:"rounds"`
			Restores []restoreTimes `json:"restores"`
		}{rounds, all})
	}
	w := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(w, "tier\tMiB\trestore p50\tp95\tmax\tbudget\tcopy p50\trestore/copy\tstopped late p50\tmax\tbytes\n")
	for _, r := range all {
		fmt.Fprintf(w, "%s\t%d\t%.2f ms\t%.2f\t%.2f\t%.0f ms%s\t%.2f ms\t%.2f\t%.2f ms\t%.2f\t%s\n", r.Tier, r.MiB, r.Restore.P50, r.Restore.P95, r.Restore.Max,
			r.BudgetMs, map[bool]string{true: "", false: " MISSED"}[r.Within], r.Copy.P50, r.Restore.P50/r.Copy.P50, r.Late.P50, r.Late.Max,
			map[bool]string{true: "equal", false: "DIFFER"}[r.Same])
	}
	return w.Flush()
}

const (
	benchRun  = leyline.RunID("bench")
	benchFile = "snapshot"
)

// measureRestore writes a snapshot and restores it round by round, each time after
// a copy of the same bytes.
func measureRestore(ctx context.Context, s *snapstore.Dir, t leyline.Tier, mib, rounds int) (restoreTimes, error) {
	config := leyline.DefaultConfig().Tolaria
	r := restoreTimes{Tier: t, MiB: mib, BudgetMs: float64(config.RollbackFull), Within: true, Same: true}
	if t == leyline.TierFast {
		r.BudgetMs = float64(config.RollbackFast)
	}
	if err := s.Write(benchRun, benchFile, func(w io.Writer) error { return writeTensors(w, mib) }); err != nil {
		return r, err
	}
	saved, err := snapstore.Sum(ctx, s, benchRun, benchFile)
	if err != nil {
		return r, err
	}
	r.Bytes = saved.Bytes
	b := &restorer{s: s, staging: make([]byte, saved.Bytes), ref: leyline.SnapshotRef{
		Snapshot: benchFile, Tier: t, File: benchFile, Bytes: saved.Bytes, Digest: saved.Digest, Check: saved.Check,
	}}
	var restores, copies, late []float64
	for range rounds {
		took, err := b.copy(ctx)
		if err != nil {
			return r, err
		}
		copies = append(copies, took)
		took, same, err := b.restore(ctx)
		if err != nil {
			return r, err
		}
		restores = append(restores, took)
		r.Same, r.Within = r.Same && same, r.Within && took <= r.BudgetMs
	}
	half := sla.Distribute(restores).P50 / 2
	for i := range 4 * rounds {
		ms, err := b.stop(ctx, time.Duration(half*1e6*float64(i+1)/float64(2*rounds)))
		if err != nil {
			return r, err
		}
		if ms >= 0 {
			late = append(late, ms)
		}
	}
	r.Restore, r.Copy, r.Late = sla.Distribute(restores), sla.Distribute(copies), sla.Distribute(late)
	return r, errors.Join(s.Remove(benchRun, benchFile), ctx.Err())
}

// writeTensors writes a safetensors file of one tensor.
func writeTensors(w io.Writer, mib int) error {
	h := fmt.Sprintf(`{"weights":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}`, mib<<20, mib<<20)
	if _, err := w.Write(append(binary.LittleEndian.AppendUint64(nil, uint64(len(h))), h...)); err != nil {
		return err
	}
	b := make([]byte, 1<<20)
	for i := range mib {
		for j := 0; j < len(b); j += 8 {
			binary.LittleEndian.PutUint64(b[j:], uint64(i<<20+j)*0x9e3779b97f4a7c15)
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// restorer restores one snapshot again and again, as plane and trainer do.
type restorer struct {
	s       *snapstore.Dir
	ref     leyline.SnapshotRef
	staging []byte
}

// cold makes the next read of the full tier come from the disk.
func (b *restorer) cold() error {
	if b.ref.Tier != leyline.TierFull {
		return nil
	}
	f, err := os.Open(filepath.Join(b.s.Path(), string(benchRun), benchFile))
	if err != nil {
		return err
	}
	return errors.Join(unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED), f.Close())
}

// restore prepares and restores, and returns the milliseconds of both.
func (b *restorer) restore(ctx context.Context) (float64, bool, error) {
	if err := b.cold(); err != nil {
		return 0, false, err
	}
	began := time.Now()
	err := b.prepare(ctx)
	if err != nil {
		return 0, false, err
	}
	all, sums, err := snapstore.Load(ctx, b.s, benchRun, b.ref, b.staging)
	took := float64(time.Since(began)) / 1e6
	same := uint64(len(all)) == b.ref.Bytes && sums.Check == b.ref.Check && (sums.Digest == b.ref.Digest || b.ref.Quick())
	return took, same, err
}

func (b *restorer) prepare(ctx context.Context) error {
	if b.ref.Quick() {
		_, err := snapstore.Peek(ctx, b.s, benchRun, benchFile)
		return err
	}
	_, err := snapstore.Sum(ctx, b.s, benchRun, benchFile)
	return err
}

// copy copies the file beside itself.
func (b *restorer) copy(ctx context.Context) (float64, error) {
	if err := b.cold(); err != nil {
		return 0, err
	}
	from, _, err := b.s.Open(ctx, benchRun, benchFile)
	if err != nil {
		return 0, err
	}
	to, err := os.Create(filepath.Join(b.s.Path(), string(benchRun), "copy"))
	if err != nil {
		return 0, errors.Join(err, from.Close())
	}
	began := time.Now()
	_, err = io.Copy(to, from)
	took := float64(time.Since(began)) / 1e6
	return took, errors.Join(err, from.Close(), to.Close(), os.Remove(to.Name()))
}

// stop restores under a deadline and returns by how many milliseconds the work ended
// after it; less than 0 when it was done before.
func (b *restorer) stop(ctx context.Context, after time.Duration) (float64, error) {
	deadline := time.Now().Add(after)
	bounded, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	_, _, err := snapstore.Load(bounded, b.s, benchRun, b.ref, b.staging)
	if errors.Is(err, context.DeadlineExceeded) {
		return float64(time.Since(deadline)) / 1e6, nil
	}
	return -1, err
}
