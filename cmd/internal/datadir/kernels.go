package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// KernelsPath returns the kernel store: one file per kernel.
func (d *Dir) KernelsPath() string { return d.path(kernelsName) }

// Kernels returns the files of the kernel store as plane and trainer see them.
// Nothing outside the store can be opened through it.
func (d *Dir) Kernels() fs.FS { return d.kernels.FS() }

// InstallKernels copies kernels into the store where they are missing and says
// which were. A file that is there is left alone: whether its bytes are those of
// the registered kernel is checked whenever it is fetched.
func (d *Dir) InstallKernels(from fs.FS, names ...string) ([]string, error) {
	var installed []string
	for _, name := range names {
		at := filepath.Join(d.KernelsPath(), name)
		if _, err := os.Lstat(at); err == nil {
			continue
		} else if !errors.Is(err, fs.ErrNotExist) {
			return installed, fmt.Errorf("cannot look for kernel %s: %w", name, err)
		}
		b, err := fs.ReadFile(from, name)
		if err != nil {
			return installed, fmt.Errorf("cannot read kernel %s: %w", name, err)
		}
		if err := writeFile(at, b); err != nil {
			return installed, fmt.Errorf("cannot install kernel %s: %w", name, err)
		}
		installed = append(installed, name)
	}
	return installed, nil
}

// RemoveKernels empties the kernel store: a fault drill.
func (d *Dir) RemoveKernels() error {
	entries, err := os.ReadDir(d.KernelsPath())
	for _, e := range entries {
		err = errors.Join(err, os.Remove(filepath.Join(d.KernelsPath(), e.Name())))
	}
	return errors.Join(err, syncDir(d.KernelsPath()))
}

// openKernels makes the store and opens it.
func (d *Dir) openKernels() error {
	err := makeDir(d.KernelsPath())
	if err == nil {
		d.kernels, err = os.OpenRoot(d.KernelsPath())
	}
	return err
}
