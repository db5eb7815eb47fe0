package eventlog_test

import (
	"testing"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/eventlogtest"
)

// TestAFrameIsFoundWhereverItLies moves an intact record through a damaged
// tail, over the border of the chunks in which the tail is searched.
func TestAFrameIsFoundWhereverItLies(t *testing.T) {
	e := eventlogtest.Group(9, 1)[0]
	e.Lag = 1
	frame := eventlog.AppendFrame(nil, e)
	stored := append([]byte{byte(len(frame))}, frame...)
	const chunk = 256 << 10
	for _, border := range []int{chunk, 2*chunk - 3} {
		for at := border - len(frame) - 4; at < border+4; at++ {
			b := append(make([]byte, at), stored...)
			s, err := eventlog.ScanBytes(b, 5)
			if err != nil || !s.Damaged || s.Torn || s.Size != int64(len(b)) {
				t.Fatalf("a record at offset %d: %+v, %v", at, s, err)
			}
			if s, err = eventlog.ScanBytes(b[:len(b)-1], 5); err != nil || !s.Torn {
				t.Fatalf("part of a record at offset %d: %+v, %v", at, s, err)
			}
			b[at] ^= 1
			if s, err = eventlog.ScanBytes(b, 5); err != nil || !s.Torn {
				t.Fatalf("a frame that no writer has put at offset %d, as in a payload: %+v, %v", at, s, err)
			}
		}
	}
}

func TestALengthHasOneForm(t *testing.T) {
	e := eventlogtest.Group(5, 1)[0]
	e.Lag = 1
	frame := eventlog.AppendFrame(nil, e)
	short := append([]byte{byte(len(frame))}, frame...)
	long := append([]byte{byte(len(frame)) | 0x80, 0}, frame...)
	if s, err := eventlog.ScanBytes(short, 5); err != nil || s.Damaged || s.Next != 6 {
		t.Errorf("shortest form: %+v, %v", s, err)
	}
	if s, err := eventlog.ScanBytes(long, 5); err != nil || !s.Damaged || s.Next != 5 {
		t.Errorf("longer form: %+v, %v", s, err)
	}
}
