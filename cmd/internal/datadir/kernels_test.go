package datadir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"
)

func TestKernelStore(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "data"))
	defer d.Close()
	shipped := fstest.MapFS{"a.safetensors": {Data: []byte("one")}, "b.safetensors": {Data: []byte("two")}}
	install := func(want ...string) {
		t.Helper()
		got, err := d.InstallKernels(shipped, "a.safetensors", "b.safetensors")
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("installed %v, %v; want %v", got, err, want)
		}
	}
	install("a.safetensors", "b.safetensors")
	if b, err := fs.ReadFile(d.Kernels(), "b.safetensors"); err != nil || string(b) != "two" {
		t.Fatalf("the store has %q, %v", b, err)
	}
	at := filepath.Join(d.KernelsPath(), "a.safetensors")
	if err := os.WriteFile(at, []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	install() // what is there is left alone, for the digest to judge
	if b, err := os.ReadFile(at); err != nil || string(b) != "other" {
		t.Errorf("a kernel that was there is now %q, %v", b, err)
	}
	if err := d.RemoveKernels(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Kernels().Open("b.safetensors"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after the drill: %v", err)
	}
	if err := d.RemoveKernels(); err != nil {
		t.Errorf("again: %v", err)
	}
	install("a.safetensors", "b.safetensors")
	if _, err := d.InstallKernels(shipped, "c.safetensors"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a kernel that was never shipped: %v", err)
	}
}

func TestKernelStoreCannotBeLeft(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data")
	d := open(t, path)
	defer d.Close()
	if err := os.Symlink(filepath.Join("..", "keys", "admin.key"), filepath.Join(d.KernelsPath(), "k.safetensors")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"k.safetensors", "../keys/admin.key"} {
		if _, err := d.Kernels().Open(name); err == nil {
			t.Errorf("%s was opened through the kernel store", name)
		}
	}
}
