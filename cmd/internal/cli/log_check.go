package cli

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/eventlog/tree"
)

type logCheckFlags struct{ key, checkpoint string }

func newLogCheck(a *app) *cobra.Command {
	var f logCheckFlags
	c := &cobra.Command{
		Use:   "check FILE --key VKEY",
		Short: "Check a proof, a checkpoint or an export, without the log",
		Long: "Check what `esper log prove`, `checkpoint` or `export` has written, and say what it\nshows and what it does not. It needs no data directory and no network: only the\nverifier key of the log, from someone you trust (`esper log checkpoint --key`).\n\n" +
			"FILE is a proof of a record, a proof of growth, a checkpoint, or a directory in the\ntlog-tiles layout. With --checkpoint it must also agree with a checkpoint that you\nhave kept: be of the same tree, or for a proof of growth and for an export of one\nthat continues it. A proof of a record under a checkpoint of another size says\nnothing about the one you kept: that takes a proof of growth, and is exit code 2.\n\n" +
			"Exit code 0: it holds. 4: it does not. 2: there was nothing to check.",
		Example: "  esper log check 142.tlog-proof --key kept/demo.key\n  esper log check growth.proof --key kept/demo.key --checkpoint kept/demo.checkpoint",
		Args:    cobra.ExactArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return a.logCheck(args[0], f) },
	}
	c.Flags().StringVar(&f.key, "key", "", "verifier key of the log, or a file with it")
	c.Flags().StringVar(&f.checkpoint, "checkpoint", "", "file with a checkpoint that you have kept")
	return c
}

// verdict is what a check has shown.
type verdict struct {
	File      string
	Kind      string
	Log       string
	SignedBy  string // identifier of the key
	Size      int64
	Root      tree.Hash
	Record    uint64           `json:",omitempty"`
	Leaf      string           `json:"leaf_hash,omitempty"`
	Since     *tree.Checkpoint `json:",omitempty"`
	Proven    []string
	NotProven []string

	heads []tree.Checkpoint // what it speaks of
	tiles string            // directory of an export
}

// Promises that no proof makes.
const (
	noTime         = "when a record was written or a checkpoint was signed: a checkpoint has no time"
	noCompleteness = "that everything that happened was recorded, or that a record is true"
	noAudience     = "that others are shown the same log: compare checkpoints with theirs"
	noLater        = "anything about records after the %d of the checkpoint"
)

func (a *app) logCheck(path string, f logCheckFlags) error {
	if f.key == "" {
		return usagef("no key; give the verifier key of the log with --key, from someone you trust")
	}
	text, err := readVerifierKey(f.key)
	if err != nil {
		return err
	}
	key, err := tree.ParseVerifierKey(text)
	if err != nil {
		return usagef("--key: %w", err)
	}
	v, err := examine(path, key)
	if err != nil {
		return err
	}
	v.File, v.SignedBy = path, fmt.Sprintf("%08x", key.KeyHash())
	if f.checkpoint != "" {
		if err := v.compare(f.checkpoint, key); err != nil {
			return err
		}
	}
	if a.json {
		return a.document(v)
	}
	return a.printVerdict(v)
}

// examine checks one thing, whatever it is.
func examine(path string, key verifier) (verdict, error) {
	info, err := os.Stat(path)
	if err != nil {
		return verdict{}, usagef("cannot check: %w", err)
	}
	if info.IsDir() {
		return examineTiles(path, key)
	}
	b, err := readFile(path)
	if err != nil {
		return verdict{}, usagef("cannot check: %w", err)
	}
	switch {
	case bytes.HasPrefix(b, []byte("c2sp.org/tlog-proof@")):
		return examineRecord(b, key)
	case bytes.HasPrefix(b, []byte("esper-tree-proof ")):
		return examineGrowth(b, key)
	}
	if _, err := tree.ReadCheckpoint(b); err != nil {
		if !likeNote(string(b)) {
			return verdict{}, usagef("%s is nothing that can be checked: it does not begin like a proof, and is no checkpoint", path)
		}
		return verdict{}, fmt.Errorf("%w: %s does not begin like a proof, and is no checkpoint: %w", tree.ErrProof, path, err)
	}
	c, err := tree.OpenCheckpoint(b, key)
	v := about("checkpoint", c)
	v.says("whoever holds the key has signed a tree of %d records under the name %s", c.Size, c.Origin)
	v.saysNot("that any record is in the log: that takes a proof")
	return v, err
}

// likeNote recognises what was a proof or a checkpoint before it was damaged: by
// the mark of a signature, or by the lines of a checkpoint.
func likeNote(text string) bool {
	if strings.Contains(text, "\u2014 ") {
		return true
	}
	lines := strings.SplitN(text, "\n", 4)
	if len(lines) < 4 {
		return false
	}
	_, serr := strconv.ParseInt(lines[1], 10, 64)
	root, rerr := base64.StdEncoding.DecodeString(lines[2])
	return serr == nil && rerr == nil && len(root) == len(tree.Hash{})
}

// about begins a verdict on what leads to a checkpoint.
func about(kind string, c tree.Checkpoint) verdict {
	return verdict{Kind: kind, Log: c.Origin, Size: c.Size, Root: c.Root, heads: []tree.Checkpoint{c},
		NotProven: []string{noTime, noCompleteness, noAudience, fmt.Sprintf(noLater, c.Size)}}
}

