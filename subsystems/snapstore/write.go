package snapstore

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/esper-plane/esper/leyline"
)

// tempSuffix marks a file that is being written.
const tempSuffix = ".tmp"

// Write implements Store.
//
// What recovery finds if it stops: before the rename a temporary file, which no
// registered snapshot names; after it the whole file, perhaps under a name that the
// directory forgets when the power fails before its sync. The caller reports the
// file only after that, so nothing that is registered can be missing.
func (d *Dir) Write(run leyline.RunID, file string, fill func(io.Writer) error) error {
	dir := filepath.Join(d.path, string(run))
	if err := d.make(dir); err != nil {
		return err
	}
	tmp := filepath.Join(dir, file+tempSuffix)
	err := d.writeTemp(tmp, fill)
	if err == nil {
		err = os.Rename(tmp, filepath.Join(dir, file))
	}
	if err == nil {
		return d.sync(dir)
	}
	if rerr := os.Remove(tmp); !errors.Is(rerr, fs.ErrNotExist) {
		err = errors.Join(err, rerr)
	}
	return err
}

func (d *Dir) writeTemp(path string, fill func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, chunk)
	err = fill(w)
	if err == nil {
		err = w.Flush()
	}
	if err == nil && d.durable {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// make makes a directory, and those above it that are missing, so that the names
// survive a power cut: every parent is synced after it got a child.
func (d *Dir) make(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(filepath.Clean(dir))
	if parent != dir {
		if err := d.make(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return d.sync(parent)
}

func (d *Dir) sync(dir string) error {
	if !d.durable {
		return nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
