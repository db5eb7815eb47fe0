package snapstore_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/snapstore"
	"github.com/esper-plane/esper/subsystems/tensorfile"
)

// tensors is a safetensors file with n bytes of data.
func tensors(n int) []byte {
	h := fmt.Sprintf(`{"a":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}`, n, n)
	b := append(binary.LittleEndian.AppendUint64(nil, uint64(len(h))), h...)
	for i := range n {
		b = append(b, byte(i*7))
	}
	return b
}

func write(t *testing.T, s snapstore.Store, run leyline.RunID, file string, b []byte) {
	t.Helper()
	if err := s.Write(run, file, func(w io.Writer) error { _, err := w.Write(b); return err }); err != nil {
		t.Fatal(err)
	}
}

func TestDir(t *testing.T) {
	for _, durable := range []bool{true, false} {
		d := snapstore.NewDir(filepath.Join(t.TempDir(), "snapshots"), durable)
		if got, err := d.List(); err != nil || got != nil {
			t.Errorf("a store that is not there yet lists %v, %v", got, err)
		}
		write(t, d, "run-1", "a", []byte("first"))
		write(t, d, "run-1", "a", []byte("second"))
		write(t, d, "run-2", "b", []byte("x"))
		got, err := d.List()
		want := []snapstore.Entry{{Run: "run-1", File: "a", Bytes: 6}, {Run: "run-2", File: "b", Bytes: 1}}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v, (-want +got):\n%s", err, diff)
		}
		if info, err := os.Stat(filepath.Join(d.Path(), "run-1")); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("the directory of a run is %v, %v", info, err)
		}
		for range 2 {
			if err := d.Remove("run-1", "a"); err != nil {
				t.Error(err)
			}
		}
		if err := d.Remove("run-9", "a"); err != nil {
			t.Error(err)
		}
		if err := d.Clear(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(d.Path(), "run-1")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the empty directory is still there: %v", err)
		}
		if got, err := d.List(); err != nil || len(got) != 1 {
			t.Errorf("cleared to %v, %v", got, err)
		}
	}
}

// A write that fails leaves the file that was there and no temporary one.
func TestWriteAsAWholeOrNotAtAll(t *testing.T) {
	d := snapstore.NewDir(t.TempDir(), true)
	write(t, d, "run-1", "a", []byte("first"))
	stop := errors.New("stop")
	err := d.Write("run-1", "a", func(w io.Writer) error {
		_, werr := w.Write(make([]byte, 1<<20))
		return errors.Join(werr, stop)
	})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	got, err := d.List()
	if diff := cmp.Diff([]snapstore.Entry{{Run: "run-1", File: "a", Bytes: 5}}, got); diff != "" || err != nil {
		t.Errorf("%v, (-want +got):\n%s", err, diff)
	}
}

// Nothing outside a run's directory and nothing that could keep a reader waiting is
// opened.
func TestOpenStaysInside(t *testing.T) {
	dir := t.TempDir()
	d := snapstore.NewDir(filepath.Join(dir, "snapshots"), true)
	write(t, d, "run-1", "a", []byte("x"))
	in := filepath.Join(d.Path(), "run-1")
	for _, err := range []error{
		os.WriteFile(filepath.Join(dir, "secret"), []byte("s"), 0o600), os.Symlink(filepath.Join(dir, "secret"), filepath.Join(in, "link")),
		syscall.Mkfifo(filepath.Join(in, "pipe"), 0o600), os.Mkdir(filepath.Join(in, "dir"), 0o700),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"../../secret", "link", "pipe", "dir", "missing"} {
		if f, _, err := d.Open(t.Context(), "run-1", file); err == nil {
			t.Errorf("opened %s: %v", file, f)
		}
	}
}

func TestSumAndLoad(t *testing.T) {
	d := snapstore.NewDir(t.TempDir(), false)
	for _, n := range []int{0, 1, 256<<10 - 60, 1 << 20} {
		b := tensors(n)
		write(t, d, "run-1", "a", b)
		want := snapstore.SumsOf(b)
		got, err := snapstore.Sum(t.Context(), d, "run-1", "a")
		if err != nil || got != want || got.Bytes != uint64(len(b)) {
			t.Errorf("%d bytes: %+v, %v; want %+v", n, got, err, want)
		}
		if size, err := snapstore.Peek(t.Context(), d, "run-1", "a"); err != nil || size != uint64(len(b)) {
			t.Errorf("%d bytes: peeked %d, %v", n, size, err)
		}
		ref := leyline.SnapshotRef{Snapshot: "s", Tier: leyline.TierFast, File: "a", Bytes: uint64(len(b)), Digest: want.Digest, Check: want.Check}
		into := make([]byte, 0, 2<<20)
		all, sums, err := snapstore.Load(t.Context(), d, "run-1", ref, into)
		if err != nil || string(all) != string(b) || sums != want {
			t.Errorf("%d bytes: loaded %d, %+v, %v", n, len(all), sums, err)
		}
		if n > 0 && &all[0] != &into[:1][0] {
			t.Error("the memory that was given was not used")
		}
	}
}

