package cli

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/tree"
)

func newLogExport(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "export DIR DEST",
		Short: "Write the log's Merkle tree as tlog-tiles, for the tools of others",
		Long: "Write the tree of the newest checkpoint to DEST in the layout of C2SP tlog-tiles,\nwhich any web server can serve and other software can check. An entry is the\nSHA-256 of a record's frame: no record leaves the log.\n\n" +
			"DEST is empty or new, or holds an older export of the same log: what is new is added, and no tile\nthat is there is ever changed. Everything is checked before it is written; a log\nthat does not continue the older export ends with exit code 4. A log of which\nrecords were pruned cannot be exported, as the hashes of their frames are gone.\nReads only, also beside a live plane.",
		Example: "  esper log export data/demo published/demo\n  esper log check published/demo --key kept/demo.key",
		Args:    cobra.ExactArgs(2),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.logExport(cmd.Context(), args[0], args[1]) },
	}
}

func (a *app) logExport(ctx context.Context, path, dest string) error {
	dir, err := logFolder(path)
	if err != nil {
		return err
	}
	if err := exportPlace(dest, dir); err != nil {
		return err
	}
	s, err := openSigned(path)
	if err != nil {
		return err
	}
	defer s.tree.Close() // a reader; nothing is lost when closing it fails
	if first := s.tree.First(); first > 1 {
		return fmt.Errorf("%w: the records before %d are gone, and with them the entries that tiles need; export a log before it is pruned", eventlog.ErrPruned, first)
	}
	if err := s.sameLog(dest); err != nil {
		return err
	}
	err = tree.WriteTiles(dest, s.note, s.verifier, s.tree, until(ctx, s.tree.Leaves(1, uint64(s.head.Size))))
	if errors.Is(err, tree.ErrInvalid) {
		// The arguments are right: the export is of more records than this log.
		err = fmt.Errorf("%w: records were lost, or this is an older copy (%w)", errForked, err)
	}
	if err != nil {
		return err
	}
	if a.json {
		return a.document(struct {
			Dest, Log string
			Size      int64
			Root      tree.Hash
		}{dest, s.head.Origin, s.head.Size, s.head.Root})
	}
	_, err = fmt.Fprintf(a.out, "%s: the tree of %d records of the log %s\n", dest, s.head.Size, s.head.Origin)
	return err
}

// exportPlace refuses to export to where something else is.
func exportPlace(dest, dir string) error {
	if err := ownPlace("DEST", dest, dir); err != nil {
		return err
	}
	if err := noFile("DEST", dest); err != nil {
		return err
	}
	entries, err := os.ReadDir(dest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	tiles := false
	for _, e := range entries {
		tiles = tiles || e.Name() == "tile" && e.IsDir() || e.Name() == "export.new"
		// The last is what an export that was stopped may leave.
		if name := e.Name(); !slices.Contains([]string{"tile", "checkpoint", "export.new"}, name) {
			return usagef("%s holds %s and is no export of a log; use an empty or a new directory", dest, name)
		}
	}
	if len(entries) > 0 && !tiles {
		return usagef("%s is not empty and holds no tile/, so it is no export of a log; use an empty or a new directory", dest)
	}
	return nil
}

// sameLog refuses the export of another log. What else is wrong with an export is
// found when it is added to.
func (s *signedTree) sameLog(dest string) error {
	b, err := readFile(filepath.Join(dest, "checkpoint"))
	if err != nil {
		return nil
	}
	if c, err := tree.ReadCheckpoint(b); err == nil && c.Origin != s.head.Origin {
		return fmt.Errorf("%w: %s holds the export of the log %s, and this is the log %s; use an empty or a new directory", errForked, dest, c.Origin, s.head.Origin)
	}
	return nil
}

// until ends a sequence with the error of a context.
func until(ctx context.Context, leaves iter.Seq2[[32]byte, error]) iter.Seq2[[32]byte, error] {
	return func(yield func([32]byte, error) bool) {
		for leaf, err := range leaves {
			if ctx.Err() != nil {
				yield(leaf, ctx.Err())
				return
			}
			if !yield(leaf, err) {
				return
			}
		}
	}
}

// The layout of the entries in an export.
const (
	tileEntries = 256
	entryBytes  = 2 + 32 // a length before the leaf data
)

// rootOfTiles computes the root of the first n entries of an export that was
// checked and has size of them.
func rootOfTiles(dir string, n, size int64) (tree.Hash, error) {
	var f tree.Frontier
	for at := int64(0); at < n; at += tileEntries {
		b, err := os.ReadFile(filepath.Join(dir, entriesPath(at/tileEntries, size)))
		if err != nil {
			return tree.Hash{}, err
		}
		for len(b) >= entryBytes && f.Size() < n {
			if length := binary.BigEndian.Uint16(b); length != entryBytes-2 {
				return tree.Hash{}, fmt.Errorf("%w: an entry of %d bytes", tree.ErrInconsistent, length)
			}
			f.Append(nil, tree.LeafHash([32]byte(b[2:])))
			b = b[entryBytes:]
		}
	}
	if f.Size() != n {
		return tree.Hash{}, fmt.Errorf("%w: the export changed while it was checked", tree.ErrInconsistent)
	}
	return f.Root(), nil
}

// entriesPath names tile n of the entries in an export of a size.
func entriesPath(n, size int64) string {
	name := fmt.Sprintf("%03d", n%1000)
	if width := size - n*tileEntries; width < tileEntries {
		name = filepath.Join(name+".p", fmt.Sprint(width))
	}
	for n /= 1000; n > 0; n /= 1000 {
		name = filepath.Join(fmt.Sprintf("x%03d", n%1000), name)
	}
	return filepath.Join("tile", "entries", name)
}
