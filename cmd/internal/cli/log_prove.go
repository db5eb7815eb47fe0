package cli

import (
	"encoding"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/eventlog/tree"
)

type proveFlags struct {
	record uint64
	since  string
	out    string
}

func newLogProve(a *app) *cobra.Command {
	var f proveFlags
	c := &cobra.Command{
		Use:   "prove DIR (--record N | --since CHECKPOINT)",
		Short: "Write a proof that a record is in the log, or that the log only grew",
		Long: "Write a proof under the newest checkpoint that the log has signed. Whoever has the\nverifier key checks it without the log and without a network: `esper log check`.\n\n" +
			"  --record N          record N is in the log: a C2SP tlog-proof\n" +
			"  --since CHECKPOINT  the log continues the one of an older checkpoint, that someone\n                      has kept: nothing before it was changed, removed or inserted\n\n" +
			"A proof is checked before it is written. A log that does not continue the older\ncheckpoint ends with exit code 4. Reads only, also beside a live plane.",
		Example: "  esper log prove --record 142 -o 142.tlog-proof data/demo\n  esper log prove --since kept/demo.checkpoint -o growth.proof data/demo",
		Args:    cobra.ExactArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return a.logProve(args[0], f) },
	}
	c.Flags().Uint64Var(&f.record, "record", 0, "number of the record")
	c.Flags().StringVar(&f.since, "since", "", "file with an older checkpoint")
	c.Flags().StringVarP(&f.out, "output", "o", "", "file to write, which must not exist (default: stdout)")
	return c
}

func (f *proveFlags) check() error {
	switch {
	case f.record == 0 && f.since == "":
		return usagef("say what to prove: --record N, from 1, or --since CHECKPOINT")
	case f.record != 0 && f.since != "":
		return usagef("--record and --since are two proofs; make one after the other")
	}
	return nil
}

// Why something cannot be proven.
var (
	// errForked: two trees are not one. Someone has been shown another history.
	errForked = errors.New("the log is not a continuation of this checkpoint")
	// errEarlier: the checkpoint is of the log that this one continues.
	errEarlier = errors.New("nothing can be proven from a checkpoint of an earlier log")
	// errUncovered: the record is there, and not yet under a checkpoint.
	errUncovered = errors.New("no checkpoint covers the record yet")
)

// proven is what a proof was made for.
type proven struct {
	File   string `json:",omitempty"`
	Log    string
	Record uint64 `json:",omitempty"`
	Leaf   string `json:"leaf_hash,omitempty"`
	Since  int64  `json:",omitempty"` // size of the older checkpoint
	Size   int64
	Root   tree.Hash
	Proof  string `json:",omitempty"`
	words  string
}

func (a *app) logProve(path string, f proveFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	s, err := openSigned(path)
	if err != nil {
		return err
	}
	defer s.tree.Close() // a reader; nothing is lost when closing it fails
	doc := proven{File: f.out, Log: s.head.Origin, Size: s.head.Size, Root: s.head.Root}
	var proof encoding.TextMarshaler
	if f.since != "" {
		proof, err = s.growth(f.since, &doc)
	} else {
		proof, err = s.record(f.record, &doc)
	}
	if err != nil {
		return err
	}
	text, err := proof.MarshalText()
	if err != nil {
		return err
	}
	return a.giveProof(doc, text)
}

// giveProof writes a proof to where it is wanted.
func (a *app) giveProof(doc proven, text []byte) error {
	if doc.File != "" {
		if err := writeNew(doc.File, text); err != nil {
			return err
		}
	}
	switch {
	case a.json:
		if doc.File == "" {
			doc.Proof = string(text)
		}
		return a.document(doc)
	case doc.File == "":
		_, err := a.out.Write(text)
		return err
	}
	_, err := fmt.Fprintf(a.out, "%s: %s\n`esper log check %s --key KEY` checks it anywhere\n", doc.File, doc.words, doc.File)
	return err
}

