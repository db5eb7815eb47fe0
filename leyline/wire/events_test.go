package wire

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/leylinetest"
)

// TestEventsThatMissAFieldAreNotRead stores every event without each of its
// mandatory fields, behind one that is whole.
func TestEventsThatMissAFieldAreNotRead(t *testing.T) {
	whole := leylinetest.Events()[0].Value
	for _, c := range leylinetest.Events() {
		t.Run(c.Name, func(t *testing.T) {
			record := func(e leyline.Event) leyline.Record {
				return leyline.Record{Seq: 7, At: 1, Input: leyline.TimerFired{}, Events: []leyline.Event{whole, e}}
			}
			got, err := DecodeRecord(7, 1, mustRecord(t, record(c.Value)))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(record(c.Value), got); d != "" {
				t.Error(d)
			}
			for _, f := range c.Mandatory {
				_, err := DecodeRecord(7, 1, mustRecord(t, record(c.Without(f))))
				want := "events[1] is a " + c.Value.EventKind().String() + " whose " + f + " "
				var de *DecodeError
				if !errors.As(err, &de) || de.What != "record 7" || de.Offset == 0 || !strings.Contains(err.Error(), want) {
					t.Errorf("without %s: %v", f, err)
				}
			}
		})
	}
}

// TestInputsAreReadAsTheyCameIn: what was refused is in the log too.
func TestInputsAreReadAsTheyCameIn(t *testing.T) {
	for _, c := range leylinetest.Inputs() {
		for _, f := range c.Mandatory {
			r := leyline.Record{Seq: 7, At: 1, Input: c.Without(f)}
			if _, err := DecodeRecord(7, 1, mustRecord(t, r)); err != nil {
				t.Errorf("%s without %s: %v", c.Name, f, err)
			}
		}
	}
}
