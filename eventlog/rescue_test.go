package eventlog_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/esper-plane/esper/eventlog"
)

// rescued reads what is left of a log.
func rescued(t *testing.T, files dirTree) (seqs []uint64, gaps []string) {
	t.Helper()
	for e, err := range eventlog.Rescue(files.write(t)) {
		var d *eventlog.DamageError
		switch {
		case errors.As(err, &d):
			gaps = append(gaps, d.Error())
		case err != nil:
			t.Fatal(err)
		default:
			seqs = append(seqs, e.Seq)
		}
	}
	return seqs, gaps
}

// TestDamageHidesNoNeighbour changes every byte of a log in turn: at most the
// record that holds it is lost, and where one is, that is said.
func TestDamageHidesNoNeighbour(t *testing.T) {
	files := closedLog(t)
	all, gaps := rescued(t, files)
	if len(all) != 20 || len(gaps) != 0 {
		t.Fatalf("of a whole log %d records are read, with %q", len(all), gaps)
	}
	for _, name := range files.segments() {
		for i := range files[name] {
			if i%7 != 0 && testing.Short() {
				continue
			}
			got, gaps := rescued(t, files.with(flip(name, i, 1)))
			if len(got) < len(all)-1 || !slices.IsSorted(got) {
				t.Fatalf("byte %d of %s: records %v are left", i, name, got)
			}
			if len(got) < len(all) && len(gaps) == 0 {
				t.Fatalf("byte %d of %s: only records %v are left, and nothing is said", i, name, got)
			}
		}
	}
}

func TestRescueOfLargerDamage(t *testing.T) {
	files := closedLog(t)
	segments := files.segments()
	zeroed := func(name string, from, to int) func(dirTree) {
		return func(c dirTree) { c[name] = c[name][:from] + strings.Repeat("\x00", to-from) + c[name][to:] }
	}
	first := len(files[segments[0]])
	for name, x := range map[string]struct {
		files dirTree
		lost  int // at most
		gaps  int
	}{
		"a segment is missing":         {files.without(segments[1]), 10, 1},
		"half of a segment is zeros":   {files.with(zeroed(segments[0], first/2, first)), 10, 1},
		"the marker of an orderly end": {files.with(flip("CLEAN", 30, 1)), 0, 1},
		"a foreign file":               {files.with(func(c dirTree) { c["segments/notes"] = "x" }), 0, 1},
	} {
		got, gaps := rescued(t, x.files)
		if len(got) < 20-x.lost || len(got) == 0 || got[len(got)-1] != 20 || len(gaps) != x.gaps {
			t.Errorf("%s: records %v are left, told %q", name, got, gaps)
		}
	}
}
