package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay/workload"
)

func newConfig(a *app) *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Show, check and compare configurations", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	c.AddCommand(newConfigShow(a), newConfigCheck(a), newConfigDiff(a), newConfigReference(a))
	return c
}

func newConfigShow(a *app) *cobra.Command {
	var s settings
	var data, name string
	c := &cobra.Command{
		Use: "show", Short: "Print the effective configuration with the meaning of every key",
		Long: "Print the effective configuration with the meaning of every key: defaults, with --workload\nthose of a workload, then --config, then the environment (ESPER_SECTION_KEY), then --set.\n" +
			"With --data, the configuration that was last in force in a data directory, with --set on\ntop. --json adds its digest, which config.adopted records.",
		Example: "  esper config show --workload penguins >esper.toml\n  esper config show --set tolaria.snapshot_every=25\n  esper config show --data data/demo >recorded.toml",
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return a.showConfig(s, data, name) },
	}
	s.flags(c.Flags())
	c.Flags().StringVar(&data, "data", "", "show what is in force in this data directory or bundle")
	workloadFlag(c.Flags(), &name)
	return c
}

func workloadFlag(f *pflag.FlagSet, name *string) {
	f.StringVar(name, "workload", "", "start from the defaults of this workload: "+strings.Join(workload.Names(), ", "))
}

// baseConfig is what settings are put upon: the defaults, or those of a workload.
func baseConfig(name string) (leyline.ExecutionConfig, error) {
	if name == "" {
		return leyline.DefaultConfig(), nil
	}
	return workloadConfig(name)
}

func workloadConfig(name string) (leyline.ExecutionConfig, error) {
	spec, err := workload.Lookup(name)
	if err != nil {
		return leyline.ExecutionConfig{}, usageError{err}
	}
	return spec.Config(), nil
}

func (a *app) showConfig(s settings, data, name string) error {
	if name != "" && data != "" {
		return usagef("--data and --workload exclude each other: what a run was given is in its data directory")
	}
	base, err := baseConfig(name)
	if err != nil {
		return err
	}
	environ := os.Environ()
	if data != "" {
		o, err := openSource(data)
		if err != nil {
			return err
		}
		defer o.close() // a reader; nothing is lost when closing it fails
		if base, err = recorded(o); err != nil {
			return err
		}
		environ = nil // it did not decide then
	}
	cfg, err := s.load(base, environ)
	if err != nil {
		return err
	}
	_, digest, err := encodeConfig(cfg)
	if err != nil {
		return err
	}
	if a.json {
		return a.document(struct {
			Digest leyline.Digest
			Config leyline.ExecutionConfig
		}{digest, cfg})
	}
	b, err := toml.Marshal(cfg)
	if err == nil {
		_, err = fmt.Fprintf(a.out, "# %s\n\n%s", origin(name, data), b)
	}
	return err
}

// origin says what a printed configuration begins with. A file of the defaults
// alone would switch off what a workload sets for itself.
func origin(name, data string) string {
	switch {
	case data != "":
		return "What is in force in " + data + "."
	case name != "":
		return "What a run of workload " + name + " begins with."
	}
	return "The defaults, of no workload. What a run begins with: esper config show --workload NAME"
}

func newConfigCheck(a *app) *cobra.Command {
	var s settings
	var name string
	c := &cobra.Command{
		Use: "check FILE", Short: "Report every mistake in a configuration file and in the environment",
		Long: "Report every mistake in a configuration file and in the environment at once: where it\nis, what is wrong with which value, and what to write instead. For valid ones it prints the\n" +
			"digest of the effective configuration: the one that `esper run --workload NAME --config FILE`\nrecords in config.adopted, and `esper config diff --history DIR` lists.",
		Example: "  esper config check esper.toml\n  esper config check --workload multimnist --json esper.toml",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			s.file = args[0]
			return a.checkConfig(s, name)
		},
	}
	s.setFlag(c.Flags())
	workloadFlag(c.Flags(), &name)
	return c
}

func (a *app) checkConfig(s settings, name string) error {
	base, err := baseConfig(name)
	if err != nil {
		return err
	}
	cfg, err := s.load(base, os.Environ())
	if err != nil {
		return err
	}
	_, digest, err := encodeConfig(cfg)
	if err != nil {
		return err
	}
	if a.json {
		return a.document(map[string]any{"file": s.file, "valid": true, "digest": digest})
	}
	_, err = fmt.Fprintf(a.out, "%s is valid\ndigest %s\n", s.file, digest)
	return err
}
