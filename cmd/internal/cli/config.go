package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay/workload"
)

func newConfig(a *app) *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Show or check the configuration", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	c.AddCommand(newConfigShow(a), newConfigCheck(a))
	return c
}

func newConfigShow(a *app) *cobra.Command {
	var s settings
	var data, name string
	c := &cobra.Command{
		Use: "show", Short: "Print the effective configuration with the meaning of every key",
		Long: "Print the effective configuration with the meaning of every key: defaults, with\n--workload those of a workload, then --config, then the environment (ESPER_SECTION_KEY), then --set. With --data, the\n" +
			"configuration that was last in force in a data directory, with --set on top.",
		Example: "  esper config show >esper.toml\n  esper config show --set tolaria.snapshot_every=25\n  esper config show --data data/demo >recorded.toml",
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return a.showConfig(s, data, name) },
	}
	s.flags(c.Flags())
	c.Flags().StringVar(&data, "data", "", "show what is in force in this data directory or bundle")
	c.Flags().StringVar(&name, "workload", "", "start from the defaults of this workload: "+strings.Join(workload.Names(), ", "))
	return c
}

func (a *app) showConfig(s settings, data, name string) error {
	base, environ := leyline.DefaultConfig(), os.Environ()
	if name != "" {
		if data != "" {
			return usagef("--data and --workload exclude each other: what a run was given is in its data directory")
		}
		spec, err := workload.Lookup(name)
		if err != nil {
			return usageError{err}
		}
		base = spec.Config()
	}
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
	if a.json {
		return a.document(cfg)
	}
	b, err := toml.Marshal(cfg)
	if err == nil {
		_, err = a.out.Write(b)
	}
	return err
}

func newConfigCheck(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "check FILE", Short: "Report every mistake in a configuration file", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			s := settings{file: args[0]}
			if _, err := s.load(leyline.DefaultConfig(), nil); err != nil {
				return err
			}
			if a.json {
				return a.document(map[string]any{"file": args[0], "valid": true})
			}
			_, err := fmt.Fprintf(a.out, "%s is valid\n", args[0])
			return err
		},
	}
}
