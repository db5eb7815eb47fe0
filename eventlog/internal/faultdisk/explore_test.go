package faultdisk_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/esper-plane/esper/eventlog/internal/faultdisk"
)

// saver replaces the content of the file "f", leaving out some of the steps.
func saver(leaveOut ...faultdisk.Kind) func(string, *faultdisk.Disk) error {
	skip := func(k faultdisk.Kind) bool { return slices.Contains(leaveOut, k) }
	return func(root string, d *faultdisk.Disk) error {
		temp, name := filepath.Join(root, "temp"), filepath.Join(root, "f")
		if skip(faultdisk.Rename) {
			temp = name
		}
		err := save(d, temp, !skip(faultdisk.Sync))
		if err == nil && temp != name {
			err = d.Rename(temp, name)
		}
		if err == nil && !skip(faultdisk.SyncDir) {
			err = d.SyncDir(root)
		}
		return err
	}
}

func save(d *faultdisk.Disk, name string, sync bool) error {
	f, err := d.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write([]byte("new")); err != nil {
		return err
	}
	if err := f.Sync(); sync {
		return err
	}
	return nil
}

// acknowledged is a scenario around a saver in which the new content must be
// there once the saver said so, and the old or new content before.
func acknowledged(start string, save func(string, *faultdisk.Disk) error) faultdisk.Scenario {
	saved := false
	return faultdisk.Scenario{
		Start: start,
		Run: func(root string, d *faultdisk.Disk) error {
			err := save(root, d)
			saved = err == nil
			return err
		},
		Check: func(image string, _ faultdisk.Crash, _ []faultdisk.Op) error {
			got, err := os.ReadFile(filepath.Join(image, "f"))
			if err == nil && string(got) != "new" && (saved || string(got) != "old") {
				err = fmt.Errorf("found %q, saved: %v", got, saved)
			}
			return err
		},
		Faults: []faultdisk.Fault{{Err: syscall.EIO}, {Err: syscall.EIO, Stored: true}, {Err: syscall.ENOSPC, Short: 0.5}},
	}
}

func startWithOld(t *testing.T) string {
	start := t.TempDir()
	must(t, os.WriteFile(filepath.Join(start, "f"), []byte("old"), 0o640))
	return start
}

func TestExploreAcceptsCarefulSaver(t *testing.T) {
	faultdisk.Explore(t, acknowledged(startWithOld(t), saver()))
}

// recorder is a testing.TB that does not fail the test.
type recorder struct {
	testing.TB
	failures []string
	fatal    bool
}

func (*recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	r.fatal = true
	runtime.Goexit()
}

func (r *recorder) Fatal(args ...any) { r.Fatalf("%s", fmt.Sprint(args...)) }

func explore(t *testing.T, s faultdisk.Scenario) *recorder {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		faultdisk.Explore(r, s)
	}()
	<-done
	return r
}

func TestExploreFindsMistakes(t *testing.T) {
	start := startWithOld(t)
	for _, mistake := range []faultdisk.Kind{faultdisk.Rename, faultdisk.Sync, faultdisk.SyncDir} {
		t.Run(string(mistake), func(t *testing.T) {
			s := acknowledged(start, saver(mistake))
			failures := explore(t, s).failures
			if len(failures) == 0 {
				t.Fatal("the mistake was not found")
			}
			for _, want := range []string{"last operation: ", "image:\n", "Only: &faultdisk.Crash{"} {
				if !strings.Contains(failures[0], want) {
					t.Errorf("the failure does not say %q:\n%s", want, failures[0])
				}
			}
		})
	}
}

