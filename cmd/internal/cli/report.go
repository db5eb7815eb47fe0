package cli

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

//go:embed report.html
var reportHTML string

// checkReport finds out before a run whether its report can be written after it,
// and keeps it out of the data directory, where every name has a meaning.
func checkReport(path, data string) error {
	if path == "" {
		return nil
	}
	if inside, err := within(path, data); err != nil || inside {
		return errors.Join(err, usagef("--report %s lies in the data directory; choose another place", path))
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return usagef("--report %s is no regular file; name a file", path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), reportTemp(path))
	if err != nil {
		return usagef("--report %s cannot be written: %w; choose another place", path, err)
	}
	if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
		return usagef("--report %s: %w", path, err)
	}
	return nil
}

// within reports whether a file lies in a directory, links resolved. A directory
// that is not there yet holds nothing.
func within(path, dir string) (bool, error) {
	at, err := filepath.EvalSymlinks(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // checkReport says so in better words
	}
	if err != nil {
		return false, err
	}
	if dir, err = filepath.EvalSymlinks(dir); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		at, err = filepath.Abs(at)
	}
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return false, err
	}
	rel, err := filepath.Rel(dir, at)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)), nil
}

func reportTemp(path string) string { return "." + filepath.Base(path) + ".*" }

// writeReport writes the report so that under its name there is all of it or
// what was there before. The run is over and safe; an error says only that there
// is no report.
func (d *summaryDoc) writeReport(path string) error {
	text, err := d.html()
	if err == nil {
		err = replaceFile(path, text)
	}
	if err != nil {
		return fmt.Errorf("the run is finished and in the log, but its report %s cannot be written: %v", path, err)
	}
	d.Report = path
	return nil
}

// html renders the report.
func (d *summaryDoc) html() ([]byte, error) {
	t, err := template.New("report").Parse(reportHTML)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, newReportView(d)); err != nil {
		return nil, err
	}
	return readable(b.Bytes()), nil
}

// readable replaces what no text should hold, wherever it came from: control
// characters, which move the cursor of a terminal, and bytes that are no text.
func readable(text []byte) []byte {
	return bytes.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 {
			return '\uFFFD'
		}
		return r
	}, text)
}

// replaceFile puts a file in its place when all of it is on the disk.
func replaceFile(path string, text []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), reportTemp(path))
	if err != nil {
		return err
	}
	_, err = tmp.Write(text)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}
