package cli

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/tree"
)

type logRestoreFlags struct {
	keys string
	anew bool
	upto uint64
}

func newLogRestore(a *app) *cobra.Command {
	var f logRestoreFlags
	c := &cobra.Command{
		Use:   "restore BACKUP DIR",
		Short: "Make a data directory from a backup, under a new origin",
		Long: "Make a data directory from a backup, or from the log of a data directory that nobody\nwrites. DIR must not exist.\n\n" +
			"The records are taken over byte for byte, and checked. After them comes an origin\nrecord with a new name that names the old log: what was recorded there after the\nbackup is not in this log, and it must not look as if it had never been. The log\nsigns with a new key, which you hand to auditors; old checkpoints still prove the old\nrecords.\n\n" +
			"--keys is the folder keys/ of the old data directory. Its admin.key and tamiyo.key are\nneeded: the log trusts them, and `esper run` goes on with no others. With --new-keys the\nlog can be read, replayed, audited and proved, and `esper run` refuses it.\n\n" +
			"--upto cuts the log behind a record. It is for a log that is damaged behind that\nrecord, and for one that has lost records it had signed.",
		Example: "  esper log restore --keys kept/keys backup/demo data/demo\n  esper log restore --keys damaged/keys --upto 1200 damaged data/demo",
		Args:    cobra.ExactArgs(2),
		RunE:    func(_ *cobra.Command, args []string) error { return a.logRestore(args[0], args[1], f) },
	}
	c.Flags().StringVar(&f.keys, "keys", "", "folder with the admin.key and the tamiyo.key that the log trusts")
	c.Flags().BoolVar(&f.anew, "new-keys", false, "make new keys instead; the log can then only be read")
	c.Flags().Uint64Var(&f.upto, "upto", 0, "last record to take over, what comes behind it is left out; at most the last one that is there (default: all)")
	return c
}

// restored is the JSON form of what was restored.
type restored struct {
	Path       string
	Origin     string
	Previous   string
	Records    uint64 // taken over: the last of them
	Root       tree.Hash
	First      uint64
	Last       uint64
	Segments   int
	Bytes      int64
	Checkpoint uint64 // records under the old log's newest checkpoint
	Lost       uint64 // of these, not in this log
	Keys       string
}

func (a *app) logRestore(source, path string, f logRestoreFlags) error {
	if (f.keys == "") == !f.anew {
		return usagef("give either --keys, with the admin.key and the tamiyo.key that the log trusts, or --new-keys, with which `esper run` refuses the log")
	}
	from, err := logOrBackup(source)
	if err != nil {
		return err
	}
	if f.keys != "" {
		if info, err := os.Stat(f.keys); err != nil || !info.IsDir() {
			return usagef("--keys %s is no folder", f.keys)
		}
	}
	r, err := datadir.Restore(from, path, datadir.RestoreOptions{Keys: f.keys, Upto: f.upto, Rand: rand.Reader, Now: time.Now})
	if err != nil {
		return f.explain(from, err)
	}
	p := r.Origin.Previous
	lost := r.Signed - min(r.Signed, p.Size)
	if a.json {
		return a.document(restored{path, r.Origin.Name, p.Name, p.Size, p.Root, r.First, r.Last, r.Segments, r.Bytes, r.Signed, lost, dirAtKeys(path)})
	}
	if lost > 0 {
		a.notice("the old log had signed %d records more than were taken over; the signed checkpoint is kept in %s/log/previous", lost, path)
	}
	if r.First > 1 {
		a.notice("the log begins with record %d: `esper run` needs a stored projection from there or later; copy projections.db of the old data directory to %s", r.First, path)
	}
	if f.anew {
		a.notice("all its keys are new: the log can be read, and `esper run` refuses it")
	}
	return a.printRestored(path, &r, f.anew)
}

// explain says whose mistake or damage it is.
func (f *logRestoreFlags) explain(from string, err error) error {
	switch {
	case f.upto > 0 && errors.Is(err, eventlog.ErrNotFound):
		return usagef("--upto %d: %w", f.upto, err)
	case isBackup(from):
		return ofBackup(from, otherBackup, err)
	}
	return err
}

func (a *app) printRestored(path string, r *eventlog.RestoreReport, anew bool) error {
	p := r.Origin.Previous
	which := "log.key is new, admin.key and tamiyo.key are those of the old log"
	if anew {
		which = "log.key, admin.key and tamiyo.key are new"
	}
	_, err := fmt.Fprintf(a.out, "%s holds the records %d to %d of %s, and goes on as %s with record %d\nroot of the old records %s\nkeys are in %s: %s\n`esper log checkpoint --key %s` prints the new verifier key: hand it to your auditors\n",
		path, r.First, p.Size, p.Name, r.Origin.Name, r.Last, tree.Hash(p.Root), dirAtKeys(path), which, path)
	return err
}

func dirAtKeys(path string) string { return (&datadir.Dir{Path: path}).KeysPath() }
