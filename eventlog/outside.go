package eventlog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/esper-plane/esper/eventlog/internal/disk"
)

// makeDurable syncs a file and its name.
func makeDurable(fsys disk.FS, name string) error {
	f, err := fsys.OpenFile(name, os.O_RDWR, filePerm)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return fsys.SyncDir(filepath.Dir(name))
}

// outside refuses a directory that is dir or lies in it: a file cannot be moved
// to where it is, and nothing else belongs into a log.
func outside(dir, to string) error {
	log, err := os.Stat(dir)
	if err != nil {
		return err
	}
	at, err := filepath.Abs(to)
	if err != nil {
		return err
	}
	for {
		if real, err := filepath.EvalSymlinks(at); err == nil {
			at = real
		} else if target, err := os.Readlink(at); err == nil { // to what is not there yet
			if !filepath.IsAbs(target) {
				target = filepath.Join(filepath.Dir(at), target)
			}
			at = filepath.Dir(target)
		}
		info, err := os.Stat(at)
		if err == nil && os.SameFile(info, log) {
			return fmt.Errorf("%w: %s is in the log", ErrInvalid, to)
		}
		up := filepath.Dir(at)
		if up == at {
			return nil
		}
		at = up
	}
}
