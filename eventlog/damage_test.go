package eventlog_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/eventlogtest"
)

const last = 20 // record of closedLog

// outcome is what may come of opening a changed log. Wrong records, a panic and
// a refusal that changes something are never allowed.
type outcome int

const (
	refused outcome = iota // DamageError
	whole                  // all records
	told                   // fewer records, or bytes cut, and a report that says so
	shorter                // fewer records; nothing is left that could tell
)

func (o outcome) check(f found) error {
	n := len(f.records)
	is := whole
	switch {
	case f.damage != nil && (f.damage.Segment == "" || f.damage.Reason == ""):
		return fmt.Errorf("damage without a place or a reason: %v", f.damage)
	case f.damage != nil:
		is = refused
	case !sameRecords(f.records, history(n)):
		return fmt.Errorf("wrong records: %s", cmp.Diff(history(n), f.records))
	case f.report.Reason != "":
		is = told
	case n < last:
		is = shorter
	}
	if is == o {
		return nil
	}
	return fmt.Errorf("outcome %d, want %d: %d records, report %+v, %v", is, o, n, f.report, f.damage)
}

// lab opens changed logs with a reader and a writer, and rewrites its directory
// only when it must.
type lab struct {
	t    *testing.T
	dir  string
	base dirTree
}

func (l *lab) try(name string, files dirTree, reader, writer outcome) found {
	l.t.Helper()
	if l.dir == "" {
		l.dir = files.write(l.t)
	}
	files.update(l.t, l.dir, l.base)
	l.base = files
	if err := reader.check(openReader(l.t, l.dir)); err != nil {
		l.t.Errorf("%s: reader: %v", name, err)
	}
	if after := readTree(l.t, l.dir); !cmp.Equal(files, after) {
		l.t.Errorf("%s: the reader changed the directory: %s", name, cmp.Diff(files, after))
	}
	got := open(l.t, l.dir, small)
	if err := writer.check(got); err != nil {
		l.t.Errorf("%s: writer: %v", name, err)
	}
	after := readTree(l.t, l.dir)
	if got.damage != nil && !cmp.Equal(files, after) {
		l.t.Errorf("%s: the refused writer changed the directory: %s", name, cmp.Diff(files, after))
	}
	if got.report.SavedTo != "" {
		f := files[got.report.TornSegment]
		if after[got.report.SavedTo] != f[got.report.TornOffset:] || int64(len(f))-got.report.TornOffset != got.report.TornBytes {
			l.t.Errorf("%s: what was saved is not what was cut", name)
		}
	}
	l.base = after
	return got
}

// states runs a test on the log as it was closed, as it was killed, and as it
// was killed and lost its watermark in a power failure.
func states(t *testing.T, run func(t *testing.T, state string, files dirTree)) {
	for state, files := range map[string]dirTree{"closed": closedLog(t), "killed": killedLog(t), "powerless": powerless(t)} {
		t.Run(state, func(t *testing.T) { run(t, state, files) })
	}
}

func TestUndamagedLogsOpen(t *testing.T) {
	states(t, func(t *testing.T, state string, files dirTree) {
		got := (&lab{t: t}).try(state, files, whole, whole)
		if got.report.Clean != (state == "closed") {
			t.Errorf("report %+v", got.report)
		}
	})
}

func flip(name string, i int, x byte) func(dirTree) {
	return func(c dirTree) {
		b := []byte(c[name])
		b[i] ^= x
		c[name] = string(b)
	}
}

func TestEveryChangedByteOfAMarkerIsNoticed(t *testing.T) {
	inMemory(t)
	files := closedLog(t)
	l := &lab{t: t}
	for i := range files["CLEAN"] {
		l.try(fmt.Sprintf("CLEAN[%d]", i), files.with(flip("CLEAN", i, 1)), refused, refused)
	}
	// The watermark is allowed to be lost in a power failure, but never to lie.
	for i := range files["durable"] {
		l.try(fmt.Sprintf("durable[%d]", i), files.with(flip("durable", i, 1)), refused, refused)
		l.try(fmt.Sprintf("killed, durable[%d]", i), files.without("CLEAN").with(flip("durable", i, 1)), whole, whole)
	}
	for i := range files["FORMAT"] {
		dir := files.with(flip("FORMAT", i, 1)).write(t)
		_, err := eventlog.Open(dir, small)
		var damage *eventlog.DamageError
		if !errors.As(err, &damage) && !errors.Is(err, eventlog.ErrVersion) {
			t.Errorf("FORMAT[%d]: %v", i, err)
		}
		if _, err := eventlog.OpenReader(dir); !errors.As(err, &damage) && !errors.Is(err, eventlog.ErrVersion) {
			t.Errorf("FORMAT[%d], reader: %v", i, err)
		}
	}
}

