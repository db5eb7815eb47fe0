package cli

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/esper-plane/esper/eventlog"
)

func newBench(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure the event log beside what the disk can do, and the policy beside its controls",
		Long: "Measure the event log on this machine. A disk changes from minute to minute, so\nevery number comes with that of a bare file from the same moments: each round\nvisits every peer, each round begins with the next one, and a ratio is the median\nof the ratios within the rounds. Compare ratios, not records/s of different runs; a\nwide min..max means a busy machine.\n\n" +
			"The peers of the log here need nothing but a file. The logs that others have built are\ncompared in eventlog/internal/peerbench, a module of its own.\n\n`esper bench policy` measures something else: what the rules policy does for a network.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(newBenchAppend(a), newBenchRead(a), newBenchSignal(a), newBenchRollback(a), newBenchPolicy(a), newBenchServe(a))
	return c
}

// benchFlags are those of every bench.
type benchFlags struct {
	dir    string
	rounds int
}

func (f *benchFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.dir, "dir", ".", "directory on the disk to measure; what is written there is in one folder esper-bench-*,\nwhich is removed at the end and after an interrupt")
	c.Flags().IntVar(&f.rounds, "rounds", 5, "how often every peer is measured")
}

func (f *benchFlags) check() error {
	if f.rounds < 1 {
		return usagef("--rounds %d; want 1 or more", f.rounds)
	}
	if info, err := os.Stat(f.dir); err != nil || !info.IsDir() {
		return usagef("--dir %s is no directory", f.dir)
	}
	return nil
}

// checkRecordSize refuses a size that a frame cannot have. A record here is as
// long as its frame, so that esper and the bare files write as many bytes.
func checkRecordSize(size int) error {
	const largest = 1 << 20
	if size <= eventlog.HeaderSize || size > largest {
		return usagef("--size %d; want %d to %d bytes, the header of a frame included", size, eventlog.HeaderSize+1, largest)
	}
	return nil
}

// inBenchDir calls do with a new directory under parent and removes it.
func inBenchDir(parent, pattern string, do func(dir string) error) (err error) {
	dir, err := os.MkdirTemp(parent, pattern)
	if err != nil {
		return fmt.Errorf("cannot make a directory to measure in: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return do(dir)
}

// settle ends what earlier runs have left to do: it writes back the file system
// of dir and collects garbage.
func settle(dir string) (err error) {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	runtime.GC()
	return unix.Syncfs(int(f.Fd()))
}

// rotated returns the peers with another one first in every round.
func rotated[P any](peers []P, round int) []P {
	n := round % len(peers)
	return append(append([]P(nil), peers[n:]...), peers[:n]...)
}

// benchHost is what a reader must know to judge the numbers.
type benchHost struct {
	Go         string `json:"go"`
	CPUs       int    `json:"cpus"`
	OS         string `json:"os"`
	FileSystem string `json:"file_system"`
}

func hostOf(dir string) (benchHost, error) {
	h := benchHost{Go: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.GOMAXPROCS(0)}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return h, fmt.Errorf("cannot tell the operating system: %w", err)
	}
	h.OS = unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return h, fmt.Errorf("cannot tell the file system of %s: %w", dir, err)
	}
	h.FileSystem = fileSystemName(int64(s.Type))
	return h, nil
}

// memoryOnly is a file system on which a sync means nothing.
const memoryOnly = "tmpfs"

func fileSystemName(magic int64) string {
	switch magic {
	case unix.EXT4_SUPER_MAGIC:
		return "ext4"
	case unix.XFS_SUPER_MAGIC:
		return "xfs"
	case unix.BTRFS_SUPER_MAGIC:
		return "btrfs"
	case unix.OVERLAYFS_SUPER_MAGIC:
		return "overlayfs"
	case unix.NFS_SUPER_MAGIC:
		return "nfs"
	case unix.TMPFS_MAGIC, unix.RAMFS_MAGIC:
		return memoryOnly
	}
	return fmt.Sprintf("type %#x", magic)
}

// describeHost looks at the machine and warns of what makes numbers worthless.
func (a *app) describeHost(dir string) (benchHost, error) {
	h, err := hostOf(dir)
	if err == nil && h.FileSystem == memoryOnly {
		a.notice("%s is in memory: a sync there means nothing; choose a disk with --dir", dir)
	}
	return h, err
}

// String is one line.
func (h benchHost) String() string {
	return fmt.Sprintf("%s, %d CPUs, %s, %s", h.Go, h.CPUs, h.OS, h.FileSystem)
}
