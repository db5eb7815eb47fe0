package policyfile

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/esper-plane/esper/leyline"
)

// chunk is how much of a file is read between two looks at the context.
const chunk = 256 << 10

// tempSuffix marks a file that is being written. A crash may leave it; the next writer
// of the same file replaces it.
const tempSuffix = ".tmp"

// Store keeps the files of policies in one directory.
type Store struct{ root *os.Root }

// MakeStore opens the directory of a store, and makes it where it is missing.
func MakeStore(dir string) (*Store, error) {
	err := os.Mkdir(dir, 0o700)
	if err == nil {
		err = syncDir(filepath.Dir(dir))
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("cannot make the policy store: %w", err)
	}
	return OpenStore(dir)
}

// OpenStore opens the directory of a store, which may be no link. Without one the error
// is fs.ErrNotExist.
func OpenStore(dir string) (*Store, error) {
	info, err := os.Lstat(dir)
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot open the policy store: %w", err)
	case !info.IsDir():
		return nil, fmt.Errorf("cannot open the policy store: %s is %s, not a directory", dir, info.Mode())
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot open the policy store: %w", err)
	}
	return &Store{root: root}, nil
}

// Close closes the store. It may be called twice.
func (s *Store) Close() error { return s.root.Close() }

// Fault says why a file of the store cannot be used.
type Fault struct {
	Kind leyline.PolicyFault
	Err  error
}

// Error says it in words.
func (f *Fault) Error() string { return f.Err.Error() }

// Unwrap returns the cause.
func (f *Fault) Unwrap() error { return f.Err }

// Found is what was found in a file.
type Found struct {
	Digest leyline.Digest // measured
	Bytes  uint64         // measured
	Rules  leyline.RulesConfig
}

// Read reads a file and measures it. At most bytes bytes of it are kept; of a longer one
// the rest is measured too. An error is a *Fault, or the cause of ctx.
func (s *Store) Read(ctx context.Context, name string, bytes uint64) ([]byte, Found, error) {
	f, err := s.open(name)
	if err != nil {
		return nil, Found{}, err
	}
	// A read of a disk that hangs ends when its file is closed.
	unhook := context.AfterFunc(ctx, func() { _ = f.Close() })
	b, found, err := measure(ctx, f, bytes)
	if unhook() {
		err = errors.Join(err, f.Close())
	}
	switch {
	case ctx.Err() != nil:
		return nil, Found{}, context.Cause(ctx)
	case err != nil:
		return nil, Found{}, &Fault{leyline.PolicyFileUnreadable, fmt.Errorf("cannot read %s: %w", name, err)}
	}
	return b, found, nil
}

// open opens a regular file of the store, never through a link.
func (s *Store) open(name string) (*os.File, error) {
	if name != filepath.Base(name) || !fs.ValidPath(name) || name == "." {
		return nil, &Fault{leyline.PolicyFileUnreadable, fmt.Errorf("%.100q is no name of a file of the store", name)}
	}
	there, err := s.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &Fault{leyline.PolicyFileMissing, fmt.Errorf("%s is not in the policy store", name)}
	case err != nil:
		return nil, &Fault{leyline.PolicyFileUnreadable, err}
	case !there.Mode().IsRegular():
		return nil, &Fault{leyline.PolicyFileUnreadable, fmt.Errorf("%s is %s, not a regular file", name, there.Mode().Type())}
	}
	f, err := s.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, &Fault{leyline.PolicyFileUnreadable, err}
	}
	opened, err := f.Stat()
	if err == nil && !os.SameFile(there, opened) {
		err = fmt.Errorf("%s was replaced while it was opened", name)
	}
	if err != nil {
		return nil, &Fault{leyline.PolicyFileUnreadable, errors.Join(err, f.Close())}
	}
	return f, nil
}

func measure(ctx context.Context, r io.Reader, want uint64) ([]byte, Found, error) {
	var kept bytes.Buffer
	sum, found := sha256.New(), Found{}
	for buf := make([]byte, min(chunk, want+1)); ; {
		if ctx.Err() != nil {
			return nil, Found{}, context.Cause(ctx)
		}
		n, err := r.Read(buf)
		found.Bytes += uint64(n)
		sum.Write(buf[:n]) // never fails
		if found.Bytes <= want {
			kept.Write(buf[:n]) // never fails
		}
		if err == io.EOF {
			sum.Sum(found.Digest[:0])
			return kept.Bytes(), found, nil
		}
		if err != nil {
			return nil, Found{}, err
		}
	}
}

// Load reads the file of an artifact, holds it against the digest and the size that were
// imported, and looks at everything in it: the weights of the rules are returned. An
// error is a *Fault, or the cause of ctx; what was measured is returned with it.
func (s *Store) Load(ctx context.Context, name string, digest leyline.Digest, size uint64) (Found, error) {
	b, found, err := s.Read(ctx, name, size)
	if err != nil {
		return found, err
	}
	if found.Digest != digest || found.Bytes != size {
		return found, &Fault{leyline.PolicyFileDigest, fmt.Errorf("%s has %d bytes and hashes to %s, imported were %d bytes of %s",
			name, found.Bytes, found.Digest.Short(), size, digest.Short())}
	}
	format, err := Sniff(b)
	if err == nil && format == leyline.PolicyTOML {
		found.Rules, err = Rules(b)
	} else if err == nil {
		err = Check(format, b)
	}
	if err != nil {
		return found, &Fault{leyline.PolicyFileInvalid, err}
	}
	return found, nil
}

// Put stores a file under the name of its artifact. When it returns the file is durable,
// as a whole. Whatever had the name before, a link as well, is replaced.
func (s *Store) Put(a *leyline.PolicyArtifact, b []byte) error {
	name := a.File()
	if got := leyline.Digest(sha256.Sum256(b)); got != a.Digest {
		return fmt.Errorf("cannot store %s: the bytes hash to %s", name, got.Short())
	}
	if err := s.root.Remove(name + tempSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot store %s: %w", name, err)
	}
	f, err := s.root.OpenFile(name+tempSuffix, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("cannot store %s: %w", name, err)
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = s.root.Rename(name+tempSuffix, name) // a crash before leaves the file with the suffix: it is listed, and never used
	}
	if err == nil {
		err = syncDir(s.root.Name())
	}
	if err != nil {
		return fmt.Errorf("cannot store %s: %w", name, err)
	}
	return nil
}

// Entry is one name in the directory of a store.
type Entry struct {
	Name    string
	Regular bool
	Partial bool // a file that was being written when a process ended
}

// List lists what is in the directory, in the order of names.
func (s *Store) List() ([]Entry, error) {
	found, err := fs.ReadDir(s.root.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("cannot list the policy store: %w", err)
	}
	out := make([]Entry, 0, len(found))
	for _, e := range found {
		out = append(out, Entry{Name: e.Name(), Regular: e.Type().IsRegular(), Partial: strings.HasSuffix(e.Name(), tempSuffix)})
	}
	return out, nil
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
