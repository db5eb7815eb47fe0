package cli

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/esper-plane/esper/leyline"
)

// settings are the places a configuration comes from: defaults, then a file,
// then the environment, then flags.
type settings struct {
	file string
	set  []string
}

func (s *settings) flags(f *pflag.FlagSet) {
	f.StringVar(&s.file, "config", "", "configuration in TOML; `esper config show` prints every key")
	f.StringArrayVar(&s.set, "set", nil, "one setting as section.key=value; may be repeated")
}

// given reports whether anything but defaults and environment was asked for.
func (s *settings) given() bool { return s.file != "" || len(s.set) > 0 }

// load returns the effective configuration over a base, validated.
func (s *settings) load(base leyline.ExecutionConfig) (leyline.ExecutionConfig, error) {
	c := base
	if s.file != "" {
		b, err := os.ReadFile(s.file)
		if err != nil {
			return c, usageError{err}
		}
		if err := decodeTOML(b, &c, s.file); err != nil {
			return c, err
		}
	}
	for _, kv := range append(environment(), s.set...) {
		if err := assign(&c, kv); err != nil {
			return c, err
		}
	}
	return c, c.Validate()
}

// decodeTOML decodes strictly over what is there already.
func decodeTOML(b []byte, c *leyline.ExecutionConfig, name string) error {
	err := toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields().Decode(c)
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) {
		var lines []string
		for _, e := range strict.Errors {
			row, _ := e.Position()
			lines = append(lines, fmt.Sprintf("%s:%d: unknown key %s", name, row, strings.Join(e.Key(), ".")))
		}
		return usagef("%s; `esper config show` prints every key", strings.Join(lines, "; "))
	}
	var bad *toml.DecodeError
	if errors.As(err, &bad) {
		row, col := bad.Position()
		return usagef("%s:%d:%d: %s: %v", name, row, col, strings.Join(bad.Key(), "."), bad)
	}
	if err != nil {
		return usagef("%s: %w", name, err)
	}
	return nil
}

// assign sets one "section.key=value". A value that is no TOML is taken as a
// string.
func assign(c *leyline.ExecutionConfig, kv string) error {
	key, value, ok := strings.Cut(kv, "=")
	if !ok || strings.Count(key, ".") != 1 {
		return usagef("setting %q: want section.key=value", kv)
	}
	if _, known := keys()[key]; !known {
		return usagef("setting %q: unknown key %s; `esper config show` prints every key", kv, key)
	}
	plain := *c
	if decodeTOML([]byte(key+" = "+value), &plain, "setting "+kv) == nil {
		*c = plain
		return nil
	}
	return decodeTOML([]byte(fmt.Sprintf("%s = %q", key, value)), c, "setting "+kv)
}

// keys lists every key and the environment variable that sets it.
func keys() map[string]string {
	out := map[string]string{}
	root := reflect.TypeFor[leyline.ExecutionConfig]()
	for i := range root.NumField() {
		section := root.Field(i)
		for j := range section.Type.NumField() {
			key := section.Tag.Get("toml") + "." + section.Type.Field(j).Tag.Get("toml")
			out[key] = "ESPER_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
		}
	}
	return out
}

// environment returns the settings in the environment, as section.key=value.
func environment() []string {
	var out []string
	names := keys()
	for _, key := range slices.Sorted(maps.Keys(names)) {
		if v, ok := os.LookupEnv(names[key]); ok {
			out = append(out, key+"="+v)
		}
	}
	return out
}

func newConfig(a *app) *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Show or check the configuration", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	c.AddCommand(newConfigShow(a), newConfigCheck(a))
	return c
}

func newConfigShow(a *app) *cobra.Command {
	var s settings
	c := &cobra.Command{
		Use: "show", Short: "Print the effective configuration with the meaning of every key", Args: cobra.NoArgs,
		Example: "  esper config show >esper.toml\n  esper config show --set tolaria.snapshot_every=25",
		RunE: func(*cobra.Command, []string) error {
			cfg, err := s.load(leyline.DefaultConfig())
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
		},
	}
	s.flags(c.Flags())
	return c
}

func newConfigCheck(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "check FILE", Short: "Report every mistake in a configuration file", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			s := settings{file: args[0]}
			if _, err := s.load(leyline.DefaultConfig()); err != nil {
				return err
			}
			_, err := fmt.Fprintf(a.out, "%s is valid\n", args[0])
			return err
		},
	}
}
