package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// report is what a comparison found, as it is written in JSON.
type report struct {
	Host     host         `json:"host"`
	Settings settings     `json:"settings"`
	Append   []appendLine `json:"append,omitempty"`
	Read     []readLine   `json:"read,omitempty"`
}

// settings say how it was measured.
type settings struct {
	Rounds  int     `json:"rounds"`
	Seconds float64 `json:"seconds,omitempty"` // of one append run
	Records int     `json:"records,omitempty"` // that were read
	Size    int     `json:"size,omitempty"`    // of the records that were read
}

// appendLine is one peer in one cell. A ratio of 0 means that there was nothing
// to compare with.
type appendLine struct {
	Size         int     `json:"size"`
	Producers    int     `json:"producers"`
	Peer         string  `json:"peer"`
	What         string  `json:"what"`
	PerSecond    spread  `json:"records_per_second"`
	ToRaw        float64 `json:"ratio_to_raw"`
	ToZerofilled float64 `json:"ratio_to_zerofilled"`
	P50          float64 `json:"p50_us"`
	P99          float64 `json:"p99_us"`
	Group        float64 `json:"records_per_group"` // mean; 0 if not known
}

// readLine is one peer in the comparison of reads.
type readLine struct {
	Peer      string  `json:"peer"`
	What      string  `json:"what"`
	MB        spread  `json:"mb_per_second"`
	PerSecond float64 `json:"records_per_second"`
	ToRaw     float64 `json:"ratio_to_raw"`
	Allocs    float64 `json:"allocs_per_record"`
	Open      float64 `json:"open_ms"`
}

func (r appendRun) rate() float64 { return r.perSecond }

// appendLines reduces the rounds of every cell.
func appendLines(cells []appendCell, peers []appendPeer) []appendLine {
	var lines []appendLine
	for _, c := range cells {
		raw := column(c.runs[rawName], appendRun.rate)
		zerofilled := column(c.runs[zerofilledName], appendRun.rate)
		for _, p := range peers {
			runs := c.runs[p.name]
			rates := column(runs, appendRun.rate)
			lines = append(lines, appendLine{
				Size: c.size, Producers: c.producers, Peer: p.name, What: p.what,
				PerSecond:    spreadOf(rates),
				ToRaw:        ratio(rates, raw),
				ToZerofilled: ratio(rates, zerofilled),
				P50:          median(column(runs, func(r appendRun) float64 { return microseconds(r.p50) })),
				P99:          median(column(runs, func(r appendRun) float64 { return microseconds(r.p99) })),
				Group:        median(column(runs, func(r appendRun) float64 { return r.group })),
			})
		}
	}
	return lines
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// readLines reduces the rounds of every peer.
func readLines(runs map[string][]readRun, plan readPlan) []readLine {
	rate := func(r readRun) float64 { return float64(plan.records) / r.read.Seconds() }
	megabytes := func(r readRun) float64 { return rate(r) * float64(plan.size) / 1e6 }
	raw := column(runs[rawName], rate)
	var lines []readLine
	for _, p := range plan.peers {
		rates := column(runs[p.name], rate)
		lines = append(lines, readLine{
			Peer: p.name, What: p.what,
			MB:        spreadOf(column(runs[p.name], megabytes)),
			PerSecond: median(rates),
			ToRaw:     ratio(rates, raw),
			Allocs:    median(column(runs[p.name], func(r readRun) float64 { return r.allocs })),
			Open:      median(column(runs[p.name], func(r readRun) float64 { return r.open.Seconds() * 1e3 })),
		})
	}
	return lines
}

// writeJSON writes the report for programs.
func (r report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// writeMarkdown writes the report for people.
func (r report) writeMarkdown(w io.Writer) error {
	t := &markdown{w: w}
	t.head(r.Host)
	if len(r.Append) > 0 {
		t.appends(r)
	}
	if len(r.Read) > 0 {
		t.reads(r)
	}
	return t.err
}

// markdown writes to w until the first error, which it keeps.
type markdown struct {
	w   io.Writer
	err error
}

func (t *markdown) printf(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.w, format, args...)
	}
}

func (t *markdown) head(h host) {
	t.printf("%s, %s, %d cores used, %s, %s, load average before the run %s\n", h.Go, h.CPU, h.Cores, h.Kernel, h.FileSystem, h.Load)
	if h.FileSystem == memoryOnly {
		t.printf("\nNOTHING HERE IS DURABLE: -dir is on a file system in memory.\n")
	}
	for _, path := range peerModules {
		if v, ok := h.Modules[path]; ok {
			t.printf("- %s %s\n", path, v)
		}
	}
}

func (t *markdown) appends(r report) {
	t.printf("\nDurable appends: median of %d rounds of %g s; ratios are medians of the ratios within a round.\n",
		r.Settings.Rounds, r.Settings.Seconds)
	size := 0
	for _, l := range r.Append {
		if l.Size != size {
			size = l.Size
			t.printf("\n### Records of %d B\n\n", size)
			t.printf("| producers | peer | records/s | min..max | to raw | to zero-filled | p50 us | p99 us | records per group |\n")
			t.printf("|---|---|---|---|---|---|---|---|---|\n")
		}
		t.printf("| %d | %s | %.0f | %.0f..%.0f | %s | %s | %.0f | %.0f | %s |\n", l.Producers, l.Peer,
			l.PerSecond.Median, l.PerSecond.Min, l.PerSecond.Max,
			known("%.2f", l.ToRaw), known("%.2f", l.ToZerofilled), l.P50, l.P99, known("%.1f", l.Group))
	}
}

func (t *markdown) reads(r report) {
	t.printf("\nSequential reads of %d records of %d B from the page cache: median of %d rounds; ratios are medians of the ratios within a round.\n\n",
		r.Settings.Records, r.Settings.Size, r.Settings.Rounds)
	t.printf("| peer | what | MB/s | min..max | records/s | to raw | allocations per record | open ms |\n")
	t.printf("|---|---|---|---|---|---|---|---|\n")
	for _, l := range r.Read {
		t.printf("| %s | %s | %.0f | %.0f..%.0f | %.0f | %s | %.2f | %.1f |\n", l.Peer, l.What,
			l.MB.Median, l.MB.Min, l.MB.Max, l.PerSecond, known("%.2f", l.ToRaw), l.Allocs, l.Open)
	}
}

// known formats a number that is 0 if it is not known.
func known(format string, v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf(format, v)
}
