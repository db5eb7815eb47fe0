package eventlog_test

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"testing"

	"github.com/esper-plane/esper/eventlog"
)

// FuzzScanSegment gives the scanner any bytes as a segment. It must count only
// what encodes to the bytes it counted, and take memory for no more than is
// there.
func FuzzScanSegment(f *testing.F) {
	files := closedLog(f)
	for _, name := range files.segments() {
		b := []byte(files[name])
		f.Add(b, uint64(firstOf(name)))
		f.Add(b[:len(b)-7], uint64(firstOf(name)))
	}
	f.Add([]byte{0xa0, 0x80, 0x80, 0x08, 'E', 'S', 'P', 'R', 0, 1, 0, 0, 0, 0, 0, 1}, uint64(5))
	f.Add(make([]byte, 100), uint64(2))
	f.Fuzz(func(t *testing.T, b []byte, first uint64) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s, err := eventlog.ScanBytes(b, first)
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Fatal(err)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > uint64(1<<20+8*len(b)) {
			t.Errorf("%d bytes were allocated to scan %d", got, len(b))
		}
		if s.Size != int64(len(b)) || s.End > s.Size || s.Damaged != (s.End < s.Size) || s.Torn && !s.Damaged {
			t.Fatalf("scan of %d bytes: %+v", len(b), s)
		}
		wantRecords(t, b[:s.End], first, s.Next)
	})
}

// wantRecords fails unless b is exactly the stored records from first to
// before next.
func wantRecords(t *testing.T, b []byte, first, next uint64) {
	t.Helper()
	for seq := first; seq != next; seq++ {
		size, n := binary.Uvarint(b)
		frame := b[n : n+int(size)]
		e, err := eventlog.DecodeFrame(frame)
		if err != nil || e.Seq != seq || !bytes.Equal(eventlog.AppendFrame(nil, e), frame) {
			t.Fatalf("record %d: %+v, %v", seq, e, err)
		}
		b = b[n+int(size):]
	}
	if len(b) != 0 {
		t.Fatalf("%d counted bytes belong to no record", len(b))
	}
}
