package replay

import (
	"fmt"
	"strings"

	"github.com/esper-plane/esper/leyline"
)

// Divergence is a record whose recorded events are not what this program
// decides.
type Divergence struct {
	Seq      leyline.Seq
	At       leyline.Instant
	Input    leyline.Input
	Recorded []leyline.Event // in the log
	Replayed []leyline.Event // decided by this program
	Index    int             // of the first event that differs
	Why      string          // what differs in it, field by field
}

// compare describes how the events of r differ from what was decided.
func compare(r leyline.Record, decided []leyline.Event) Divergence {
	d := Divergence{Seq: r.Seq, At: r.At, Input: r.Input, Recorded: r.Events, Replayed: decided}
	for d.Index < len(r.Events) && d.Index < len(decided) {
		if d.Why = differEvents(r.Events[d.Index], decided[d.Index]); d.Why != "" {
			return d
		}
		d.Index++
	}
	switch {
	case d.Index < len(r.Events):
		d.Why = fmt.Sprintf("%s is in the log, this program decides nothing more", r.Events[d.Index].EventKind())
	case d.Index < len(decided):
		d.Why = fmt.Sprintf("nothing more is in the log, this program decides %s", decided[d.Index].EventKind())
	default:
		d.Why = "every field is equal, but the stored forms differ"
	}
	return d
}

func differEvents(recorded, decided leyline.Event) string {
	if a, b := recorded.EventKind(), decided.EventKind(); a != b {
		return fmt.Sprintf("%s is in the log, this program decides %s", a, b)
	}
	if fields := differFields(recorded, decided); len(fields) > 0 {
		return recorded.EventKind().String() + ": " + strings.Join(fields, "; ")
	}
	return ""
}

// String prints both sides, each under its name, with the differing event
// marked.
func (d *Divergence) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "record %d of %s: %s\n", d.Seq, d.At, inWords(d.Input))
	fmt.Fprintf(&b, "first difference in event %d: %s\n", d.Index, printable(d.Why))
	d.side(&b, "recorded in the log", d.Recorded)
	d.side(&b, "decided by this program", d.Replayed)
	return b.String()
}

func (d *Divergence) side(b *strings.Builder, label string, events []leyline.Event) {
	fmt.Fprintf(b, "%s:\n", label)
	for i := range max(len(events), d.Index+1) {
		mark := " "
		if i == d.Index {
			mark = ">"
		}
		line := "nothing"
		if i < len(events) {
			line = events[i].EventKind().String() + ": " + eventWords(events[i])
		}
		fmt.Fprintf(b, "  %s %d %s\n", mark, i, line)
	}
}
