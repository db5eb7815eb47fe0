package eventlog_test

import (
	"cmp"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/esper-plane/esper/eventlog"
)

var damageFull = flag.Bool("damage.full", false, "change every byte in two ways, and cut every file at every offset, in every state")

// hundred is a log of a hundred records in several segments, the first of which
// is compressed.
type hundred struct {
	files   dirTree
	records []eventlog.Entry
	ends    bool // nothing but the records themselves says where they end
	covered int  // record up to which a checkpoint says what was there
}

// hundredRecords are such logs in the states in which a log is found.
func hundredRecords(t testing.TB) map[string]hundred {
	t.Helper()
	opts := eventlog.Options{SegmentSize: 1800}
	grown := func(dir string, l *eventlog.Log) dirTree {
		for n := 1; l.Next() <= 100; n = n%9 + 1 {
			grow(t, l, min(n, int(101-l.Next())))
		}
		for range 5000 { // until the sealer has written
			n, err := eventlog.SealedRecords(dir)
			files := readTree(t, dir)
			if err == nil && fmt.Sprintf("segments/%020d", n+1) == slices.Max(files.segments()) {
				return files
			}
			time.Sleep(time.Millisecond)
		}
		t.Fatal("the segments were not sealed")
		return nil
	}
	packed := func(files dirTree) dirTree {
		dir := files.write(t)
		if _, err := eventlog.Archive(dir, eventlog.ArchiveOptions{KeepRaw: 2}); err != nil {
			t.Fatal(err)
		}
		return readTree(t, dir)
	}
	dir := t.TempDir()
	l := create(t, dir, opts)
	killed := packed(grown(dir, l))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	closed := packed(readTree(t, dir))

	dir = t.TempDir()
	l = createSigned(t, dir, opts)
	grow(t, l, 50, 46)
	if err := l.Close(); err != nil { // signs
		t.Fatal(err)
	}
	l, err := eventlog.Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	signed := packed(grown(dir, l)).without("durable")
	logs := map[string]hundred{
		"closed": {files: closed}, "killed": {files: killed},
		"powerless": {files: killed.without("durable"), ends: true},
		"signed":    {files: signed, ends: true, covered: 97},
	}
	for state, h := range logs {
		h.records = openReader(t, h.files.write(t)).records
		if len(h.records) != 100 || len(h.files.segments()) < 3 {
			t.Fatalf("%s: %d records in %d segments", state, len(h.records), len(h.files.segments()))
		}
		logs[state] = h
	}
	return logs
}

// verdict is what came of a change. A worse one is greater.
//
// enum: local because it is about this test.
type verdict int

const (
	vRefused    verdict = iota // an error says where
	vTold                      // records are missing, or bytes were cut, and the report says so
	vHarmless                  // all records, and no others
	vDocumented                // records are missing at the end, and nothing is left that could tell
	vWrong                     // anything else
)

// tally counts verdicts by change and state.
type tally struct {
	mu     sync.Mutex
	counts map[[2]string]*[vWrong + 1]int
	silent map[[2]string]int // of these, those about which Verify says nothing
}

func (a *tally) add(change, state string, v verdict, silent bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	key := [2]string{change, state}
	if a.counts[key] == nil {
		a.counts[key] = new([vWrong + 1]int)
	}
	a.counts[key][v]++
	if silent {
		a.silent[key]++
	}
}

func (a *tally) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-30s %-10s %7s %7s %7s %8s %10s %10s %14s\n", "change", "state", "cases", "refused", "told", "harmless", "documented", "undetected", "Verify silent")
	keys := make([][2]string, 0, len(a.counts))
	for key := range a.counts {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(x, y [2]string) int { return cmp.Or(cmp.Compare(x[0], y[0]), cmp.Compare(x[1], y[1])) })
	for _, key := range keys {
		n, all := a.counts[key], 0
		for _, v := range n {
			all += v
		}
		fmt.Fprintf(&b, "%-30s %-10s %7d %7d %7d %8d %10d %10d %14d\n", key[0], key[1], all, n[vRefused], n[vTold], n[vHarmless], n[vDocumented], n[vWrong], a.silent[key])
	}
	return b.String()
}

// surgeon changes one log again and again.
type surgeon struct {
	t *testing.T
	hundred
	state string
	zeros int // where the records of the last segment end
	tally *tally
	dir   string
	base  dirTree
	tries int
}

