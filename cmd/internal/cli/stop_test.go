package cli

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/leyline"
)

// TestInterrupt stops a run with SIGINT and with SIGTERM: it says how to go on,
// exits 130, leaves a log that was closed in order, and the resumed run ends as
// one that was never stopped.
func TestInterrupt(t *testing.T) {
	whole, dir := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "data")
	want := digestOf(t, []byte(esper(t, 0, "run", "--json", "--steps", "3000", "--data", whole)))
	for _, sig := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		said, code := interrupted(t, sig, "run", "--steps", "3000", "--data", dir)
		if code != exitInterrupted {
			t.Fatalf("%v: exit %d\n%s", sig, code, said)
		}
		if !strings.Contains(said, "run-1 stopped") || !strings.Contains(said, "resumes it") {
			t.Errorf("%v: it says\n%s", sig, said)
		}
		if !closedInOrder(t, dir) {
			t.Errorf("%v: the log was not closed in order", sig)
		}
	}
	if got := digestOf(t, []byte(esper(t, 0, "run", "--json", "--steps", "3000", "--data", dir))); got != want {
		t.Errorf("ends with weights %s, want %s", got.Short(), want.Short())
	}
	esper(t, 0, "replay", dir)
}

// TestFullDisk lets no file grow beyond a limit. The run ends with exit code 7
// and says what to do; with room again it resumes, and nothing acknowledged is
// lost.
func TestFullDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	c := command(t, jobArgs(dir)...)
	c.Env = append(os.Environ(), envLimit+"=70000")
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if code := exitOf(c.Run()); code != exitStorage {
		t.Fatalf("exit %d\n%s%s", code, &out, &errs)
	}
	if !strings.Contains(out.String(), `"kind":"storage"`) || !strings.Contains(out.String(), hintDisk) || strings.Count(out.String(), "poisoned by") > 1 {
		t.Errorf("it says\n%s", &out)
	}
	before := records(t, dir)
	if len(before) < 100 {
		t.Fatalf("%d records; the test shows nothing", len(before))
	}
	whole := filepath.Join(t.TempDir(), "data")
	want := digestOf(t, []byte(esper(t, 0, jobArgs(whole)...)))
	if got := digestOf(t, []byte(esper(t, 0, jobArgs(dir)...))); got != want {
		t.Errorf("ends with weights %s, want %s", got.Short(), want.Short())
	}
	after := records(t, dir)
	told := false
	for i, r := range after {
		if i < len(before) && (r.Seq != before[i].Seq || r.At != before[i].At) {
			t.Fatalf("record %d is now %d of %s", before[i].Seq, r.Seq, r.At)
		}
		if x, ok := r.Input.(leyline.PlaneStarted); ok {
			told = told || x.SignalText == "storage failed"
		}
	}
	if !told {
		t.Error("the next start does not tell of the emergency signal")
	}
	esper(t, 0, "replay", dir)
}

// interrupted runs the program and signals it once it trains.
func interrupted(t *testing.T, sig os.Signal, args ...string) (said string, code int) {
	t.Helper()
	c := command(t, args...)
	errs, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for in, sent := bufio.NewScanner(errs), false; in.Scan(); {
		said += in.Text() + "\n"
		if sent || !strings.Contains(in.Text(), "/3000 ") {
			continue
		}
		sent = true
		if err := c.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	return said, exitOf(c.Wait())
}

func closedInOrder(t *testing.T, dir string) bool {
	t.Helper()
	d, err := datadir.OpenReadOnly(dir)
	if err != nil {
		t.Fatal(err)
	}
	clean := d.Report().Clean
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return clean
}
