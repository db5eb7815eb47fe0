// Package disk is the part of a file system that the event log changes things
// through. OS is the real one; package faultdisk, for tests, wraps it, makes
// chosen operations fail and tells what a power failure would have left.
//
// Reading a directory or a file that is only read goes to package os directly.
package disk

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// FS changes files and directories.
type FS interface {
	// OpenFile is as os.OpenFile. A new name is durable only after SyncDir of
	// its directory.
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	// Mkdir is as os.Mkdir.
	Mkdir(name string, perm fs.FileMode) error
	// Rename is as os.Rename; durable after SyncDir of both directories.
	Rename(from, to string) error
	// Remove is as os.Remove; durable after SyncDir.
	Remove(name string) error
	// RemoveAll is as os.RemoveAll.
	RemoveAll(name string) error
	// SyncDir makes the names in a directory durable.
	SyncDir(name string) error
}

// File is an open file. ReadAt, WriteAt, Write, Truncate and Close are as those
// of os.File.
type File interface {
	ReadAt(b []byte, off int64) (int, error)
	Write(b []byte) (int, error)
	WriteAt(b []byte, off int64) (int, error)
	Truncate(size int64) error
	// Sync makes content and length durable, with fdatasync(2).
	Sync() error
	Stat() (fs.FileInfo, error)
	Name() string
	Close() error
}

// OS is the file system of the machine.
type OS struct{}

// OpenFile implements FS.
func (OS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	f, err := os.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

// Mkdir implements FS.
func (OS) Mkdir(name string, perm fs.FileMode) error { return os.Mkdir(name, perm) }

// Rename implements FS.
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// Remove implements FS.
func (OS) Remove(name string) error { return os.Remove(name) }

// RemoveAll implements FS.
func (OS) RemoveAll(name string) error { return os.RemoveAll(name) }

// SyncDir implements FS.
func (OS) SyncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// osFile is an os.File whose Sync writes back data and length only.
type osFile struct{ *os.File }

// Sync implements File.
func (f osFile) Sync() error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if !errors.Is(err, unix.EINTR) {
			return os.NewSyscallError("fdatasync "+f.Name(), err)
		}
	}
}
