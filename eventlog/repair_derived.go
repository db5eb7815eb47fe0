package eventlog

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/esper-plane/esper/eventlog/internal/disk"
)

// planRebuild computes hashes and seals again.
func (r *repairer) planRebuild(f Finding) {
	for _, s := range r.steps {
		if s.What == repairRebuild {
			return
		}
	}
	for i, name := range []string{hashesName, sealsName} {
		s := step{RepairAction: RepairAction{What: repairRebuild, Segment: name, Offset: f.Offset, Seq: f.Seq, Reason: f.Reason}, do: func() error { return nil }}
		if name != f.Segment {
			s.Offset, s.Seq, s.Reason = 0, 0, "it is computed together with "+f.Segment
		}
		if there, err := exists(r.path(name)); err != nil || there {
			s.keep = func(a *RepairAction) error { return r.keepFile(a, name) }
		}
		if i == 0 {
			s.do = r.rebuild
		}
		r.steps = append(r.steps, s)
	}
}

// rebuild writes both files anew. The hashes take their place first: seals say
// that they are there.
func (r *repairer) rebuild() error {
	hashes, err := r.create(hashesName)
	if err != nil {
		return err
	}
	seals, err := r.create(sealsName)
	if err != nil {
		return errors.Join(err, hashes.f.Close())
	}
	err = r.derive(hashes.w, seals.w)
	for _, f := range []*newFile{hashes, seals} {
		if err == nil {
			err = f.w.Flush()
		}
		if err == nil {
			err = f.f.Sync()
		}
		err = errors.Join(err, f.f.Close())
	}
	if err != nil {
		return err
	}
	for _, name := range []string{hashesName, sealsName} {
		if err := r.fsys.Rename(r.path(name+tempSuffix), r.path(name)); err != nil {
			return err
		}
		if err := r.fsys.SyncDir(r.dir); err != nil {
			return err
		}
	}
	return nil
}

type newFile struct {
	f disk.File
	w *bufio.Writer
}

func (r *repairer) create(name string) (*newFile, error) {
	f, err := r.fsys.OpenFile(r.path(name+tempSuffix), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, filePerm)
	if err != nil {
		return nil, err
	}
	return &newFile{f, bufio.NewWriterSize(f, readChunk)}, nil
}

// derive computes the hashes and seals of all full segments. Those of pruned
// records, which were found to be right, are copied.
func (r *repairer) derive(hashes, seals io.Writer) error {
	list, pruned, err := listSegments(r.dir)
	if err != nil {
		return err
	}
	c := scanner{collect: true, at: anyTime}
	if pruned != nil {
		if err := r.copyPruned(&c, pruned.first, hashes, seals); err != nil {
			return err
		}
	}
	for _, first := range list[:len(list)-1] {
		c.hashes, c.leaves = nil, nil
		got, err := c.segment(r.dir, first)
		if err != nil {
			return err
		}
		if got.damage != nil {
			return got.damage
		}
		if _, err := hashes.Write(encodeHashes(c.hashes)); err != nil {
			return err
		}
		s := c.sealed(got)
		if _, err := io.WriteString(seals, s.String()); err != nil {
			return err
		}
	}
	return nil
}

func (r *repairer) copyPruned(c *scanner, first uint64, hashes, seals io.Writer) error {
	f, err := os.Open(r.path(hashesName))
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.CopyN(hashes, f, hashesLen(first-1)); err != nil {
		return fmt.Errorf("cannot copy the hashes of pruned records: %w", err)
	}
	for _, begin := range slices.Sorted(maps.Keys(r.v.seals)) {
		s := r.v.seals[begin]
		if begin >= first {
			break
		}
		if _, err := io.WriteString(seals, s.String()); err != nil {
			return err
		}
		c.tree, c.at, c.origin = s.tree.Clone(), s.at, s.origin
	}
	return nil
}
