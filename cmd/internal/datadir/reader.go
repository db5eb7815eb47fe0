package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

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
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrMissing, path)
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

// Origin returns the first record of the log.
func (r *Reader) Origin() eventlog.Origin { return r.log.Origin() }

// Report tells in what state the log was when it was opened.
func (r *Reader) Report() eventlog.Report { return r.log.Report() }

// Source returns the durable transitions.
func (r *Reader) Source() replay.Source { return source{r.log} }

// Close makes later reads fail. It may be called twice.
func (r *Reader) Close() error { return r.log.Close() }
