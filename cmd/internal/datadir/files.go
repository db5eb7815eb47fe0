package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// tempSuffix marks a file that is being written. A crash may leave it; the next
// writer overwrites it.
const tempSuffix = ".tmp"

// makeDir makes a directory, and those above it, each durably.
func makeDir(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		return fmt.Errorf("%w: %s is a file", ErrForeign, path)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	up := filepath.Dir(path)
	if err := makeDir(up); err != nil {
		return err
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(up)
}

// writeFile writes a private file so that after a crash it is there as a whole
// or not at all.
// WriteFile replaces a file so that a crash leaves the old one or the new one, durable
// when it returns.
func WriteFile(path string, b []byte) error { return writeFile(path, b) }

func writeFile(path string, b []byte) error {
	f, err := os.OpenFile(path+tempSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+tempSuffix, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// acquire takes the lock of a data directory. It ends with the process, however
// that ends. A second lock, of the kind that belongs to an open file description,
// is only there to be asked about: checkUnlocked sees it without taking any. The
// number in the file is for messages only.
func acquire(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock the data directory: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = inUse(f)
	}
	if err == nil {
		err = unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
	}
	if err == nil {
		err = writePID(f)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// inUse says who holds a lock. A number that cannot be read is missing from the
// message.
func inUse(f *os.File) error {
	owner := make([]byte, 32)
	n, _ := f.ReadAt(owner, 0)
	return fmt.Errorf("%w: process %s has %s open", ErrLocked, strings.TrimSpace(string(owner[:n])), filepath.Dir(f.Name()))
}

// checkUnlocked returns ErrLocked when another process has a data directory open
// for writing at this moment. It takes no lock.
func checkUnlocked(dir string) error {
	f, err := os.Open(filepath.Join(dir, lockName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot ask about the lock of the data directory: %w", err)
	}
	defer f.Close() // only read
	l := unix.Flock_t{Type: unix.F_RDLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &l); err != nil {
		return fmt.Errorf("cannot ask about %s: %w", f.Name(), err)
	}
	if l.Type != unix.F_UNLCK {
		return inUse(f)
	}
	return nil
}

func writePID(f *os.File) error {
	pid := fmt.Appendf(nil, "%d\n", os.Getpid())
	if _, err := f.WriteAt(pid, 0); err != nil {
		return fmt.Errorf("cannot write %s: %w", f.Name(), err)
	}
	return f.Truncate(int64(len(pid)))
}
