package eventlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/esper-plane/esper/eventlog/tree"
)

// survey is everything that recovery looks at before it decides. Taking it
// changes nothing.
type survey struct {
	list   []uint64    // the segments
	pruned *prunedMark // nil: nothing was pruned
	seals  []seal      // of the segments that were not read
	after  int64       // where the next seal goes in its file

	tail   segmentScan   // the last segment
	fresh  []freshSeal   // of segments that were read and are not the last
	tree   tree.Frontier // of all valid records
	hashes []tree.Hash   // that the tail segment adds to the tree
	leaves [][32]byte    // leaf hashes of the records in the tail segment
	seq    uint64        // last valid record
	at     int64         // its time
	leaf   [32]byte      // its leaf hash
	kind   Kind          // of that record
	note   []byte        // the last checkpoint among the records that were read
	origin uint64        // number of the last origin record

	clean     *cleanMark // nil: the log was not closed
	watermark watermark
}

// freshSeal is a seal that is not in its file yet, and the hashes that the
// segment adds to the tree.
type freshSeal struct {
	seal   seal
	hashes []tree.Hash
}

// look reads the markers and the seals, and scans every segment that has no
// seal: the last one, at least. With all set it scans those with a seal as well
// and compares. Damage outside the tail is an error here, as it never can be
// excused.
func look(dir string, all bool) (*survey, error) {
	v := new(survey)
	var err error
	if v.clean, err = readClean(dir); err != nil {
		return v, err
	}
	if v.watermark, err = readWatermark(dir); err != nil {
		return v, err
	}
	if v.list, v.pruned, err = listSegments(dir); err != nil {
		return v, err
	}
	f, err := readSeals(dir, len(v.list)+v.prunedSegments())
	if err != nil {
		return v, err
	}
	// Listed once more: a writer may have begun segments since, and a seal that
	// was read names the segment after its own.
	if v.list, v.pruned, err = listSegments(dir); err != nil {
		return v, err
	}
	if err := v.trust(dir, f); err != nil {
		return v, err
	}
	if all {
		if err := v.checkSealed(dir); err != nil {
			return v, err
		}
	}
	return v, v.scan(dir)
}

// trust takes over the seals that fit what is in the directory. A seal that is
// missing or unreadable costs reading its segment; a segment that is not as its
// seal says is damage.
func (v *survey) trust(dir string, f sealFile) error {
	hashes, err := sizeOf(filepath.Join(dir, hashesName))
	if err != nil {
		return err
	}
	v.at = anyTime
	have := v.list
	for _, s := range f.seals {
		if hashesLen(s.next-1) > hashes {
			break
		}
		if s.first >= v.pruned.begin() {
			if have, err = matchSeal(dir, have, s); err != nil {
				return err
			}
		}
		v.seals, v.after = append(v.seals, s), v.after+int64(len(s.String()))
		v.tree, v.seq, v.at, v.origin = s.tree, s.next-1, s.at, s.origin
	}
	if v.seq+1 < v.pruned.begin() {
		return &DamageError{Segment: sealsName, Reason: fmt.Sprintf("the seals of the pruned records 1 to %d are missing or damaged", v.pruned.begin()-1)}
	}
	return nil
}

// prunedSegments bounds how many seals there may be of segments that are gone.
func (v *survey) prunedSegments() int {
	return int(min(v.pruned.begin()-1, 1<<20))
}

