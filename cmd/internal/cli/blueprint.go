package cli

import (
	"context"
	"encoding"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay/workload"
	"github.com/esper-plane/esper/subsystems/kernelfile"
)

func newBlueprint(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "blueprint",
		Short: "Keep the records of kinds of seed beside their kernels",
		Long: "Keep the records of kinds of seed in a directory: for each one ID.toml and, beside it, its\nkernel, a safetensors file. `esper run --blueprints DIR` registers them all and offers them\n" +
			"to the run; what is withdrawn here is withdrawn there at the next start.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(newBlueprintAdd(a), &cobra.Command{
		Use: "list DIR", Short: "List the blueprints of a directory", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return a.listBlueprints(args[0]) },
	}, &cobra.Command{
		Use: "show DIR ID", Short: "Print the record of a blueprint", Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error { return a.showBlueprint(args[0], args[1]) },
	}, newBlueprintVerify(a), newBlueprintWithdraw(a), newBlueprintSheet(a))
	return c
}

// blueprintFlags are what people say of a blueprint; the rest is read off its kernel.
type blueprintFlags struct {
	dir, id, framework, recommendation, description string
	tier, band, handling, resource, provenance      string
	risk, score                                     float64
	stage                                           uint32
	layers, parameters, mitigations                 []string
}

func newBlueprintAdd(a *app) *cobra.Command {
	var f blueprintFlags
	c := &cobra.Command{
		Use: "add KERNEL", Short: "Add a blueprint: copy its kernel and write its record", Args: cobra.ExactArgs(1),
		Example: "  esper blueprint add residual.safetensors --dir blueprints --id residual-8 --risk 0.2 --layer trunk",
		RunE:    func(_ *cobra.Command, args []string) error { return a.addBlueprint(args[0], &f) },
	}
	s := c.Flags()
	s.StringVar(&f.dir, "dir", "blueprints", "directory of records and kernels, created when missing")
	s.StringVar(&f.id, "id", "", "names the blueprint for ever; required")
	s.Float64Var(&f.risk, "risk", 0.5, "from 0 to 1; the lower is tried first")
	s.StringVar(&f.tier, "tier", leyline.BlueprintExperimental.String(), among(leyline.BlueprintTier(0).Members()))
	s.Uint32Var(&f.stage, "stage", 0, "of its approval; 0: not told")
	s.StringVar(&f.framework, "framework", workload.Framework, "that the kernel was built for; empty: any")
	s.StringArrayVar(&f.layers, "layer", nil, "host layer that it needs; may be repeated; required")
	s.StringArrayVar(&f.parameters, "parameter", nil, "that a GERMINATE may set, as NAME=MIN:MAX; may be repeated")
	s.Float64Var(&f.score, "hazard", -1, "score of its hazard, from 0 to 1 (default: its risk)")
	s.StringVar(&f.band, "band", leyline.HazardMedium.String(), among(leyline.HazardBand(0).Members()))
	s.StringVar(&f.handling, "handling", leyline.HandlingStandard.String(), among(leyline.HandlingClass(0).Members()))
	s.StringVar(&f.resource, "resource", leyline.ResourceCPU.String(), among(leyline.ResourceProfile(0).Members()))
	s.StringVar(&f.provenance, "provenance", leyline.ProvenanceCurated.String(), among(leyline.Provenance(0).Members()))
	s.StringVar(&f.recommendation, "recommendation", "", "for people")
	s.StringArrayVar(&f.mitigations, "mitigation", nil, "as ACTION: WHY; may be repeated")
	s.StringVar(&f.description, "description", "", "for people")
	return c
}

func among[E fmt.Stringer](all []E) string {
	var names []string
	for _, m := range all {
		names = append(names, m.String())
	}
	return strings.Join(names, ", ")
}

// file is the record that the flags describe, without what is measured.
func (f *blueprintFlags) file() (*blueprintFile, error) {
	r := &blueprintFile{
		ID: leyline.BlueprintID(f.id), Kernel: f.id + workload.KernelSuffix, Framework: f.framework, Mesh: f.layers, Stage: f.stage,
		Risk: f.risk, Description: f.description, Hazard: hazardFile{Score: f.score, Recommendation: f.recommendation},
	}
	if f.score < 0 {
		r.Hazard.Score = f.risk
	}
	for _, e := range []struct {
		flag, text string
		into       encoding.TextUnmarshaler
	}{
		{"--tier", f.tier, &r.Tier}, {"--band", f.band, &r.Hazard.Band}, {"--handling", f.handling, &r.Hazard.Handling},
		{"--resource", f.resource, &r.Hazard.Resource}, {"--provenance", f.provenance, &r.Hazard.Provenance},
	} {
		if err := e.into.UnmarshalText([]byte(strings.ToUpper(e.text))); err != nil {
			return nil, usagef("%s: %w", e.flag, err)
		}
	}
	r.Quarantine = r.Hazard.Handling == leyline.HandlingQuarantine
	for _, p := range f.parameters {
		b, err := parseBounds(p)
		if err != nil {
			return nil, err
		}
		r.Parameters = append(r.Parameters, b)
	}
	slices.SortFunc(r.Parameters, func(a, b parameterFile) int { return strings.Compare(a.Name, b.Name) })
	for _, m := range f.mitigations {
		action, why, ok := strings.Cut(m, ":")
		if !ok {
			return nil, usagef("--mitigation %q: write ACTION: WHY", m)
		}
		r.Hazard.Mitigations = append(r.Hazard.Mitigations, mitigationFile{strings.TrimSpace(action), strings.TrimSpace(why)})
	}
	return r, nil
}

