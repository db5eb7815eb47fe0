package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

type benchAppendFlags struct {
	benchFlags
	sizes, producers []int
	seconds          float64
}

func newBenchAppend(a *app) *cobra.Command {
	var f benchAppendFlags
	c := &cobra.Command{
		Use:   "append",
		Short: "Durable appends by concurrent producers",
		Long: "Measure durable appends: each producer appends one record and waits until it is on\nthe disk. Beside the event log, behind the same rule of grouping, run\n\n" +
			"  raw          one write and one fdatasync for each group, in a bare file\n" +
			"  zero-filled  the same in a file that is allocated and initialised already: what\n               the disk can do, not a log\n\n" +
			"With a log of its own for every run; no checkpoints are signed. With the defaults\nit takes about 4 minutes. The peers that need other modules are in\neventlog/internal/peerbench.",
		Example: "  esper bench append --dir data\n  esper bench append --size 256 --producers 1,64 --json",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.benchAppend(cmd.Context(), f) },
	}
	f.add(c)
	c.Flags().IntSliceVar(&f.sizes, "size", []int{256, 1024, 4096}, "bytes of a record, its header included")
	c.Flags().IntSliceVar(&f.producers, "producers", []int{1, 8, 64, 256}, "how many append at the same time")
	c.Flags().Float64Var(&f.seconds, "seconds", 1, "how long each peer is measured in a round")
	return c
}

func (f *benchAppendFlags) check() error {
	if !(f.seconds > 0 && f.seconds <= 3600) {
		return usagef("--seconds %v; want more than 0 and at most 3600", f.seconds)
	}
	for _, n := range f.producers {
		if n < 1 || n > groupRecords {
			return usagef("--producers %d; want 1 to %d", n, groupRecords)
		}
	}
	for _, n := range f.sizes {
		if err := checkRecordSize(n); err != nil {
			return err
		}
	}
	return f.benchFlags.check()
}

// appendReport is the outcome. Times are in microseconds.
type appendReport struct {
	Host    benchHost
	Seconds float64
	Rounds  int
	Cells   []appendCell
}

// appendCell is a size and a number of producers.
type appendCell struct {
	Size, Producers int
	Peers           []appendPeer
}

// appendPeer is what the rounds of one peer gave.
type appendPeer struct {
	Name      string
	PerSecond spread  `json:"records_per_second"`
	P50       float64 `json:"p50_us"`
	P99       float64 `json:"p99_us"`
	EsperToIt spread  `json:"esper_to_it"` // ratio of records/s
}

// appendRun is one run of one peer.
type appendRun struct {
	perSecond float64
	p50, p99  float64 // microseconds
}

func (a *app) benchAppend(ctx context.Context, f benchAppendFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	host, err := a.describeHost(f.dir)
	if err != nil {
		return err
	}
	rep := appendReport{Host: host, Seconds: f.seconds, Rounds: f.rounds}
	err = inBenchDir(f.dir, "esper-bench-*", func(dir string) error {
		zeros := filepath.Join(dir, "zeros")
		if err := makeZeroFile(zeros); err != nil {
			return err
		}
		rep.Cells, err = f.cells(ctx, dir, benchPeers(zeros), a.notice)
		return err
	})
	if err != nil {
		return err
	}
	if a.json {
		return a.document(rep)
	}
	return a.printAppend(rep)
}

// cells measures everything that was asked for.
func (f *benchAppendFlags) cells(ctx context.Context, dir string, peers []benchPeer, say func(string, ...any)) ([]appendCell, error) {
	var out []appendCell
	for _, size := range f.sizes {
		for _, n := range f.producers {
			say("%d bytes, %d producers ...", size, n)
			c := appendCell{Size: size, Producers: n}
			runs, err := f.cell(ctx, dir, peers, c)
			if err != nil {
				return nil, err
			}
			for _, p := range peers {
				c.Peers = append(c.Peers, summarise(p.name, runs[p.name], runs[peerEsper]))
			}
			out = append(out, c)
		}
	}
	return out, nil
}