func (v *verdict) says(format string, args ...any) {
	v.Proven = append(v.Proven, fmt.Sprintf(format, args...))
}

func (v *verdict) saysNot(format string, args ...any) {
	v.NotProven = append(v.NotProven, fmt.Sprintf(format, args...))
}

func examineRecord(b []byte, key verifier) (verdict, error) {
	var p tree.RecordProof
	if err := p.UnmarshalText(b); err != nil {
		return verdict{}, err
	}
	c, err := p.Verify(key)
	v := about("proof of a record", c)
	v.Record, v.Leaf = p.Seq, fmt.Sprintf("%x", p.Leaf)
	v.says("record %d of the log %s is the one whose frame has the SHA-256 %s", p.Seq, c.Origin, v.Leaf)
	v.says("whoever holds the key has signed so, in a tree of %d records", c.Size)
	v.saysNot("what the record says: compare the leaf hash with that of the record")
	return v, err
}

func examineGrowth(b []byte, key verifier) (verdict, error) {
	var p tree.TreeProof
	if err := p.UnmarshalText(b); err != nil {
		return verdict{}, err
	}
	old, c, err := p.Verify(key)
	v := about("proof of growth", c)
	v.Since, v.heads = &old, []tree.Checkpoint{old, c}
	v.says("the log %s of %d records begins with the same %d records that its older checkpoint covers: none of them was changed, removed or inserted",
		c.Origin, c.Size, old.Size)
	v.says("whoever holds the key has signed both checkpoints")
	v.saysNot("what any record says")
	return v, err
}

func examineTiles(dir string, key verifier) (verdict, error) {
	if _, err := os.Stat(filepath.Join(dir, "FORMAT")); err == nil {
		return verdict{}, usagef("%s is a log, not an export of one: `esper log verify` checks a log", dir)
	}
	if _, err := os.Stat(filepath.Join(dir, "checkpoint")); errors.Is(err, fs.ErrNotExist) {
		return verdict{}, usagef("%s holds no file checkpoint, so it is not what `esper log export` writes", dir)
	}
	c, err := tree.CheckTiles(dir, key)
	v := about("export", c)
	v.tiles = dir
	v.says("every tile follows from the %d leaf hashes in the export, and they lead to the root that was signed", c.Size)
	v.says("whoever holds the key has signed a tree of %d records under the name %s", c.Size, c.Origin)
	v.saysNot("what the records say: the export has their hashes only")
	return v, err
}

// compare holds a verdict against a checkpoint that the auditor has kept.
func (v *verdict) compare(file string, key verifier) error {
	note, _, err := readNote("--checkpoint", file)
	if err != nil {
		return err
	}
	kept, err := tree.OpenCheckpoint(note, key)
	if err != nil {
		return fmt.Errorf("--checkpoint %s was not signed with this key: %w", file, err)
	}
	said, err := v.agrees(kept)
	if err != nil {
		return err
	}
	v.says("%s", said)
	return nil
}

// agrees says how a checkpoint that was kept is part of what was checked.
func (v *verdict) agrees(kept tree.Checkpoint) (string, error) {
	var sizes []string
	for _, c := range v.heads {
		switch {
		case c.Size != kept.Size:
			sizes = append(sizes, fmt.Sprint(c.Size))
		case c.Root != kept.Root:
			return "", forkAt(kept)
		default:
			return fmt.Sprintf("its tree of %d records is that of the checkpoint that you kept", c.Size), nil
		}
	}
	if kept.Size < v.Size && (v.tiles != "" || kept.Size == 0) {
		return fmt.Sprintf("the log of %d records continues the one of %d of the checkpoint that you kept", v.Size, kept.Size), v.continues(kept)
	}
	return "", usagef("a checkpoint of %d records cannot be compared with this %s, which is of %s: get a proof of growth between the two from `esper log prove --since`",
		kept.Size, v.Kind, strings.Join(sizes, " and "))
}

// continues computes from an export the tree of a smaller checkpoint. Every log
// continues the empty one.
func (v *verdict) continues(kept tree.Checkpoint) error {
	if kept.Size == 0 {
		return nil
	}
	root, err := rootOfTiles(v.tiles, kept.Size, v.Size)
	if err == nil && root != kept.Root {
		err = forkAt(kept)
	}
	return err
}

// forkAt says that two trees of a size were signed.
func forkAt(kept tree.Checkpoint) error {
	return fmt.Errorf("%w: two different trees of %d records were signed for the log %s", errForked, kept.Size, kept.Origin)
}

func (a *app) printVerdict(v verdict) error {
	w := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(w, "holds\t%s: %s\n", printable(v.File), v.Kind)
	fmt.Fprintf(w, "log\t%s, signed with its key %s\n", printable(v.Log), v.SignedBy)
	fmt.Fprintf(w, "size\t%d records\n", v.Size)
	fmt.Fprintf(w, "root\t%s\n", v.Root)
	if v.Record != 0 {
		fmt.Fprintf(w, "record\t%d\nleaf hash\t%s\n", v.Record, v.Leaf)
	}
	if v.Since != nil {
		fmt.Fprintf(w, "older size\t%d records\nolder root\t%s\n", v.Since.Size, v.Since.Root)
	}
	for _, s := range v.Proven {
		fmt.Fprintf(w, "proven\t%s\n", printable(s))
	}
	for _, s := range v.NotProven {
		fmt.Fprintf(w, "not proven\t%s\n", s)
	}
	return w.Flush()
}
