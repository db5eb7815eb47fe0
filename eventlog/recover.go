package eventlog

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-hclog"
)

// survey is everything that recovery looks at before it decides. Taking it
// changes nothing.
type survey struct {
	tail      segmentScan // the last segment
	seq       uint64      // last valid record
	at        int64       // its time
	leaf      [32]byte    // its leaf hash
	clean     *cleanMark  // nil: the log was not closed
	watermark uint64      // 0: not known
}

// look reads the markers and scans the segments, all of them or only as many
// as are needed to know the end of the log. Damage outside the tail is an
// error here, as it never can be excused.
func look(dir string, all bool) (survey, error) {
	var v survey
	var err error
	if v.clean, err = readClean(dir); err != nil {
		return v, err
	}
	if v.watermark, err = readWatermark(dir); err != nil {
		return v, err
	}
	list, err := listSegments(dir)
	if err != nil {
		return v, err
	}
	// The last segment may be empty, or torn at its first byte; then the last
	// record is in the one before it, so that one is always looked at as well.
	start := max(0, len(list)-2)
	if all {
		start = 0
	}
	v.at = anyTime
	var fr frameReader
	for i := start; i < len(list); i++ {
		if err := v.add(&fr, dir, list[i]); err != nil {
			return v, err
		}
		if i+1 == len(list) {
			break
		}
		if v.tail.damage != nil {
			return v, v.tail.damage
		}
		if v.tail.next != list[i+1] {
			return v, &DamageError{Segment: segmentPath(list[i]), Offset: v.tail.end, Seq: v.tail.next,
				Reason: fmt.Sprintf("the segment ends here, but the next one is %s", segmentName(list[i+1]))}
		}
	}
	return v, nil
}

// add scans the next segment.
func (v *survey) add(fr *frameReader, dir string, first uint64) error {
	f, err := openSegment(dir, first)
	if err != nil {
		return err
	}
	defer f.Close()
	if v.tail, err = scanSegment(fr, f, first, v.at); err != nil {
		return fmt.Errorf("cannot scan %s: %w", f.Name(), err)
	}
	v.seq, v.at = v.tail.next-1, v.tail.at
	if v.tail.lastLen == 0 {
		return nil
	}
	v.leaf, err = v.tail.leaf(f)
	return err
}

// lenience says which doubts do not stop the caller.
type lenience struct {
	lost    bool // acknowledged records are missing at the end
	follows bool // intact records follow the damage in the last segment
}

// judge decides whether the log can be used up to v.seq. The report says how
// it was found; it does not yet say what was done about it. Nothing is changed.
func (v *survey) judge(may lenience) (Report, error) {
	r := Report{Clean: v.clean != nil, FirstSeq: 1, LastSeq: v.seq, LastAt: v.at}
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
	if d := v.tail.damage; d != nil {
		if !v.tail.torn && !may.follows {
			return r, d
		}
		r.TornBytes, r.TornSegment, r.TornOffset = v.tail.size-v.tail.end, segmentPath(v.tail.first), v.tail.end
		r.Reason = d.Reason
	}
	if v.watermark > v.seq {
		lost := &DamageError{Segment: segmentPath(v.tail.first), Offset: v.tail.end, Seq: v.seq + 1,
			Reason: fmt.Sprintf("records %d to %d were acknowledged and are missing or damaged", v.seq+1, v.watermark)}
		if r.Reason != "" {
			lost.Reason += ": " + r.Reason
		}
		if !may.lost {
			return r, lost
		}
		r.Reason, r.Lost = lost.Reason, v.watermark-v.seq
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
	case v.watermark > v.seq:
		return at(fmt.Sprintf("record %d was acknowledged, but the log ends before it: it may be an older copy", v.watermark))
	case tail != c.tail || v.tail.size != c.size:
		return at(fmt.Sprintf("the log was closed with %d bytes in %s, now its last segment is %s with %d bytes", c.size, c.tail, tail, v.tail.size))
	case v.leaf != c.leaf:
		return at(fmt.Sprintf("record %d is not the one after which the log was closed", v.seq))
	}
	return nil
}

// mend makes an unclean log fit for writing. What was read may exist only in
// the page cache, so the tail segment is written to a new file, which is
// synced before it takes the name of the old one. If we stop at any step, the
// next opening finds the same records and does all of it again.
func (v *survey) mend(dir string, r *Report, log hclog.Logger) error {
	name := filepath.Join(dir, segmentPath(v.tail.first))
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if r.TornBytes > 0 {
		if r.SavedTo, err = saveTail(dir, f, v.tail); err != nil {
			return fmt.Errorf("cannot save the torn tail: %w", err)
		}
	}
	if r.Reason != "" {
		log.Warn("the end of the log is not whole", "reason", r.Reason, "segment", r.TornSegment, "offset", r.TornOffset, "bytes", r.TornBytes, "saved", r.SavedTo)
	}
	temp := filepath.Join(dir, rewriteName)
	if err := replaceFile(temp, name, io.NewSectionReader(f, 0, v.tail.end)); err != nil {
		return fmt.Errorf("cannot rewrite the tail segment: %w", err)
	}
	log.Info("recovered a log that was not closed", "last", v.seq, "acknowledged", v.watermark)
	v.tail.size = v.tail.end
	return nil
}

// saveTail copies what is about to be cut into a file of its own, durably.
func saveTail(dir string, f *os.File, s segmentScan) (string, error) {
	if err := makeDir(filepath.Join(dir, tornName)); err != nil {
		return "", err
	}
	for i := 1; ; i++ {
		saved := filepath.Join(tornName, fmt.Sprintf("%s-%d-%d", segmentName(s.first), s.end, i))
		g, err := os.OpenFile(filepath.Join(dir, saved), os.O_CREATE|os.O_EXCL|os.O_WRONLY, filePerm)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		_, err = io.Copy(g, io.NewSectionReader(f, s.end, s.size-s.end))
		if err == nil {
			err = g.Sync()
		}
		if err = errors.Join(err, g.Close()); err != nil {
			return "", err
		}
		return saved, syncDir(filepath.Join(dir, tornName))
	}
}
