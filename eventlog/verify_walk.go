package eventlog

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/esper-plane/esper/eventlog/tree"
)

// walk reads all segments in order.
func (v *verifier) walk() error {
	for i, s := range v.list {
		last := i+1 == len(v.list)
		if s.first != v.seq+1 {
			v.gap(s)
		}
		if err := v.segment(s, last); err != nil {
			return err
		}
		if v.limit != 0 && v.seq >= v.limit {
			break
		}
	}
	if len(v.unsealed) > 0 && !v.live {
		v.add(Finding{Severity: SeverityNote, Segment: sealsName, Seq: v.unsealed[0], Reason: fmt.Sprintf("%d full segments have no seal", len(v.unsealed)), Fix: fixOpen, cure: cureNoNeed})
	}
	return nil
}

// gap reports a segment that does not begin where the one before it ends.
func (v *verifier) gap(s storedSegment) {
	f := Finding{Severity: SeverityDamage, Segment: segmentPath(v.seq + 1), Seq: v.seq + 1, Reason: fmt.Sprintf("the segment is missing; the next one is %s", segmentName(s.first)), Fix: fixBackup}
	if s.first <= v.seq {
		f.Segment, f.Reason = s.path(), fmt.Sprintf("the segment begins with a record that is in the one before it, which ends with record %d", v.seq)
	}
	v.add(f)
	v.seq, v.known = s.first-1, false
}

// segment reads one segment and compares it with its seal. Behind damage it goes
// on from what the seal says.
func (v *verifier) segment(s storedSegment, last bool) error {
	sealed, hasSeal := v.seals[s.first]
	v.start, v.startKnown = v.tree, v.known
	v.hashes.seek(tree.StoredCount(int64(s.first - 1)))
	if !s.raw && !s.packed {
		v.missing(s.first, fmt.Sprintf("the segment of the records %d to %d is missing", s.first, max(sealed.next, 1)-1))
		return v.resume(s.first, sealed, hasSeal)
	}
	if last && !hasSeal {
		v.hashes.must = min(v.hashes.must, v.hashes.pos) // there are none of the last segment
	}
	at := v.at
	got, err := v.read(s)
	if err != nil {
		return v.unreadable(s, err)
	}
	v.out.Segments, v.out.Bytes = v.out.Segments+1, v.out.Bytes+s.bytes
	if s.packed {
		v.out.Archived++
	}
	if s.raw && s.packed {
		if err := v.compareCopies(s, got); err != nil {
			return err
		}
	}
	if last && !hasSeal {
		v.tail, v.ends = got, true
		return nil
	}
	return v.closeSegment(s, got, at)
}

// unreadable reports a segment of which nothing can be read.
func (v *verifier) unreadable(s storedSegment, err error) error {
	var d *DamageError
	if !errors.As(err, &d) {
		return err
	}
	f := Finding{Severity: SeverityDamage, Segment: d.Segment, Offset: d.Offset, Seq: s.first, Reason: d.Reason, Fix: fixCopy, cure: cureSegment, first: s.first}
	sealed, hasSeal := v.seals[s.first]
	if !hasSeal {
		f.Fix, f.cure = fixBackup, cureNone
	}
	v.add(f)
	v.out.Segments, v.out.Bytes, v.done = v.out.Segments+1, v.out.Bytes+s.bytes, v.done+s.bytes
	return v.resume(s.first, sealed, hasSeal)
}

// closeSegment judges a segment that another one follows.
func (v *verifier) closeSegment(s storedSegment, got segmentScan, at int64) error {
	sealed, hasSeal := v.seals[s.first]
	if v.limit != 0 && got.next > v.limit {
		return nil // read up to the watermark, not to its end
	}
	switch {
	case got.damage != nil:
		f := Finding{Severity: SeverityDamage, Segment: s.path(), Offset: got.damage.Offset, Seq: got.damage.Seq, Reason: got.damage.Reason, Fix: fixCopy, cure: cureSegment, first: s.first}
		if !hasSeal {
			f.Fix, f.cure = fixBackup, cureNone
		}
		v.add(f)
		return v.resume(s.first, sealed, hasSeal)
	case !hasSeal:
		v.unsealed = append(v.unsealed, s.first)
	default:
		now := seal{first: s.first, next: got.next, bytes: got.end, at: got.at, origin: v.notes.originSeq, tree: v.tree}
		if !v.known { // what came before is damaged: only the rest can be compared
			now.tree, now.origin = sealed.tree, sealed.origin
			if got.next == s.first {
				now.at = max(at, sealed.at)
			}
		}
		if now.String() == sealed.String() {
			v.known, v.tree = true, sealed.tree.Clone()
			v.notes.originSeq = sealed.origin
			v.recent.reset(&v.tree)
			return nil
		}
		v.add(Finding{Severity: SeverityDamage, Segment: s.path(), Offset: got.end, Seq: s.first, Fix: fixCopy, cure: cureSegment, first: s.first,
			Reason: fmt.Sprintf("the segment is whole, but not the one that was sealed: %q is not %q", strings.TrimSpace(now.String()), strings.TrimSpace(sealed.String()))})
		return v.resume(s.first, sealed, true)
	}
	return nil
}

