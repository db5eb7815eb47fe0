package eventlog

import (
	"sync"

	"github.com/esper-plane/esper/eventlog/tree"
)

// merkle is the tree over the durable records of a log that is open for
// writing. What the tail segment adds is kept in memory until it is sealed:
// about 96 bytes for each of its records.
type merkle struct {
	mu   sync.Mutex
	tree tree.Frontier
	// acknowledged is the tree up to the watermark: what may be signed. It is
	// behind tree while a group that crosses segments is being written.
	acknowledged tree.Frontier
	// hashes are those that the records from first on added to the tree, leaves
	// the leaf hashes of these records.
	first  uint64
	hashes []tree.Hash
	leaves [][32]byte
}

func (m *merkle) start(v *survey) {
	m.acknowledged = v.tree.Clone()
	m.tree, m.hashes, m.leaves, m.first = v.tree.Clone(), v.hashes, v.leaves, v.tail.first
}

// adopt takes over what hashing has computed, when the group is durable.
func (m *merkle) adopt(h hashed) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tree = h.tree
	m.hashes = append(m.hashes, h.hashes...)
	m.leaves = append(m.leaves, h.leaves...)
}

// acknowledge is called when the watermark covers everything adopted.
func (m *merkle) acknowledge() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.acknowledged = m.tree
}

// signable returns the tree of the acknowledged records.
func (m *merkle) signable() tree.Frontier {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.acknowledged.Clone()
}

// cut forgets the records before next, which are about to be sealed, and returns
// their hashes.
func (m *merkle) cut(next uint64) []tree.Hash {
	m.mu.Lock()
	defer m.mu.Unlock()
	hashes := m.hashes
	// The next segment will hold about as many records as this one.
	m.hashes = make([]tree.Hash, 0, len(hashes)+len(hashes)/8)
	m.leaves, m.first = m.leaves[:0], next
	return hashes
}

// leaf returns the leaf hash of a record of the tail segment.
func (m *merkle) leaf(seq uint64) ([32]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if seq < m.first || seq-m.first >= uint64(len(m.leaves)) {
		return [32]byte{}, false
	}
	return m.leaves[seq-m.first], true
}

// snapshot returns the tree of everything adopted.
func (m *merkle) snapshot() tree.Frontier {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tree.Clone()
}

func (m *merkle) root() tree.Hash {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tree.Root()
}

// hashed is what a group adds to the tree, and the tree with it.
type hashed struct {
	leaves [][32]byte
	hashes []tree.Hash
	tree   tree.Frontier
}

// inlineHashing is the largest group that is hashed by the goroutine that
// syncs it: another one would cost more to start.
const inlineHashing = 4

// hashing hashes a group while the group is being synced. The function it
// returns waits for the result.
func (m *merkle) hashing(f *frames) func() hashed {
	before := m.snapshot()
	if len(f.ends) <= inlineHashing {
		return func() hashed { return hashGroup(before, f) }
	}
	done := make(chan hashed, 1)
	go func() { done <- hashGroup(before, f) }()
	return func() hashed { return <-done }
}

// hashGroup hashes the bytes that were written, not what the caller has handed
// in: that may have changed since.
func hashGroup(t tree.Frontier, f *frames) hashed {
	h := hashed{leaves: make([][32]byte, len(f.ends)), hashes: make([]tree.Hash, 0, 2*len(f.ends)+8)}
	start := 0
	for i, end := range f.ends {
		h.leaves[i] = LeafHash(f.bytes[start:end])
		h.hashes = t.Append(h.hashes, tree.LeafHash(h.leaves[i]))
		start = end
	}
	h.tree = t
	return h
}

// frames are the frames of a group, one behind the other.
type frames struct {
	bytes []byte
	ends  []int // where each of them ends
}

// keptFrames bounds the memory that is kept from one group to the next.
const keptFrames = 8 << 20

func (f *frames) clear() {
	f.bytes, f.ends = f.bytes[:0], f.ends[:0]
	if cap(f.bytes) > keptFrames {
		f.bytes = nil
	}
}

// add encodes e and returns its frame.
func (f *frames) add(e Entry) []byte {
	start := len(f.bytes)
	f.bytes = AppendFrame(f.bytes, e)
	f.ends = append(f.ends, len(f.bytes))
	return f.bytes[start:]
}