// try changes the log and counts what comes of it. boundary says that a segment
// was cut between two records, of which so many are left.
//
// It returns what came of opening it.
func (s *surgeon) try(change, what string, edit func(dirTree), left int) verdict {
	files := s.files.with(edit)
	if same(files, s.files) {
		return vRefused
	}
	s.tries++
	s.put(files)
	silent := s.verifySilent(what)
	var outcome verdict
	for i, who := range []string{"Reader", "Open with CheckAll", "Open"} {
		if i != 1 && !*damageFull && (s.tries+i/2)%2 == 0 {
			continue
		}
		v, opened, err := s.probe(i)
		if v == vWrong && s.ends && left >= max(s.covered, 1) && err == errShort(left) {
			v = vDocumented
		}
		if v == vWrong {
			s.t.Errorf("%s, %s, %s: %s: %v", change, s.state, what, who, err)
		}
		if i == 1 || v == vWrong {
			outcome = max(outcome, v)
		}
		if !opened {
			if s.tries%32 == 0 && !same(readTree(s.t, s.dir), files) {
				s.t.Errorf("%s, %s, %s: %s changed the directory", change, s.state, what, who)
			}
			continue
		}
		s.base = readTree(s.t, s.dir)
		if i == 1 {
			s.put(files)
		}
	}
	s.tally.add(change, s.state, outcome, silent)
	return outcome
}

// inside changes a byte of a file, or cuts it there. In what is before others, in
// what was closed, and in what was acknowledged, that must be refused.
func (s *surgeon) inside(change, class, name string, at int, edit func(dirTree), left int) {
	what := fmt.Sprintf("%s[%d]", name, at)
	v := s.try(change+class, what, edit, left)
	old := class == "sealed segment" || class == "archived segment" || class == "FORMAT" || class == "CLEAN"
	tail := class == "tail segment" && (s.state == "closed" || s.state == "killed" && at < s.zeros)
	if (old || tail) && v != vRefused {
		s.t.Errorf("%s%s, %s, %s: not refused", change, class, s.state, what)
	}
}

func same(a, b dirTree) bool {
	if len(a) != len(b) {
		return false
	}
	for name, x := range a {
		if y, ok := b[name]; !ok || x != y {
			return false
		}
	}
	return true
}

// put makes the directory hold files.
func (s *surgeon) put(files dirTree) {
	if s.dir == "" {
		s.dir, s.base = files.write(s.t), files
	}
	files.update(s.t, s.dir, s.base)
	s.base = files
}

func (s *surgeon) verifySilent(what string) bool {
	v, err := eventlog.Verify(s.dir, eventlog.VerifyOptions{})
	if err != nil {
		if !errors.Is(err, eventlog.ErrVersion) && !errors.Is(err, eventlog.ErrNotFound) {
			s.t.Errorf("%s, %s: Verify: %v", s.state, what, err)
		}
		return false
	}
	return len(v.Findings) == 0
}

// probe reads the log in one of three ways. opened says that it may have changed
// the directory.
func (s *surgeon) probe(way int) (v verdict, opened bool, err error) {
	var list []eventlog.Entry
	var report eventlog.Report
	if way == 0 {
		var r *eventlog.Reader
		if r, err = eventlog.OpenReader(s.dir); err == nil {
			report = r.Report()
			list, err = collect(r.All(0))
			err = errors.Join(err, r.Close())
		}
	} else {
		var l *eventlog.Log
		if l, err = eventlog.Open(s.dir, eventlog.Options{SegmentSize: 1800, CheckAll: way == 1}); err == nil {
			opened = true
			report = l.Recovery()
			list, err = collect(l.All(0))
			err = errors.Join(err, l.Close())
		}
	}
	v, err = s.judge(list, report, err)
	return v, opened, err
}

func (s *surgeon) judge(list []eventlog.Entry, report eventlog.Report, err error) (verdict, error) {
	var damage *eventlog.DamageError
	switch {
	case len(list) > len(s.records) || !sameRecords(list, s.records[:len(list)]):
		return vWrong, errors.New("wrong records")
	case errors.As(err, &damage) && damage.Segment != "" && damage.Reason != "", errors.Is(err, eventlog.ErrVersion), errors.Is(err, eventlog.ErrNotFound):
		return vRefused, nil
	case err != nil:
		return vWrong, err
	case report.Reason != "":
		return vTold, nil
	case len(list) == len(s.records):
		return vHarmless, nil
	}
	return vWrong, errShort(len(list))
}

// errShort is that only so many records are there, and nobody said so.
type errShort int