// record proves that a record is in the tree.
func (s *signedTree) record(seq uint64, doc *proven) (tree.RecordProof, error) {
	if seq > s.tree.Size() {
		return tree.RecordProof{}, usagef("--record %d; the log has %d records", seq, s.tree.Size())
	}
	if seq > uint64(s.head.Size) {
		return tree.RecordProof{}, fmt.Errorf("%w: record %d is newer than the newest checkpoint, of %d records; the next one is signed %s",
			errUncovered, seq, s.head.Size, nextCheckpoint)
	}
	leaf, err := s.tree.Leaf(seq)
	if err != nil {
		return tree.RecordProof{}, err
	}
	doc.Record, doc.Leaf = seq, fmt.Sprintf("%x", leaf)
	doc.words = fmt.Sprintf("record %d is in the log %s, under its checkpoint of %d records", seq, doc.Log, doc.Size)
	p, err := tree.ProveRecord(s.note, s.verifier, seq, leaf, s.tree)
	if errors.Is(err, tree.ErrInconsistent) {
		err = fmt.Errorf("%w; `esper log verify` says which", err)
	}
	return p, err
}

// growth proves that the tree continues the one of a checkpoint that was kept.
func (s *signedTree) growth(file string, doc *proven) (tree.TreeProof, error) {
	note, old, err := readNote("--since", file)
	if err != nil {
		return tree.TreeProof{}, err
	}
	if p := s.tree.Origin().Previous; p != nil && old.Origin != s.head.Origin && p.Name == old.Origin {
		return tree.TreeProof{}, fmt.Errorf("%w: it is of the log %s, from which this log, %s, was restored with %d records; `esper log verify --checkpoint %s --key OLDKEY DIR`, with the old log's verifier key, compares the two",
			errEarlier, old.Origin, s.head.Origin, p.Size, file)
	}
	doc.Since = old.Size
	doc.words = fmt.Sprintf("the log %s of %d records continues the one of %d", doc.Log, doc.Size, old.Size)
	p, err := tree.ProveTree(note, s.note, s.verifier, s.tree)
	if !errors.Is(err, tree.ErrInconsistent) && !errors.Is(err, tree.ErrCheckpoint) && !errors.Is(err, tree.ErrInvalid) {
		return p, err
	}
	// Wrong stored hashes are no fork: the log may be good all the same.
	if cerr := tree.CheckStored(s.head.Size, s.head.Root, s.tree); cerr != nil {
		return p, fmt.Errorf("nothing can be proven: %w; `esper log verify` says where", cerr)
	}
	return p, s.forked(old, err)
}

// forked says why the log does not continue a checkpoint. No cause of it is a
// mistake of the caller, so it is damage whatever package tree calls it.
func (s *signedTree) forked(old tree.Checkpoint, cause error) error {
	why := ""
	switch {
	case old.Origin != s.head.Origin:
		why = fmt.Sprintf("it is of the log %s, and this is the log %s", old.Origin, s.head.Origin)
	case errors.Is(cause, tree.ErrCheckpoint):
		why = "it was not signed with the key that this log names"
	case old.Size > s.head.Size:
		why = fmt.Sprintf("it has %d records, and the newest checkpoint of the log only %d: records were lost, or this is an older copy", old.Size, s.head.Size)
	default:
		why = fmt.Sprintf("record %d or one before it is not what was signed then", old.Size)
	}
	return fmt.Errorf("%w: %s (%w)", errForked, why, cause)
}

// maxProofFile is more than any proof or checkpoint has.
const maxProofFile = 1 << 20

// readNote reads a checkpoint that someone has kept, and checks no signature.
func readNote(flag, file string) ([]byte, tree.Checkpoint, error) {
	b, err := readFile(file)
	if err != nil {
		return nil, tree.Checkpoint{}, usagef("%s: %w", flag, err)
	}
	c, err := tree.ReadCheckpoint(b)
	if err != nil {
		return nil, c, usagef("%s %s: %w", flag, file, err)
	}
	return b, c, nil
}

// readFile reads a small file.
func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxProofFile {
		return nil, fmt.Errorf("%s is no file of at most %d bytes", name, maxProofFile)
	}
	return os.ReadFile(name)
}

// writeNew makes a file durably and in one step, and never replaces one.
func writeNew(name string, text []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", name, err)
	}
	_, err = tmp.Write(text)
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Link(tmp.Name(), name)
	}
	if errors.Is(err, fs.ErrExist) {
		err = usagef("%s exists; choose another name", name)
	}
	return errors.Join(err, os.Remove(tmp.Name()))
}
