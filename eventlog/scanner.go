package eventlog

import (
	"fmt"

	"github.com/esper-plane/esper/eventlog/tree"
)

// scanner reads segments in order and carries what one hands to the next.
type scanner struct {
	fr      frameReader
	collect bool // hash the records
	tree    tree.Frontier
	at      int64
	origin  uint64
	hashes  []tree.Hash // of the segments since it was set to nil
	leaves  [][32]byte
	leaf    [32]byte // of the last record that was hashed
	kind    Kind     // of that record, 0 if there is none
	note    []byte   // payload of the last checkpoint
}

func (c *scanner) segment(dir string, first uint64) (segmentScan, error) {
	f, err := openSegment(dir, first)
	if err != nil {
		return segmentScan{}, err
	}
	defer f.Close()
	s, err := scanSegment(&c.fr, f, first, c.at, c.visit)
	if err != nil {
		return s, fmt.Errorf("cannot scan %s: %w", segmentPath(first), err)
	}
	c.at = s.at
	if s.origin != 0 {
		c.origin = s.origin
	}
	return s, nil
}

func (c *scanner) visit(frame []byte) {
	if !c.collect {
		return
	}
	c.leaf, c.kind = LeafHash(frame), Kind(frame[offKind])
	if c.kind == KindCheckpoint {
		c.note = append(c.note[:0], frame[HeaderSize:]...)
	}
	c.leaves = append(c.leaves, c.leaf)
	c.hashes = c.tree.Append(c.hashes, tree.LeafHash(c.leaf))
}

// sealed makes the seal of the segment that was scanned last.
func (c *scanner) sealed(s segmentScan) seal {
	return seal{first: s.first, next: s.next, bytes: s.end, at: s.at, origin: c.origin, tree: c.tree.Clone()}
}
