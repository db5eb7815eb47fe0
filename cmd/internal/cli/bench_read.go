package cli

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/eventlog"
)

type benchReadFlags struct {
	benchFlags
	records, size int
}

func newBenchRead(a *app) *cobra.Command {
	var f benchReadFlags
	c := &cobra.Command{
		Use:   "read",
		Short: "Reading a log from the page cache",
		Long: "Fill a log, then measure how fast all of it is read, from the page cache:\n\n" +
			"  raw     the same files through a buffer, with the CRC-32C of every frame compared:\n          what any reader that checks must do\n" +
			"  All     what a replay reads with\n  Follow  what a follower reads with, from record 1\n\n" +
			"Peak RSS growth is how much the process grew at most while it read, where the\nsystem can tell. With the defaults a log of 260 MB is written. The peers that need\nother modules are in eventlog/internal/peerbench.",
		Example: "  esper bench read --dir data\n  esper bench read --records 200000 --json",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.benchRead(cmd.Context(), f) },
	}
	f.add(c)
	c.Flags().IntVar(&f.records, "records", 1_000_000, "how many records")
	c.Flags().IntVar(&f.size, "size", 256, "bytes of a record, its header included")
	return c
}

func (f *benchReadFlags) check() error {
	if f.records < 1 {
		return usagef("--records %d; want 1 or more", f.records)
	}
	if err := checkRecordSize(f.size); err != nil {
		return err
	}
	return f.benchFlags.check()
}

// readReport is the outcome.
type readReport struct {
	Host    benchHost
	Records int // the origin of the log included
	Size    int
	Bytes   int64 // of all segments
	Rounds  int
	Peers   []readPeer
}

// readPeer is what the rounds of one reader gave.
type readPeer struct {
	Name      string
	PerSecond spread   `json:"records_per_second"`
	MBPerS    float64  `json:"mb_per_second"`
	ToRaw     spread   `json:"to_raw"`                       // ratio of records/s
	Grown     *float64 `json:"peak_rss_growth_mb,omitempty"` // the most of all rounds
}

// readRun is one read of everything.
type readRun struct {
	seconds float64
	grown   float64 // MB
}

func (a *app) benchRead(ctx context.Context, f benchReadFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	host, err := a.describeHost(f.dir)
	if err != nil {
		return err
	}
	rep := readReport{Host: host, Records: f.records + 1, Size: f.size, Rounds: f.rounds}
	err = inBenchDir(f.dir, "esper-bench-*", func(dir string) error {
		a.notice("writing %d records of %d bytes ...", f.records, f.size)
		if err := fillLog(ctx, dir, f.records, f.size); err != nil {
			return fmt.Errorf("cannot fill a log: %w", err)
		}
		return rep.measure(ctx, dir, a.notice)
	})
	if err != nil {
		return err
	}
	if a.json {
		return a.document(rep)
	}
	return a.printRead(rep)
}

// fillLog makes a log in dir.
func fillLog(ctx context.Context, dir string, records, size int) error {
	const group = 1024
	at := time.Now().UnixNano()
	l, err := eventlog.Create(dir, eventlog.Origin{Name: "esper-bench"}, at, eventlog.Options{})
	if err != nil {
		return err
	}
	entries := make([]eventlog.Entry, group)
	for i := range entries {
		entries[i] = eventlog.Entry{At: at, Kind: eventlog.KindTransition, Payload: make([]byte, size-eventlog.HeaderSize)}
	}
	for left := records; left > 0 && err == nil; left -= group {
		part := entries[:min(left, group)]
		for i := range part {
			part[i].Seq = l.Next() + uint64(i)
			stampPayload(part[i].Payload, part[i].Seq)
		}
		err = l.Append(ctx, l.Next(), part)
	}
	return errors.Join(err, l.Close())
}

// stampPayload makes every payload another one.
func stampPayload(payload []byte, seq uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], seq)
	copy(payload, b[:])
}

// measure reads the log in dir with every reader in every round.
func (rep *readReport) measure(ctx context.Context, dir string, say func(string, ...any)) (err error) {
	l, err := eventlog.Open(dir, eventlog.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if rep.Bytes, err = warmSegments(dir); err != nil {
		return err
	}
	readers, meter := logReaders(l, dir), openMeter()
	if meter.err != nil {
		say("peak RSS growth cannot be told: %v", meter.err)
	}
	runs := map[string][]readRun{}
	for round := range rep.Rounds {
		say("round %d ...", round+1)
		for _, r := range rotated(readers, round) {
			run, err := r.once(ctx, rep.Records, &meter)
			if err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			runs[r.name] = append(runs[r.name], run)
		}
	}
	for _, r := range readers {
		rep.Peers = append(rep.Peers, rep.summarise(r.name, runs, meter.err == nil))
	}
	return nil
}

func (rep *readReport) summarise(name string, runs map[string][]readRun, metered bool) readPeer {
	perSecond := func(r readRun) float64 { return float64(rep.Records) / r.seconds }
	own := column(runs[name], perSecond)
	p := readPeer{Name: name, PerSecond: spreadOf(own), ToRaw: ratioOf(own, column(runs[peerRaw], perSecond))}
	p.MBPerS = p.PerSecond.Median * float64(rep.Bytes) / float64(rep.Records) / 1e6
	if metered {
		most := spreadOf(column(runs[name], func(r readRun) float64 { return r.grown })).Max
		p.Grown = &most
	}
	return p
}

func (a *app) printRead(rep readReport) error {
	fmt.Fprintf(a.out, "%s\n%d records, %.1f MB, from the page cache; medians of %d rounds; to raw: records/s over those of raw in the same round (min..max)\n",
		rep.Host, rep.Records, float64(rep.Bytes)/1e6, rep.Rounds)
	w := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
	fmt.Fprint(w, "reader\trecords/s\tMB/s\tto raw\tpeak RSS growth\n")
	for _, p := range rep.Peers {
		ratio, grown := p.ToRaw.String(), "unknown"
		if p.Name == peerRaw {
			ratio = "-"
		}
		if p.Grown != nil {
			grown = fmt.Sprintf("%.1f MB", *p.Grown)
		}
		fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%s\t%s\n", p.Name, p.PerSecond.Median, p.MBPerS, ratio, grown)
	}
	return w.Flush()
}
