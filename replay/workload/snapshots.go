package workload

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/esper-plane/esper/leyline"
)

// writeDurable writes a file so that after a power cut it is there as a whole
// or not at all: to a temporary name, synced, renamed, the directory synced.
func writeDurable(dir, name string, b []byte) error {
	tmp := filepath.Join(dir, name+".tmp")
	if err := writeSynced(tmp, b); err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	if err := os.Rename(tmp, filepath.Join(dir, name)); err != nil {
		return err
	}
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

// readSnapshot reads the bytes of a snapshot and their digest. A difference
// from the digest in the reference is an error; the digest found is returned
// with it.
func readSnapshot(dir string, ref leyline.SnapshotRef) ([]byte, leyline.Digest, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, leyline.Digest{}, err
	}
	b, err := root.ReadFile(ref.File)
	if err = errors.Join(err, root.Close()); err != nil {
		return nil, leyline.Digest{}, err
	}
	got := leyline.Digest(sha256.Sum256(b))
	if got != ref.Digest {
		return nil, got, fmt.Errorf("snapshot %s hashes to %s, the plane registered %s", ref.Snapshot, got.Short(), ref.Digest.Short())
	}
	return b, got, nil
}