func TestVersionErrorNamesBoth(t *testing.T) {
	_, err := eventlog.Open(closedLog(t).with(func(c dirTree) { c["FORMAT"] = "esper-log 12\n" }).write(t), small)
	if !errors.Is(err, eventlog.ErrVersion) || !strings.Contains(err.Error(), `"12"`) || !strings.Contains(err.Error(), `"0"`) {
		t.Errorf("got error %v", err)
	}
}

// whenTruncated says what must come of a segment that was cut.
func whenTruncated(state string, files dirTree, name string, boundary bool) (reader, writer outcome) {
	list := files.segments()
	switch {
	case name != list[len(list)-1] || state == "closed":
		return refused, refused
	case state == "killed":
		return told, refused
	case boundary:
		return shorter, shorter
	}
	return told, told
}

func firstOf(segment string) (first int) {
	fmt.Sscanf(filepath.Base(segment), "%d", &first)
	return first
}

func TestBytesAppended(t *testing.T) {
	noise := make([]byte, 3000)
	r := rand.New(rand.NewPCG(3, 4))
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	next := eventlog.AppendFrame(nil, eventlogtest.Group(last+1, 1)[0])
	next = append([]byte{byte(len(next))}, next...)
	huge := append([]byte{0xa0, 0x80, 0x80, 0x08}, next[1:]...) // both lengths claim 16 MiB
	copy(huge[4+8:], []byte{0, 0, 0, 1})
	for name, tail := range map[string][]byte{
		"one zero": {0}, "a page of zeros": make([]byte, 4096), "three mebibytes of zeros": make([]byte, 3<<20),
		"one byte": {0x45}, "noise": noise, "part of a prefix": {0x80}, "part of a header": next[:20],
		"part of a payload": next[:len(next)-1], "a length that is not there": huge,
		"an earlier record inside zeros": append(make([]byte, 50), eventlog.AppendFrame(nil, history(3)[2])...),
		"zeros after part of a record":   append(next[:40:40], make([]byte, 300)...),
	} {
		states(t, func(t *testing.T, state string, files dirTree) {
			list := files.segments()
			changed := files.with(func(c dirTree) { c[list[len(list)-1]] += string(tail) })
			if state == "closed" {
				(&lab{t: t}).try(name, changed, refused, refused)
				return
			}
			if strings.HasSuffix(name, "zero") || strings.HasSuffix(name, "of zeros") {
				got := (&lab{t: t}).try(name, changed, whole, whole)
				if got.report.ZeroTail != int64(len(tail)) || got.report.TornBytes != 0 {
					t.Errorf("%s: report %+v", name, got.report)
				}
				return
			}
			got := (&lab{t: t}).try(name, changed, told, told)
			if len(got.records) != last || got.report.TornBytes != int64(len(tail)) || got.report.SavedTo == "" {
				t.Errorf("%s: %d records, report %+v", name, len(got.records), got.report)
			}
			before := list[0]
			(&lab{t: t}).try(name+" before the tail", files.with(func(c dirTree) { c[before] += string(tail) }), refused, refused)
		})
	}
}

func TestRecordAppendedByAnotherHand(t *testing.T) {
	frame := func(seq, at int, kind eventlog.Kind) string {
		b := eventlog.AppendFrame(nil, eventlog.Entry{Seq: uint64(seq), At: int64(at), Kind: kind, Lag: 1})
		return string(append([]byte{byte(len(b))}, b...))
	}
	// What an unfinished write can leave is cut: record 21 at another place
	// proves that record 20 was acknowledged, and it was not cut.
	unfinished := strings.Repeat("\x00", 500) + frame(last+1, 1<<40, eventlog.KindTransition)
	states(t, func(t *testing.T, state string, files dirTree) {
		list, want := files.segments(), told
		if state == "closed" {
			want = refused
		}
		(&lab{t: t}).try("zeros and the next record", files.with(func(c dirTree) { c[list[len(list)-1]] += unfinished }), want, want)
	})
	for name, tail := range map[string]string{
		"a record from before":       frame(last, 1<<40, eventlog.KindTransition),
		"a record from after":        frame(last+2, 1<<40, eventlog.KindTransition),
		"time running back":          frame(last+1, 1, eventlog.KindTransition),
		"a second origin":            frame(last+1, 1<<40, eventlog.KindOrigin),
		"zeros and a later record":   strings.Repeat("\x00", 500) + frame(last+2, 1<<40, eventlog.KindTransition),
		"noise up to a later record": strings.Repeat("ESP", 100_000) + frame(last+9, 1<<40, eventlog.KindTransition),
	} {
		states(t, func(t *testing.T, state string, files dirTree) {
			list := files.segments()
			(&lab{t: t}).try(name, files.with(func(c dirTree) { c[list[len(list)-1]] += tail }), refused, refused)
		})
	}
}
