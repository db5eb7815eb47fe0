package eventlog_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime"
	"strings"
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

// fuzzText gives a parser texts whose checksum is right, since it would hide
// everything behind it. What is accepted must be the one stored form.
func fuzzText(f *testing.F, parse func(string) (string, bool), before string, seeds ...string) {
	for _, s := range seeds {
		f.Add(s)
		f.Add(strings.ToUpper(s))
		f.Add(s + s)
		f.Add(strings.ReplaceAll(s, " 1", " 18446744073709551615"))
		f.Add(strings.ReplaceAll(s, " 1", " +1"))
	}
	f.Fuzz(func(t *testing.T, text string) {
		i := strings.LastIndex(text, before)
		if i < 0 {
			i = len(text)
		}
		body := strings.TrimSuffix(text[:i]+before, "crc ")
		if before == " " {
			body = text[:i]
		}
		sum := fmt.Sprintf("%08x\n", crc32.Checksum([]byte(body), crc32.MakeTable(crc32.Castagnoli)))
		for _, text := range []string{text, text[:i] + before + sum} {
			if again, ok := parse(text); ok && again != text {
				t.Fatalf("accepted %q, which is written as %q", text, again)
			}
		}
	})
}

func FuzzParseClean(f *testing.F) {
	fuzzText(f, eventlog.ParseClean, "crc ", closedLog(f)["CLEAN"])
}

func FuzzParsePruned(f *testing.F) {
	fuzzText(f, eventlog.ReadPrunedText, "crc ", prunedLog(f)["PRUNED"])
}

func FuzzParseSeal(f *testing.F) {
	fuzzText(f, eventlog.ParseSeal, " ", strings.SplitAfter(closedLog(f)["seals"], "\n")...)
}

func FuzzDecodeWatermark(f *testing.F) {
	f.Add(eventlog.EncodeWatermark(20))
	f.Add(eventlog.EncodeWatermark(1 << 63))
	f.Add(make([]byte, 24))
	f.Fuzz(func(t *testing.T, b []byte) {
		if seq, ok := eventlog.DecodeWatermark(b); ok && (seq == 0 || !bytes.Equal(eventlog.EncodeWatermark(seq), b)) {
			t.Fatalf("%x is accepted as %d", b, seq)
		}
	})
}

// FuzzSeals opens a log beside any file of seals: the log is the same.
func FuzzSeals(f *testing.F) {
	files := closedLog(f)
	f.Add([]byte(files["seals"]))
	f.Add([]byte(files["seals"] + files["seals"]))
	f.Add([]byte(files["seals"][:100]))
	d := newFuzzDir(f, files)
	f.Fuzz(func(t *testing.T, b []byte) {
		d.put(t, files.with(func(c dirTree) { c["seals"] = string(b) }))
		if _, err := eventlog.SealedSegments(d.dir); err != nil {
			t.Fatal(err)
		}
		if got := open(t, d.dir, small); !sameRecords(got.records, history(last)) {
			t.Fatalf("%d records, %v", len(got.records), got.damage)
		}
	})
}

// FuzzOpen opens a log with any bytes in the place of one of its segments, in
// each state. What it yields are first records of the log; or, with checksums
// made right, records in order.
func FuzzOpen(f *testing.F) {
	states := []dirTree{closedLog(f), killedLog(f), powerless(f), powerless(f).without("seals", "hashes")}
	list := states[0].segments()
	for i, name := range list {
		b := []byte(states[0][name])
		for state := range states {
			f.Add(uint8(state), uint8(i), b[:len(b)-7], false)
			f.Add(uint8(state), uint8(i), append(bytes.Clone(b), make([]byte, 90)...), false)
			f.Add(uint8(state), uint8(i), append(bytes.Clone(b), b...), true)
		}
	}
	d := newFuzzDir(f, states[0])
	f.Fuzz(func(t *testing.T, state, segment uint8, b []byte, reseal bool) {
		name := list[int(segment)%len(list)]
		if reseal {
			b = bytes.Clone(b) // the fuzzer goes on with what it gave
			resealAll(b)
		}
		d.put(t, states[int(state)%len(states)].with(func(c dirTree) { c[name] = string(b) }))
		for who, got := range map[string]found{"reader": openReader(t, d.dir), "writer": open(t, d.dir, small)} {
			if !reseal && !sameRecords(got.records, history(last)[:min(last, len(got.records))]) {
				t.Fatalf("%s: wrong records, report %+v", who, got.report)
			}
			for i, e := range got.records {
				if e.Seq != uint64(i+1) || i > 0 && e.At < got.records[i-1].At {
					t.Fatalf("%s: record %d is %+v", who, i+1, e)
				}
			}
		}
		if v, err := eventlog.Verify(d.dir, eventlog.VerifyOptions{}); err == nil && v.Last > 0 && v.First != 1 {
			t.Fatalf("verified: %+v", v)
		} else if err != nil && !errors.Is(err, eventlog.ErrNotFound) {
			t.Fatal(err)
		}
	})
}

// resealAll makes the checksums right of all frames that follow each other.
func resealAll(b []byte) {
	for len(b) > 0 {
		size, n := binary.Uvarint(b)
		if n <= 0 || size < eventlog.HeaderSize || size > uint64(len(b)-n) {
			return
		}
		eventlog.Reseal(b[n : n+int(size)])
		b = b[n+int(size):]
	}
}

// fuzzDir is a directory that holds one log after the other.
type fuzzDir struct{ dir string }

func newFuzzDir(f *testing.F, files dirTree) fuzzDir { return fuzzDir{files.write(f)} }

func (d fuzzDir) put(t *testing.T, files dirTree) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(d.dir, "torn")); err != nil {
		t.Fatal(err)
	}
	files.update(t, d.dir, readTree(t, d.dir))
}
