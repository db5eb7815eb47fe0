package reports

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/esper-plane/esper/leyline"
)

const (
	suffix     = ".json"    // of a report's file
	unfinished = ".report-" // begins the name of one that is being written
	largest    = 1 << 20    // bytes; a report is far smaller
)

// Dir is a directory with one file for each field report, named after its id. It is
// safe for concurrent use by one process.
type Dir struct {
	path   string
	notice func(format string, args ...any)

	mu     sync.Mutex
	issued map[string]time.Time // when the commands of its reports were issued, by file
}

// OpenDir opens a directory, which must exist. Files in it that are no reports are
// left alone and told to notice once; what a process that was stopped has left
// unfinished is deleted.
func OpenDir(path string, notice func(format string, args ...any)) (*Dir, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("cannot deliver field reports: %w", err)
	}
	d := &Dir{path: path, notice: notice, issued: map[string]time.Time{}}
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, unfinished) {
			if err := os.Remove(filepath.Join(path, name)); err != nil {
				return nil, fmt.Errorf("cannot clear an unfinished field report: %w", err)
			}
			continue
		}
		at, err := issuedAt(path, name)
		if err != nil {
			notice("%s in the directory of field reports is left alone: %v", name, err)
			continue
		}
		d.issued[name] = at
	}
	return d, nil
}

// issuedAt reads when the command of a report was issued.
func issuedAt(dir, name string) (time.Time, error) {
	id, ok := strings.CutSuffix(name, suffix)
	if !ok {
		return time.Time{}, errors.New("it is no report")
	}
	info, err := os.Stat(filepath.Join(dir, name))
	if err != nil {
		return time.Time{}, err
	}
	if !info.Mode().IsRegular() || info.Size() > largest {
		return time.Time{}, errors.New("it is no report")
	}
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return time.Time{}, err
	}
	var doc Document
	if err := json.Unmarshal(b, &doc); err != nil {
		return time.Time{}, fmt.Errorf("it is no report: %w", err)
	}
	if doc.Report != id {
		return time.Time{}, fmt.Errorf("it holds report %q", doc.Report)
	}
	at, err := time.Parse(time.RFC3339Nano, doc.IssuedAt)
	if err != nil {
		return time.Time{}, fmt.Errorf("it does not say when its command was issued: %w", err)
	}
	return at, nil
}

// Deliver writes a report so that under its name there is all of it or nothing, and
// deletes reports of commands that were issued before keep. The file is on the disk
// when Deliver returns nil. Writing the same report again changes nothing.
func (d *Dir) Deliver(ctx context.Context, r *leyline.FieldReport, keep leyline.Instant) error {
	b, err := Encode(r)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	name := string(r.Report) + suffix
	if strings.HasPrefix(name, ".") {
		return fmt.Errorf("cannot deliver field report %q: its file would be hidden", r.Report)
	}
	d.forget(time.Unix(0, int64(keep))) // before: a report that comes late stays until the next one
	if err := d.write(name, b); err != nil {
		return fmt.Errorf("cannot deliver field report %q: %w", r.Report, err)
	}
	d.issued[name] = time.Unix(0, int64(r.IssuedAt))
	return nil
}

// write puts a file in its place. If the process stops before the rename there is an
// unfinished file, which OpenDir deletes; after it, the whole one.
func (d *Dir) write(name string, b []byte) error {
	f, err := os.CreateTemp(d.path, unfinished)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(d.path, name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return d.sync()
}

// sync makes names durable.
func (d *Dir) sync() error {
	f, err := os.Open(d.path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// forget deletes old reports. One that somebody else has deleted is gone as it
// should be; one that cannot be deleted is told and tried again with the next.
func (d *Dir) forget(keep time.Time) {
	for name, at := range d.issued {
		if !at.Before(keep) {
			continue
		}
		if err := os.Remove(filepath.Join(d.path, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			d.notice("an old field report cannot be deleted: %v", err)
			continue
		}
		delete(d.issued, name)
	}
}
