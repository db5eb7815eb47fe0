package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// inFreshDir calls do with a new directory under parent, which is removed
// afterwards.
func inFreshDir(parent string, do func(dir string) error) (err error) {
	dir, err := os.MkdirTemp(parent, "peerbench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return do(dir)
}

// settle ends what earlier runs have left to do: it writes back the whole file
// system that dir is on, and collects garbage.
func settle(dir string) (err error) {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	runtime.GC()
	return unix.Syncfs(int(f.Fd()))
}

// warm brings all files under dir into the page cache.
func warm(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		return readWhole(path)
	})
}

func readWhole(path string) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = io.Copy(io.Discard, f)
	return err
}