func (e errShort) Error() string { return fmt.Sprintf("only %d records, and no report", int(e)) }

// names returns the files in order, and what each is in the tally.
func (s *surgeon) names() (list []string, class map[string]string) {
	class = make(map[string]string)
	segments := s.files.segments()
	for name := range s.files {
		list = append(list, name)
		switch {
		case name == segments[len(segments)-1]:
			class[name] = "tail segment"
		case slices.Contains(segments, name):
			class[name] = "sealed segment"
		case strings.HasPrefix(name, "archive/"):
			class[name] = "archived segment"
		default:
			class[name] = name
		}
	}
	slices.Sort(list)
	return list, class
}

// every says how many bytes to go on from one that was changed: without -full
// each byte of a segment is changed in one state, and some of the other files.
func (s *surgeon) every(class string, i, state int) bool {
	switch {
	case *damageFull:
		return true
	case testing.Short():
		return i%61 == state*15
	case class == "tail segment" && i > s.zeros && i%16 != 0:
		return false
	case strings.HasSuffix(class, "segment"):
		return i%4 == state
	}
	return i%28 == state*7
}

func (s *surgeon) flips(state int) {
	noise := rand.New(rand.NewPCG(uint64(state), 2))
	list, class := s.names()
	for _, name := range list {
		for i := range s.files[name] {
			if !s.every(class[name], i, state) {
				continue
			}
			x := []byte{1 << noise.IntN(8), byte(1 + noise.IntN(255))}
			if !*damageFull {
				x = x[i/4%2:][:1]
			}
			for _, x := range x {
				s.inside("flip: ", class[name], name, i, flip(name, i, x), 0)
			}
		}
	}
}

func (s *surgeon) cuts(state int) {
	list, class := s.names()
	for _, name := range list {
		ends := make(map[int]int)
		if class[name] == "tail segment" {
			ends = s.boundaries(name)
		}
		for n := range s.files[name] {
			left, boundary := ends[n]
			if boundary || s.every(class[name], n, state) {
				s.inside("cut: ", class[name], name, n, func(c dirTree) { c[name] = c[name][:n] }, left)
			}
		}
	}
}

// boundaries maps the offsets between records to the number of the last record
// before them.
func (s *surgeon) boundaries(name string) map[int]int {
	off, seq := 0, firstOf(name)-1
	ends := map[int]int{0: seq}
	for _, e := range s.entries(name) {
		off, seq = off+len(e), seq+1
		ends[off] = seq
	}
	return ends
}

// entries splits a segment.
func (s *surgeon) entries(name string) (list []string) {
	for text := s.files[name]; text != "" && text[0] != 0; {
		size, n := binary.Uvarint([]byte(text[:min(len(text), 4)]))
		list, text = append(list, text[:n+int(size)]), text[n+int(size):]
	}
	return list
}

func (s *surgeon) additions() {
	garbage := make([]byte, 700)
	noise := rand.New(rand.NewPCG(5, 6))
	for i := range garbage {
		garbage[i] = byte(noise.Uint32())
	}
	list, class := s.names()
	for _, name := range list {
		for what, tail := range map[string]string{"NULs": string(make([]byte, 100)), "one NUL": "\x00", "garbage": string(garbage), "itself": s.files[name]} {
			s.try("append: "+class[name], what+" after "+name, func(c dirTree) { c[name] += tail }, 0)
		}
	}
	for _, name := range s.files.segments() {
		entries := s.entries(name)
		for i, e := range entries {
			s.try("append an earlier record", fmt.Sprintf("record %d of %s", i, name), func(c dirTree) { c[name] = strings.TrimRight(c[name], "\x00") + e }, 0)
		}
	}
}

// records moves records about inside of a segment, and from one to the other.
func (s *surgeon) moves() {
	segments := s.files.segments()
	for a, from := range segments {
		entries := s.entries(from)
		for i, e := range entries {
			rest := func(list []string) string {
				return strings.Join(list, "") + s.files[from][len(strings.Join(entries, "")):]
			}
			s.try("remove a record", fmt.Sprintf("%d of %s", i, from), func(c dirTree) { c[from] = rest(slices.Delete(slices.Clone(entries), i, i+1)) }, firstOf(from)+len(entries)-2)
			s.try("double a record", fmt.Sprintf("%d of %s", i, from), func(c dirTree) { c[from] = rest(slices.Insert(slices.Clone(entries), i, e)) }, 0)
			for _, to := range segments[a:] {
				others := s.entries(to)
				for j, f := range others {
					if len(e) != len(f) || from == to && j <= i {
						continue
					}
					s.try("swap two records of one length", fmt.Sprintf("%d of %s and %d of %s", i, from, j, to), func(c dirTree) {
						c[from] = strings.Replace(c[from], e, strings.Repeat("?", len(e)), 1)
						c[to] = strings.Replace(c[to], f, e, 1)
						c[from] = strings.Replace(c[from], strings.Repeat("?", len(e)), f, 1)
					}, 0)
				}
			}
		}
	}
}

