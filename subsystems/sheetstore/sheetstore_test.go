package sheetstore_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/subsystems/sheetstore"
)

func put(t *testing.T, d sheetstore.Dir, id leyline.BlueprintID, b []byte) {
	t.Helper()
	if err := os.WriteFile(d.File(id), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// The envelope comes as it was signed; what is wrong is named, and nothing is made up.
func TestSheet(t *testing.T) {
	key, err := sign.Generate(strings.NewReader(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	want := key.Sign(leyline.PayloadSheet, []byte("sheet"))
	file, err := sign.MarshalEnvelope(want)
	if err != nil {
		t.Fatal(err)
	}
	d := sheetstore.Dir(t.TempDir())
	put(t, d, "bp-1", file)
	put(t, d, "bp-2", []byte("{}"))
	put(t, d, "bp-3", make([]byte, 200<<10))
	if got, err := d.Sheet(t.Context(), "bp-1"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := d.Sheet(t.Context(), "bp-9"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of a blueprint without a sheet: %v", err)
	}
	for id, fault := range map[leyline.BlueprintID]leyline.SheetFault{"bp-2": leyline.SheetMalformed, "bp-3": leyline.SheetTooLarge} {
		var bad *sheetstore.Error
		if _, err := d.Sheet(t.Context(), id); !errors.As(err, &bad) || bad.Fault != fault || !strings.Contains(err.Error(), string(id)) {
			t.Errorf("%s: %v", id, err)
		}
	}
	for _, id := range []leyline.BlueprintID{"", "../bp-1", "a/b"} {
		if _, err := d.Sheet(t.Context(), id); err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// A source that is opened and gives nothing is given up with its context.
func TestSheetGivesUp(t *testing.T) {
	d := sheetstore.Dir(t.TempDir())
	pipe := filepath.Join(string(d), "bp-1"+sheetstore.Suffix)
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	opened := make(chan *os.File, 1)
	go func() {
		w, err := os.OpenFile(pipe, os.O_WRONLY, 0)
		if err != nil {
			t.Error(err)
		}
		opened <- w
	}()
	if _, err := d.Sheet(ctx, "bp-1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("given up with %v", err)
	}
	if err := (<-opened).Close(); err != nil {
		t.Error(err)
	}
}
