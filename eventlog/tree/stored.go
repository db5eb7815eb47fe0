package tree

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// readBatch is how many hashes are asked for at a time, 32 bytes each.
const readBatch = 4096

// CheckStored recomputes what the stored hashes of a tree of size leaves say
// above its leaves, and its root. It reads all of them through r, in order and
// 4096 at a time, and keeps no more than that; it takes about 0.2 µs for a leaf
// beside the reading.
//
// A stored hash that is not that of the two below it gives a *StoredError for
// the lowest index. Where all agree but root is another, the leaf hashes are not
// those that were signed, and the error wraps ErrInconsistent alone. Neither can
// tell whether the leaf hashes are those of the records: see LeafHash. The error
// wraps ErrInvalid if size is not 0 to MaxSize.
func CheckStored(size int64, root Hash, r tlog.HashReader) error {
	if err := checkSize(size); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	var s storedCheck
	indexes := make([]int64, 0, readBatch)
	for at, end := int64(0), StoredCount(size); at < end; {
		indexes = indexes[:0]
		for ; at < end && len(indexes) < readBatch; at++ {
			indexes = append(indexes, at)
		}
		hashes, err := readHashes(r, indexes)
		if err != nil {
			return err
		}
		for i, h := range hashes {
			if err := s.next(indexes[i], h); err != nil {
				return err
			}
		}
	}
	if got := s.tree.Root(); got != root {
		return fmt.Errorf("%w: the root of the %d stored leaf hashes is %v, not %v", ErrInconsistent, size, got, root)
	}
	return nil
}

// readHashes reads stored hashes and holds the reader to its contract.
func readHashes(r tlog.HashReader, indexes []int64) ([]Hash, error) {
	hashes, err := r.ReadHashes(indexes)
	if err != nil {
		return nil, fmt.Errorf("cannot read stored hashes from %d on: %w", indexes[0], err)
	}
	if len(hashes) != len(indexes) {
		return nil, fmt.Errorf("cannot read stored hashes from %d on: %d were returned for %d", indexes[0], len(hashes), len(indexes))
	}
	return hashes, nil
}

// storedCheck takes stored hashes in order.
type storedCheck struct {
	tree Frontier
	want []Hash // the last leaf hash and what follows it
	done int    // how many of want were there
}

// next takes the stored hash of an index.
func (s *storedCheck) next(index int64, h Hash) error {
	if s.done == len(s.want) {
		s.want, s.done = s.tree.Append(s.want[:0], h), 1
		return nil
	}
	if level, last := s.done, s.tree.Size(); h != s.want[level] {
		return &StoredError{Index: index, Level: level, First: uint64(last - 1<<level + 1), Last: uint64(last)}
	}
	s.done++
	return nil
}
