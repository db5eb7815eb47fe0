package eventlog

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/esper-plane/esper/eventlog/tree"
)

// hashFile is the file of the hashes while it is compared with what the records
// give.
type hashFile struct {
	f     *os.File // nil: there is none
	bytes int64    // its length
	must  int64    // how many of its hashes are compared
	r     *bufio.Reader
	pos   int64 // of r, in hashes
	right int64 // hashes from the beginning on that are right
	wrong bool  // one was not
}

func (v *verifier) openHashes() error {
	h := &v.hashes
	need := hashesLen(v.sealed)
	f, err := os.Open(filepath.Join(v.dir, hashesName))
	if errors.Is(err, fs.ErrNotExist) {
		h.wrong = true
		if need > 0 {
			v.derived(0, "the file is missing")
		}
		return nil
	}
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	h.f, h.bytes, h.r = f, info.Size(), bufio.NewReaderSize(nil, readChunk)
	h.must = h.bytes / int64(hashSize)
	if v.live { // what is behind the seals may be half written
		h.must = min(h.must, need/int64(hashSize))
	}
	h.seek(0)
	if h.bytes < need {
		v.derived(h.bytes, fmt.Sprintf("the file has %d bytes and should have %d", h.bytes, need))
	}
	return nil
}

// checkHashesEnd looks at what follows the hashes of the full segments.
func (v *verifier) checkHashesEnd() error {
	h := &v.hashes
	if h.f == nil || v.live || v.tail.first == 0 {
		return nil
	}
	end := hashesLen(v.tail.first - 1)
	switch {
	case h.bytes <= end:
	case v.clean != nil:
		v.derived(end, fmt.Sprintf("%d bytes follow the last hash", h.bytes-end))
	default:
		v.add(Finding{Severity: SeverityNote, Segment: hashesName, Offset: end, Reason: "something follows the hashes of the full segments", Fix: fixOpen, cure: cureNoNeed})
	}
	return nil
}

// derived reports damage of what can be computed from the segments.
func (v *verifier) derived(off int64, reason string) {
	v.add(Finding{Severity: SeverityDamage, Segment: hashesName, Offset: off, Reason: reason, Fix: fixRepair, cure: cureDerived})
}

func (h *hashFile) close() error {
	if h.f != nil {
		h.f.Close() // opened for reading only: nothing to lose
		h.f = nil
	}
	return nil
}

// seek moves to a hash.
func (h *hashFile) seek(pos int64) {
	if h.f != nil {
		h.r.Reset(io.NewSectionReader(h.f, pos*int64(hashSize), 1<<62))
	}
	h.pos = pos
}

// next reads one hash; false means that there is none.
func (h *hashFile) next() (tree.Hash, bool, error) {
	var got tree.Hash
	if h.f == nil || h.pos >= h.must {
		return got, false, nil
	}
	if _, err := io.ReadFull(h.r, got[:]); err != nil {
		return got, false, fmt.Errorf("cannot read hash %d: %w", h.pos, err)
	}
	h.pos++
	return got, true, nil
}

// compare reads the next hashes and reports how many of them are wanted; len(want) if
// all, or all that the file should have.
func (h *hashFile) compare(want []tree.Hash) (int, error) {
	for i := range want {
		got, ok, err := h.next()
		if err != nil {
			return i, err
		}
		if ok && got != want[i] {
			return i, nil
		}
		if ok && h.right == h.pos-1 && !h.wrong {
			h.right = h.pos
		}
	}
	return len(want), nil
}

// ReadHashes implements tlog.HashReader for the hashes that are known to be right.
func (h *hashFile) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	list := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		if x >= h.right {
			return nil, fmt.Errorf("%w: hash %d", ErrNotFound, x)
		}
		if _, err := h.f.ReadAt(list[i][:], x*int64(hashSize)); err != nil {
			return nil, fmt.Errorf("cannot read hash %d: %w", x, err)
		}
	}
	return list, nil
}

// compareHashes compares what the records up to seq added to the tree with the
// file, and reports the first difference of a segment.
func (v *verifier) compareHashes(want []tree.Hash, seq uint64, told *bool) error {
	if v.hashes.f == nil || *told {
		return nil
	}
	at := v.hashes.pos
	n, err := v.hashes.compare(want)
	if err != nil || n == len(want) {
		return err
	}
	*told, v.hashes.wrong = true, true
	v.add(Finding{Severity: SeverityDamage, Segment: hashesName, Offset: (at + int64(n)) * int64(hashSize), Seq: seq,
		Reason: "the stored hash is not that of the record", Fix: fixRepair, cure: cureDerived})
	return nil
}

