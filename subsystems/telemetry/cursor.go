package telemetry

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/esper-plane/esper/leyline"
)

// Position is a place between two packets in the order of the log: before the
// packet Index of the record Seq. The zero Position is before everything.
type Position struct {
	Seq   leyline.Seq
	Index int
}

// Compare orders positions.
func (p Position) Compare(q Position) int {
	return cmp.Or(cmp.Compare(p.Seq, q.Seq), cmp.Compare(p.Index, q.Index))
}

// append writes what lies before a position: "9" is all of record 9 and "9.0"
// the first packet of record 9 with all before it.
func (p Position) append(dst []byte) []byte {
	if p.Index > 0 {
		dst = strconv.AppendUint(dst, uint64(p.Seq), 10)
		return strconv.AppendInt(append(dst, '.'), int64(p.Index-1), 10)
	}
	return strconv.AppendUint(dst, uint64(p.Seq-min(p.Seq, 1)), 10)
}

// Cursor says which packets a reader has: of each lane those before a position.
// It takes three, because packets of one lane overtake those of another. A
// reader who comes back with a Cursor is given exactly the packets that it has
// not been given before.
type Cursor struct{ Critical, High, Normal Position }

// After returns the cursor of a reader who has everything up to a record.
func After(seq leyline.Seq) Cursor {
	p := Position{Seq: seq + 1}
	return Cursor{p, p, p}
}

// String returns the text that ParseCursor reads: one position, or three with
// commas between them in the order critical, high, normal.
func (c Cursor) String() string {
	b := c.Critical.append(nil)
	if c.High != c.Critical || c.Normal != c.Critical {
		b = c.High.append(append(b, ','))
		b = c.Normal.append(append(b, ','))
	}
	return string(b)
}

// ParseCursor is the inverse of Cursor.String and accepts nothing else.
func ParseCursor(s string) (Cursor, error) {
	parts := strings.Split(s, ",")
	var at [3]Position
	ok := len(parts) == 1 || len(parts) == len(at)
	for i := 0; ok && i < len(parts); i++ {
		at[i], ok = parsePosition(parts[i])
	}
	c := Cursor{at[0], at[1], at[2]}
	if len(parts) == 1 {
		c = Cursor{at[0], at[0], at[0]}
	}
	if !ok || c.String() != s {
		return Cursor{}, fmt.Errorf("%.80q is not a place in the stream; want the id of an event, or the number of a record", s)
	}
	return c, nil
}

func parsePosition(s string) (Position, bool) {
	record, packet, within := strings.Cut(s, ".")
	seq, err := strconv.ParseUint(record, 10, 63)
	if err != nil {
		return Position{}, false
	}
	if !within {
		return Position{Seq: leyline.Seq(seq) + 1}, true
	}
	index, err := strconv.ParseUint(packet, 10, 16)
	return Position{leyline.Seq(seq), int(index) + 1}, err == nil && seq > 0
}

// lowest returns the first of the three positions.
func (c Cursor) lowest() Position {
	return minPosition(c.Critical, minPosition(c.High, c.Normal))
}

// highest returns the last of the three positions.
func (c Cursor) highest() Position {
	return maxPosition(c.Critical, maxPosition(c.High, c.Normal))
}

// of returns the position of a priority's lane.
func (c *Cursor) of(p leyline.Priority) *Position {
	switch p {
	case leyline.PriorityCritical:
		return &c.Critical
	case leyline.PriorityHigh:
		return &c.High
	}
	return &c.Normal
}

// past moves every lane on to a position that is not behind it.
func (c Cursor) past(p Position) Cursor {
	return Cursor{maxPosition(c.Critical, p), maxPosition(c.High, p), maxPosition(c.Normal, p)}
}

func minPosition(p, q Position) Position {
	if p.Compare(q) <= 0 {
		return p
	}
	return q
}

func maxPosition(p, q Position) Position {
	if p.Compare(q) >= 0 {
		return p
	}
	return q
}
