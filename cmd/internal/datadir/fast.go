package datadir

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/esper-plane/esper/subsystems/snapstore"
)

// sharedMemory is where a fast tier lies unless its operator says otherwise.
const sharedMemory = "/dev/shm"

// ErrFast: the directory of shared memory cannot hold a private fast tier.
var ErrFast = errors.New("there can be no fast tier of snapshots here")

// Fast returns the fast tier of this data directory, in a private directory of
// shared memory that is named after the log, and how many bytes of memory are free
// for it. base is the directory of shared memory; empty stands for /dev/shm, and
// where there is none nil is returned: the run has a full tier only. A base that was
// named and is not there, or a directory that others could read or write, is
// ErrFast. Close removes the directory if nothing is left in it.
func (d *Dir) Fast(base string) (*snapstore.Dir, uint64, error) {
	given := base != ""
	if !given {
		base = sharedMemory
	}
	free, err := freeMemory(base)
	if errors.Is(err, fs.ErrNotExist) && !given {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrFast, err)
	}
	path := filepath.Join(base, d.log.Origin().Name)
	if err := makePrivate(path); err != nil {
		return nil, 0, fmt.Errorf("%w: %w; name another directory with plane.fast_dir", ErrFast, err)
	}
	d.fast = snapstore.NewDir(path, false)
	return d.fast, free, nil
}

// makePrivate makes a directory that only this user can enter. One that is there
// may be another's trap: shared memory is open to everyone.
func makePrivate(path string) error {
	err := os.Mkdir(path, 0o700)
	if err == nil || !errors.Is(err, fs.ErrExist) {
		return err
	}
	var s unix.Stat_t
	if err := unix.Lstat(path, &s); err != nil {
		return err
	}
	switch {
	case s.Mode&unix.S_IFMT != unix.S_IFDIR:
		return fmt.Errorf("%s is there and is no directory", path)
	case int(s.Uid) != os.Geteuid():
		return fmt.Errorf("%s belongs to user %d", path, s.Uid)
	case s.Mode&0o077 != 0:
		return fmt.Errorf("%s is open to others (mode %#o)", path, s.Mode&0o777)
	}
	return nil
}

// freeMemory is how much may still be written to a directory of shared memory: what
// its file system has left, and no more than what the machine can give without
// swapping.
func freeMemory(dir string) (uint64, error) {
	free, _, err := freeOf(dir)
	if err != nil {
		return 0, err
	}
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	defer f.Close() // only read
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if kib, ok := strings.CutPrefix(lines.Text(), "MemAvailable:"); ok {
			n, err := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(kib, "kB")), 10, 64)
			return min(free, n<<10), err
		}
	}
	return 0, errors.New("/proc/meminfo does not say what memory is available")
}
