package datadir

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestFastTierIsPrivate(t *testing.T) {
	dir := t.TempDir()
	link, wide, file, own := filepath.Join(dir, "link"), filepath.Join(dir, "wide"), filepath.Join(dir, "file"), filepath.Join(dir, "own")
	for _, err := range []error{
		os.Mkdir(wide, 0o700), os.Chmod(wide, 0o750), os.WriteFile(file, nil, 0o600), os.Symlink(dir, link), makePrivate(own),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for path, good := range map[string]bool{link: false, wide: false, file: false, own: true} {
		if err := makePrivate(path); (err == nil) != good {
			t.Errorf("%s: %v", path, err)
		}
	}
	if info, err := os.Stat(own); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("made %v, %v", info, err)
	}
}

func TestFastTierOfALog(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "data"))
	defer shut(t, d)
	base := t.TempDir()
	s, free, err := d.Fast(base)
	if err != nil || free == 0 || filepath.Dir(s.Path()) != base || filepath.Base(s.Path()) != d.Origin().Name {
		t.Errorf("%+v with %d bytes free, %v", s, free, err)
	}
	if _, _, err := d.Fast(filepath.Join(base, "missing")); !errors.Is(err, ErrFast) {
		t.Errorf("a directory that is not there: %v", err)
	}
}
