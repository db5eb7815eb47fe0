package datadir

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Free returns how many bytes this process may still write to the disk that the
// data directory is on, and the size of that disk. What is reserved for the
// superuser is not free.
func (d *Dir) Free() (free, total uint64, err error) { return freeOf(d.Path) }

func freeOf(path string) (free, total uint64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, 0, fmt.Errorf("cannot ask for the free space of %s: %w", path, err)
	}
	block := uint64(s.Frsize) // the unit of both counts; Bsize is the size of a good transfer
	return s.Bavail * block, s.Blocks * block, nil
}
