package eventlog

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// compareCopies compares a segment with its compressed copy.
func (v *verifier) compareCopies(s storedSegment, got segmentScan) error {
	spare := Finding{Segment: archivePath(s.first), Seq: s.first, Fix: fixRepair, cure: cureSpare, first: s.first}
	if got.damage != nil {
		return nil // Repair looks whether the copy is better
	}
	off, err := sameContent(v.dir, s.first)
	var path *os.PathError
	if errors.As(err, &path) {
		return err
	}
	spare.Severity, spare.Offset = SeverityDamage, off
	switch {
	case err != nil:
		spare.Reason = err.Error()
	case off >= 0:
		spare.Reason = "the compressed segment is not the one in segments/"
	default:
		spare.Severity, spare.Offset, spare.cure = SeverityNote, 0, cureNoNeed
		spare.Reason, spare.Fix = "the segment is also in segments/", "archiving again removes the copy that is not compressed"
	}
	v.add(spare)
	return nil
}

// sameContent returns where a segment and its compressed copy differ, -1 if they
// do not.
func sameContent(dir string, first uint64) (int64, error) {
	a, err := os.Open(filepath.Join(dir, segmentPath(first)))
	if err != nil {
		return 0, err
	}
	defer a.Close()
	b, err := openArchived(dir, first)
	if err != nil {
		return 0, err
	}
	defer b.Close()
	x, y := make([]byte, readChunk), make([]byte, readChunk)
	for off := int64(0); ; off += readChunk {
		n, errA := a.ReadAt(x, off)
		m, errB := b.ReadAt(y, off)
		if errA != nil && errA != io.EOF {
			return off, errA
		}
		if errB != nil && errB != io.EOF {
			return off, errB
		}
		if n != m || !bytes.Equal(x[:n], y[:m]) {
			return off, nil
		}
		if n < len(x) {
			return -1, nil
		}
	}
}
