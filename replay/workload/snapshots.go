package workload

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/esper-plane/esper/leyline"
)

// makeDurable makes a directory, and those above it that are missing, so that
// the names survive a power cut: every parent is synced after it got a child.
func makeDurable(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(filepath.Clean(dir))
	if parent != dir {
		if err := makeDurable(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	return syncDir(parent)
}

// writeDurable writes a file so that after a power cut it is there as a whole
// or not at all: to a temporary name, synced, renamed, the directory synced.
func writeDurable(dir, name string, b []byte) error {
	tmp := filepath.Join(dir, name+".tmp")
	err := writeSynced(tmp, b)
	if err == nil {
		err = os.Rename(tmp, filepath.Join(dir, name))
	}
	if err == nil {
		return syncDir(dir)
	}
	if rerr := os.Remove(tmp); !errors.Is(rerr, fs.ErrNotExist) {
		err = errors.Join(err, rerr)
	}
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func writeSynced(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// readExactly reads a regular file of the registered size and nothing else: a
// pipe would wait for ever, a file that has grown could fill the memory.
func readExactly(root *os.Root, ref leyline.SnapshotRef) (b []byte, err error) {
	f, err := root.OpenFile(ref.File, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || uint64(info.Size()) != ref.Bytes {
		return nil, fmt.Errorf("snapshot %s is %s of %d bytes, registered was a file of %d bytes", ref.Snapshot, info.Mode(), info.Size(), ref.Bytes)
	}
	b = make([]byte, info.Size())
	_, err = io.ReadFull(f, b)
	return b, err
}

// readSnapshot reads the bytes of a snapshot and their digest. A difference
// from the digest in the reference is an error; the digest found is returned
// with it.
func readSnapshot(dir string, ref leyline.SnapshotRef) ([]byte, leyline.Digest, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, leyline.Digest{}, err
	}
	b, err := readExactly(root, ref)
	if err = errors.Join(err, root.Close()); err != nil {
		return nil, leyline.Digest{}, err
	}
	got := leyline.Digest(sha256.Sum256(b))
	if got != ref.Digest {
		return nil, got, fmt.Errorf("snapshot %s hashes to %s, the plane registered %s", ref.Snapshot, got.Short(), ref.Digest.Short())
	}
	return b, got, nil
}