// missing reports a segment that is not there.
func (v *verifier) missing(first uint64, reason string) {
	f := Finding{Severity: SeverityDamage, Segment: segmentPath(first), Seq: first, Reason: reason, Fix: fixCopy, cure: cureSegment, first: first}
	if _, ok := v.seals[first]; !ok {
		f.Reason, f.Fix, f.cure = "the segment is missing", fixBackup, cureNone
	}
	v.add(f)
}

// resume continues behind a segment with what its seal says. What the records
// of the segment were hashed to is compared with the seal instead.
func (v *verifier) resume(first uint64, s seal, ok bool) error {
	v.known = ok
	if !ok {
		// Where the next segment begins is found out there.
		for _, next := range v.list {
			if next.first > first {
				v.seq = next.first - 1
				break
			}
		}
		return nil
	}
	v.tree, v.seq, v.at = s.tree.Clone(), s.next-1, s.at
	v.notes.originSeq = s.origin
	v.recent.reset(&v.tree)
	if v.startKnown && v.hashes.f != nil {
		return v.hashStored(v.start, s.next, fixRepair, cureDerived)
	}
	return nil
}

// read reads the copy of a segment that readers take.
func (v *verifier) read(s storedSegment) (segmentScan, error) {
	f, err := openSegment(v.dir, s.first)
	if err != nil {
		return segmentScan{}, err
	}
	defer f.Close()
	got := segmentScan{first: s.first, next: s.first, at: v.at}
	told := false
	v.fr.reset(f, 0)
	v.recent.reset(&v.tree)
	v.reading = s.first
	for more := true; more && (v.limit == 0 || got.next <= v.limit); {
		if more, err = v.readRecord(f, &got, &told); err != nil {
			return got, fmt.Errorf("cannot check %s: %w", s.path(), err)
		}
		if err := v.progress(got.end, s); err != nil {
			return got, err
		}
	}
	v.done += s.bytes
	return got, v.report(v.done)
}

// readRecord takes the next record of a segment and reports whether there was
// one.
func (v *verifier) readRecord(f segmentFile, got *segmentScan, told *bool) (bool, error) {
	frame, err := v.fr.next()
	if err == io.EOF {
		got.size = got.end
		return false, nil
	}
	var e Entry
	switch {
	case err == nil:
		err = order{got.next, got.at}.check(&e, frame)
	case !errors.Is(err, ErrFrame):
		return false, err
	}
	if err != nil {
		if err := got.stop(f, err, frame); err != nil && !errors.Is(err, ErrFrame) {
			return false, err
		}
		return false, nil
	}
	if err := v.record(&e, frame, told); err != nil {
		return false, err
	}
	got.accept(&v.fr, &e)
	return true, nil
}

// progressStep is after how many bytes Progress is called.
const progressStep = 4 << 20

func (v *verifier) progress(off int64, s storedSegment) error {
	done := v.done + min(off, s.bytes)
	if !s.raw || done-v.told < progressStep {
		return nil
	}
	return v.report(done)
}

func (v *verifier) report(done int64) error {
	v.told = done
	if v.o.Progress == nil {
		return nil
	}
	return v.o.Progress(min(done, v.total), v.total)
}

// record takes a valid record.
func (v *verifier) record(e *Entry, frame []byte, told *bool) error {
	leaf := LeafHash(frame)
	switch e.Kind {
	case KindOrigin:
		v.originRecord(e)
	case KindCheckpoint:
		if err := v.checkpointRecord(e); err != nil {
			return err
		}
	case KindRepair:
		v.repairs = append(v.repairs, keptOf(e.Payload))
	}
	v.out.Records++
	v.seq, v.at, v.leaf = e.Seq, e.At, leaf
	if !v.known {
		return nil
	}
	v.stored = v.tree.Append(v.stored[:0], tree.LeafHash(leaf))
	v.recent.add(&v.tree, v.stored[0])
	v.notes.reach(&v.tree)
	return v.compareHashes(v.stored, e.Seq, told)
}
