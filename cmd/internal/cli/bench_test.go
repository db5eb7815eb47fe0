package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/esper-plane/esper/eventlog"
)

// TestBenchAppend runs every peer and reads what is printed.
func TestBenchAppend(t *testing.T) {
	dir := t.TempDir()
	var rep struct {
		Host  map[string]any
		Cells []struct {
			Size, Producers int
			Peers           []struct {
				Name  string
				Rate  spread  `json:"records_per_second"`
				P50   float64 `json:"p50_us"`
				P99   float64 `json:"p99_us"`
				Ratio spread  `json:"esper_to_it"`
			}
		}
	}
	text := esper(t, 0, "bench", "append", "--json", "--dir", dir, "--size", "64,300", "--producers", "1,5", "--seconds", "0.01", "--rounds", "2")
	if err := json.Unmarshal([]byte(text), &rep); err != nil {
		t.Fatal(err)
	}
	if len(rep.Cells) != 4 || len(rep.Host) != 4 {
		t.Fatalf("%d cells, %d facts about the host", len(rep.Cells), len(rep.Host))
	}
	for _, c := range rep.Cells {
		if len(c.Peers) != 3 {
			t.Fatalf("%d peers", len(c.Peers))
		}
		for _, p := range c.Peers {
			sound := p.Rate.Median > 0 && p.P50 > 0 && p.P50 <= p.P99 && p.Ratio.Min > 0 && p.Ratio.Min <= p.Ratio.Median && p.Ratio.Median <= p.Ratio.Max
			if !sound || p.Name == peerEsper && p.Ratio != (spread{1, 1, 1}) {
				t.Errorf("%d bytes, %d producers: %+v", c.Size, c.Producers, p)
			}
		}
	}
	empty(t, dir)
}

// TestBenchRead runs every reader and reads what is printed.
func TestBenchRead(t *testing.T) {
	dir := t.TempDir()
	var rep struct {
		Records int
		Bytes   int64
		Peers   []struct {
			Name  string
			Rate  spread   `json:"records_per_second"`
			Ratio spread   `json:"to_raw"`
			Grown *float64 `json:"peak_rss_growth_mb"`
		}
	}
	text := esper(t, 0, "bench", "read", "--json", "--dir", dir, "--records", "3000", "--size", "100", "--rounds", "2")
	if err := json.Unmarshal([]byte(text), &rep); err != nil {
		t.Fatal(err)
	}
	if rep.Records != 3001 || rep.Bytes < 3000*101 || len(rep.Peers) != 3 {
		t.Fatalf("%+v", rep)
	}
	for _, p := range rep.Peers {
		if p.Rate.Median <= 0 || p.Ratio.Median <= 0 || p.Grown != nil && *p.Grown < 0 {
			t.Errorf("%+v", p)
		}
	}
	empty(t, dir)
}

func empty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range left {
		t.Errorf("%s is left", e.Name())
	}
}

// TestBenchInterrupted stops both while they measure: they leave nothing.
func TestBenchInterrupted(t *testing.T) {
	for _, args := range [][]string{
		{"append", "--producers", "3", "--seconds", "300"},
		{"read", "--records", "100000", "--rounds", "100000"},
	} {
		dir := t.TempDir()
		c := command(t, append(append([]string{"bench"}, args...), "--dir", dir)...)
		errs, err := c.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(errs)
		begun := lines.Scan()
		if strings.Contains(lines.Text(), "is in memory") {
			begun = lines.Scan()
		}
		if !begun || !strings.HasSuffix(lines.Text(), "...") {
			t.Errorf("it says %q", lines.Text())
		}
		time.Sleep(200 * time.Millisecond) // whatever it does then
		if err := c.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() {
		}
		if code := exitOf(c.Wait()); code != exitInterrupted {
			t.Errorf("%v: exit %d", args, code)
		}
		empty(t, dir)
	}
}

func TestBenchRefuses(t *testing.T) {
	for _, args := range []string{
		"append --size 32", "append --size 2000000", "append --producers 0", "append --producers 5000", "append --seconds 0",
		"append --rounds 0", "append --dir nowhere", "append x", "read --records 0", "read --size 5", "read --dir nowhere",
	} {
		esper(t, exitUsage, append([]string{"bench"}, strings.Fields(args)...)...)
	}
}

// memoryGroups keeps the sizes of groups and fails when it is told to.
type memoryGroups struct {
	sizes  []int
	fail   error
	closed bool
}

func (m *memoryGroups) appendGroup(records [][]byte) error {
	m.sizes = append(m.sizes, len(records))
	time.Sleep(100 * time.Microsecond) // as a sync does, so that producers wait
	return m.fail
}

func (m *memoryGroups) close() error { m.closed = true; return nil }

// appendAll lets producers append at the same time and counts those whose last
// append failed.
func appendAll(g *groupFront, producers, each int) (failed int) {
	var all sync.WaitGroup
	errs := make([]error, producers)
	for i := range producers {
		add := g.producer()
		all.Go(func() {
			for range each {
				errs[i] = add([]byte{byte(i)})
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			failed++
		}
	}
	return failed
}

// TestGroupFront lets producers append: each record is in one group, and a
// failure is told to everyone who waits.
func TestGroupFront(t *testing.T) {
	const producers, each = 40, 25
	m := new(memoryGroups)
	g := newGroupFront(m)
	if n := appendAll(g, producers, each); n != 0 {
		t.Errorf("%d producers were told of a failure", n)
	}
	total := 0
	for _, n := range m.sizes {
		total += n
	}
	if total != producers*each || len(m.sizes) == total {
		t.Errorf("%d records in %d groups", total, len(m.sizes))
	}
	m.fail = errors.New("disk on fire")
	if n := appendAll(g, producers, each); n != producers {
		t.Errorf("%d of %d producers were told", n, producers)
	}
	if err := g.close(); err != nil || !m.closed {
		t.Errorf("close: %v, closed %v", err, m.closed)
	}
}

// TestHistogram compares quantiles with those of a list, to its resolution.
func TestHistogram(t *testing.T) {
	var h, other histogram
	for i := 1; i <= 1000; i++ {
		if i%2 == 0 {
			h.add(time.Duration(i) * time.Microsecond)
		} else {
			other.add(time.Duration(i) * time.Microsecond)
		}
	}
	h.merge(&other)
	for q, want := range map[float64]time.Duration{0.5: 500, 0.99: 990, 1: 1000} {
		want *= time.Microsecond
		if got := h.quantile(q); got > want || got < want-want/32 {
			t.Errorf("quantile %v is %v, want about %v", q, got, want)
		}
	}
	if h.count() != 1000 || new(histogram).quantile(0.5) != 0 {
		t.Errorf("count %d", h.count())
	}
}

// TestRawReadDamage: the raw reader is a peer only as long as it checks.
func TestRawReadDamage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	if err := fillLog(t.Context(), dir, 100, 64); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "segments", fmt.Sprintf("%020d", 1))
	if n, err := readRaw(t.Context(), dir); n != 101 || err != nil {
		t.Fatalf("%d records, %v", n, err)
	}
	for _, at := range []int{1, 12, 20, eventlog.HeaderSize + 200} {
		damage(t, name, at)
		if _, err := readRaw(t.Context(), dir); err == nil {
			t.Errorf("a changed byte at %d is not noticed", at)
		}
		damage(t, name, at)
	}
}