// checkPruned computes the tree of the pruned records from their stored leaf
// hashes, and compares it with the other stored hashes, with the seals, and with
// the origin that Prune has kept.
func (v *verifier) checkPruned() error {
	v.known, v.at = true, anyTime
	if v.pruned == nil {
		return nil
	}
	if err := v.hashStored(tree.Frontier{}, v.pruned.first, fixBackup, cureNone); err != nil {
		return err
	}
	// The records that follow hold on to the seal.
	last := v.lastPruned()
	if !v.sealedUpTo(v.pruned.first) {
		v.known = last.next == v.pruned.first
		v.add(Finding{Severity: SeverityDamage, Segment: sealsName, Seq: v.pruned.first, Reason: fmt.Sprintf("the seals of the pruned records 1 to %d are missing or damaged", v.pruned.first-1), Fix: fixBackup})
	}
	v.seq = v.pruned.first - 1
	if v.known {
		v.tree, v.at = last.tree.Clone(), last.at
	}
	if v.pruned.origin == nil {
		return nil // PRUNED is damaged, which was reported
	}
	o, err := decodeOrigin(prunedName, v.seqOf(last), v.pruned.origin)
	if err != nil {
		return v.damage(err, cureNone, fixBackup)
	}
	v.notes.succeed(o)
	v.notes.originSeq = v.seqOf(last)
	return nil
}

// seqOf is the number that the kept origin record should have.
func (v *verifier) seqOf(last seal) uint64 {
	if e, err := DecodeFrame(v.pruned.origin); err == nil && !v.known {
		return e.Seq
	}
	return last.origin
}

// sealedUpTo reports whether there is a seal for every record before seq.
func (v *verifier) sealedUpTo(seq uint64) bool {
	next := uint64(1)
	for next < seq {
		s, ok := v.seals[next]
		if !ok {
			return false
		}
		next = s.next
	}
	return next == seq
}

// lastPruned returns the seal that ends where the first segment begins.
func (v *verifier) lastPruned() (last seal) {
	for _, s := range v.seals {
		if s.first < v.pruned.first && s.next > last.next {
			last = s
		}
	}
	return last
}

// hashStored computes the tree of records that are not there from their stored
// leaf hashes, from where t ends up to the record before next.
func (v *verifier) hashStored(t tree.Frontier, next uint64, fix string, c cure) error {
	ends := make(map[uint64]seal)
	for _, s := range v.seals {
		ends[s.next-1] = s
	}
	told := false
	var want []tree.Hash
	v.hashes.seek(tree.StoredCount(t.Size()))
	for seq := uint64(t.Size()) + 1; seq < next; seq++ {
		leaf, ok, err := v.hashes.next()
		if err != nil || !ok { // reported as a file that is too short
			return err
		}
		want = t.Append(want[:0], leaf)
		if v.hashes.right == v.hashes.pos-1 && !v.hashes.wrong {
			v.hashes.right = v.hashes.pos
		}
		if err := v.storedNodes(want[1:], seq, fix, c, &told); err != nil {
			return err
		}
		v.notes.reach(&t)
		if s, ok := ends[seq]; ok && s.tree != t {
			v.hashes.wrong = true
			v.add(Finding{Severity: SeverityDamage, Segment: hashesName, Offset: hashesLen(s.first - 1), Seq: s.first, Fix: fix, cure: c,
				Reason: fmt.Sprintf("the stored hashes of the records %d to %d are not those that were sealed", s.first, seq)})
			t = s.tree.Clone()
		}
	}
	return nil
}

// storedNodes compares the stored hashes above a leaf.
func (v *verifier) storedNodes(want []tree.Hash, seq uint64, fix string, c cure, told *bool) error {
	n, err := v.hashes.compare(want)
	if err != nil || n == len(want) {
		return err
	}
	v.hashes.seek(tree.StoredCount(int64(seq)))
	v.hashes.wrong = true
	if !*told {
		*told = true
		v.add(Finding{Severity: SeverityDamage, Segment: hashesName, Offset: (tree.StoredCount(int64(seq)) - int64(len(want)-n)) * int64(hashSize), Seq: seq,
			Reason: "the stored hash is not that of the two below it", Fix: fix, cure: c})
	}
	return nil
}
