package cli

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/reports"
)

type reportFlags struct {
	run, outcome, policy, since string
	after                       leyline.Instant
}

func newReports(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "report",
		Short: "List, show and export field reports: what became of the policy's commands",
		Long: "A field report says what a command of the policy did to its run: the losses before and\nafter its observation window, what followed, and the outcome. Reports are in the log for\n" +
			"ever; these commands read it, also beside a live plane and past damage: what can be read\nis shown, what cannot is named on stderr, and the exit code is then 4.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(newReportList(a), newReportShow(a), newReportExport(a))
	return c
}

func newReportList(a *app) *cobra.Command {
	var f reportFlags
	c := &cobra.Command{
		Use:     "list DIR",
		Short:   "List the field reports of a log, one a line",
		Example: "  esper report list data/demo\n  esper report list --outcome regression --since 24h data/demo",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if a.json {
				return a.reports(args[0], f, a.reportLines)
			}
			return a.reports(args[0], f, a.reportTable)
		},
	}
	f.register(c)
	return c
}

func newReportExport(a *app) *cobra.Command {
	var f reportFlags
	c := &cobra.Command{
		Use:   "export DIR",
		Short: "Write the field reports of a log as JSON lines",
		Long: "Write one JSON object a line: the report as `go doc` of package subsystems/reports\ndescribes it, behind the record that filed it, when that was (filed_at), how far its\n" +
			"delivery had come (kept, sending, waiting, delivered or dropped) and with how many\nattempts. Names are stable.",
		Example: "  esper report export data/demo > reports.jsonl\n  esper report export --run run-1 --policy rules/2 data/demo",
		Args:    cobra.ExactArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return a.reports(args[0], f, a.reportLines) },
	}
	f.register(c)
	return c
}

func newReportShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "show DIR REPORT",
		Short:   "Show one field report as JSON, by its id or that of its command",
		Example: "  esper report show data/demo fr-8781aa874226db00-141.2",
		Args:    cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			return a.reports(args[0], reportFlags{}, func(rows []reportRow) error {
				for _, r := range rows {
					if r.Report == args[1] || r.Command == args[1] {
						return a.document(r)
					}
				}
				return usagef("there is no field report %q in %s, nor one on a command of that id", args[1], args[0])
			})
		},
	}
}

func (f *reportFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&f.run, "run", "", "only of this run")
	c.Flags().StringVar(&f.outcome, "outcome", "", "only success, neutral, regression or aborted")
	c.Flags().StringVar(&f.policy, "policy", "", "only on commands of this policy, as ID@VERSION or ID/VERSION")
	c.Flags().StringVar(&f.since, "since", "", "only on commands issued at or after this time, as RFC 3339 or as a duration back from now")
}

// check validates the filters; a filter that can match nothing is a mistake.
func (f *reportFlags) check() error {
	if f.outcome != "" {
		var o leyline.ReportOutcome
		if err := o.UnmarshalText([]byte(f.outcome)); err != nil {
			return usagef("--outcome %w", err)
		}
	}
	var err error
	f.after, err = sinceFlag(f.since, time.Now())
	return err
}

func (f *reportFlags) match(r *reportRow) bool {
	return (f.run == "" || f.run == r.Run) && (f.outcome == "" || f.outcome == r.Outcome) &&
		(f.policy == "" || f.policy == r.Policy || strings.Replace(f.policy, "@", "/", 1) == r.Policy) && r.issued >= f.after
}

// reportRow is a report with where it is and how far its delivery has come.
type reportRow struct {
	Record   leyline.Seq     `json:"record"`
	FiledAt  leyline.Instant `json:"filed_at"`
	Delivery string          `json:"delivery"`
	Attempts uint32          `json:"attempts"`
	reports.Document

	issued leyline.Instant
}

// reports reads a log as far as it can be read and tells of the reports in it that
// the flags let through. What is damaged is named and is the error.
func (a *app) reports(path string, f reportFlags, tell func([]reportRow) error) error {
	if err := f.check(); err != nil {
		return err
	}
	dir, err := logFolder(path)
	if err != nil {
		return err
	}
	rows, damage, err := reportRows(dir)
	if err != nil {
		return err
	}
	var shown []reportRow
	for i := range rows {
		if f.match(&rows[i]) {
			shown = append(shown, rows[i])
		}
	}
	for _, d := range damage {
		a.notice("%v", d)
	}
	if err := tell(shown); err != nil {
		return err
	}
	if len(damage) > 0 {
		return fmt.Errorf("%d places of the log could not be read, and the reports in them are not shown; the first: %w", len(damage), damage[0])
	}
	return nil
}

func (a *app) reportLines(rows []reportRow) error {
	for i := range rows {
		if err := a.line(rows[i]); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) reportTable(rows []reportRow) error {
	w := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
	fmt.Fprint(w, "record\tissued\treport\tcommand\tdoes\tseed\tpolicy\toutcome\tclosed by\tepochs\tloss\tfollow-ups\tdelivery\n")
	for i := range rows {
		r := &rows[i]
		does := r.Kind
		if r.Operation != "" {
			does = r.Operation
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d of %d\t%+.4g\t%d\t%s\n", r.Record, r.IssuedAt, printable(r.Report), printable(r.Command), does,
			printable(r.Seed), printable(r.Policy), r.Outcome, r.Closure, r.Epochs, r.WindowEpochs, r.Delta.Loss, len(r.FollowUps), r.Delivery)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(a.out, "%d field reports\n", len(rows))
	return err
}