// matchSeal compares a seal with the next segment and returns the others. The
// segment after a sealed one was made durable before the seal.
func matchSeal(dir string, list []uint64, s seal) ([]uint64, error) {
	if list[0] != s.first {
		return nil, &DamageError{Segment: segmentPath(s.first), Seq: s.first, Reason: "the segment is missing"}
	}
	info, err := os.Lstat(filepath.Join(dir, segmentPath(s.first)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	// A segment that was listed and is not there is in the archive.
	if err == nil && info.Size() != s.bytes {
		return nil, &DamageError{Segment: segmentPath(s.first), Offset: min(info.Size(), s.bytes), Seq: s.first,
			Reason: fmt.Sprintf("the segment has %d bytes, it was sealed with %d", info.Size(), s.bytes)}
	}
	if len(list) == 1 || list[1] != s.next {
		return nil, &DamageError{Segment: segmentPath(s.next), Seq: s.next, Reason: "the segment is missing"}
	}
	return list[1:], nil
}

// checkSealed reads the segments that have a seal.
func (v *survey) checkSealed(dir string) error {
	var c scanner
	c.at = anyTime
	for _, s := range v.seals {
		c.collect = s.first >= v.pruned.begin()
		if !c.collect {
			c.tree, c.at, c.origin = s.tree, s.at, s.origin
			continue
		}
		c.hashes, c.leaves = nil, nil
		got, err := c.segment(dir, s.first)
		if err != nil {
			return err
		}
		if got.damage != nil {
			return got.damage
		}
		if now := c.sealed(got); now.String() != s.String() {
			return &DamageError{Segment: segmentPath(s.first), Offset: got.end, Seq: s.first,
				Reason: fmt.Sprintf("the segment is whole, but not the one that was sealed: %q is not %q", strings.TrimSpace(now.String()), strings.TrimSpace(s.String()))}
		}
	}
	return nil
}

// scan reads the segments that have no seal.
func (v *survey) scan(dir string) error {
	c := scanner{tree: v.tree.Clone(), at: v.at, origin: v.origin, collect: true}
	rest := v.list[len(v.list)-v.unsealed():]
	for i, first := range rest {
		c.hashes, c.leaves = nil, nil
		got, err := c.segment(dir, first)
		if err != nil {
			return err
		}
		v.tail, v.seq, v.at = got, got.next-1, c.at
		if i+1 == len(rest) {
			break
		}
		if got.damage != nil {
			return got.damage
		}
		if got.next != rest[i+1] {
			return &DamageError{Segment: segmentPath(first), Offset: got.end, Seq: got.next,
				Reason: fmt.Sprintf("the segment ends here, but the next one is %s", segmentName(rest[i+1]))}
		}
		v.fresh = append(v.fresh, freshSeal{c.sealed(got), c.hashes})
	}
	v.tree, v.hashes, v.leaves, v.origin, v.leaf, v.kind = c.tree, c.hashes, c.leaves, c.origin, c.leaf, c.kind
	v.note = c.note
	if v.seq > 0 && c.kind == 0 {
		return v.findLeaf(dir)
	}
	return nil
}

// unsealed counts the segments that have no seal.
func (v *survey) unsealed() int {
	n := 0
	for _, s := range v.seals {
		if s.first >= v.pruned.begin() {
			n++
		}
	}
	return len(v.list) - n
}

// findLeaf hashes the last record when the segments that were read have none.
func (v *survey) findLeaf(dir string) error {
	frame, err := readFrame(dir, v.seq)
	if err != nil {
		return err
	}
	v.leaf, v.kind = LeafHash(frame), Kind(frame[offKind])
	return nil
}

// lenience says which doubts do not stop the caller.
type lenience struct {
	lost    bool // acknowledged records are missing at the end
	follows bool // intact records follow the damage in the last segment
}

// judge decides whether the log can be used up to v.seq. The report says how
// it was found; it does not yet say what was done about it. Nothing is changed.
func (v *survey) judge(may lenience) (Report, error) {
	r := Report{Clean: v.clean != nil, FirstSeq: v.pruned.begin(), LastSeq: v.seq, LastAt: v.at}
	if v.seq == 0 {
		// Record 1 was durable before the log existed: it cannot be torn.
		if v.tail.damage != nil {
			return r, v.tail.damage
		}
		return r, &DamageError{Segment: segmentPath(1), Seq: 1, Reason: "the log has no first record"}
	}
	if v.clean != nil {
		return r, v.judgeClean()
	}
	if d := v.tail.damage; d != nil && v.tail.zeros {
		r.ZeroTail = v.tail.size - v.tail.end
	} else if d != nil {
		if !v.tail.torn && !may.follows {
			return r, d
		}
		r.TornBytes, r.TornSegment, r.TornOffset = v.tail.size-v.tail.end, segmentPath(v.tail.first), v.tail.end
		r.Reason = d.Reason
	}
	if v.watermark.seq > v.seq {
		lost := &DamageError{Segment: segmentPath(v.tail.first), Offset: v.tail.end, Seq: v.seq + 1,
			Reason: fmt.Sprintf("records %d to %d were acknowledged and are missing or damaged", v.seq+1, v.watermark.seq)}
		if r.Reason != "" {
			lost.Reason += ": " + r.Reason
		}
		if !may.lost {
			return r, lost
		}
		r.Reason, r.Lost = lost.Reason, v.watermark.seq-v.seq
	}
	return r, nil
}

// judgeClean compares the log with the marker of its last writer. Behind that
// marker every difference is damage.
func (v *survey) judgeClean() error {
	at := func(reason string) error {
		return &DamageError{Segment: segmentPath(v.tail.first), Offset: v.tail.end, Seq: v.seq + 1, Reason: reason}
	}
	c := v.clean
	tail := segmentName(v.tail.first)
	switch {
	case v.tail.damage != nil:
		return v.tail.damage
	case v.seq != c.seq:
		return at(fmt.Sprintf("the log was closed after record %d, now its last record is %d", c.seq, v.seq))
	case v.watermark.broken:
		return &DamageError{Segment: watermarkName, Reason: "the watermark is not what a writer leaves"}
	case v.watermark.seq > v.seq:
		return at(fmt.Sprintf("record %d was acknowledged, but the log ends before it: it may be an older copy", v.watermark.seq))
	case tail != c.tail || v.tail.size != c.size:
		return at(fmt.Sprintf("the log was closed with %d bytes in %s, now its last segment is %s with %d bytes", c.size, c.tail, tail, v.tail.size))
	case v.leaf != c.leaf:
		return at(fmt.Sprintf("record %d is not the one after which the log was closed", v.seq))
	case v.tree.Root() != c.root:
		return at(fmt.Sprintf("the records 1 to %d are not those after which the log was closed: their Merkle root is another", v.seq))
	}
	return nil
}
