package cli

import (
	"github.com/spf13/cobra"
)

// newLog is the parent of everything that works on a log as files: it checks,
// mends, shows, keeps and proves it. Each subcommand is in its own file,
// log_<name>.go, and is listed here.
func newLog(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "log",
		Short: "Check, mend, show, keep and prove an event log",
		Long: "Check, mend, show, keep and prove the event log of a data directory.\n\n" +
			"DIR is a data directory, or the log directory inside it. A backup is for `verify`,\n`restore` and `repair --from`.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(
		newLogVerify(a),
		newLogRepair(a),
		newLogCat(a),
		// Add further subcommands below, one a line.
		newLogCheckpoint(a),
		newLogProve(a),
		newLogCheck(a),
		newLogExport(a),
		newLogArchive(a),
		newLogPrune(a),
		newLogBackup(a),
		newLogRestore(a),
	)
	return c
}
