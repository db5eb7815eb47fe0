package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/projections/boltstore"
	"github.com/esper-plane/esper/subsystems/plane"
)

// store is a projection store as the plane sees it. Invariant: when it is handed
// out, Load finds an intact entry or none at all.
type store struct {
	*boltstore.Store
	log hclog.Logger
}

// openStore opens the projections of a data directory. A file without a usable
// entry is moved aside, never deleted: the log holds everything that was in it.
func openStore(dir string, log hclog.Logger) (*store, error) {
	path := filepath.Join(dir, projectedName)
	s, err := boltstore.Open(path)
	if err == nil {
		_, _, _, ok, loadErr := s.Load()
		if ok || loadErr == nil {
			return &store{s, log}, nil
		}
		err = errors.Join(loadErr, s.Close())
	}
	if !errors.Is(err, boltstore.ErrDamaged) {
		return nil, fmt.Errorf("cannot open %s: %w", path, err)
	}
	aside, err := moveAside(dir, err)
	if err != nil {
		return nil, err
	}
	log.Warn("the stored projections are damaged; they were moved aside and are rebuilt from the log",
		"file", path, "moved_to", aside)
	if s, err = boltstore.Open(path); err != nil {
		return nil, fmt.Errorf("cannot open %s: %w", path, err)
	}
	return &store{s, log}, nil
}

// moveAside renames the damaged file to the first free name.
func moveAside(dir string, cause error) (string, error) {
	for n := 1; ; n++ {
		to := filepath.Join(dir, fmt.Sprintf("%s%d", asidePrefix, n))
		_, err := os.Lstat(to)
		if err == nil {
			continue
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", errors.Join(cause, err)
		}
		if err := os.Rename(filepath.Join(dir, projectedName), to); err != nil {
			return "", errors.Join(cause, err)
		}
		return to, syncDir(dir)
	}
}

// Save implements plane.Store.
func (s *store) Save(a plane.Anchor, schema uint32, blob []byte) error {
	return s.Store.Save(boltstore.Anchor(a), schema, blob)
}

// Load implements plane.Store. With the newest entry damaged it returns the one
// before it.
func (s *store) Load() (plane.Anchor, uint32, []byte, bool, error) {
	a, schema, blob, ok, err := s.Store.Load()
	if ok && errors.Is(err, boltstore.ErrDamaged) {
		s.log.Warn("the newest stored projection is damaged, the one before it is used", "record", a.Seq)
		err = nil
	}
	return plane.Anchor(a), schema, blob, ok, err
}
