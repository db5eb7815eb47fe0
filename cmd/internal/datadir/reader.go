package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/esper-plane/esper/eventlog"
	"github.com/esper-plane/esper/replay"
)

// Reader is a data directory that is open for reading. It takes no lock, changes
// nothing and works beside a process that writes.
type Reader struct {
	Path string
	log  *eventlog.Reader
}

// OpenReadOnly opens a data directory for replay and audit.
func OpenReadOnly(path string) (*Reader, error) {
	if err := readable(path); err != nil {
		return nil, err
	}
	at := filepath.Join(path, logName)
	log, err := eventlog.OpenReader(at)
	if errors.Is(err, eventlog.ErrNotFound) {
		if err := inspect(path); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %s holds no log yet", ErrMissing, path)
	}
	if err != nil {
		return nil, err
	}
	return &Reader{Path: path, log: log}, nil
}

// readable says what a path is that is no data directory, if that can be told.
func readable(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %s", ErrMissing, path)
	case err == nil && !info.IsDir():
		return fmt.Errorf("%w: %s is a file", ErrForeign, path)
	}
	format, err := os.ReadFile(filepath.Join(path, "FORMAT"))
	switch {
	case err != nil:
		return nil // package eventlog looks for it where it belongs
	case strings.HasPrefix(string(format), "esper-log-backup "):
		return fmt.Errorf("%w: %s is a backup of a log; make a data directory of it with `esper log restore`", ErrForeign, path)
	}
	return fmt.Errorf("%w: %s is the log alone; name the data directory that it is in, %s", ErrForeign, path, filepath.Dir(filepath.Clean(path)))
}

// Origin returns the first record of the log.
func (r *Reader) Origin() eventlog.Origin { return r.log.Origin() }

// Report tells in what state the log was when it was opened.
func (r *Reader) Report() eventlog.Report { return r.log.Report() }

// Source returns the durable transitions.
func (r *Reader) Source() replay.Source { return source{r.log} }

// Close makes later reads fail. It may be called twice.
func (r *Reader) Close() error { return r.log.Close() }
