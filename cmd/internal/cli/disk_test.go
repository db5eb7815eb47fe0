package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
)

// TestFullDiskLetsAnUnfinishedRunEnd resumes a run on a disk that is found nearly
// full, which is said, and refuses the one after it.
func TestFullDiskLetsAnUnfinishedRunEnd(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	for range 2 { // begun, then resumed on a disk with room
		said, code := interrupted(t, syscall.SIGINT, "run", "--steps", "3000", "--data", dir)
		if code != exitInterrupted || strings.Contains(said, "CRITICAL") {
			t.Fatalf("exit %d\n%s", code, said)
		}
	}
	full := []string{"run", "--steps", "3000", "--data", dir, "--set", "log.min_free_mib=4294967295"}
	var out, errs bytes.Buffer
	if code := run(full, &app{out: &out, err: &errs, shm: os.Getenv(envShm)}); code != exitOK {
		t.Fatalf("exit %d\n%s", code, &errs)
	}
	warning := "CRITICAL the disk of " + dir + " is nearly full (log.min_free_mib = 4294967295): run-1 is resumed all the same, a new run would be refused; make room\n"
	if strings.Count(errs.String(), warning) != 1 {
		t.Errorf("it says\n%s", &errs)
	}
	if !strings.Contains(out.String(), "CRITICAL  plane.disk_low x1\n") {
		t.Errorf("the summary has no CRITICAL event:\n%s", &out)
	}
	out.Reset()
	errs.Reset()
	if code := run(full, &app{out: &out, err: &errs, shm: os.Getenv(envShm)}); code != exitFailed || strings.Contains(errs.String(), "resumed all the same") || !strings.Contains(errs.String(), "cannot open run run-2: plane refused (disk_low)") {
		t.Errorf("exit %d\n%s", code, &errs)
	}
	var opened []string
	for _, r := range records(t, dir) {
		for _, e := range r.Events {
			switch e.(type) {
			case leyline.RunStarted, leyline.RunResumed, leyline.DiskLow, leyline.RunEnded, leyline.DependencyViolated:
				opened = append(opened, e.EventKind().String())
			}
		}
	}
	if d := cmp.Diff([]string{"run.started", "run.resumed", "disk.low", "run.resumed", "run.ended", "dependency.violated"}, opened); d != "" {
		t.Error(d)
	}
	esper(t, exitOK, "replay", dir)
}

// TestOnlyAFullDiskIsNobodysMistake: other refusals keep the exit code of the
// dependency guard.
func TestOnlyAFullDiskIsNobodysMistake(t *testing.T) {
	for _, kind := range leyline.RefusalNone.Members() {
		want := failure{Kind: "refused", Exit: exitRefused}
		if kind == leyline.RefusalDiskLow {
			want = failure{Kind: "disk_low", Exit: exitFailed}
		}
		if got := describe(fmt.Errorf("cannot open: %w", &leyline.Refusal{Kind: kind})); got.Kind != want.Kind || got.Exit != want.Exit {
			t.Errorf("%s: %s, exit %d, want %s, exit %d", kind, got.Kind, got.Exit, want.Kind, want.Exit)
		}
	}
}

// TestStoryTellsOfTheDisk: a shortage under a run is told when it begins and when
// it ends.
func TestStoryTellsOfTheDisk(t *testing.T) {
	s := newTale(t)
	s.tell(leyline.DiskLow{Free: 3 << 19, Total: 1 << 40, Threshold: 256 << 20})
	s.tell(leyline.DiskRecovered{Free: 320 << 20, Total: 1 << 40, Threshold: 256 << 20})
	want := []beat{
		{Seq: 2, Text: "CRITICAL the disk is nearly full: 1.5 MiB are free, under the limit of 256.0 MiB: a new run would be refused; make room"},
		{Seq: 3, Text: "the disk is not nearly full any more: 320.0 MiB are free"},
	}
	if d := cmp.Diff(want, s.Timeline[1:]); d != "" {
		t.Error(d)
	}
}

// TestChangedListsAreShownWithTheirWords: entries of a list may hold spaces, and
// an empty list is the default however it was written.
func TestChangedListsAreShownWithTheirWords(t *testing.T) {
	for text, want := range map[string][]changedSetting{
		`[]`:           nil,
		`["a b", "c"]`: {{"log.checkpoint_command", `["a b", "c"]`, "[]"}},
	} {
		s := settings{set: []string{"log.checkpoint_command=" + text}}
		c, err := s.load(leyline.DefaultConfig(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, changedSettings(c)); d != "" {
			t.Errorf("%s:\n%s", text, d)
		}
	}
	s := settings{set: []string{"log.checkpoint_command=[\"a\xff\"]"}}
	if c, err := s.load(leyline.DefaultConfig(), nil); err == nil {
		t.Errorf("bytes that are no text were read as %q", c.Log.CheckpointCommand)
	}
}
