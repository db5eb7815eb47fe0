package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/tree"
)

func newLogBackup(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "backup DIR DEST",
		Short: "Copy a log, also a live one, or bring the copy up to date",
		Long: "Copy all acknowledged records of a log into DEST, which is made if it is missing, or\nbring that copy up to date: full segments are copied once. Works beside a live plane.\n\n" +
			"What is copied is read back and checked. A DEST with another history is refused: it\nwould mix two. Interrupted, DEST holds what it held; the same command goes on.\nRecords that are pruned from the log later stay in DEST.\n\n" +
			"Not in it: keys/, without which no plane goes on after `esper log restore`, and\nsnapshots/, without which an unfinished run cannot be resumed from one, and policies/,\nwithout which a policy in force decides nothing until it is imported again. Copy all three,\nthe keys to another place. `esper log verify DEST` reads all of the copy.",
		Example: "  esper log backup data/demo backup/demo\n  esper log backup --json data/demo backup/demo",
		Args:    cobra.ExactArgs(2),
		RunE:    func(_ *cobra.Command, args []string) error { return a.logBackup(args[0], args[1]) },
	}
}

// backedUp is the JSON form of a backup.
type backedUp struct {
	Path       string
	Dest       string
	Origin     string
	First      uint64
	Last       uint64
	Before     uint64 // last record in DEST before
	Root       tree.Hash
	Checkpoint uint64
	Copied     int
	Kept       int
	Bytes      int64
}

// whoseDamage finds out whether it is the backup that is damaged.
func whoseDamage(dest string, err error) error {
	var d *eventlog.DamageError
	if !errors.As(err, &d) {
		return err
	}
	if _, there := eventlog.CheckBackup(dest); errors.As(there, &d) {
		return ofBackup(dest, newBackup, there)
	}
	return err
}

func (a *app) logBackup(path, dest string) error {
	dir, err := logFolder(path)
	if err != nil {
		return err
	}
	if err := noFile("DEST", dest); err != nil {
		return err
	}
	r, err := eventlog.Backup(dir, dest)
	if err != nil {
		return whoseDamage(dest, err)
	}
	if a.json {
		return a.document(backedUp{dir, dest, r.Origin, r.First, r.Last, r.Before, r.Root, r.Checkpoint, r.Copied, r.Kept, r.Bytes})
	}
	_, err = fmt.Fprintf(a.out, "%s holds the records %d to %d of %s, %d of them new: %d bytes in %d segments, %d segments were there\nroot %s, under a signed checkpoint up to record %d\n",
		dest, r.First, r.Last, r.Origin, r.Last-max(r.Before, r.First-1), r.Bytes, r.Copied, r.Kept, tree.Hash(r.Root), r.Checkpoint)
	return err
}
