package eventlog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/esper-plane/esper/eventlog/internal/disk"
	"github.com/esper-plane/esper/eventlog/tree"
)

// copier copies the segments of a log, or of a backup, into another directory:
// into a backup, or into a log that is being made. It reads back what it has
// written, checks each frame and the tree, and gives each whole segment hashes and
// a seal there, which say that the segment needs no copying next time.
//
// Order on the disk, for each segment: its content, its name, its hashes, its
// seal. A segment without a seal is copied again from where the caller knows that
// it is good.
type copier struct {
	fsys     disk.FS
	src, dst string
	last     uint64 // the last record to copy

	witness []seal   // seals of src
	known   []seal   // seals of dst
	fresh   bool     // nothing in dst counts yet
	lenient bool     // the hashes and seals of src need not be right
	held    tailMark // what dst has of the last segment of the last backup
	sealer  sealer   // of dst
	scan    *scanner
	next    uint64 // first record that dst does not hold
	end     tailMark
	names   []string // of the origins among the records that were read
	since   uint64   // records of the caller after the last of them

	copied, kept int   // segments
	bytes        int64 // written into segments and archive
}

// tailMark is a place in a segment that is not full: what comes before it is
// good.
type tailMark struct {
	first uint64 // number in the name of the segment
	bytes int64
	last  uint64 // record that ends there
}

// newCopier opens the hashes and the seals of dst, which may have none yet.
func newCopier(fsys disk.FS, src, dst string, last uint64) (*copier, error) {
	c := &copier{fsys: fsys, src: src, dst: dst, last: last}
	for _, dir := range []string{dst, filepath.Join(dst, segmentsName), filepath.Join(dst, archiveName)} {
		if err := makeDir(fsys, dir); err != nil {
			return nil, err
		}
	}
	f, err := readSeals(dst, maxSeals)
	if err != nil {
		return nil, err
	}
	size, err := sizeOf(filepath.Join(dst, hashesName))
	if err != nil {
		return nil, err
	}
	for _, s := range f.seals {
		if hashesLen(s.next-1) > size {
			break
		}
		c.known, c.sealer.end = append(c.known, s), c.sealer.end+int64(len(s.String()))
	}
	if c.sealer.hashes, err = openSynced(fsys, dst, hashesName); err != nil {
		return nil, err
	}
	if c.sealer.seals, err = openSynced(fsys, dst, sealsName); err != nil {
		return nil, errors.Join(err, c.sealer.hashes.Close())
	}
	if err := c.sealer.prepare(&survey{}); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// maxSeals bounds how many seals are read where the number of segments is not
// known.
const maxSeals = 1 << 20

func (c *copier) close() error { return errors.Join(c.sealer.hashes.Close(), c.sealer.seals.Close()) }

// run copies the segments of src that are in list, the first of which begins with
// the first record that src has.
func (c *copier) run(list []uint64) error {
	f, err := readSeals(c.src, maxSeals)
	if err != nil {
		return err
	}
	c.witness = f.seals
	if err := c.begin(list[0]); err != nil {
		return err
	}
	for i, first := range list {
		if first > c.last {
			break
		}
		next := uint64(0)
		if i+1 < len(list) && list[i+1] <= c.last+1 {
			next = list[i+1]
		}
		if err := c.segment(first, next); err != nil {
			return err
		}
	}
	if c.next != c.last+1 {
		return &DamageError{Segment: segmentPath(c.end.first), Seq: c.next, Reason: fmt.Sprintf("the records %d to %d are missing", c.next, c.last)}
	}
	return nil
}

// begin prepares the tree of the records before the first one of src.
func (c *copier) begin(first uint64) error {
	c.next = first
	if first > 1 && findEnd(c.known, first) == nil {
		if !c.fresh {
			return fmt.Errorf("%w: the log begins with record %d, the copy ends before it, with record %d; use a new directory",
				ErrPruned, first, c.held.last)
		}
		if err := c.takePruned(first); err != nil {
			return err
		}
	}
	c.scan = scannerBefore(c.known, first)
	return nil
}

// findEnd returns the seal of the segment that the one which begins with next
// follows, or nil.
func findEnd(seals []seal, next uint64) *seal {
	for i := range seals {
		if seals[i].next == next {
			return &seals[i]
		}
	}
	return nil
}

// takePruned copies the hashes and the seals of records that src has no longer,
// and checks all of them: they cannot be computed again.
func (c *copier) takePruned(first uint64) error {
	c.known, c.sealer.end = nil, 0
	if err := c.sealer.prepare(&survey{}); err != nil {
		return err
	}
	end := findEnd(c.witness, first)
	if end == nil {
		return &DamageError{Segment: sealsName, Reason: fmt.Sprintf("the seals of the pruned records 1 to %d are missing or damaged", first-1)}
	}
	f, err := os.Open(filepath.Join(c.src, hashesName))
	if err != nil {
		return err
	}
	defer f.Close() // opened for reading only: nothing to lose
	if _, err := io.Copy(io.NewOffsetWriter(c.sealer.hashes, 0), io.NewSectionReader(f, 0, hashesLen(first-1))); err != nil {
		return err
	}
	if err := c.sealer.hashes.Sync(); err != nil {
		return err
	}
	if err := checkHashes(c.dst, end.tree); err != nil {
		return err
	}
	for _, s := range c.witness {
		if s.next > first {
			break
		}
		if err := c.sealer.store(freshSeal{seal: s}); err != nil {
			return err
		}
		c.known = append(c.known, s)
	}
	return nil
}

// root returns the root of the tree of all that dst holds.
func (c *copier) root() tree.Hash { return c.scan.tree.Root() }