// cell measures all rounds of a size and a number of producers.
func (f *benchAppendFlags) cell(ctx context.Context, dir string, peers []benchPeer, c appendCell) (map[string][]appendRun, error) {
	runs := map[string][]appendRun{}
	span := time.Duration(f.seconds * float64(time.Second))
	for round := range f.rounds {
		for _, p := range rotated(peers, round) {
			err := inBenchDir(dir, "run-*", func(dir string) error {
				run, err := appendOnce(ctx, p, dir, c, span)
				runs[p.name] = append(runs[p.name], run)
				return err
			})
			if ctx.Err() != nil {
				err = errors.Join(ctx.Err(), err)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, err)
			}
		}
	}
	return runs, nil
}

// appendOnce runs one peer in a fresh directory.
func appendOnce(ctx context.Context, p benchPeer, dir string, c appendCell, span time.Duration) (appendRun, error) {
	sink, err := p.open(dir)
	if err != nil {
		return appendRun{}, err
	}
	if err := settle(dir); err != nil {
		return appendRun{}, errors.Join(err, sink.close())
	}
	run, err := drive(ctx, sink, c, span)
	return run, errors.Join(err, sink.close())
}

// drive lets producers append, each the next record when the one before is
// durable. When the span is over each waits for its last one, which counts, as
// does the time until then.
func drive(ctx context.Context, sink benchSink, c appendCell, span time.Duration) (appendRun, error) {
	times := make([]histogram, c.Producers)
	errs := make([]error, c.Producers)
	var all sync.WaitGroup
	start := time.Now()
	for i := range c.Producers {
		add, record := sink.producer(), make([]byte, c.Size)
		all.Go(func() { errs[i] = produce(ctx, add, record, start.Add(span), &times[i]) })
	}
	all.Wait()
	elapsed := time.Since(start)
	if err := errors.Join(errs...); err != nil {
		return appendRun{}, err
	}
	for i := 1; i < len(times); i++ {
		times[0].merge(&times[i])
	}
	return appendRun{float64(times[0].count()) / elapsed.Seconds(), us(times[0].quantile(0.5)), us(times[0].quantile(0.99))}, nil
}

// produce appends until the deadline or the end of the context, at least one
// record.
func produce(ctx context.Context, add func([]byte) error, record []byte, deadline time.Time, times *histogram) error {
	for begun := time.Now(); ; {
		if err := add(record); err != nil {
			return err
		}
		now := time.Now()
		times.add(now.Sub(begun))
		if now.After(deadline) || ctx.Err() != nil {
			return nil
		}
		begun = now
	}
}

func us(d time.Duration) float64 { return float64(d) / 1e3 }

func summarise(name string, runs, esper []appendRun) appendPeer {
	perSecond := func(r appendRun) float64 { return r.perSecond }
	return appendPeer{
		Name: name, PerSecond: spreadOf(column(runs, perSecond)),
		P50:       spreadOf(column(runs, func(r appendRun) float64 { return r.p50 })).Median,
		P99:       spreadOf(column(runs, func(r appendRun) float64 { return r.p99 })).Median,
		EsperToIt: ratioOf(column(esper, perSecond), column(runs, perSecond)),
	}
}

func (a *app) printAppend(rep appendReport) error {
	fmt.Fprintf(a.out, "%s\nmedians of %d x %v s; esper to it: esper's records/s over those of the peer in the same round (min..max)\n", rep.Host, rep.Rounds, rep.Seconds)
	w := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
	fmt.Fprint(w, "bytes\tproducers\tpeer\trecords/s\tp50 us\tp99 us\tesper to it\n")
	for _, c := range rep.Cells {
		for _, p := range c.Peers {
			ratio := p.EsperToIt.String()
			if p.Name == peerEsper {
				ratio = "-"
			}
			fmt.Fprintf(w, "%d\t%d\t%s\t%.0f\t%.0f\t%.0f\t%s\n", c.Size, c.Producers, p.Name, p.PerSecond.Median, p.P50, p.P99, ratio)
		}
	}
	return w.Flush()
}
