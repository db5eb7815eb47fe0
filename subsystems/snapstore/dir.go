package snapstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/esper-plane/esper/leyline"
)

// Store is one tier. Its methods may be called at the same time.
type Store interface {
	// Open opens a file for reading and tells its size in bytes. Reading it fails
	// when ctx ends, at the latest with the next Read.
	Open(ctx context.Context, run leyline.RunID, file string) (io.ReadCloser, uint64, error)
	// Write makes a file of what fill writes, as a whole or not at all. A file of
	// that name is replaced.
	Write(run leyline.RunID, file string, fill func(io.Writer) error) error
	// Remove deletes a file. One that is gone already is no error.
	Remove(run leyline.RunID, file string) error
	// List names every file, in the order of runs and names.
	List() ([]Entry, error)
	// Clear removes the directories that hold nothing.
	Clear() error
}

// Entry is a file of a store.
type Entry struct {
	Run   leyline.RunID
	File  string
	Bytes uint64
}

// Dir is a Store in a directory of the file system.
type Dir struct {
	path    string
	durable bool
}

// NewDir returns the store in a directory, which is made when something is
// written. A durable one syncs what it writes.
func NewDir(path string, durable bool) *Dir { return &Dir{path: path, durable: durable} }

// Path returns the directory.
func (d *Dir) Path() string { return d.path }

// Open implements Store. A pipe or a device under the name is refused: it could
// keep its reader for ever.
func (d *Dir) Open(_ context.Context, run leyline.RunID, file string) (io.ReadCloser, uint64, error) {
	root, err := os.OpenRoot(filepath.Join(d.path, string(run)))
	if err != nil {
		return nil, 0, err
	}
	f, err := root.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0) // opening a pipe must not wait
	if err = errors.Join(err, root.Close()); err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file (%s)", file, info.Mode())
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, uint64(info.Size()), nil
}

// Remove implements Store.
func (d *Dir) Remove(run leyline.RunID, file string) error {
	root, err := os.OpenRoot(filepath.Join(d.path, string(run)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	err = root.Remove(file)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, root.Close())
}

// List implements Store. What is no directory of a run, and directories within one,
// are not of the store.
func (d *Dir) List() ([]Entry, error) {
	runs, err := os.ReadDir(d.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var out []Entry
	for _, r := range runs {
		if !r.IsDir() {
			continue
		}
		if out, err = d.listRun(out, r.Name()); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (d *Dir) listRun(out []Entry, run string) ([]Entry, error) {
	files, err := os.ReadDir(filepath.Join(d.path, run))
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		info, err := f.Info()
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir() {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, Entry{Run: leyline.RunID(run), File: f.Name(), Bytes: uint64(info.Size())})
	}
	return out, nil
}

// Clear implements Store: those of runs, and the store's own if it holds nothing
// either.
func (d *Dir) Clear() error {
	runs, err := os.ReadDir(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, r := range runs {
		if err := removeEmpty(filepath.Join(d.path, r.Name())); err != nil {
			return err
		}
	}
	return removeEmpty(d.path)
}

func removeEmpty(dir string) error {
	err := syscall.Rmdir(dir)
	if errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.EEXIST) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ENOENT) {
		return nil
	}
	return err
}
