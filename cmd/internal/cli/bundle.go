package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay"
)

// margin is how many records before and after a rollback go into its bundle.
const margin = 20

type bundleFlags struct {
	from, to uint64
	rollback bool
	out      string
	force    bool
}

func newBundle(a *app) *cobra.Command {
	var f bundleFlags
	c := &cobra.Command{
		Use:     "bundle DIR",
		Short:   "Cut records into one file that replays on its own",
		Example: "  esper replay bundle --rollback -o incident.esper data/demo\n  esper replay incident.esper",
		Args:    cobra.ExactArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return a.bundle(args[0], f) },
	}
	c.Flags().Uint64Var(&f.from, "from", 0, "first record")
	c.Flags().Uint64Var(&f.to, "to", 0, "last record")
	c.Flags().BoolVar(&f.rollback, "rollback", false, fmt.Sprintf("the first rollback, with %d records before and after", margin))
	c.Flags().StringVarP(&f.out, "output", "o", "", "file to write")
	c.Flags().BoolVar(&f.force, "force", false, "overwrite the file")
	return c
}

func (f bundleFlags) check() error {
	switch {
	case f.out == "":
		return usagef("no output file; give one with -o")
	case f.rollback && (f.from != 0 || f.to != 0):
		return usagef("--rollback chooses the records itself; leave out --from and --to")
	case !f.rollback && (f.from == 0 || f.to < f.from):
		return usagef("give --rollback, or --from and --to with --from not above --to")
	}
	return nil
}

func (a *app) bundle(path string, f bundleFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	d, err := datadir.OpenReadOnly(path)
	if err != nil {
		return err
	}
	defer d.Close() // a reader; nothing is lost when closing it fails
	from, to := leyline.Seq(f.from), leyline.Seq(f.to)
	if f.rollback {
		if from, to, err = replay.AroundRollback(d.Source(), margin, margin); err != nil {
			return err
		}
	}
	info, err := f.write(func(w io.Writer) (replay.BundleInfo, error) {
		origin := d.Origin().Name
		if d.Origin().Previous != nil {
			origin = "" // the records may be those of the log before it
		}
		return replay.WriteBundle(w, d.Source(), from, to, replay.BundleMeta{Origin: origin, By: "esper " + Version})
	})
	if err != nil {
		return err
	}
	if a.json {
		return a.document(info)
	}
	_, err = fmt.Fprintf(a.out, "%s: records %d to %d, %d bytes; esper replay %s reproduces it on its own\n", f.out, info.From, info.To, info.Bytes, f.out)
	return err
}

// write puts the bundle in its place when all of it is on the disk; until then,
// and after any failure, what was there before is untouched. Without --force
// nothing is replaced, not even a file that appears meanwhile.
func (f bundleFlags) write(fill func(io.Writer) (replay.BundleInfo, error)) (replay.BundleInfo, error) {
	exists := usagef("%s exists; choose another name, or overwrite it with --force", f.out)
	if _, err := os.Lstat(f.out); err == nil && !f.force {
		return replay.BundleInfo{}, exists
	}
	tmp, err := os.CreateTemp(filepath.Dir(f.out), "."+filepath.Base(f.out)+".*")
	if err != nil {
		return replay.BundleInfo{}, fmt.Errorf("cannot write the bundle: %w", err)
	}
	info, err := fill(tmp)
	if err == nil {
		err = tmp.Sync()
	}
	err = errors.Join(err, tmp.Close())
	switch {
	case err != nil:
	case f.force:
		return info, os.Rename(tmp.Name(), f.out)
	default:
		err = os.Link(tmp.Name(), f.out)
	}
	if errors.Is(err, fs.ErrExist) {
		err = exists
	}
	return info, errors.Join(err, os.Remove(tmp.Name()))
}
