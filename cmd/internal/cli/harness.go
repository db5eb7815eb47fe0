package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay/harness"
	"github.com/esper-plane/esper/replay/workload"
)

// errClaim: what a scenario claims does not hold.
var errClaim = errors.New("a scenario's claim does not hold")

func newHarness(a *app) *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "harness SCENARIO|all",
		Short: "Drive a real plane through what can go wrong and check its log",
		Long: "Drive a real plane and a real training run through a situation that matters, and check from\n" +
			"the log what came of it. Nothing is patched in: what is slow is a store, a kernel or a catalogue behind the\n" +
			"interface that production uses. One JSON document per scenario; a claim that does not hold\nexits with 3. `esper harness list` names the scenarios.",
		Example: "  esper harness rollback-deadline\n  esper harness all --out results",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.harness(cmd.Context(), args[0], out) },
	}
	c.Flags().StringVar(&out, "out", "", "directory for the data directories, SCENARIO.json and summary.csv, to which each run adds a row; empty: a temporary one, removed at the end")
	c.AddCommand(&cobra.Command{
		Use: "list", Short: "Name the scenarios and what they claim", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.listScenarios() },
	})
	return c
}

func (a *app) listScenarios() error {
	if a.json {
		type entry struct {
			Name  string `json:"name"`
			Claim string `json:"claim"`
		}
		var all []entry
		for _, s := range harness.All() {
			all = append(all, entry{s.Name, s.Claim})
		}
		return a.document(all)
	}
	w := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
	for _, s := range harness.All() {
		fmt.Fprintf(w, "%s\t%s\n", s.Name, s.Claim)
	}
	return w.Flush()
}

func (a *app) harness(ctx context.Context, name, out string) (err error) {
	scenarios := harness.All()
	if name != "all" {
		s, err := harness.Lookup(name)
		if err != nil {
			return usageError{err}
		}
		scenarios = []harness.Scenario{s}
	}
	if out == "" {
		return inBenchDir(os.TempDir(), "esper-harness-*", func(dir string) error { return a.scenarios(ctx, scenarios, dir, false) })
	}
	if err := os.MkdirAll(out, 0o700); err != nil {
		return err
	}
	return a.scenarios(ctx, scenarios, out, true)
}

// scenarios runs one after the other; all of them, also when a claim does not hold.
func (a *app) scenarios(ctx context.Context, list []harness.Scenario, dir string, keep bool) error {
	var failed error
	for _, s := range list {
		r, err := s.Run(ctx, site{a, dir})
		if err != nil {
			return err
		}
		if !keep {
			r.Data = nil
		} else if err := errors.Join(writeResult(filepath.Join(dir, s.Name+".json"), r), addRow(filepath.Join(dir, summaryName), r)); err != nil {
			return err
		}
		if a.json {
			err = a.line(r)
		} else {
			err = a.printScenario(r)
		}
		if err != nil {
			return err
		}
		if !r.Held {
			failed = errors.Join(failed, fmt.Errorf("%w: %s", errClaim, s.Name))
		}
	}
	return failed
}

func writeResult(path string, r any) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o600)
}

func (a *app) printScenario(r harness.Result) error {
	fmt.Fprintf(a.out, "%s: %s\n", r.Scenario, r.Claim)
	w := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
	for _, c := range r.Checks {
		mark := "holds"
		if !c.Holds {
			mark = "FAILS"
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\n", mark, c.What, c.Detail)
	}
	for _, m := range r.Metrics {
		fmt.Fprintf(w, "  %.2f %s\t%s\t\n", m.Value, m.Unit, m.Name)
	}
	for _, d := range r.Data {
		fmt.Fprintf(w, "  data\t%s\t\n", d)
	}
	return w.Flush()
}

// site makes data directories as `esper run` does.
type site struct {
	app *app
	dir string
}

// Open implements harness.Site.
func (s site) Open(name string, spec workload.Spec, c leyline.ExecutionConfig) (*harness.Place, error) {
	log, err := s.app.logger()
	if err != nil {
		return nil, err
	}
	j := &served{app: s.app, shipped: spec.Blueprints, config: c, at: placeFlags{data: filepath.Join(s.dir, name)}}
	if err := j.openDir(log); err != nil {
		return nil, err
	}
	o, err := j.planeOptions(log)
	if err != nil {
		return nil, errors.Join(err, j.closeDir())
	}
	o.Admit, o.Released = nil, nil
	return &harness.Place{
		Path: j.dir.Path, Options: o, Full: o.Snapshots, Fast: j.fast, Source: j.dir.Source(), Close: j.closeDir,
	}, nil
}
