package cli

import (
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/leyline"
)

type diffFlags struct {
	settings
	workload string
	seq      []uint
	history  bool
}

func newConfigDiff(a *app) *cobra.Command {
	var f diffFlags
	c := &cobra.Command{
		Use: "diff A [B]", Short: "Print what differs between two configurations",
		Long: "Print what differs between two configurations: key, value in A, value in B, meaning.\n" +
			"Each of A and B is\n\n" +
			"  defaults         what esper starts from\n" +
			"  workload:NAME    what a run of this workload starts from\n" +
			"  FILE             a TOML file upon the defaults, or upon those of --workload\n" +
			"  DIR or BUNDLE    what is in force there, or with --seq N was when record N was decided\n\n" +
			"Without B, A is compared with the effective configuration: defaults or --workload,\nthen the environment (ESPER_SECTION_KEY), then --set.\n\n" +
			"With --history and one DIR or BUNDLE: every configuration that was given to it, with\nrecord, time, key, digest and what it changed.\n\n" +
			"Exit code 0: they are equal; 3: they differ.",
		Example: "  esper config diff defaults workload:multimnist\n  esper config diff esper.toml data/demo\n" +
			"  esper config diff --workload multimnist --set tamiyo.probes=6 data/demo\n" +
			"  esper config diff --seq 4,900 data/demo data/demo\n  esper config diff --history data/demo",
		Args: cobra.RangeArgs(1, 2),
		RunE: func(_ *cobra.Command, args []string) error { return a.diffConfig(args, f) },
	}
	f.setFlag(c.Flags())
	workloadFlag(c.Flags(), &f.workload)
	c.Flags().UintSliceVar(&f.seq, "seq", nil, "the record of A at which to look, or of A and B as `N,M`; 0: the end")
	c.Flags().BoolVar(&f.history, "history", false, "list what every config.applied of a log changed")
	return c
}

// check finds contradictions between the flags and the arguments.
func (f *diffFlags) check(args []string) error {
	switch {
	case f.history && (len(args) != 1 || f.seq != nil || f.set != nil || f.workload != ""):
		return usagef("--history takes one data directory or bundle and no other flag")
	case len(args) == 2 && f.set != nil:
		return usagef("--set changes the effective configuration, which is compared with A alone; leave out B")
	case len(f.seq) > len(args):
		return usagef("--seq names %d records for %d argument(s)", len(f.seq), len(args))
	}
	return nil
}

func (a *app) diffConfig(args []string, f diffFlags) error {
	if err := f.check(args); err != nil {
		return err
	}
	if f.history {
		return a.configHistory(args[0])
	}
	base, err := baseConfig(f.workload)
	if err != nil {
		return err
	}
	f.seq = append(f.seq, 0, 0)
	first, err := a.findConfig(args[0], base, leyline.Seq(f.seq[0]))
	if err != nil {
		return err
	}
	var second namedConfig
	if len(args) == 2 {
		second, err = a.findConfig(args[1], base, leyline.Seq(f.seq[1]))
	} else if c, lerr := f.load(base, os.Environ()); lerr != nil {
		err = lerr
	} else {
		second, err = nameConfig("effective", c)
	}
	if err != nil {
		return err
	}
	return a.printDiff(first, second)
}

func (a *app) printDiff(first, second namedConfig) error {
	list := differences(first.config, second.config)
	if err := a.writeDiff(first, second, list); err != nil {
		return err
	}
	if len(list) > 0 {
		return errDiffers
	}
	return nil
}

func (a *app) writeDiff(first, second namedConfig, list []difference) error {
	if a.json {
		return a.document(struct {
			A, B        namedConfig
			Equal       bool
			Differences []difference
		}{first, second, len(list) == 0, list})
	}
	if len(list) == 0 {
		_, err := fmt.Fprintf(a.out, "%s and %s are equal\ndigest %s\n", first.Name, second.Name, first.Digest)
		return err
	}
	w := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(w, "KEY\t%s\t%s\tMEANING\n", first.Name, second.Name)
	for _, d := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", d.Key, settingText(d.a), settingText(d.b), d.Meaning)
	}
	return w.Flush()
}

// difference is a setting that two configurations do not agree on.
type difference struct {
	Key     string
	A, B    any
	Meaning string
	a, b    reflect.Value
}

// differences lists what two configurations do not agree on, in the order of
// declaration.
func differences(x, y leyline.ExecutionConfig) []difference {
	out := []difference{}
	other := y.Settings()
	for i, s := range x.Settings() {
		a, b := s.Value, other[i].Value
		if settingText(a) != settingText(b) { // so an empty list is none
			out = append(out, difference{s.Key, a.Interface(), b.Interface(), s.Meaning, a, b})
		}
	}
	return out
}

// settingText renders a value for people. Two values of a setting have one text
// only if they are one. Text with spaces or without any character is in quotes, and
// so are the entries of a list.
func settingText(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case string:
		if x == "" || strings.ContainsFunc(x, func(r rune) bool { return r == '"' || !unicode.IsGraphic(r) || unicode.IsSpace(r) }) {
			return strconv.Quote(x)
		}
		return x
	case []string:
		quoted := make([]string, len(x))
		for i, s := range x {
			quoted[i] = strconv.Quote(s)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	case []float64:
		var words []string
		for _, n := range x {
			words = append(words, fmt.Sprint(n))
		}
		return "[" + strings.Join(words, ", ") + "]"
	}
	return fmt.Sprint(v.Interface())
}

// changes lists the first few differences in one line, each as "key: x -> y".
func changes(list []difference) string {
	const most = 6
	var words []string
	for _, d := range list[:min(len(list), most)] {
		words = append(words, fmt.Sprintf("%s: %s -> %s", d.Key, settingText(d.a), settingText(d.b)))
	}
	if n := len(list) - most; n > 0 {
		words = append(words, fmt.Sprintf("and %d more", n))
	}
	return strings.Join(words, ", ")
}
