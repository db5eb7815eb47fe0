package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestBenchSignal lets every reader see a few halts and reads what is printed.
func TestBenchSignal(t *testing.T) {
	dir := t.TempDir()
	var rep struct {
		Host   map[string]any
		Python string
		Loads  []struct {
			Name    string
			Burners int
			Others  *float64 `json:"cpu_share_of_others"`
			Readers []struct {
				Name                    string
				Halts                   int
				Min, P50, P90, P99, Max float64
				Share                   float64
				Poll                    *float64
			}
		}
	}
	text := esper(t, 0, "bench", "signal", "--json", "--dir", dir, "--rounds", "3")
	for _, name := range []string{"min", "p50", "p90", "p99", "max"} {
		text = strings.ReplaceAll(text, `"`+name+`_us"`, `"`+name+`"`)
	}
	text = strings.NewReplacer("share_under_1ms", "share", "poll_ns", "poll").Replace(text)
	if err := json.Unmarshal([]byte(text), &rep); err != nil {
		t.Fatal(err)
	}
	want := []string{"page", "page-python", "socket-polled", "socket-blocked"}
	if _, err := exec.LookPath("python3"); err != nil {
		t.Logf("the reader in Python is not tested: %v", err)
		want = append(want[:1], want[2:]...)
	} else if rep.Python == "" {
		t.Error("the version of Python is not told")
	}
	if len(rep.Host) != 4 || len(rep.Loads) != 2 || rep.Loads[0].Burners != 0 || rep.Loads[1].Burners < 1 {
		t.Fatalf("%+v", rep)
	}
	for _, l := range rep.Loads {
		var names []string
		for _, r := range l.Readers {
			names = append(names, r.Name)
			sound := r.Halts == 3 && 0 < r.Min && r.Min <= r.P50 && r.P50 <= r.P90 && r.P90 <= r.P99 && r.P99 <= r.Max && 0 <= r.Share && r.Share <= 1
			if !sound || (r.Poll == nil) != (r.Name == "socket-blocked") || r.Poll != nil && *r.Poll <= 0 {
				t.Errorf("%s: %+v", l.Name, r)
			}
		}
		if diff := cmp.Diff(want, names); diff != "" || l.Others == nil || *l.Others < 0 || *l.Others > 1 {
			t.Errorf("%s: %s", l.Name, diff)
		}
	}
	empty(t, dir)
}

// TestBenchSignalWithoutPython: that reader is left out, and it is said.
func TestBenchSignalWithoutPython(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	var out, errs bytes.Buffer
	if code := run([]string{"bench", "signal", "--dir", t.TempDir(), "--rounds", "1"}, &app{out: &out, err: &errs}); code != 0 {
		t.Fatalf("exit %d: %s", code, &errs)
	}
	if !strings.Contains(errs.String(), "the reader in Python is not measured: ") || !strings.Contains(out.String(), ", no Python\n") || strings.Contains(out.String(), "page-python") {
		t.Errorf("%s%s", &errs, &out)
	}
}

// TestBenchSignalTurns: a reader has as many halts counted as were asked for, also
// over several turns.
func TestBenchSignalTurns(t *testing.T) {
	readers, err := signalReaders(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	l := signalLoad{Name: "idle"}
	if err := l.measure(t.Context(), readers[:1], turn+1, func(f string, args ...any) { fmt.Fprintf(&said, f, args...) }); err != nil {
		t.Fatal(err)
	}
	if n := l.Readers[0].Halts; n != turn+1 {
		t.Errorf("%d halts", n)
	}
}

// TestSummariseSightings: exact quantiles of values that are known.
func TestSummariseSightings(t *testing.T) {
	var seen []sighting
	for i := range 200 {
		seen = append(seen, sighting{after: time.Duration((i*77)%200+1) * 10 * time.Microsecond, poll: float64(i)})
	}
	poll := 99.5
	want := signalCell{Name: "x", Halts: 200, Min: 10, P50: 1000, P90: 1800, P99: 1980, Max: 2000, Prompt: 99. / 200, Poll: &poll}
	if diff := cmp.Diff(want, summariseSightings(signalReader{name: "x"}, seen)); diff != "" {
		t.Error(diff)
	}
	one := summariseSightings(signalReader{sleeps: true}, []sighting{{after: time.Second, poll: math.NaN()}})
	if one.Min != 1e6 || one.P50 != 1e6 || one.Max != 1e6 || one.Prompt != 0 || one.Poll != nil {
		t.Errorf("%+v", one)
	}
}

// TestBenchSignalInterrupted stops it while it measures: it leaves no file and no
// process. Without Python, whose python3 may be a script with processes of its own.
func TestBenchSignalInterrupted(t *testing.T) {
	dir := t.TempDir()
	c := command(t, "bench", "signal", "--rounds", "100000", "--dir", dir)
	c.Env = append(os.Environ(), "PATH=")
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	errs, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(errs)
	for lines.Scan() && !strings.HasSuffix(lines.Text(), "...") {
	}
	time.Sleep(300 * time.Millisecond) // whatever it does then
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
	}
	if code := exitOf(c.Wait()); code != exitInterrupted {
		t.Errorf("exit %d", code)
	}
	if err := syscall.Kill(-c.Process.Pid, 0); err != syscall.ESRCH {
		t.Errorf("its processes: %v", err)
	}
	empty(t, dir)
}

// TestBenchSignalRefuses lists calls that are mistakes.
func TestBenchSignalRefuses(t *testing.T) {
	for _, args := range []string{"--rounds 0", "--dir nowhere", "x"} {
		esper(t, exitUsage, append([]string{"bench", "signal"}, strings.Fields(args)...)...)
	}
}

// TestBenchSignalWithoutReader: a reader that ends at once is an error that says
// what the reader said, not a wait.
func TestBenchSignalWithoutReader(t *testing.T) {
	c := command(t, "bench", "signal", "child", "nobody")
	if _, err := startChild(c); err == nil || !strings.Contains(err.Error(), "no process of this measurement: nobody") {
		t.Errorf("got %v", err)
	}
}
