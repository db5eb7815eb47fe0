package snapstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"sync"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/tensorfile"
)

// chunk is how much is read between two looks at the context.
const chunk = 256 << 10

// Sums are what a file was found to hold.
type Sums struct {
	Digest leyline.Digest // zero when only the checksum was taken
	Check  leyline.Checksum
	Bytes  uint64
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sums is a writer that takes the sums of what is written.
type sums struct {
	strong hash.Hash // nil: the checksum alone
	check  uint32
	bytes  uint64
}

func newSums(quick bool) *sums {
	s := &sums{}
	if !quick {
		s.strong = sha256.New()
	}
	return s
}

func (s *sums) Write(b []byte) (int, error) {
	if s.strong != nil {
		s.strong.Write(b) // never fails
	}
	s.check = crc32.Update(s.check, castagnoli, b)
	s.bytes += uint64(len(b))
	return len(b), nil
}

func (s *sums) result() Sums {
	out := Sums{Check: leyline.Checksum(s.check), Bytes: s.bytes}
	if s.strong != nil {
		s.strong.Sum(out.Digest[:0])
	}
	return out
}

// SumsOf are the sums of bytes in memory.
func SumsOf(b []byte) Sums {
	s := newSums(false)
	s.Write(b) // never fails
	return s.result()
}

var buffers = sync.Pool{New: func() any { return new([chunk]byte) }}

// Peek holds a file's header against the rules of package tensorfile and returns
// its size in bytes. It reads nothing behind the header.
func Peek(ctx context.Context, s Store, run leyline.RunID, file string) (uint64, error) {
	f, size, err := s.Open(ctx, run, file)
	if err != nil {
		return 0, err
	}
	return size, errors.Join(tensorfile.Check(f, size), f.Close())
}

// Sum reads a file to its end, holds its header against the rules of package
// tensorfile and returns its sums. It stops between two chunks when ctx ends, and
// returns then what it had.
func Sum(ctx context.Context, s Store, run leyline.RunID, file string) (Sums, error) {
	return read(ctx, s, run, file, newSums(false))
}

// Checksum is Sum without the digest, which costs most of the time.
func Checksum(ctx context.Context, s Store, run leyline.RunID, file string) (Sums, error) {
	return read(ctx, s, run, file, newSums(true))
}

func read(ctx context.Context, s Store, run leyline.RunID, file string, got *sums) (Sums, error) {
	f, size, err := s.Open(ctx, run, file)
	if err != nil {
		return Sums{}, err
	}
	err = tensorfile.Check(io.TeeReader(f, got), size)
	if err == nil {
		err = got.readAll(ctx, f)
	}
	return got.result(), errors.Join(err, f.Close())
}

func (s *sums) readAll(ctx context.Context, r io.Reader) error {
	buf := buffers.Get().(*[chunk]byte)
	defer buffers.Put(buf)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := r.Read(buf[:])
		s.Write(buf[:n]) // never fails
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// Load reads a copy of a snapshot that was registered: a file of exactly the
// registered size, whose sums are those registered. A difference is an error; the
// sums found are returned with it. It reads into the memory of into when that is
// large enough: fresh memory costs several times the reading. It stops between two
// chunks when ctx ends.
func Load(ctx context.Context, s Store, run leyline.RunID, ref leyline.SnapshotRef, into []byte) ([]byte, Sums, error) {
	f, size, err := s.Open(ctx, run, ref.File)
	if err != nil {
		return nil, Sums{}, err
	}
	b, got, err := load(ctx, f, size, ref, into)
	return b, got, errors.Join(err, f.Close())
}

func load(ctx context.Context, f io.Reader, size uint64, ref leyline.SnapshotRef, into []byte) ([]byte, Sums, error) {
	if size != ref.Bytes {
		return nil, Sums{}, fmt.Errorf("snapshot %s is a file of %d bytes, registered was one of %d bytes", ref.Snapshot, size, ref.Bytes)
	}
	if uint64(cap(into)) < size {
		into = make([]byte, size)
	}
	b := into[:size]
	got := newSums(ref.Quick())
	for at := 0; at < len(b); {
		if err := ctx.Err(); err != nil {
			return nil, got.result(), err
		}
		part := b[at:min(at+chunk, len(b))]
		n, err := io.ReadFull(f, part)
		got.Write(part[:n]) // never fails
		if err != nil {
			return nil, got.result(), err
		}
		at += n
	}
	sums := got.result()
	return b, sums, sums.matches(ref)
}

// matches says how sums differ from what was registered.
func (s Sums) matches(ref leyline.SnapshotRef) error {
	switch {
	case !s.Digest.IsZero() && s.Digest != ref.Digest:
		return fmt.Errorf("snapshot %s hashes to %s, the plane registered %s", ref.Snapshot, s.Digest.Short(), ref.Digest.Short())
	case ref.Check != 0 && s.Check != ref.Check:
		return fmt.Errorf("snapshot %s has checksum %s, the plane registered %s", ref.Snapshot, s.Check, ref.Check)
	}
	return nil
}
