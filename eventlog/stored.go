package eventlog

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/esper-plane/esper/eventlog/tree"
)

// storedHashes reads the hashes of a tree: those of sealed records from their
// file, the others from memory.
type storedHashes struct {
	f      *os.File // nil: nothing is sealed
	sealed int64    // number of hashes in it
	rest   []tree.Hash
}

func (v *survey) stored(dir string) (*storedHashes, error) {
	s := new(storedHashes)
	if n := len(v.seals); n > 0 {
		f, err := os.Open(filepath.Join(dir, hashesName))
		if err != nil {
			return nil, err
		}
		s.f, s.sealed = f, tree.StoredCount(int64(v.seals[n-1].next-1))
	}
	for _, f := range v.fresh {
		s.rest = append(s.rest, f.hashes...)
	}
	s.rest = append(s.rest, v.hashes...)
	return s, nil
}

// ReadHashes implements tlog.HashReader.
func (s *storedHashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	list := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		if x >= s.sealed {
			if x-s.sealed >= int64(len(s.rest)) {
				return nil, fmt.Errorf("%w: hash %d", ErrNotFound, x)
			}
			list[i] = s.rest[x-s.sealed]
			continue
		}
		if _, err := s.f.ReadAt(list[i][:], x*int64(hashSize)); err != nil {
			return nil, fmt.Errorf("cannot read hash %d: %w", x, err)
		}
	}
	return list, nil
}

func (s *storedHashes) close() {
	if s.f != nil {
		s.f.Close() // opened for reading only: nothing to lose
	}
}

// compareHashes compares the stored hashes of a sealed segment with those of its
// records.
func compareHashes(dir string, s seal, list []tree.Hash) error {
	want, at := encodeHashes(list), hashesLen(s.first-1)
	got, err := readHashesAt(dir, at, len(want))
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return &DamageError{Segment: hashesName, Offset: at, Seq: s.first,
			Reason: fmt.Sprintf("the stored hashes of the records %d to %d are not those of the records", s.first, s.next-1)}
	}
	return nil
}
