package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/eventlog"
)

func newLogArchive(a *app) *cobra.Command {
	var keep int
	c := &cobra.Command{
		Use:   "archive DIR",
		Short: "Compress old segments in place",
		Long: "Compress the segments of a log that are full and sealed, with zstd, in place.\nRecords, hashes and proofs stay as they are, and every command reads them as before.\n\n" +
			"Works beside a live plane. Each compressed segment is read back and compared with\nits seal before the original is removed. Interrupted, it can be started again.",
		Example: "  esper log archive data/demo\n  esper log archive --keep-raw 4 --json data/demo",
		Args:    cobra.ExactArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return a.logArchive(args[0], keep) },
	}
	c.Flags().IntVar(&keep, "keep-raw", 1, "newest full segments to leave as they are, one or more")
	return c
}

func (a *app) logArchive(path string, keep int) error {
	if keep < 1 {
		return usagef("--keep-raw %d; one or more full segments stay as they are", keep)
	}
	dir, err := logFolder(path)
	if err != nil {
		return err
	}
	r, err := eventlog.Archive(dir, eventlog.ArchiveOptions{KeepRaw: keep})
	if err != nil {
		return err
	}
	if a.json {
		return a.document(struct {
			Path string
			eventlog.ArchiveReport
		}{dir, r})
	}
	if r.Unsealed > 0 {
		a.notice("%d full segments have no seal yet: the next `esper log archive` takes them, or the next `esper run` if none is live", r.Unsealed)
	}
	if r.Segments == 0 {
		_, err = fmt.Fprintf(a.out, "nothing to compress in %s: %d segments are compressed, %d full ones are kept as they are\n", dir, r.Archived, r.Kept)
		return err
	}
	_, err = fmt.Fprintf(a.out, "compressed %d segments of %s: %d bytes to %d, 1 to %.1f; %d segments are compressed now\n",
		r.Segments, dir, r.Before, r.After, float64(r.Before)/float64(max(r.After, 1)), r.Archived)
	return err
}
