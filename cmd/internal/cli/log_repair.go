package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/eventlog"
)

type logRepairFlags struct {
	dryRun, acceptLoss bool
	from, note         string
}

func newLogRepair(a *app) *cobra.Command {
	var f logRepairFlags
	c := &cobra.Command{
		Use:   "repair DIR",
		Short: "Mend a damaged log as far as that is provably safe",
		Long: "Mend a log that nobody has open: cut the rest of an unfinished write, compute seals\nand hashes again, replace markers, and take damaged segments from another copy that\n" +
			"reproduces their seal to the bit. Anything else is refused before anything is\nchanged. All bytes that are removed or overwritten are kept under repaired/ in the\nlog, and a record of kind repair says what was done.\n\n" +
			"If it is stopped, call it again with the same flags.",
		Example: "  esper log repair --dry-run data/demo\n  esper log repair --from backups/demo --note 'disk sda had bad blocks' data/demo",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.logRepair(cmd.Context(), args[0], f) },
	}
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "say what would be done, and change nothing")
	c.Flags().StringVar(&f.from, "from", "", "directory of a copy or backup to take damaged segments from")
	c.Flags().BoolVar(&f.acceptLoss, "accept-loss", false, "give up acknowledged records at the very end, if no checkpoint covers them")
	c.Flags().StringVar(&f.note, "note", "", "why; kept in the log")
	return c
}

// repaired is a repair for machines.
type repaired struct {
	Path     string                  `json:"path"`
	DryRun   bool                    `json:"dry_run"`
	Actions  []eventlog.RepairAction `json:"actions"`
	Record   uint64                  `json:"record,omitempty"`
	Kept     string                  `json:"kept,omitempty"`
	Findings []finding               `json:"findings"`
}

func (a *app) logRepair(ctx context.Context, path string, f logRepairFlags) error {
	dir, err := logFolder(path)
	if err != nil {
		return err
	}
	by, err := operator()
	if err != nil {
		return err
	}
	o := eventlog.RepairOptions{By: by, Note: f.note, At: time.Now().UnixNano(), AcceptLoss: f.acceptLoss, DryRun: f.dryRun, Progress: a.percent(ctx, "checked")}
	if f.from != "" {
		if o.From, err = logOrBackup(f.from); err != nil {
			return fmt.Errorf("--from: %w", err)
		}
	}
	if o.Options.Logger, err = a.logger(); err != nil {
		return err
	}
	r, err := eventlog.Repair(dir, o)
	a.clearLine()
	var refused *eventlog.RepairError
	if errors.As(err, &refused) && !a.json {
		if err := a.printFindings(refused.Findings); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	return a.printRepaired(dir, r)
}

// operator says who repairs.
func operator() (string, error) {
	u, err := user.Current()
	if err != nil {
		return "", fmt.Errorf("cannot tell who repairs: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("cannot tell where this is: %w", err)
	}
	return u.Username + "@" + host, nil
}

func (a *app) printRepaired(dir string, r *eventlog.RepairReport) error {
	if a.json {
		actions := r.Actions
		if actions == nil {
			actions = []eventlog.RepairAction{}
		}
		return a.document(repaired{dir, r.DryRun, actions, r.Record, r.Kept, findings(r.Findings)})
	}
	for _, s := range r.Actions {
		kept := ""
		if s.Kept != "" {
			kept = fmt.Sprintf("; %d bytes are kept in %s", s.Bytes, s.Kept)
		}
		if _, err := fmt.Fprintf(a.out, "%s %s at offset %d: %s%s\n", s.What, printable(s.Segment), s.Offset, printable(s.Reason), kept); err != nil {
			return err
		}
	}
	text := fmt.Sprintf("repaired; record %d says what was done", r.Record)
	switch {
	case len(r.Actions) == 0:
		text = "nothing needs repair"
	case r.DryRun:
		text = "this is what `esper log repair` would do; nothing was changed"
	}
	_, err := fmt.Fprintln(a.out, text)
	return err
}
