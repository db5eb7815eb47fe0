package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/leyline/protocol"
	"github.com/esper-plane/esper/leyline/python"
)

// The ways of a step, and what they are held against.
const (
	wayFsync = "fsync"
	wayNull  = "http-null"
	wayNear  = "in-process"
	wayAhead = "framed-ahead"
)

type benchServeFlags struct {
	benchFlags
	steps   int
	python  string
	seconds float64
}

func newBenchServe(a *app) *cobra.Command {
	var f benchServeFlags
	c := &cobra.Command{
		Use: "serve", Short: "What a step costs a trainer beside a served plane", Args: cobra.NoArgs,
		Long: "Measure how long a trainer waits for the answer to a step, which comes when the step's\nrecord is on the disk:\n\n" +
			"  fsync            one write and one fdatasync of as many bytes, in a bare file that is\n                   allocated and initialised already: what the disk can do\n" +
			"  http-null        an HTTP server in another process that answers with as many bytes and\n                   records nothing, over a Unix socket\n" +
			"  in-process       the plane in the process of the trainer\n" +
			"  http-*           `esper serve` in another process, over its Unix socket\n" +
			"  framed-*         the same over the framed lane\n" +
			"  framed-ahead     the same by a pipelined trainer, 8 steps ahead of its answers, that\n                   trains 2 ms between two reports: what of its time it spends on them\n" +
			"  python-*         the same from the Python client, if python3 is here\n\n" +
			"A round makes a block of steps in each way, each round begins with the next one. Columns\nare medians of the rounds' own quantiles; `over fsync` is the median of the differences\nof p50 within the rounds. Then the memory of a plane process with 1 and with 64 open runs,\nand what it takes of a CPU while 8 trainers report 100 steps a second together.",
		Example: "  esper bench serve --dir data\n  esper bench serve --rounds 9 --steps 500 --json",
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.benchServe(cmd.Context(), f) },
	}
	f.add(c)
	c.Flags().IntVar(&f.steps, "steps", 300, "in a block")
	c.Flags().StringVar(&f.python, "python", "", "`INTERPRETER` for the Python client (default: python3 where it is found)")
	c.Flags().Float64Var(&f.seconds, "seconds", 5, "how long the 8 trainers report")
	c.AddCommand(newBenchServeChild(a))
	return c
}

func (f *benchServeFlags) check() error {
	switch {
	case f.steps < 10 || f.steps > 1_000_000:
		return usagef("--steps %d; want 10 to 1000000", f.steps)
	case !(f.seconds > 0 && f.seconds <= 3600):
		return usagef("--seconds %v; want more than 0 and at most 3600", f.seconds)
	}
	return f.benchFlags.check()
}

// serveReport is the outcome. Times are in microseconds.
type serveReport struct {
	Host   benchHost
	Rounds int
	Steps  int // in a block
	Python string
	Ways   []serveCell
	Memory []serveMemory
	Load   serveLoad
}

// serveCell is one way.
type serveCell struct {
	Name      string
	P50       spread `json:"p50_us"`
	P90       spread `json:"p90_us"`
	P99       spread `json:"p99_us"`
	OverFsync spread `json:"p50_over_fsync_us"` // differences within the rounds
	ToNull    spread `json:"p50_to_http_null"`  // ratios within the rounds
	OfStep    spread `json:"p99_of_100ms_step"` // share of a step of 100 ms, in percent
}

func (a *app) benchServe(ctx context.Context, f benchServeFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	host, err := hostOf(f.dir)
	if err != nil {
		return err
	}
	rep := serveReport{Host: host, Rounds: f.rounds, Steps: f.steps}
	if rep.Python, f.python, err = a.benchPython(ctx, f.python); err != nil {
		return err
	}
	err = inBenchDir(f.dir, "esper-bench-*", func(dir string) error { return a.measureServe(ctx, f, dir, &rep) })
	if err != nil {
		return err
	}
	if a.json {
		return a.document(rep)
	}
	return a.printServe(rep)
}

// benchPython finds an interpreter, and that this program has a client for it.
func (a *app) benchPython(ctx context.Context, named string) (version, interpreter string, err error) {
	if _, err := fs.Stat(python.Source, "esper_plane/client.py"); err != nil {
		a.notice("the Python client is not measured: it is not part of this program")
		return "", "", nil
	}
	if named != "" {
		return named, named, nil
	}
	version, interpreter, err = findPython(ctx)
	if errors.Is(err, exec.ErrNotFound) {
		a.notice("the Python client is not measured: %v", err)
		return "", "", nil
	}
	return version, interpreter, err
}

// measureServe measures everything in a directory.
func (a *app) measureServe(ctx context.Context, f benchServeFlags, dir string, rep *serveReport) (err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	others, err := cpuShare(ctx)
	if err != nil {
		return err
	}
	if others > tolerable {
		a.notice("other processes use %.0f%% of the CPUs, and delay everything here too: measure again on a quiet machine", 100*others)
	}
	if err := a.measureWays(ctx, f, dir, rep); err != nil {
		return err
	}
	if rep.Memory, err = measureMemory(ctx, dir); err != nil {
		return err
	}
	rep.Load, err = measureLoad(ctx, dir, time.Duration(f.seconds*float64(time.Second)))
	return err
}

