package eventlog_test

import (
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/esper-plane/esper/eventlog"
)

func TestSegmentsMissingEmptiedOrSwapped(t *testing.T) {
	states(t, func(t *testing.T, state string, files dirTree) {
		l := &lab{t: t}
		list := files.segments()
		for i, a := range list {
			reader, writer := whenTruncated(state, files, a, true)
			l.try("without "+a, files.without(a), refused, refused) // the seal before it says that it was there
			l.try("emptied "+a, files.with(func(c dirTree) { c[a] = "" }), reader, writer)
			for _, b := range list[i+1:] {
				l.try("swapped "+a+" and "+b, files.with(func(c dirTree) { c[a], c[b] = c[b], c[a] }), refused, refused)
				l.try("copied "+a+" to "+b, files.with(func(c dirTree) { c[b] = c[a] }), refused, refused)
			}
		}
		l.try("all segments gone", files.without(list...).with(func(c dirTree) { c["segments/x"] = "" }), refused, refused)
		l.try("FORMAT gone", files.without("FORMAT"), refused, refused)
	})
}

func TestSurplusFiles(t *testing.T) {
	next := fmt.Sprintf("segments/%020d", last+1)
	states(t, func(t *testing.T, state string, files dirTree) {
		l := &lab{t: t}
		for _, a := range files.segments() {
			l.try("copied "+a+" behind the end", files.with(func(c dirTree) { c[next] = c[a] }), refused, refused)
		}
		for _, name := range []string{
			"00000000000000005000", "00000000000000000002", "00000000000000000000", "99999999999999999999",
			"00000000000000000003.TEMP", "00000000000000000003.START", "00000000000000000001.END", "notes", "1",
		} {
			l.try("surplus "+name, files.with(func(c dirTree) { c["segments/"+name] = "" }), refused, refused)
		}
		// The next segment, empty, is what a crash at a roll leaves.
		want := whole
		if state == "closed" {
			want = refused
		}
		l.try("empty next segment", files.with(func(c dirTree) { c[next] = "" }), want, want)
	})
}

func TestSegmentsDirectoryGone(t *testing.T) {
	for _, trace := range []string{"CLEAN", "durable"} {
		dir := dirTree{"FORMAT": "esper-log 0\n", trace: closedLog(t)[trace]}.write(t)
		for who, got := range map[string]found{"reader": openReader(t, dir), "writer": open(t, dir, small)} {
			if got.damage == nil {
				t.Errorf("%s, %s is left: not refused", who, trace)
			}
		}
	}
}

func TestAnOlderCopyIsNoticedByWhatOutlivedIt(t *testing.T) {
	dir := t.TempDir()
	l := create(t, dir, small)
	grow(t, l, 4)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	old := readTree(t, dir)
	now := closedLog(t)
	for name, keep := range map[string]string{"newer marker": "CLEAN", "newer watermark": "durable"} {
		(&lab{t: t}).try(name, old.with(func(c dirTree) { c[keep] = now[keep] }), refused, refused)
	}
}

// TestForgedEnd changes the log and everything that depends on it, except for
// one thing.
func TestForgedEnd(t *testing.T) {
	files := closedLog(t)
	list := files.segments()
	tail := list[len(list)-1]
	l := &lab{t: t}
	l.try("marker of another record", files.with(func(c dirTree) {
		body := strings.Replace(c["CLEAN"][:strings.Index(c["CLEAN"], "crc ")], "seq 20", "seq 19", 1)
		c["CLEAN"] = fmt.Sprintf("%scrc %08x\n", body, crc32.Checksum([]byte(body), crc32.MakeTable(crc32.Castagnoli)))
	}), refused, refused)
	l.try("another last record", files.with(func(c dirTree) {
		b := []byte(c[tail])
		frame := b[len(b)-frameLen(last)+1:]
		frame[len(frame)-1]++
		eventlog.Reseal(frame)
		c[tail] = string(b)
	}), refused, refused)
}

func TestAcceptLoss(t *testing.T) {
	accept := small
	accept.AcceptLoss = true
	files := killedLog(t)
	list := files.segments()
	tail := list[len(list)-1]
	cut := len(files[tail]) - frameLen(last) - 5
	for name, change := range map[string]func(dirTree){
		"lost records":             func(c dirTree) { c[tail] = c[tail][:cut] },
		"intact records behind it": flip(tail, cut, 4),
	} {
		dir := files.with(change).write(t)
		if got := open(t, dir, small); got.damage == nil {
			t.Errorf("%s: opened without AcceptLoss", name)
		}
		got := open(t, dir, accept)
		if got.damage != nil || len(got.records) != last-2 || !strings.Contains(got.report.Reason, "records 19 to 20 were acknowledged") {
			t.Errorf("%s: %d records, report %+v, %v", name, len(got.records), got.report, got.damage)
		}
		if got := open(t, dir, small); got.damage != nil || len(got.records) != last-2 || !got.report.Clean {
			t.Errorf("%s, opened again: report %+v, %v", name, got.report, got.damage)
		}
	}
	for name, files := range map[string]dirTree{
		"behind a marker": closedLog(t).with(func(c dirTree) { c[tail] = c[tail][:cut] }),
		"first segment":   files.with(flip(list[0], 70, 1)),
		"first record":    powerless(t).without(list[1:]...).with(flip(list[0], 20, 1)),
	} {
		if got := open(t, files.write(t), accept); got.damage == nil {
			t.Errorf("%s: AcceptLoss excused it", name)
		}
	}
}

// TestRecoveryStoppedHalfWay leaves what a crash during recovery leaves.
func TestRecoveryStoppedHalfWay(t *testing.T) {
	files := killedLog(t)
	list := files.segments()
	tail := list[len(list)-1]
	torn := files.with(func(c dirTree) { c[tail] += "half a record" })
	saved := fmt.Sprintf("torn/%s-%d-1", filepath.Base(tail), len(files[tail]))
	for name, files := range map[string]dirTree{
		"tail saved":         torn.with(func(c dirTree) { c[saved] = "half a record" }),
		"tail half saved":    torn.with(func(c dirTree) { c[saved] = "half" }),
		"tail half written":  torn.with(func(c dirTree) { c["tail.new"] = c[tail][:50] }),
		"tail written":       torn.with(func(c dirTree) { c["tail.new"] = files[tail] }),
		"marker half left":   files.with(func(c dirTree) { c["CLEAN.new"] = "esper-log cl" }),
		"tail renamed":       files.with(func(c dirTree) { c[saved] = "half a record" }),
		"marker not removed": closedLog(t),
	} {
		got := open(t, files.write(t), small)
		if got.damage != nil || !sameRecords(got.records, history(last)) {
			t.Errorf("%s: %d records, %v", name, len(got.records), got.damage)
		}
	}
}

// update makes dir, which holds base, hold files.
func (files dirTree) update(t testing.TB, dir string, base dirTree) {
	t.Helper()
	for name := range base {
		if _, ok := files[name]; !ok {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, b := range files {
		if old, ok := base[name]; ok && old == b {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(b), 0o640); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDamageErrorSaysWhereAndWhatToDo(t *testing.T) {
	err := error(&eventlog.DamageError{Segment: "segments/1", Offset: 20, Seq: 3, Reason: "rot"})
	for _, want := range []string{"segments/1", "offset 20", "record 3", "rot", "backup"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}