func parseBounds(s string) (parameterFile, error) {
	name, rest, _ := strings.Cut(s, "=")
	low, high, ok := strings.Cut(rest, ":")
	lo, lerr := strconv.ParseFloat(low, 64)
	hi, herr := strconv.ParseFloat(high, 64)
	if !ok || lerr != nil || herr != nil {
		return parameterFile{}, usagef("--parameter %q: write NAME=MIN:MAX", s)
	}
	return parameterFile{name, lo, hi}, nil
}

func (a *app) addBlueprint(path string, f *blueprintFlags) error {
	r, err := f.file()
	if err != nil {
		return err
	}
	kernel, err := os.ReadFile(path)
	if err != nil {
		return usagef("cannot read the kernel: %w", err)
	}
	if err := r.measure(kernel); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := r.record().Validate(); err != nil {
		return usageError{err}
	}
	if _, err := prewarm(kernel, 1); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return err
	}
	for _, name := range []string{r.Kernel, f.id + recordSuffix} {
		if _, err := os.Lstat(filepath.Join(f.dir, name)); !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(usagef("%s is there already in %s: a changed blueprint gets another id", name, f.dir), err)
		}
	}
	if err := datadir.WriteFile(filepath.Join(f.dir, r.Kernel), kernel); err != nil {
		return err
	}
	if err := r.write(f.dir); err != nil {
		return err
	}
	return a.showBlueprint(f.dir, f.id)
}

func (a *app) listBlueprints(dir string) error {
	files, err := readBlueprints(dir)
	if err != nil {
		return err
	}
	if a.json {
		var out []leyline.BlueprintRegistered
		for _, f := range files {
			out = append(out, f.record())
		}
		return a.document(out)
	}
	w := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tTIER\tRISK\tHANDLING\tFRAMEWORK\tMESH\tBYTES\tSTATE")
	for _, f := range files {
		state := "in use"
		switch {
		case f.Withdrawn != "":
			state = "withdrawn: " + f.Withdrawn
		case f.Quarantine:
			state = "in quarantine"
		}
		fmt.Fprintf(w, "%s\t%s\t%v\t%s\t%s\t%s\t%d\t%s\n", f.ID, f.Tier, f.Risk, f.Hazard.Handling, f.Framework, strings.Join(f.Mesh, ","), f.Bytes, state)
	}
	return w.Flush()
}

func (a *app) showBlueprint(dir, id string) error {
	files, err := readBlueprints(dir)
	if err != nil {
		return err
	}
	f, err := find(files, id)
	if err != nil {
		return err
	}
	if a.json {
		return a.document(struct {
			leyline.BlueprintRegistered
			Withdrawn string
		}{f.record(), f.Withdrawn})
	}
	return toml.NewEncoder(a.out).Encode(f)
}

func newBlueprintVerify(a *app) *cobra.Command {
	var samples uint32
	c := &cobra.Command{
		Use: "verify DIR", Short: "Hold the kernels of a directory against their records", Args: cobra.ExactArgs(1),
		Long: "Read every kernel, hold its bytes and its guard digest against the record, decode it and\nlook at every number. A kernel that is not what was recorded exits with 5.",
		RunE: func(_ *cobra.Command, args []string) error { return a.verifyBlueprints(args[0], samples) },
	}
	c.Flags().Uint32Var(&samples, "samples", 5, "how often each kernel is decoded, to measure that")
	return c
}

func (a *app) verifyBlueprints(dir string, samples uint32) error {
	files, err := readBlueprints(dir)
	if err != nil {
		return err
	}
	var failed error
	for _, f := range files {
		warm, _, err := f.check(dir, max(samples, 1))
		if err != nil {
			failed = errors.Join(failed, err)
		}
		if a.json {
			type line struct {
				ID      leyline.BlueprintID
				OK      bool
				Problem string
				P50Ms   float64
				P95Ms   float64
			}
			l := line{ID: f.ID, OK: err == nil, P50Ms: float64(warm.P50Ns) / 1e6, P95Ms: float64(warm.P95Ns) / 1e6}
			if err != nil {
				l.Problem = err.Error()
			}
			if err := a.line(l); err != nil {
				return err
			}
			continue
		}
		if err == nil {
			fmt.Fprintf(a.out, "%s: ok, decoded in %.3f ms (median of %d, p95 %.3f ms)\n", f.ID, float64(warm.P50Ns)/1e6, warm.Samples, float64(warm.P95Ns)/1e6)
		}
	}
	return failed
}

func prewarm(kernel []byte, samples uint32) (leyline.Prewarm, error) {
	return kernelfile.Prewarm(context.Background(), kernel, samples)
}

func newBlueprintWithdraw(a *app) *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use: "withdraw DIR ID", Short: "Let nothing be germinated of a blueprint any more", Args: cobra.ExactArgs(2),
		Long:    "Write into the record why the blueprint is withdrawn. The next `esper run --blueprints DIR`\nrecords it: nothing is germinated of it from then on, seeds that live go on. It is not undone.",
		Example: "  esper blueprint withdraw blueprints residual-8 --reason 'it leaks'",
		RunE:    func(_ *cobra.Command, args []string) error { return a.withdrawBlueprint(args[0], args[1], reason) },
	}
	c.Flags().StringVar(&reason, "reason", "", "for people; required")
	return c
}

func (a *app) withdrawBlueprint(dir, id, reason string) error {
	files, err := readBlueprints(dir)
	if err != nil {
		return err
	}
	f, err := find(files, id)
	if err != nil {
		return err
	}
	if err := (leyline.BlueprintWithdrawn{Blueprint: f.ID, Reason: reason}).Validate(); err != nil {
		return usageError{err}
	}
	if f.Withdrawn != "" {
		return usagef("blueprint %s is withdrawn already: %s", id, f.Withdrawn)
	}
	f.Withdrawn = reason
	return f.write(dir)
}