// measureWays lets every way make its blocks.
func (a *app) measureWays(ctx context.Context, f benchServeFlags, dir string, rep *serveReport) (err error) {
	p, err := startBenchPlane(ctx, filepath.Join(dir, "far"), filepath.Join(dir, "s"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	ways, err := a.stepWays(ctx, f, dir, p.socket)
	defer func() {
		for _, w := range ways {
			err = errors.Join(err, w.stop())
		}
	}()
	if err != nil {
		return err
	}
	rounds := map[string][][]float64{}
	for n := -1; n < f.rounds; n++ { // the first one warms up and is not counted
		if err := settle(dir); err != nil {
			return err
		}
		if n == 0 {
			clear(rounds)
		}
		if err := roundOf(ctx, rotated(ways, max(n, 0)), f.steps, rounds); err != nil {
			return err
		}
	}
	for _, w := range ways {
		rep.Ways = append(rep.Ways, serveCellOf(w.name, rounds))
	}
	return nil
}

// roundOf makes one block in every way and adds its sorted times.
func roundOf(ctx context.Context, ways []stepWay, steps int, rounds map[string][][]float64) error {
	for _, w := range ways {
		took, err := w.block(ctx, steps)
		if err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		rounds[w.name] = append(rounds[w.name], slices.Sorted(slices.Values(took)))
	}
	return nil
}

// stepWays starts all ways; those that were started come with an error too.
func (a *app) stepWays(ctx context.Context, f benchServeFlags, dir, socket string) (ways []stepWay, err error) {
	starts := []func() (stepWay, error){
		func() (stepWay, error) { return bareSync(dir) },
		func() (stepWay, error) { return nullHTTP(ctx, dir) },
		func() (stepWay, error) { return a.inProcess(ctx, dir) },
		func() (stepWay, error) { return overSocket(ctx, socket, "http-json", protocol.MediaJSON, false) },
		func() (stepWay, error) { return overSocket(ctx, socket, "http-msgpack", protocol.MediaMsgpack, false) },
		func() (stepWay, error) { return overSocket(ctx, socket, "framed-json", protocol.MediaJSON, true) },
		func() (stepWay, error) { return overSocket(ctx, socket, "framed-msgpack", protocol.MediaMsgpack, true) },
		func() (stepWay, error) { return ahead(ctx, socket) },
	}
	if f.python != "" {
		for _, way := range []string{"http", "framed"} {
			starts = append(starts, func() (stepWay, error) { return inPython(ctx, dir, f.python, socket, "python-"+way, way) })
		}
	}
	for _, start := range starts {
		w, err := start()
		if err != nil {
			return ways, err
		}
		ways = append(ways, w)
	}
	return ways, nil
}

// serveCellOf summarises the rounds of one way; those of the others are at hand.
func serveCellOf(name string, rounds map[string][][]float64) serveCell {
	at := func(name string, q float64) []float64 {
		return column(rounds[name], func(sorted []float64) float64 { return rank(sorted, q) })
	}
	p50, p99, bare := at(name, 0.5), at(name, 0.99), at(wayFsync, 0.5)
	over, share := make([]float64, len(p50)), make([]float64, len(p50))
	for i := range p50 {
		over[i], share[i] = p50[i]-bare[i], p99[i]/1000
	}
	return serveCell{
		Name: name, P50: spreadOf(p50), P90: spreadOf(at(name, 0.9)), P99: spreadOf(p99),
		OverFsync: spreadOf(over), ToNull: ratioOf(p50, at(wayNull, 0.5)), OfStep: spreadOf(share),
	}
}

func (a *app) printServe(rep serveReport) error {
	py := "no Python client"
	if rep.Python != "" {
		py = "Python " + rep.Python
	}
	fmt.Fprintf(a.out, "%s, %s\n%d rounds, %d steps a block; us from the report to its durable answer, medians of rounds (min..max)\n", rep.Host, py, rep.Rounds, rep.Steps)
	w := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
	fmt.Fprint(w, "way\tp50 us\tp90 us\tp99 us\tover fsync us\tto http-null\tp99 of a 100 ms step\n")
	for _, c := range rep.Ways {
		fmt.Fprintf(w, "%s\t%.0f (%.0f..%.0f)\t%.0f\t%.0f\t%+.0f (%+.0f..%+.0f)\t%s\t%.2f%%\n", c.Name, c.P50.Median, c.P50.Min, c.P50.Max,
			c.P90.Median, c.P99.Median, c.OverFsync.Median, c.OverFsync.Min, c.OverFsync.Max, c.ToNull, c.OfStep.Median)
	}
	for _, m := range rep.Memory {
		fmt.Fprintf(w, "memory\t%.1f MiB with %d open runs\n", m.RSS, m.Runs)
	}
	if n := len(rep.Memory); n > 1 {
		first, last := rep.Memory[0], rep.Memory[n-1]
		fmt.Fprintf(w, "\t%.0f KiB for each run more\n", (last.RSS-first.RSS)*1024/float64(last.Runs-first.Runs))
	}
	fmt.Fprintf(w, "CPU\t%.1f%% of one while %d trainers report %.0f steps/s together\n", rep.Load.CPU, rep.Load.Trainers, rep.Load.PerSecond)
	return w.Flush()
}
