package eventlog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/esper-plane/esper/eventlog/internal/disk"
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
	tempSuffix    = ".new" // of a file that is not committed yet
	sealsName     = "seals"
	hashesName    = "hashes"
	noteName      = "checkpoint"
	archiveName   = "archive"
	prunedName    = "PRUNED"
)

const (
	dirPerm  fs.FileMode = 0o750
	filePerm fs.FileMode = 0o640
)

// makeDir creates dir and its missing parents, each of them durably. A dir that
// is there is made durable as well: who made it may have stopped before that.
func makeDir(fsys disk.FS, dir string) error {
	err := fsys.Mkdir(dir, dirPerm)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeDir(fsys, filepath.Dir(dir)); err != nil {
			return err
		}
		err = fsys.Mkdir(dir, dirPerm)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return fsys.SyncDir(filepath.Dir(dir))
}

// writeSynced creates or empties a file, copies r into it and syncs it. The
// name is not durable before SyncDir.
func writeSynced(fsys disk.FS, name string, r io.Reader) error {
	f, err := fsys.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, filePerm)
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
func replaceFile(fsys disk.FS, temp, name string, r io.Reader) error {
	if filepath.Dir(temp) != filepath.Dir(name) {
		// A crash between the syncs of two directories may have left the file
		// under both names: then writing to temp would destroy what r reads.
		if err := fsys.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := writeSynced(fsys, temp, r); err != nil {
		return err
	}
	if err := fsys.Rename(temp, name); err != nil {
		return err
	}
	if err := fsys.SyncDir(filepath.Dir(name)); err != nil {
		return err
	}
	if from := filepath.Dir(temp); from != filepath.Dir(name) {
		return fsys.SyncDir(from)
	}
	return nil
}

// removeDurably removes a file, if it is there, so that it stays removed.
func removeDurably(fsys disk.FS, name string) error {
	err := fsys.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return fsys.SyncDir(filepath.Dir(name))
}

// exists reports whether there is anything of that name.
func exists(name string) (bool, error) {
	_, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// sizeOf returns the length of a file, 0 if there is none.
func sizeOf(name string) (int64, error) {
	info, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
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