// TestExploreReproduces follows the advice that a failure gives.
func TestExploreReproduces(t *testing.T) {
	s := acknowledged(startWithOld(t), saver(faultdisk.Sync))
	r := explore(t, s)
	if len(r.failures) == 0 {
		t.Fatal("the mistake was not found")
	}
	pattern := regexp.MustCompile(`Only: &faultdisk\.Crash{(?:Fail: (\d+), Fault: (\d+), )Mode: faultdisk\.(\w+), Seed: (\d+)}`)
	found := pattern.FindStringSubmatch(r.failures[0])
	if found == nil {
		t.Fatalf("cannot read %s", r.failures[0])
	}
	var c faultdisk.Crash
	for i, field := range []*int{&c.Fail, &c.Fault} {
		_, err := fmt.Sscan(found[i+1], field)
		must(t, err)
	}
	_, err := fmt.Sscan(found[4], &c.Seed)
	must(t, err)
	c.Mode = faultdisk.Mode(slices.IndexFunc(faultdisk.Modes, func(m faultdisk.Mode) bool { return m.String() == found[3] }))
	t.Setenv("TMPDIR", t.TempDir()) // takes the image that is kept
	s.Only = &c
	again := explore(t, s)
	if len(again.failures) != 1 || again.failures[0] != r.failures[0] {
		t.Errorf("got\n%q\nwant\n%q", again.failures, r.failures[:1])
	}
	kept, err := filepath.Glob(os.Getenv("TMPDIR") + "/image*/f")
	if err != nil || len(kept) != 1 {
		t.Errorf("kept %q, %v", kept, err)
	}
}

func TestExploreVisitsAll(t *testing.T) {
	seen := map[string]bool{}
	seeds := map[uint64]bool{}
	s := acknowledged(startWithOld(t), saver())
	var disk *faultdisk.Disk
	s.Run = func(root string, d *faultdisk.Disk) error {
		disk = d
		return saver()(root, d)
	}
	s.Check = func(_ string, c faultdisk.Crash, ops []faultdisk.Op) error {
		if !disk.Stopped() {
			return errors.New("the process goes on")
		}
		seen[fmt.Sprintf("stop %d %v fail %d %d", c.Stop, c.Before, c.Fail, c.Fault)] = true
		if c.Mode == faultdisk.Torn {
			seeds[c.Seed] = true
		}
		want := 5
		switch {
		case c.Before:
			want = c.Stop - 1
		case c.Stop > 0:
			want = c.Stop
		case c.Fail > 0:
			want = c.Fail // the saver gives up
		}
		if len(ops) != want {
			return fmt.Errorf("%d operations, want %d", len(ops), want)
		}
		return nil
	}
	faultdisk.Explore(t, s)
	if got, want := len(seen), 2+5*(1+3); got != want {
		t.Errorf("saw %d crashes, want %d: %v", got, want, seen)
	}
	if len(seeds) < 5 {
		t.Errorf("saw only the seeds %v in mode Torn", seeds)
	}
}

func TestExploreGivesUp(t *testing.T) {
	errOwn := errors.New("own")
	r := explore(t, faultdisk.Scenario{Run: func(string, *faultdisk.Disk) error { return errOwn }})
	if !r.fatal || !strings.Contains(r.failures[0], "own") {
		t.Errorf("got %+v", r)
	}
	runs := 0
	r = explore(t, faultdisk.Scenario{
		Run: func(root string, d *faultdisk.Disk) error {
			runs++
			return d.Mkdir(filepath.Join(root, "d"), 0o750)
		},
		Check: func(string, faultdisk.Crash, []faultdisk.Op) error { return errOwn },
	})
	if !r.fatal || len(r.failures) != 6 || runs > 6 {
		t.Errorf("%d failures after %d runs", len(r.failures), runs)
	}
}

// TestExploreChecksOnce has a scenario with nothing that a crash could lose.
func TestExploreChecksOnce(t *testing.T) {
	images := 0
	faultdisk.Explore(t, faultdisk.Scenario{
		Start: startWithOld(t),
		Run:   func(string, *faultdisk.Disk) error { return nil },
		Check: func(image string, _ faultdisk.Crash, _ []faultdisk.Op) error {
			images++
			_, err := os.Stat(filepath.Join(image, "f"))
			return err
		},
	})
	if images != 1 {
		t.Errorf("checked %d images, want 1", images)
	}
}
