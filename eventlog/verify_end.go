package eventlog

import (
	"fmt"
	"path/filepath"
)

// checkEnd judges the last segment, the watermark and the clean marker by the
// rules of recovery.
func (v *verifier) checkEnd() error {
	if v.live {
		if v.seq < v.limit {
			v.endFinding(SeverityDamage, fmt.Sprintf("records %d to %d were acknowledged and are missing or damaged", v.seq+1, v.limit), fixBackup, cureNone)
		}
		return nil
	}
	if err := v.checkWatermark(); err != nil {
		return err
	}
	if !v.ends {
		v.noEnd()
		return nil
	}
	lost := v.seq < max(v.acknowledged(), 1)
	v.checkTail(lost)
	if v.clean != nil && v.tail.damage == nil && !lost {
		v.checkClean()
	}
	return nil
}

// acknowledged is the last record that the watermark or the clean marker names.
func (v *verifier) acknowledged() uint64 {
	if v.clean != nil {
		return max(v.clean.seq, v.mark.seq)
	}
	return v.mark.seq
}

func (v *verifier) endFinding(s Severity, reason, fix string, c cure) {
	name := v.tail.first
	if name == 0 {
		name = v.seq + 1
	}
	v.add(Finding{Severity: s, Segment: segmentPath(name), Offset: v.tail.end, Seq: v.seq + 1, Reason: reason, Fix: fix, cure: c, first: name})
}

// noEnd reports that the last segment is missing. It was there before the one
// before it was sealed.
func (v *verifier) noEnd() {
	if len(v.list) == 0 || v.seq == 0 {
		return // reported as missing
	}
	last := v.list[len(v.list)-1]
	if _, sealed := v.seals[last.first]; !sealed {
		return
	}
	v.tail = segmentScan{first: v.seq + 1, next: v.seq + 1}
	if c := v.clean; c != nil && c.seq == v.seq && c.size == 0 && c.tail == segmentName(v.seq+1) {
		v.endFinding(SeverityDamage, "the last segment, which was empty, is missing", fixRepair, cureTail)
		return
	}
	v.endFinding(SeverityLoss, "the last segment is missing", fixLoss, cureLoss)
}

// checkTail reports what follows the last valid record, and what should.
func (v *verifier) checkTail(lost bool) {
	d := v.tail.damage
	reason := ""
	if d != nil {
		reason = d.Reason
	}
	if v.seq == 0 {
		v.endFinding(SeverityDamage, "the log has no valid first record: "+reason, fixBackup, cureNone)
		return
	}
	switch {
	case lost:
		text := fmt.Sprintf("records %d to %d were acknowledged and are missing or damaged", v.seq+1, v.acknowledged())
		if reason != "" {
			text += ": " + reason
		}
		v.endFinding(SeverityLoss, text, fixLoss, cureLoss)
	case d == nil:
	case v.clean != nil:
		v.endFinding(SeverityDamage, fmt.Sprintf("%d bytes follow the record after which the log was closed: %s", v.tail.size-v.tail.end, reason), fixBackup, v.surplus())
	case v.tail.zeros:
		v.endFinding(SeverityNote, fmt.Sprintf("%d zeros follow the last record: the writer did not close the log", v.tail.size-v.tail.end), fixOpen, cureNoNeed)
	case v.tail.torn:
		v.endFinding(SeverityNote, fmt.Sprintf("%d bytes follow that are the rest of an unfinished write: %s", v.tail.size-v.tail.end, reason), fixRepair+"; so does the next opening", cureTail)
	default:
		v.endFinding(SeverityLoss, reason, fixLoss, cureLoss)
	}
}

// surplus says whether what follows the last record may be cut although the log
// was closed: if what is left is exactly what was closed.
func (v *verifier) surplus() cure {
	c := v.clean
	if v.known && v.seq == c.seq && v.leaf == c.leaf && v.tree.Root() == c.root && v.tail.end == c.size && segmentName(v.tail.first) == c.tail {
		return cureTail
	}
	return cureNone
}

func (v *verifier) checkWatermark() error {
	if !v.mark.broken {
		return nil
	}
	b, err := readSmall(filepath.Join(v.dir, watermarkName), watermarkSize+1)
	if err != nil {
		return err
	}
	f := Finding{Severity: SeverityDamage, Segment: watermarkName, Reason: "the watermark is not what a writer leaves", Fix: fixRepair, cure: cureMark}
	if v.clean == nil && len(b) <= watermarkSize && allZero(b) {
		f.Severity, f.Reason, f.Fix, f.cure = SeverityNote, "the watermark was being created", fixOpen, cureNoNeed
	}
	v.add(f)
	return nil
}

// checkClean compares whole records with the marker of the last writer.
func (v *verifier) checkClean() {
	c := v.clean
	bad := func(reason string) { v.endFinding(SeverityDamage, reason, fixBackup, cureNone) }
	tail := segmentName(v.tail.first)
	switch {
	case v.seq != c.seq:
		bad(fmt.Sprintf("the log was closed after record %d, now its last record is %d", c.seq, v.seq))
	case tail != c.tail || v.tail.size != c.size:
		bad(fmt.Sprintf("the log was closed with %d bytes in %s, now its last segment is %s with %d bytes", c.size, c.tail, tail, v.tail.size))
	case v.tail.next > v.tail.first && v.leaf != c.leaf:
		bad(fmt.Sprintf("record %d is not the one after which the log was closed", v.seq))
	case v.known && v.tree.Root() != c.root:
		bad(fmt.Sprintf("the records 1 to %d are not those after which the log was closed: their Merkle root is another", v.seq))
	}
}
