package cli

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay/value"
	"github.com/esper-plane/esper/replay/workload"
	"github.com/esper-plane/esper/subsystems/decider"
)

// Files of --out.
const (
	rowsFile     = "rows.jsonl"
	reportFile   = "report.json"
	protocolFile = "protocol.md"
)

type policyFlags struct {
	workloads []string
	seeds     int
	first     uint64
	steps     uint64
	out       string
	dir       string
	workers   int
	verify    bool
	protocol  bool
}

func newBenchPolicy(a *app) *cobra.Command {
	var f policyFlags
	c := &cobra.Command{
		Use:   "policy",
		Short: "Measure what the rules policy is worth, by a protocol fixed in advance",
		Long: "Measure what the rules policy is worth: whole runs on real data in real planes, of the rules and of\n" +
			"what they are compared with, by a protocol that was fixed before the first of them (--protocol\nprints it). " +
			"The whole takes under a quarter of an hour on one idle core. With --out every run is a\ndurable line at once, and the same command goes on where it was stopped.\n\n" +
			"Other seeds, or another number of seeds or steps, are no longer the protocol's experiment, and are said not to be.",
		Example: "  esper bench policy --out results/policy --workers 2\n  esper bench policy --workload penguins --json\n  esper bench policy --protocol",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.benchPolicy(cmd.Context(), f) },
	}
	var all []string
	for _, s := range value.Studies() {
		all = append(all, s.Workload)
	}
	c.Flags().StringSliceVar(&f.workloads, "workload", all, "workloads to measure on")
	c.Flags().IntVar(&f.seeds, "seeds", 0, "seeds of chance per workload, 2 or more (default: the protocol's)")
	c.Flags().Uint64Var(&f.first, "first-seed", 0, "the first of the seeds (default: the protocol's)")
	c.Flags().Uint64Var(&f.steps, "steps", 0, "length of the runs in steps (default: the protocol's)")
	c.Flags().StringVar(&f.out, "out", "", "directory for rows.jsonl, report.json and protocol.md; empty: nothing is kept")
	c.Flags().StringVar(&f.dir, "dir", os.TempDir(), "directory for the data directories of the runs, each removed when its run is done")
	c.Flags().IntVar(&f.workers, "workers", 1, "seeds that are worked on at a time")
	c.Flags().BoolVar(&f.verify, "verify", false, "replay the log of every run and refuse one that is decided otherwise")
	c.Flags().BoolVar(&f.protocol, "protocol", false, "print the protocol and its digest, and measure nothing")
	return c
}

// studies are those of the protocol that were asked for, with what was asked to differ.
func (f *policyFlags) studies() ([]value.Study, error) {
	if f.seeds < 0 || f.seeds == 1 {
		return nil, usagef("--seeds %d; want 2 or more: the difference of one pair says nothing", f.seeds)
	}
	if f.workers < 1 {
		return nil, usagef("--workers %d; want 1 or more", f.workers)
	}
	var out []value.Study
	for i, name := range f.workloads {
		s, known := value.StudyOf(name)
		switch {
		case !known:
			return nil, usagef("--workload %s: the protocol has no such workload", name)
		case slices.Contains(f.workloads[:i], name):
			return nil, usagef("--workload %s is named twice", name)
		}
		if f.seeds > 0 {
			s.Seeds = f.seeds
		}
		if f.first > 0 {
			s.First = f.first
		}
		if f.steps > 0 {
			s.Steps = leyline.Step(f.steps)
		}
		out = append(out, s)
	}
	return out, nil
}

func (a *app) benchPolicy(ctx context.Context, f policyFlags) error {
	if f.protocol {
		return a.printProtocol()
	}
	studies, err := f.studies()
	if err != nil {
		return err
	}
	keep := f.out
	return inBenchDir(f.dir, "esper-bench-*", func(dir string) error {
		if keep == "" {
			keep = dir
		} else if err := os.MkdirAll(keep, 0o700); err != nil {
			return err
		}
		rows, err := a.perform(ctx, f, studies, dir, filepath.Join(keep, rowsFile))
		if err != nil {
			return err
		}
		report, err := value.Analyse(studies, rows)
		if err != nil {
			return err
		}
		if f.out != "" {
			err = errors.Join(writeResult(filepath.Join(keep, reportFile), report),
				os.WriteFile(filepath.Join(keep, protocolFile), []byte(value.Protocol()), 0o600))
		}
		return errors.Join(a.tellPolicy(report, rows), err)
	})
}

func (a *app) printProtocol() error {
	if a.json {
		return a.document(struct {
			Digest   leyline.Digest `json:"digest"`
			Protocol string         `json:"protocol"`
		}{value.ProtocolDigest(), value.Protocol()})
	}
	_, err := fmt.Fprintf(a.out, "%s\n-- SHA-256 %s\n", value.Protocol(), value.ProtocolDigest())
	return err
}

// perform makes the runs that are missing and returns every row that is there.
func (a *app) perform(ctx context.Context, f policyFlags, studies []value.Study, dir, path string) (rows []value.Row, err error) {
	build, err := buildWords()
	if err != nil {
		return nil, err
	}
	store, err := value.OpenStore(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if store.Cut > 0 {
		a.notice("the last row of %s was being written when a process died; that run is made again", path)
	}
	quiet := &app{out: io.Discard, err: io.Discard, level: "off", shm: a.shm}
	e := value.Experiment{
		Site: site{quiet, dir}, Studies: studies, Workers: f.workers, Verify: f.verify,
		Build: build,
		Told:  a.toldRun,
	}
	if err := e.Run(ctx, store); err != nil {
		if f.out != "" && len(store.Rows()) > 0 {
			a.notice("%d runs are in %s; the same command goes on from there", len(store.Rows()), path)
		}
		return nil, err
	}
	return store.Rows(), nil
}

// buildWords names the program that rows are made with, to the bit: no other may add to
// them.
func buildWords() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", err
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	_, err = io.Copy(h, f)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	return fmt.Sprintf("esper %s, decider %d, trainer %s, %s %s/%s, program %x",
		Version, decider.Version, workload.Arithmetic, runtime.Version(), runtime.GOOS, runtime.GOARCH, h.Sum(nil)), nil
}

// toldRun is the progress: one line per run.
func (a *app) toldRun(r value.Row, done, all int) {
	if r.Failed != "" {
		a.notice("%d/%d %s, seed %d, %s: FAILED, counts as guessing: %s", done, all, r.Workload, r.Seed, r.Arm, r.Failed)
		return
	}
	a.notice("%d/%d %s, seed %d, %s: %.2f%% held out, %d kept, %.1f s", done, all, r.Workload, r.Seed, r.Arm, 100*r.Accuracy, r.Kept, r.Seconds)
}

func (a *app) tellPolicy(r value.Report, rows []value.Row) error {
	if a.json {
		return a.document(struct {
			Report value.Report `json:"report"`
			Rows   []value.Row  `json:"rows"`
		}{r, rows})
	}
	return printPolicy(a.out, r)
}