// files deletes, renames, copies and swaps whole files.
func (s *surgeon) whole() {
	list, class := s.names()
	for _, name := range list {
		s.try("delete: "+class[name], name, func(c dirTree) { delete(c, name) }, 0)
	}
	var segments []string
	for _, name := range list {
		if strings.HasSuffix(class[name], "segment") {
			segments = append(segments, name)
		}
	}
	for i, a := range segments {
		suffix := filepath.Ext(a)
		for _, first := range []int{firstOf(a) - 1, firstOf(a) + 1, 101, 500} {
			name := fmt.Sprintf("%s/%020d%s", filepath.Dir(a), first, suffix)
			s.try("rename a segment", a+" to "+name, func(c dirTree) { c[name] = c[a]; delete(c, a) }, 0)
			s.try("copy a segment", a+" to "+name, func(c dirTree) { c[name] = c[a] }, 0)
		}
		for _, b := range segments[i+1:] {
			s.try("swap two segments", a+" and "+b, func(c dirTree) { c[a], c[b] = c[b], c[a] }, 0)
			s.try("copy a segment", a+" to "+b, func(c dirTree) { c[b] = c[a] }, 0)
			s.try("copy a segment", b+" to "+a, func(c dirTree) { c[a] = c[b] }, 0)
		}
	}
}

// TestForgedRecords changes a record and its checksum, and removes what could be
// computed again: the marker of the last writer tells.
func TestForgedRecords(t *testing.T) {
	inMemory(t)
	h := hundredRecords(t)["closed"]
	s := &surgeon{t: t, hundred: h, state: "closed", tally: &tally{counts: make(map[[2]string]*[vWrong + 1]int), silent: make(map[[2]string]int)}}
	for _, name := range h.files.segments() {
		off := 0
		for _, e := range s.entries(name) {
			if off += len(e); len(e) < 128 {
				v := s.try("forge", fmt.Sprintf("%s before %d", name, off), func(c dirTree) {
					b := []byte(c[name])
					b[off-1]++
					eventlog.Reseal(b[off-len(e)+1 : off])
					c[name] = string(b)
					delete(c, "seals")
					delete(c, "hashes")
				}, 0)
				if v != vRefused {
					t.Errorf("the record before offset %d of %s was forged and is not refused", off, name)
				}
			}
		}
	}
}

// TestHundredRecords changes a log of a hundred records in every way that the
// package comment lists. What it logs is the table there.
func TestHundredRecords(t *testing.T) {
	inMemory(t)
	all := &tally{counts: make(map[[2]string]*[vWrong + 1]int), silent: make(map[[2]string]int)}
	t.Run("states", func(t *testing.T) {
		for i, state := range []string{"closed", "killed", "powerless", "signed"} {
			h := hundredRecords(t)[state]
			t.Run(state, func(t *testing.T) {
				t.Parallel()
				s := &surgeon{t: t, hundred: h, state: state, tally: all}
				tail := slices.Max(s.files.segments())
				s.zeros = len(strings.Join(s.entries(tail), ""))
				s.flips(i)
				s.cuts(i)
				s.additions()
				s.moves()
				s.whole()
			})
		}
	})
	t.Logf("\n%v", all)
}

// inMemory makes a test of many small directories quick: they are in memory,
// where that is possible, and garbage is collected seldom.
func inMemory(t *testing.T) {
	old := debug.SetGCPercent(800)
	t.Cleanup(func() { debug.SetGCPercent(old) })
	const shm = "/dev/shm"
	var free unix.Statfs_t
	if err := unix.Statfs(shm, &free); err != nil || free.Bavail*uint64(free.Bsize) < 1<<30 || os.Getenv("TMPDIR") != "" {
		return
	}
	if err := os.Setenv("TMPDIR", shm); err != nil { // t.Setenv forbids parallel tests
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Unsetenv("TMPDIR") })
}
