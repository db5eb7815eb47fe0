package eventlog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Names in the directory of a log.
const (
	formatName    = "FORMAT"
	lockName      = "LOCK"
	cleanName     = "CLEAN"
	watermarkName = "durable"
	segmentsName  = "segments"
	buildingName  = "segments.new" // a log that Create has not committed yet
	rewriteName   = "tail.new"     // a tail segment that Open has not committed yet
	tornName      = "torn"
)

const (
	dirPerm  fs.FileMode = 0o750
	filePerm fs.FileMode = 0o640
)

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// makeDir creates dir and its missing parents, each of them durably.
func makeDir(dir string) error {
	err := os.Mkdir(dir, dirPerm)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeDir(filepath.Dir(dir)); err != nil {
			return err
		}
		err = os.Mkdir(dir, dirPerm)
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

// writeSynced creates or empties a file, copies r into it and syncs it. The
// name is not durable before syncDir.
func writeSynced(name string, r io.Reader) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, filePerm)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// replaceFile puts a file with the content of r in the place of name, durably
// and at once: whoever looks sees the old file or the new one. The new one is
// written as temp, which must be on the same file system.
func replaceFile(temp, name string, r io.Reader) error {
	if err := writeSynced(temp, r); err != nil {
		return err
	}
	if err := os.Rename(temp, name); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(name)); err != nil {
		return err
	}
	if from := filepath.Dir(temp); from != filepath.Dir(name) {
		return syncDir(from)
	}
	return nil
}

// removeDurably removes a file, if it is there, so that it stays removed.
func removeDurably(name string) error {
	err := os.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(name))
}

// exists reports whether there is anything of that name.
func exists(name string) (bool, error) {
	_, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// readSmall reads a file of which more than limit bytes are not looked at, so
// that a damaged directory cannot fill the memory.
func readSmall(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, limit))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", name, err)
	}
	return b, nil
}
