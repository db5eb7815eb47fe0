package eventlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// acquire takes the log for one writer. The exclusion is an flock(2), which
// also holds between two handles of one process and ends with the process
// however it ends. A second lock, of the kind that belongs to an open file
// description, is only there to be asked about: writerAlive can see it without
// taking any lock itself.
func acquire(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, filePerm)
	if err != nil {
		return nil, err
	}
	if err := takeLocks(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	// The number is for messages only, so its loss would not matter.
	pid := fmt.Appendf(nil, "%d\n", os.Getpid())
	if _, err := f.WriteAt(pid, 0); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := f.Truncate(int64(len(pid))); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func takeLocks(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		owner, _ := readSmall(f.Name(), 32)
		return fmt.Errorf("%w: %s is held by process %s", ErrLocked, f.Name(), strings.TrimSpace(string(owner)))
	}
	if err != nil {
		return fmt.Errorf("cannot lock %s: %w", f.Name(), err)
	}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}); err != nil {
		return fmt.Errorf("cannot mark %s as live: %w", f.Name(), err)
	}
	return nil
}

// writerAlive reports whether a writer holds the log at this moment. It takes
// no lock and needs only read permission.
func writerAlive(dir string) (bool, error) {
	f, err := os.Open(filepath.Join(dir, lockName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	l := unix.Flock_t{Type: unix.F_RDLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &l); err != nil {
		return false, fmt.Errorf("cannot ask about %s: %w", f.Name(), err)
	}
	return l.Type != unix.F_UNLCK, nil
}
