package eventlog

import (
	"fmt"
	"path/filepath"

	"github.com/esper-plane/esper/eventlog/tree"
)

// previousNote is the newest checkpoint of a log that this one was restored
// from.
type previousNote struct {
	name  string // relative to the directory of the log
	taken uint64 // records that were taken over
	*wantedRoot
}

func (v *verifier) readPrevious() error {
	entries, err := dirEntries(filepath.Join(v.dir, previousName))
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := filepath.Join(previousName, e.Name())
		taken, ok := parseSegmentName(e.Name())
		switch {
		case ok && e.Type().IsRegular():
			b, err := readSmall(filepath.Join(v.dir, name), maxNote)
			if err != nil {
				return err
			}
			v.notes.previous = append(v.notes.previous, previousNote{name, taken, newWanted(b)})
		case filepath.Ext(name) == tempSuffix:
			v.temp(name)
		default:
			v.add(Finding{Severity: SeverityDamage, Segment: name, Reason: "this is not the checkpoint of an earlier log and does not belong here", Fix: "find out what it is and take it elsewhere"})
		}
	}
	return nil
}

// judgePrevious compares what earlier logs have signed. Beyond what was taken over
// nothing can be compared: the origin says in public where history was cut.
func (v *verifier) judgePrevious() {
	for _, p := range v.notes.previous {
		f := Finding{Severity: SeverityDamage, Segment: p.name, Fix: fixBackup}
		o, ok := v.notes.before(p.taken)
		switch {
		case !ok && v.pruned != nil:
			f.Severity, f.Reason, f.Fix, f.cure = SeverityNote, "the origin that signed this was pruned, so that it was not compared", "keep it: an auditor may have the key", cureNoNeed
			v.add(f)
		case !ok:
			f.Reason = fmt.Sprintf("no log ended with record %d", p.taken)
			v.add(f)
		case p.err == nil && uint64(p.claim.Size) > p.taken:
			v.judgeCut(p, o, f)
		default:
			v.judgeNote(p.wantedRoot, o, f)
		}
	}
}

// judgeCut checks the signature alone.
func (v *verifier) judgeCut(p previousNote, o Origin, f Finding) {
	check, err := v.notes.verifier(o)
	if err == nil {
		_, err = tree.OpenCheckpoint(p.signed, check)
	}
	if err == nil {
		err = strictBase64(p.signed)
	}
	if err != nil {
		f.Reason = err.Error()
		v.add(f)
	}
}

// before returns the origin of which this log has taken over that many records.
func (n *signedNotes) before(taken uint64) (Origin, bool) {
	for i, size := range n.sizes {
		if size == taken {
			return n.origins[i], true
		}
	}
	return Origin{}, false
}
