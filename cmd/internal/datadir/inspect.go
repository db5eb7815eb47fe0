package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// early are the names that creation may leave when it stops before the log is
// there: the sockets are listened at before the directory is opened. A new file system
// of its own brings lost+found.
var early = []string{lockName, keysName, logName, "lost+found", socketName, socketName + FastSuffix}

// inspect says whether a path can be opened as a data directory: it is missing,
// empty, half created, or holds a log. It changes nothing.
func inspect(path string) error {
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrForeign, err)
	}
	if hasLog(path) {
		return nil
	}
	for _, e := range entries {
		if isLate(e.Name()) && hasName(entries, keysName) {
			return fmt.Errorf("%w: %s holds %s but no log; restore %s from a backup, or use another directory",
				ErrLogLost, path, e.Name(), filepath.Join(path, logName))
		}
		if !slices.Contains(early, e.Name()) && !strings.HasPrefix(e.Name(), probePrefix) {
			return fmt.Errorf("%w: %s holds %s; use an empty or a new directory", ErrForeign, path, e.Name())
		}
	}
	if len(entries) > 0 && hasName(entries, logName) && !hasName(entries, keysName) {
		return fmt.Errorf("%w: %s holds a folder %s, which is no log; use an empty or a new directory", ErrForeign, path, logName)
	}
	return inspectKeys(filepath.Join(path, keysName))
}

// late are the names that are made only after the log.
var late = []string{projectedName, snapshotsName, signalName, kernelsName, controlsName, telemetryName, tracesName, policiesName}

// isLate reports whether a name is made only after the log.
func isLate(name string) bool {
	return slices.Contains(late, name) || strings.HasPrefix(name, asidePrefix)
}

func hasName(entries []fs.DirEntry, name string) bool {
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == name })
}

// inspectKeys refuses a folder with keys that are not ours.
func inspectKeys(path string) error {
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrForeign, err)
	}
	for _, e := range entries {
		if !slices.Contains(keyNames, strings.TrimSuffix(e.Name(), tempSuffix)) {
			return fmt.Errorf("%w: %s holds %s; use an empty or a new directory", ErrForeign, path, e.Name())
		}
	}
	return nil
}

// hasLog reports whether a log was ever committed here. What is wrong with it
// is for package eventlog to say.
func hasLog(path string) bool {
	for _, name := range []string{segmentsName, "CLEAN", "durable"} {
		if _, err := os.Lstat(filepath.Join(path, logName, name)); err == nil {
			return true
		}
	}
	return false
}

// HasLog reports whether a log was ever committed in a data directory.
func HasLog(path string) bool { return hasLog(path) }
