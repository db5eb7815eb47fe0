package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/eventlog/tree"
)

// errNoLogDir says that a command about a log was given nothing that exists.
var errNoLogDir = errors.New("there is no data directory")

// logFolder finds the log of a data directory, or of the directory of a log. It
// refuses a backup.
func logFolder(path string) (string, error) {
	dir, err := logOrBackup(path)
	if err == nil && isBackup(dir) {
		err = fmt.Errorf("%w: %s", eventlog.ErrBackup, dir)
	}
	return dir, err
}

// logOrBackup finds a log as logFolder does, or a backup of one.
func logOrBackup(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("%w: %s", errNoLogDir, path)
	case err != nil:
		return "", usagef("cannot look for a log: %w", err)
	case !info.IsDir():
		return "", usagef("%s is a file, not a directory with a log", path)
	}
	for _, dir := range []string{path, filepath.Join(path, "log")} {
		for _, trace := range []string{"FORMAT", "segments"} {
			if _, err := os.Stat(filepath.Join(dir, trace)); err == nil {
				return dir, nil
			} else if !errors.Is(err, fs.ErrNotExist) {
				return "", usagef("cannot look for a log: %w", err)
			}
		}
	}
	return "", usagef("%s holds no log: neither FORMAT nor log/FORMAT", path)
}

// isBackup tells a backup from a log. A file FORMAT that cannot be read is for
// package eventlog to complain about.
func isBackup(dir string) bool {
	b, err := readFile(filepath.Join(dir, "FORMAT"))
	return err == nil && strings.HasPrefix(string(b), "esper-log-backup ")
}

// ownPlace refuses a directory to write to that is the log, or the data directory
// that the log is in, or lies below it.
func ownPlace(what, dest, dir string) error {
	for _, own := range []string{dir, homeOf(dir)} {
		rel, err := filepath.Rel(realPath(own), realPath(dest))
		if err == nil && filepath.IsLocal(rel) {
			return usagef("%s %s is in %s, which belongs to the log itself; use a directory elsewhere", what, dest, own)
		}
	}
	return nil
}

// homeOf returns the data directory of a log, or the log's own directory if it is
// in none.
func homeOf(dir string) string {
	home := filepath.Join(dir, "..")
	if _, err := os.Stat(filepath.Join(home, "keys")); err != nil {
		return dir
	}
	return home
}

// realPath resolves what there is of a path.
func realPath(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	up := filepath.Dir(path)
	if up == path {
		return path
	}
	return filepath.Join(realPath(up), filepath.Base(path))
}

// noFile refuses a file where a directory is to be written.
func noFile(what, path string) error {
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return usagef("%s %s is a file; use an empty or a new directory", what, path)
	}
	return nil
}

// readVerifierKey reads the value of --key: a verifier key, or a file that holds
// one. No message repeats the value, which may be a private key by mistake.
func readVerifierKey(value string) (string, error) {
	if isPrivate(value) {
		return "", errPrivate()
	}
	if info, err := os.Stat(value); err == nil && info.Mode().IsRegular() {
		b, err := readFile(value)
		if err != nil {
			return "", usagef("--key: %w", err)
		}
		value = string(b)
	}
	if isPrivate(value) {
		return "", errPrivate()
	}
	value = strings.TrimSpace(value)
	if _, err := tree.ParseVerifierKey(value); err != nil {
		return "", usagef("--key: this is no verifier key, and no file that holds one; `esper log checkpoint --key` prints it: NAME+HASH+KEY, in one line")
	}
	return value, nil
}

// isPrivate recognises a private key: of esper, or of package note.
func isPrivate(s string) bool {
	return strings.Contains(s, "PRIVATE KEY") || strings.Contains(s, "PRIVATE+KEY")
}

func errPrivate() error {
	return usagef("--key: this is a private key; keep it secret; the verifier key is what `esper log checkpoint --key` prints")
}

// damagedBackup is damage in a backup.
type damagedBackup struct {
	dir   string
	what  *eventlog.DamageError
	where string // what to do
}

// Error says that the backup is damaged, and not the log.
func (d *damagedBackup) Error() string {
	at := d.what.Segment
	if d.what.Offset != 0 {
		at += fmt.Sprintf(" at offset %d", d.what.Offset)
	}
	if d.what.Seq != 0 {
		at += fmt.Sprintf(", record %d", d.what.Seq)
	}
	return fmt.Sprintf("damage in the backup %s, in %s: %s; %s", d.dir, at, d.what.Reason, d.where)
}

const (
	newBackup   = "make a new backup in another directory"
	otherBackup = "use another backup; `--upto` takes over what comes before the damage"
)

// ofBackup makes damage speak of the backup that it is in.
func ofBackup(dir, where string, err error) error {
	var d *eventlog.DamageError
	if errors.As(err, &d) {
		return &damagedBackup{dir, d, where}
	}
	return err
}
