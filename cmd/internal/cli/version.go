package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sort"

	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/decider"
)

// Version is the program's version.
const Version = "0.1.0-dev"

// fingerprint describes this binary, for the log and for `esper version`.
func fingerprint() leyline.Build {
	b := leyline.Build{Version: Version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "GOAMD64":
			b.AMD64 = s.Value
		case "-tags":
			b.Tags = s.Value
		}
	}
	for _, m := range info.Deps {
		b.Modules = append(b.Modules, m.Path+" "+m.Version)
	}
	sort.Strings(b.Modules)
	return b
}

func newVersion(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version, the build and the rule version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			b := fingerprint()
			if a.json {
				return a.document(struct {
					leyline.Build
					Decider uint32
				}{b, decider.Version})
			}
			_, err := fmt.Fprintf(a.out, "esper %s, rules %d, %s %s/%s\n", b.Version, decider.Version, b.Go, b.OS, b.Arch)
			return err
		},
	}
}
