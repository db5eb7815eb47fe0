package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

type benchSignalFlags struct{ benchFlags }

func newBenchSignal(a *app) *cobra.Command {
	var f benchSignalFlags
	c := &cobra.Command{
		Use:   "signal",
		Short: "How soon another process sees a halt",
		Long: "Measure how long after a halt was published another process has seen it: from the\nclock before the write to the clock after the read, by CLOCK_MONOTONIC in both.\n\n" +
			"  page            the emergency signal, polled by a reader in Go\n" +
			"  page-python     the same, polled by the reader in Python, if python3 is here\n" +
			"  socket-polled   a byte through a Unix domain socket, polled in Go: a read that\n                  returns at once, over and over\n" +
			"  socket-blocked  the same, with a reader that sleeps until the byte is there\n\n" +
			"First on the machine as it is, then beside as many busy processes as there are CPUs,\nwhere a reader that polls has no CPU of its own and mostly waits for its turn. Every\nreader is a process of its own and sees a hundred halts before the next one has its\nturn; the first halt of each process is not counted. ns/poll is the median of how\nlong one poll takes, with its part of the loop. With the defaults it takes about half a minute.",
		Example: "  esper bench signal\n  esper bench signal --rounds 200 --json",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.benchSignal(cmd.Context(), f) },
	}
	c.Flags().StringVar(&f.dir, "dir", ".", "directory for the signal file, in one folder esper-bench-*, which is removed at the\nend and after an interrupt")
	c.Flags().IntVar(&f.rounds, "rounds", 1000, "how many halts every reader sees")
	c.AddCommand(newBenchSignalChild(a))
	return c
}

// signalReport is the outcome. Times are in microseconds.
type signalReport struct {
	Host   benchHost
	Rounds int
	Python string // its version; empty where there is none, and then nothing of it is measured
	Loads  []signalLoad
}

// signalLoad is the machine as it is, or made busy.
type signalLoad struct {
	Name    string
	Burners int     // processes that keep a CPU busy each
	Others  float64 `json:"cpu_share_of_others"` // of all CPUs, just before
	Readers []signalCell
}

// signalCell is what one reader saw.
type signalCell struct {
	Name   string
	Halts  int
	Min    float64  `json:"min_us"`
	P50    float64  `json:"p50_us"`
	P90    float64  `json:"p90_us"`
	P99    float64  `json:"p99_us"`
	Max    float64  `json:"max_us"`
	Prompt float64  `json:"share_under_1ms"`
	Poll   *float64 `json:"poll_ns,omitempty"` // none for a reader that sleeps
}

func (a *app) benchSignal(ctx context.Context, f benchSignalFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	host, err := hostOf(f.dir)
	if err != nil {
		return err
	}
	rep := signalReport{Host: host, Rounds: f.rounds}
	interpreter := ""
	if rep.Python, interpreter, err = findPython(ctx); errors.Is(err, exec.ErrNotFound) {
		a.notice("the reader in Python is not measured: %v", err)
	} else if err != nil {
		return err
	}
	err = inBenchDir(f.dir, "esper-bench-*", func(dir string) error {
		readers, err := signalReaders(dir, interpreter)
		if err != nil {
			return err
		}
		for _, load := range []signalLoad{{Name: "idle"}, {Name: "busy", Burners: runtime.NumCPU()}} {
			if err := load.measure(ctx, readers, f.rounds, a.notice); err != nil {
				return err
			}
			rep.Loads = append(rep.Loads, load)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if a.json {
		return a.document(rep)
	}
	return a.printSignal(rep)
}

// findPython asks python3, which may be a script that looks for one, for its version
// and where it really is. The error is exec.ErrNotFound where there is none.
func findPython(ctx context.Context) (version, interpreter string, err error) {
	path, err := exec.LookPath("python3")
	if err != nil {
		return "", "", err
	}
	out, err := exec.CommandContext(ctx, path, "-I", "-c", "import platform, sys; print(platform.python_version()); print(sys.executable)").Output()
	lines := strings.Split(string(out), "\n")
	if err == nil && len(lines) < 2 {
		err = fmt.Errorf("it says %q", out)
	}
	if err != nil {
		return "", "", fmt.Errorf("cannot ask %s what it is: %w", path, err)
	}
	return lines[0], lines[1], nil
}

// tolerable is how much others may use of the CPUs without being mentioned.
const tolerable = 0.1

// turn is how many halts a reader sees before the next one has its turn.
const turn = 100

// measure lets every reader see so many halts.
func (l *signalLoad) measure(ctx context.Context, readers []signalReader, rounds int, say func(string, ...any)) (err error) {
	if l.Others, err = cpuShare(ctx); err != nil {
		return err
	}
	if l.Others > tolerable {
		say("other processes use %.0f%% of the CPUs, and delay the readers too: measure again on a quiet machine", 100*l.Others)
	}
	say("%s: %d halts for each of %d readers ...", l.Name, rounds, len(readers))
	stop, err := startBurners(ctx, l.Burners)
	defer func() { err = errors.Join(err, stop()) }()
	if err != nil {
		return err
	}
	seen := map[string][]sighting{}
	for done, n := 0, 0; done < rounds; done += turn {
		for _, r := range rotated(readers, n) {
			some, err := r.see(ctx, min(turn, rounds-done))
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			seen[r.name] = append(seen[r.name], some...)
		}
		n++
	}
	for _, r := range readers {
		l.Readers = append(l.Readers, summariseSightings(r, seen[r.name]))
	}
	return nil
}

// summariseSightings reports exact quantiles: a thousand values are few.
func summariseSightings(r signalReader, seen []sighting) signalCell {
	after := slices.Sorted(slices.Values(column(seen, func(s sighting) float64 { return us(s.after) })))
	prompt := 0
	for _, s := range seen {
		if s.after < time.Millisecond {
			prompt++
		}
	}
	c := signalCell{
		Name: r.name, Halts: len(seen), Min: after[0], P50: rank(after, 0.5), P90: rank(after, 0.9), P99: rank(after, 0.99),
		Max: after[len(after)-1], Prompt: float64(prompt) / float64(len(seen)),
	}
	if !r.sleeps {
		poll := spreadOf(column(seen, func(s sighting) float64 { return s.poll })).Median
		c.Poll = &poll
	}
	return c
}

// rank returns the smallest of the sorted values that the share q of all does not
// exceed.
func rank(sorted []float64, q float64) float64 {
	return sorted[max(int(math.Ceil(q*float64(len(sorted))))-1, 0)]
}

func (a *app) printSignal(rep signalReport) error {
	python := "no Python"
	if rep.Python != "" {
		python = "Python " + rep.Python
	}
	fmt.Fprintf(a.out, "%s, %s\n%d halts for each reader; us from before the write to after the read\n", rep.Host, python, rep.Rounds)
	for _, l := range rep.Loads {
		fmt.Fprintf(a.out, "%s: %d busy processes beside it; others used %.0f%% of the CPUs just before\n", l.Name, l.Burners, 100*l.Others)
	}
	w := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
	fmt.Fprint(w, "machine\treader\tmin us\tp50 us\tp90 us\tp99 us\tmax us\tunder 1 ms\tns/poll\n")
	for _, l := range rep.Loads {
		for _, c := range l.Readers {
			poll := "-"
			if c.Poll != nil {
				poll = fmt.Sprintf("%.1f", *c.Poll)
			}
			fmt.Fprintf(w, "%s\t%s\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f%%\t%s\n", l.Name, c.Name, c.Min, c.P50, c.P90, c.P99, c.Max, 100*c.Prompt, poll)
		}
	}
	return w.Flush()
}
