package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/esper-plane/esper/testdata"
)

// busyGPU writes a file of readings while the run goes on, as nvidia-smi would, of a
// GPU without room.
func busyGPU(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "gpu.csv"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(f, "timestamp, utilization.gpu [%], memory.used [MiB], memory.free [MiB]")
	line := func() {
		fmt.Fprintf(f, "%s, 99 %%, 81000 MiB, 100 MiB\n", time.Now().Format("2006/01/02 15:04:05.000"))
	}
	line()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
				line()
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-stopped; f.Close() })
}

// mine keeps a blueprint of the shipped kernel under another record.
func mine(flags ...string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		kernel, err := testdata.Kernel("residual-mlp-16")
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "kernel.safetensors")
		if err := os.WriteFile(path, kernel, 0o600); err != nil {
			t.Fatal(err)
		}
		esper(t, exitOK, append([]string{"blueprint", "add", path, "--dir", filepath.Join(dir, "mine"), "--id", "mine-1", "--layer", "trunk"}, flags...)...)
	}
}

// signedSheet signs a safety sheet of the shipped blueprint, as whoever keeps the catalogue
// would after it was registered.
func signedSheet(flags ...string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		data := filepath.Join(dir, "data")
		esper(t, exitOK, "run", "--data", data, "--steps", "5")
		esper(t, exitOK, append([]string{"blueprint", "sheet", "residual-mlp-16", "--data", data, "--catalogue", filepath.Join(dir, "sheets")}, flags...)...)
	}
}

// hangingSheet puts a pipe that nobody writes to in the place of a safety sheet.
func hangingSheet(t *testing.T, dir string) {
	t.Helper()
	signedSheet("--note=hangs")(t, dir)
	path := filepath.Join(dir, "sheets", "residual-mlp-16.sheet")
	if err := errors.Join(os.Remove(path), unix.Mkfifo(path, 0o600)); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
}
