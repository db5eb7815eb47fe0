package datadir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// socketName is where a plane that is served listens unless it is told another place;
// its framed lane has the suffix FastSuffix.
const socketName = "esper.sock"

// FastSuffix ends the path of a framed lane: before it comes that of the socket.
const FastSuffix = ".fast"

// SignalPath is the file of the emergency signal of a data directory.
func SignalPath(path string) string { return filepath.Join(path, signalName) }

// SocketPath is where the plane of a data directory listens by default.
func SocketPath(path string) string { return filepath.Join(path, socketName) }

// How long Enter waits for who only asks (Entered): a moment.
const (
	claimTries = 10
	claimPause = 5 * time.Millisecond
)

func claimed(path string) error {
	return fmt.Errorf("%w: another process serves %s, or is about to", ErrLocked, path)
}

// Entered returns ErrLocked when another process has claimed a data directory with
// Enter. What it finds there is half made, perhaps.
func Entered(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot ask about the data directory: %w", err)
	}
	defer f.Close() // only read; it gives up the lock
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		return claimed(path)
	}
	return nil
}

// Enter claims a data directory, which is made when it is missing, before anything is
// listened at in it: of two processes that start there at the same time one gets
// ErrLocked, and does not take the other's socket away. Closing what it returns gives
// the claim up; so does the end of the process. Open has a lock of its own.
func Enter(path string) (io.Closer, error) {
	if err := makeDir(path); err != nil {
		return nil, fmt.Errorf("cannot make %s: %w", path, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot claim the data directory: %w", err)
	}
	for range claimTries {
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
			break
		}
		time.Sleep(claimPause)
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = claimed(path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
