package tree

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"

	"golang.org/x/mod/sumdb/tlog"
)

// newName is where a file is written before it gets its name. One that a crash
// left behind is overwritten.
const newName = "export.new"

const (
	tileDirPerm  fs.FileMode = 0o755
	tileFilePerm fs.FileMode = 0o644
)

// tileDir is a directory in the tlog-tiles layout. It does not follow links out
// of itself.
type tileDir struct {
	root *os.Root
	// unsynced holds the directories whose names may not be durable.
	unsynced map[string]bool
}

// read returns a file of at most limit bytes. A missing file gives
// fs.ErrNotExist; one that is longer, or no file, gives ErrInconsistent.
func (d *tileDir) read(name string, limit int) ([]byte, error) {
	info, err := d.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > int64(limit) {
		return nil, fmt.Errorf("%w: %s is no file of at most %d bytes", ErrInconsistent, name, limit)
	}
	f, err := d.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, info.Size())
	_, err = io.ReadFull(f, b)
	return b, err
}

// readTile returns the file of a tile.
func (d *tileDir) readTile(t tlog.Tile) ([]byte, error) {
	b, err := d.read(tilePath(t), tileWidth*entrySize)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", ErrInconsistent, err)
	}
	return b, err
}

// putTile makes sure that the file of a tile holds data. It never changes one
// that is there.
func (d *tileDir) putTile(t tlog.Tile, data []byte) error {
	name := tilePath(t)
	d.markUnsynced(name)
	there, err := d.read(name, tileWidth*entrySize)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return d.write(name, data)
	case err != nil:
		return err
	case !bytes.Equal(there, data):
		return fmt.Errorf("%w: %s exists and holds something else", ErrInconsistent, name)
	}
	return nil
}

// write creates or replaces a file in one step: after a crash, its name leads to
// all of the old or all of the new content.
func (d *tileDir) write(name string, data []byte) error {
	if err := d.root.MkdirAll(path.Dir(name), tileDirPerm); err != nil {
		return err
	}
	f, err := d.root.OpenFile(newName, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, tileFilePerm)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		// Without this a crash could leave an empty file under the name.
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	return d.root.Rename(newName, name)
}

// markUnsynced remembers all directories above a file.
func (d *tileDir) markUnsynced(name string) {
	for dir := path.Dir(name); !d.unsynced[dir]; dir = path.Dir(dir) {
		d.unsynced[dir] = true
	}
}

// sync makes the names of all files durable that were put.
func (d *tileDir) sync() error {
	for dir := range d.unsynced {
		f, err := d.root.Open(dir)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return fmt.Errorf("cannot sync %s: %w", dir, err)
		}
	}
	clear(d.unsynced)
	return nil
}
