package telemetry

import (
	"testing"

	l "github.com/esper-plane/esper/leyline"
)

func TestCursorText(t *testing.T) {
	at := func(seq l.Seq, index int) Position { return Position{seq, index} }
	for _, c := range []struct {
		cursor Cursor
		want   string
	}{
		{After(0), "0"}, {After(9), "9"}, {After(1<<63 - 1), "9223372036854775807"},
		{Cursor{at(9, 1), at(9, 1), at(9, 1)}, "9.0"},
		{Cursor{at(10, 0), at(9, 3), at(1, 0)}, "9,9.2,0"},
	} {
		if got := c.cursor.String(); got != c.want {
			t.Errorf("%+v is written %q, want %q", c.cursor, got, c.want)
		}
		if got, err := ParseCursor(c.want); err != nil || got != c.cursor {
			t.Errorf("%q is read as %+v, %v", c.want, got, err)
		}
	}
	if got := (Cursor{}).String(); got != "0" {
		t.Errorf("the zero cursor is written %q", got)
	}
	for _, bad := range []string{
		"", "x", "-1", "+1", "01", "1.", ".1", "1.01", "0.0", "1,2", "1,2,3,4", "5,5,5", "1 ", "1.65536", "9223372036854775808", "1,,2", "1.-1,2,3",
	} {
		if c, err := ParseCursor(bad); err == nil {
			t.Errorf("%q is accepted as %+v", bad, c)
		}
	}
}

// FuzzParseCursor: what is accepted is written again as it was.
func FuzzParseCursor(f *testing.F) {
	for _, s := range []string{"0", "9.0", "9,9.2,0", "1,2", "9223372036854775807.65535"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseCursor(s)
		if err != nil {
			return
		}
		if got := c.String(); got != s {
			t.Errorf("%q is read as %+v and written %q", s, c, got)
		}
		if c.lowest().Compare(c.highest()) > 0 {
			t.Errorf("%q: lowest %+v, highest %+v", s, c.lowest(), c.highest())
		}
	})
}
