package datadir

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
)

// TestCheckpointsAreExported closes a log and looks for its last checkpoint in
// both places.
func TestCheckpointsAreExported(t *testing.T) {
	mailbox, seen := t.TempDir(), filepath.Join(t.TempDir(), "seen")
	o := options(&bytes.Buffer{})
	o.Log = leyline.LogConfig{CheckpointDir: mailbox, CheckpointCommand: []string{"sh", "-c", "cat >" + seen}}
	path := filepath.Join(t.TempDir(), "data")
	d, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	shut(t, d)
	signed, err := os.ReadFile(filepath.Join(path, "log", "checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	want := filepath.Join(mailbox, d.Origin().Name+"-00000000000000000001.checkpoint")
	for _, name := range []string{want, seen} {
		if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, signed) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if err := d.ExportError(); err != nil {
		t.Error(err)
	}
}

// TestFailedExportsAreTold tries what can go wrong; the log closes all the same.
func TestFailedExportsAreTold(t *testing.T) {
	mailbox := filepath.Join(t.TempDir(), "mailbox")
	for name, c := range map[string]struct {
		log  leyline.LogConfig
		want string
	}{
		"no directory": {leyline.LogConfig{CheckpointDir: mailbox}, "no such file"},
		"no program":   {leyline.LogConfig{CheckpointCommand: []string{"/nonexistent/program"}}, "no such file"},
		"exit 3":       {leyline.LogConfig{CheckpointCommand: []string{"sh", "-c", "echo full >&2; exit 3"}}, "exit status 3: full"},
	} {
		o := options(&bytes.Buffer{})
		o.Log = c.log
		if err := os.MkdirAll(mailbox, 0o700); err != nil {
			t.Fatal(err)
		}
		d, err := Open(filepath.Join(t.TempDir(), "data"), o)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(mailbox); err != nil {
			t.Fatal(err)
		}
		shut(t, d)
		if err := d.ExportError(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q in it", name, err, c.want)
		}
	}
}

// TestNowhereToExport refuses a directory that cannot be written to, before
// anything is made.
func TestNowhereToExport(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{file, filepath.Join(dir, "none"), filepath.Join(file, "below")} {
		o := options(&bytes.Buffer{})
		o.Log.CheckpointDir = at
		path := filepath.Join(dir, "data")
		_, err := Open(path, o)
		var bad *leyline.ConfigError
		if !errors.As(err, &bad) || bad.Problems[0].Key != "log.checkpoint_dir" {
			t.Errorf("%s: %v", at, err)
		}
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s: a data directory was made", at)
		}
	}
}

func TestAnExportIsNeverOverwritten(t *testing.T) {
	mailbox := t.TempDir()
	note := "log-a\n3\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n— log-a AAAAAAAA\n"
	for range 2 {
		if err := exportFile(mailbox, []byte(note)); err != nil {
			t.Fatal(err)
		}
	}
	fork := strings.Replace(note, "AAA=", "AAE=", 1)
	if err := exportFile(mailbox, []byte(fork)); err == nil || !strings.Contains(err.Error(), "forked") {
		t.Errorf("another root of the same size: %v", err)
	}
}
