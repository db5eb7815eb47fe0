package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/esper-plane/esper/leyline"
)

// sequenceSuffix ends the name of the file, beside a key, that holds the number of its
// last command.
const sequenceSuffix = ".sequence"

// errNoSequence says that nobody knows what a key has spent.
var errNoSequence = errors.New("which numbers this key has spent is not known")

// lockKey lets nobody else use a key file until unlock is called, or the process ends.
// Whoever else wants to command with it waits: so no number is used twice, and commands
// reach a plane in the order of their numbers, as it demands.
func lockKey(key string) (unlock func(), err error) {
	f, err := os.Open(key)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot lock %s: %w", key, err), f.Close())
	}
	return func() { f.Close() }, nil // which unlocks it, and nothing was written
}

// spend returns the number of the next command of a key that is locked, above every one
// that was returned before. The number is on the disk when it is returned, so a process
// that dies now leaves a gap and never a number that is used twice.
//
// floor is the highest number that a plane has seen, if known. Without the file and
// without a plane nothing is made up. want, unless 0, is the number to spend; it must be
// above the last one.
func spend(key string, id leyline.KeyID, floor uint64, known bool, want uint64) (n uint64, err error) {
	path := key + sequenceSuffix
	last, err := readSequence(path, id)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !known && want == 0:
		return 0, usageError{fmt.Errorf("%w: %s is missing; name the plane with --to so that it is asked, or the number with --sequence: "+
			"1 for a key that never signed a command", errNoSequence, path)}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return 0, err
	}
	last = max(last, floor)
	switch {
	case last == ^uint64(0):
		return 0, fmt.Errorf("%s: the key has spent its last number; enrol another key", path)
	case want != 0 && want <= last:
		return 0, usagef("--sequence %d: %d is spent already, the plane would reject it", want, last)
	case want == 0:
		want = last + 1
	}
	return want, writeSequence(path, id, want)
}

// readSequence reads the last number of a key. A file of another key, or one that esper
// did not write, is an error: to guess could spend a number twice.
func readSequence(path string, id leyline.KeyID) (uint64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	owner, number, found := strings.Cut(string(bytes.TrimSuffix(b, []byte("\n"))), " ")
	n, err := strconv.ParseUint(number, 10, 64)
	if !found || err != nil {
		return 0, fmt.Errorf("%s is damaged; remove it, and the plane is asked for the last number with --to", path)
	}
	if owner != string(id) {
		return 0, fmt.Errorf("%s belongs to key %s, this is key %s", path, owner, id)
	}
	return n, nil
}

// writeSequence replaces the file in one durable step.
func writeSequence(path string, id leyline.KeyID, n uint64) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s %d\n", id, n)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("cannot write %s: %w", path, err), os.Remove(f.Name()))
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a new name in a directory durable.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
