package datadir

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/leyline/sign"
)

// restoringSuffix is that of a data directory that Restore has not finished.
const restoringSuffix = ".restoring"

// RestoreOptions says what data directory Restore makes.
type RestoreOptions struct {
	// Keys is a folder with admin.key and tamiyo.key. The old log trusts them, and
	// a plane goes on with no others. Empty means that new ones are made: then the
	// directory can be read, audited and proved, and no plane starts on it.
	Keys string
	// Upto is that of eventlog.RestoreOptions.
	Upto uint64
	Rand io.Reader // the key and the name of the new log come from it
	Now  func() time.Time
}

// Restore makes a data directory from a backup of a log, or from a log that nobody
// writes. There must be nothing at path. The log gets a new name and a new log.key,
// also where the old one could be had: whoever has a copy of it could go on with
// the old log, and nobody could tell the two apart.
//
// All of it is built beside path and renamed, so that a crash leaves nothing that
// a plane would take for a new data directory; the next call begins again.
func Restore(source, path string, o RestoreOptions) (eventlog.RestoreReport, error) {
	var none eventlog.RestoreReport
	switch _, err := os.Lstat(path); {
	case err == nil:
		return none, fmt.Errorf("%w: %s", eventlog.ErrExists, path)
	case !errors.Is(err, fs.ErrNotExist):
		return none, err
	}
	building := filepath.Clean(path) + restoringSuffix
	if err := clearRestoring(building); err != nil {
		return none, err
	}
	if err := makeDir(building); err != nil {
		return none, err
	}
	r, err := restoreInto(source, building, o)
	if err != nil {
		return r, errors.Join(err, os.RemoveAll(building))
	}
	if err := os.Rename(building, path); err != nil {
		return r, err
	}
	return r, syncDir(filepath.Dir(path))
}

// clearRestoring removes what a Restore that was stopped has left, and nothing
// else.
func clearRestoring(building string) error {
	entries, err := os.ReadDir(building)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !slices.Contains([]string{keysName, logName, logName + ".new"}, e.Name()) {
			return fmt.Errorf("%w: %s is needed and holds %s; move it away", ErrForeign, building, e.Name())
		}
	}
	return os.RemoveAll(building)
}

func restoreInto(source, path string, o RestoreOptions) (eventlog.RestoreReport, error) {
	var none eventlog.RestoreReport
	k, err := restoreKeys(filepath.Join(path, keysName), o)
	if err != nil {
		return none, err
	}
	name := make([]byte, 16)
	if _, err := io.ReadFull(o.Rand, name); err != nil {
		return none, fmt.Errorf("cannot read randomness for the log's name: %w", err)
	}
	r, err := eventlog.Restore(source, filepath.Join(path, logName), eventlog.RestoreOptions{
		Name: "esper-" + hex.EncodeToString(name), LogKey: k.Log.Public(), AdminKey: k.Admin.Public(), At: o.Now().UnixNano(), Upto: o.Upto,
	})
	if err != nil {
		return r, err
	}
	if o.Keys != "" && !bytes.Equal(r.Old.AdminKey, k.Admin.Public()) {
		return r, fmt.Errorf("%w: log %s trusts key %s, %s is key %s", ErrKeys, r.Old.Name, sign.KeyIDOf(r.Old.AdminKey),
			filepath.Join(o.Keys, adminKeyName), k.Admin.KeyID())
	}
	return r, nil
}

// restoreKeys makes a new log.key, and copies or makes the others.
func restoreKeys(path string, o RestoreOptions) (Keys, error) {
	if err := makeDir(path); err != nil {
		return Keys{}, err
	}
	if o.Keys != "" {
		for _, name := range []string{adminKeyName, tamiyoKeyName} {
			if err := copyKey(filepath.Join(o.Keys, name), filepath.Join(path, name)); err != nil {
				return Keys{}, err
			}
		}
	}
	return openKeys(path, false, o.Rand)
}

func copyKey(from, to string) error {
	key, err := readKey(from)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s is missing", ErrKeys, from)
	}
	if err != nil {
		return err
	}
	b, err := sign.MarshalPrivate(key)
	if err != nil {
		return err
	}
	return writeFile(to, b)
}
