package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/tree"
)

func newLogCheckpoint(a *app) *cobra.Command {
	var key bool
	c := &cobra.Command{
		Use:   "checkpoint DIR",
		Short: "Print the newest signed checkpoint, or the key that checks it",
		Long: "Print the newest checkpoint that the log has signed, as it was signed: a C2SP\n" +
			"tlog-checkpoint. Whoever keeps one can show later that the log was changed before\nit: `esper log prove --since`. The log is compared with it first. Reads only, also\nbeside a live plane.\n\n" +
			"With --key, print the verifier key instead: the one line that an auditor needs.\nIt is not secret, but hand it over on a way that the operator of the log does not\ncontrol later: a key that comes with a proof vouches for itself.",
		Example: "  esper log checkpoint data/demo > kept/demo.checkpoint\n  esper log checkpoint --key data/demo > kept/demo.key",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if key {
				return a.logKey(args[0])
			}
			return a.logCheckpoint(args[0])
		},
	}
	c.Flags().BoolVar(&key, "key", false, "print the verifier key for an auditor")
	return c
}

func (a *app) logCheckpoint(path string) error {
	s, err := openSigned(path)
	if err != nil {
		return err
	}
	defer s.tree.Close() // a reader; nothing is lost when closing it fails
	if a.json {
		return a.document(struct {
			Log  string
			Size int64
			Root tree.Hash
			Note string
		}{s.head.Origin, s.head.Size, s.head.Root, string(s.note)})
	}
	_, err = a.out.Write(s.note)
	return err
}

func (a *app) logKey(path string) error {
	dir, err := logFolder(path)
	if err != nil {
		return err
	}
	r, err := eventlog.OpenReader(dir)
	if err != nil {
		return err
	}
	defer r.Close() // a reader; nothing is lost when closing it fails
	o := r.Origin()
	if len(o.LogKey) == 0 {
		return unsigned(dir, o)
	}
	key, err := tree.VerifierKey(o.Name, o.LogKey)
	if err != nil {
		return err
	}
	if a.json {
		return a.document(struct{ Log, Key string }{o.Name, key})
	}
	_, err = fmt.Fprintln(a.out, key)
	return err
}

// errNoCheckpoint says that a log has signed nothing that a proof could lead to.
var errNoCheckpoint = errors.New("the log has no checkpoint")

// unsigned says why a log has no checkpoint.
func unsigned(dir string, o eventlog.Origin) error {
	if len(o.LogKey) == 0 {
		return fmt.Errorf("%w: its origin in %s names no log key, so it never signs one", errNoCheckpoint, dir)
	}
	return fmt.Errorf("%w: %s has signed none yet; one is signed %s", errNoCheckpoint, dir, nextCheckpoint)
}

// nextCheckpoint says when a log signs.
const nextCheckpoint = "at the next cadence of its writer (log.checkpoint_records, log.checkpoint_ms), and whenever a run is closed in order"

// verifier is a note.Verifier.
type verifier interface {
	Name() string
	KeyHash() uint32
	Verify(msg, sig []byte) bool
}

// signedTree is the tree of a log with its newest checkpoint, which was compared
// with it.
type signedTree struct {
	dir      string
	tree     *eventlog.Tree
	verifier verifier // of the key that the log itself names
	note     []byte
	head     tree.Checkpoint // what note says
}

// openSigned reads the tree of a log and its newest checkpoint.
func openSigned(path string) (signedTree, error) {
	dir, err := logFolder(path)
	if err != nil {
		return signedTree{}, err
	}
	// A writer may have signed after the tree was read, and will have signed again
	// when the tree is read once more: so the first checkpoint is kept.
	const attempts, pause = 8, 10 * time.Millisecond
	s := signedTree{dir: dir}
	for i := 1; ; i++ {
		err := s.look()
		if err == nil || i == attempts || !errors.Is(err, errShorter) {
			return s, err
		}
		time.Sleep(pause)
	}
}

// errShorter says that a log ends before its newest checkpoint.
var errShorter = errors.New("records were lost, or this is an older copy of the log")

// look reads the tree, and the newest checkpoint if there is none yet.
func (s *signedTree) look() (err error) {
	if s.tree, err = eventlog.OpenTree(s.dir); err != nil {
		return err
	}
	if err := s.readHead(); err != nil {
		return errors.Join(err, s.tree.Close())
	}
	return nil
}

// readHead compares the tree with the checkpoint.
func (s *signedTree) readHead() (err error) {
	if s.note == nil {
		s.note, err = s.tree.Checkpoint()
	}
	if errors.Is(err, eventlog.ErrNotFound) {
		return unsigned(s.dir, s.tree.Origin())
	}
	if err != nil {
		return err
	}
	if s.verifier, err = s.tree.Verifier(); err != nil {
		return fmt.Errorf("%w: there is a checkpoint in %s: %w", tree.ErrInconsistent, s.dir, err)
	}
	if s.head, err = tree.OpenCheckpoint(s.note, s.verifier); err != nil {
		return fmt.Errorf("the checkpoint in %s: %w", s.dir, err)
	}
	if uint64(s.head.Size) > s.tree.Size() {
		return fmt.Errorf("%w: the log in %s has signed %d records and holds %d: %w", tree.ErrInconsistent, s.dir, s.head.Size, s.tree.Size(), errShorter)
	}
	root, err := s.tree.Root(uint64(s.head.Size))
	if err != nil {
		return err
	}
	if root != s.head.Root {
		return fmt.Errorf("%w: the log in %s has signed another tree of %d records than the one that it holds; `esper log verify` says where", tree.ErrInconsistent, s.dir, s.head.Size)
	}
	return nil
}