// Whatever differs from what was registered is told, with what was found.
func TestLoadRefuses(t *testing.T) {
	d := snapstore.NewDir(t.TempDir(), false)
	b := tensors(leyline.QuickFrom)
	write(t, d, "run-1", "a", b)
	sums := snapstore.SumsOf(b)
	good := leyline.SnapshotRef{Snapshot: "s", Tier: leyline.TierFast, File: "a", Bytes: uint64(len(b)), Digest: sums.Digest, Check: sums.Check}
	if _, got, err := snapstore.Load(t.Context(), d, "run-1", good, nil); err != nil || !got.Digest.IsZero() || got.Check != sums.Check {
		t.Fatalf("a large fast copy: %+v, %v", got, err)
	}
	if got, err := snapstore.Checksum(t.Context(), d, "run-1", "a"); err != nil || got != (snapstore.Sums{Check: sums.Check, Bytes: sums.Bytes}) {
		t.Errorf("its checksum alone: %+v, %v", got, err)
	}
	for want, edit := range map[string]func(*leyline.SnapshotRef){
		"registered was one of": func(r *leyline.SnapshotRef) { r.Bytes-- },
		"has checksum":          func(r *leyline.SnapshotRef) { r.Check++ },
		"hashes to":             func(r *leyline.SnapshotRef) { r.Tier, r.Digest = leyline.TierFull, leyline.Digest{1} },
		"no such file":          func(r *leyline.SnapshotRef) { r.File = "b" },
	} {
		ref := good
		edit(&ref)
		if _, _, err := snapstore.Load(t.Context(), d, "run-1", ref, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	write(t, d, "run-1", "junk", []byte("no tensors at all"))
	var format *tensorfile.FormatError
	for _, f := range []func() error{
		func() error { _, err := snapstore.Sum(t.Context(), d, "run-1", "junk"); return err },
		func() error { _, err := snapstore.Peek(t.Context(), d, "run-1", "junk"); return err },
		func() error { _, err := snapstore.Checksum(t.Context(), d, "run-1", "junk"); return err },
	} {
		if err := f(); !errors.As(err, &format) {
			t.Errorf("junk: %v", err)
		}
	}
}

// stopped is a store whose reads end the context after some bytes.
type stopped struct {
	snapstore.Store
	after  int
	cancel func()
	read   *int
}

func (s stopped) Open(ctx context.Context, run leyline.RunID, file string) (io.ReadCloser, uint64, error) {
	f, size, err := s.Store.Open(ctx, run, file)
	return &stoppedFile{f, s}, size, err
}

type stoppedFile struct {
	io.ReadCloser
	s stopped
}

func (f *stoppedFile) Read(b []byte) (int, error) {
	n, err := f.ReadCloser.Read(b)
	if *f.s.read += n; *f.s.read >= f.s.after {
		f.s.cancel()
	}
	return n, err
}

// The work stops within a chunk of the moment that its context ends.
func TestCancellationStopsTheWork(t *testing.T) {
	d := snapstore.NewDir(t.TempDir(), false)
	b := tensors(4 << 20)
	write(t, d, "run-1", "a", b)
	sums := snapstore.SumsOf(b)
	ref := leyline.SnapshotRef{Snapshot: "s", Tier: leyline.TierFull, File: "a", Bytes: uint64(len(b)), Digest: sums.Digest}
	for name, work := range map[string]func(context.Context, snapstore.Store) error{
		"sum": func(ctx context.Context, s snapstore.Store) error {
			_, err := snapstore.Sum(ctx, s, "run-1", "a")
			return err
		},
		"load": func(ctx context.Context, s snapstore.Store) error {
			_, _, err := snapstore.Load(ctx, s, "run-1", ref, nil)
			return err
		},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		read := 0
		err := work(ctx, stopped{d, 1 << 20, cancel, &read})
		if !errors.Is(err, context.Canceled) || read > 1<<20+512<<10 {
			t.Errorf("%s: %v after %d bytes", name, err, read)
		}
	}
}
