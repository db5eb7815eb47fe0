package eventlog_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/eventlogtest"
)

var powerCuts = flag.Int("power.cuts", 5, "how often TestPowerCut cuts the power, for each file system and load")

// TestPowerCut writes to a file system on a loop device and shuts it down at
// arbitrary moments, so that what was not synced is gone and the journal ends
// anywhere. It mounts it again and looks for every record that was acknowledged.
func TestPowerCut(t *testing.T) {
	for _, fsType := range []string{"ext4", "xfs"} {
		for _, load := range []string{"small", "large"} {
			t.Run(fsType+"/"+load, func(t *testing.T) { cutPower(t, fsType, load) })
		}
	}
}

func cutPower(t *testing.T, fsType, load string) {
	d := newLoopDisk(t, fsType)
	cuts, moment := *powerCuts, rand.New(rand.NewPCG(*killSeed, 1))
	if testing.Short() {
		cuts = min(cuts, 1)
	}
	d.mount()
	k := killed{t: t, dir: filepath.Join(d.dir, "log"), last: 1, acked: map[uint64]string{}}
	d.createAndCut(k.dir)
	begin, torn, zeros := time.Now(), 0, 0
	for round := range cuts {
		w := startWriter(t, k.dir, round, "EVENTLOG_CHILD_LOAD="+load)
		k.acked = w.endAfter(moment, func() {
			if err := d.shutdown(); err != nil {
				t.Error(err)
			}
			w.cmd.Process.Kill()
		})
		k.total += len(k.acked)
		if strings.Contains(w.said(), "damage") || strings.Contains(w.said(), "FAIL") && !strings.Contains(w.said(), unix.EIO.Error()) {
			t.Fatalf("cut %d: the writer says: %s", round, w.said())
		}
		d.unmount()
		d.mount()
		k.check(round)
		l, err := eventlog.Open(k.dir, eventlog.Options{CheckAll: true, SegmentSize: 4000})
		if err != nil {
			t.Fatalf("cut %d: %v", round, err)
		}
		if l.Recovery().TornBytes > 0 {
			torn++
		}
		if l.Recovery().ZeroTail > 0 {
			zeros++
		}
		if err := l.Close(); err != nil {
			t.Fatalf("cut %d: %v", round, err)
		}
		k.check(round)
		if d.used() > 0.5 {
			k.checkAll()
			d.createAndCut(k.dir)
			k.last = 1
		}
	}
	k.checkAll()
	t.Logf("%s: %d cuts, %d records acknowledged, %d torn tails, %d tails of zeros, %v a cut", fsType, cuts, k.total, torn, zeros, time.Since(begin)/time.Duration(cuts))
}

// createAndCut makes a log and cuts the power at once.
func (d *loopDisk) createAndCut(dir string) {
	d.t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		d.t.Fatal(err)
	}
	l, err := eventlog.Create(dir, signedOrigin(), eventlogtest.Start, eventlog.Options{})
	if err != nil {
		d.t.Fatal(err)
	}
	if err := d.shutdown(); err != nil {
		d.t.Fatal(err)
	}
	if err := l.Close(); err == nil {
		d.t.Error("a log was closed on a disk without power")
	}
	d.unmount()
	d.mount()
	if got := open(d.t, dir, small); len(got.records) != 1 || got.report.Clean {
		d.t.Errorf("a log that was just created: %d records, %+v, %v", len(got.records), got.report, got.damage)
	}
}

// loopDisk is a file system in a file.
type loopDisk struct {
	t          *testing.T
	fsType     string
	image, dir string
	mounted    bool
}

// newLoopDisk makes a file system, or skips the test where that is not possible.
func newLoopDisk(t *testing.T, fsType string) *loopDisk {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting a loop device needs root")
	}
	mkfs, err := exec.LookPath("mkfs." + fsType)
	if err != nil {
		t.Skipf("there is no mkfs.%s here", fsType)
	}
	temp := t.TempDir()
	d := &loopDisk{t: t, fsType: fsType, image: filepath.Join(temp, "image"), dir: filepath.Join(temp, "mnt")}
	f, err := os.Create(d.image)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(512<<20), f.Close(), os.Mkdir(d.dir, 0o750)); err != nil {
		t.Fatal(err)
	}
	force := map[string]string{"ext4": "-F", "xfs": "-f"}[fsType]
	if out, err := exec.Command(mkfs, "-q", force, d.image).CombinedOutput(); err != nil {
		t.Skipf("mkfs.%s fails: %v: %s", fsType, err, out)
	}
	t.Cleanup(func() { d.unmount() })
	if err := d.tryMount(); err != nil {
		t.Skipf("cannot mount a loop device: %v", err)
	}
	err = d.shutdown()
	d.unmount()
	if err != nil {
		t.Skipf("%s cannot be shut down: %v", fsType, err)
	}
	return d
}

func (d *loopDisk) tryMount() error {
	out, err := exec.Command("mount", "-t", d.fsType, "-o", "loop", d.image, d.dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	d.mounted = true
	return nil
}

func (d *loopDisk) mount() {
	d.t.Helper()
	if err := d.tryMount(); err != nil {
		d.t.Fatal(err)
	}
}

// unmount may be called at any time. The loop device goes with it.
func (d *loopDisk) unmount() {
	if !d.mounted {
		return
	}
	d.mounted = false
	err := unix.Unmount(d.dir, 0)
	for i := 0; errors.Is(err, unix.EBUSY) && i < 100; i++ {
		runtime.GC() // closes what tidwall/wal has left open in a log that failed
		time.Sleep(10 * time.Millisecond)
		err = unix.Unmount(d.dir, 0)
	}
	if err != nil {
		d.t.Errorf("cannot unmount: %v", err)
		unix.Unmount(d.dir, unix.MNT_DETACH) // so that the directory can be removed
	}
}

// shutdown ends the file system as a power failure would: nothing is written any
// more, not even the journal.
func (d *loopDisk) shutdown() error {
	const (
		fsIocShutdown = 0x8004587d
		noLogFlush    = 2
	)
	f, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	err = unix.IoctlSetPointerInt(int(f.Fd()), fsIocShutdown, noLogFlush)
	return errors.Join(err, f.Close())
}

// used returns how full the disk is.
func (d *loopDisk) used() float64 {
	var s unix.Statfs_t
	if err := unix.Statfs(d.dir, &s); err != nil {
		d.t.Fatal(err)
	}
	return 1 - float64(s.Bavail)/float64(s.Blocks)
}
