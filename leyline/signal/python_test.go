package signal_test

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
)

// python is a command of python3 that finds esper_plane.
func python(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		t.Skipf("nothing of Python is tested: %v", err)
	}
	c := exec.CommandContext(t.Context(), path, args...)
	c.Env = append(os.Environ(), "PYTHONPATH=../python", "PYTHONDONTWRITEBYTECODE=1")
	return c
}

// talk starts a process that answers lines with lines.
func talk(t *testing.T, c *exec.Cmd) (io.WriteCloser, *bufio.Reader) {
	t.Helper()
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = t.Output()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return in, bufio.NewReader(out)
}

// hear reads a line.
func hear(t *testing.T, c *exec.Cmd, out *bufio.Reader) string {
	t.Helper()
	line, err := out.ReadString('\n')
	if err != nil {
		t.Fatalf("%v says %q and then: %v (%v)", c.Args, line, err, c.Wait())
	}
	return strings.TrimSuffix(line, "\n")
}

// TestPythonSeesTheSame publishes from Go and compares what both readers see.
func TestPythonSeesTheSame(t *testing.T) {
	w, r, path := pair(t)
	c := python(t, "testdata/reader.py", "follow", path)
	in, out := talk(t, c)
	type seen struct {
		Level  string `json:"level"`
		Flag   bool   `json:"flag"`
		Reason string `json:"reason"`
		AtMs   int64  `json:"at_ms"`
		AgeMs  int64  `json:"age_ms"`
		Raised bool   `json:"raised"`
	}
	compare := func() {
		t.Helper()
		if _, err := io.WriteString(in, "\n"); err != nil {
			t.Fatal(err)
		}
		var got seen
		if err := json.Unmarshal([]byte(hear(t, c, out)), &got); err != nil {
			t.Fatal(err)
		}
		s, err := r.Load()
		if err != nil {
			t.Fatal(err)
		}
		if got.AgeMs < 0 || got.AgeMs > s.Age.Milliseconds() {
			t.Errorf("Python takes it for %d ms old, Go, later, for %v", got.AgeMs, s.Age)
		}
		want := seen{s.Level.String(), s.Flag, s.Reason, s.At.Milliseconds(), got.AgeMs, r.Raised()}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Go, Python: %s", diff)
		}
	}
	for _, level := range leyline.EmergencyNotice.Members() {
		for _, reason := range []string{"", "storage failed", strings.Repeat("日本語", 10), "nul \x00, quote \", \U0001F525"} {
			check(t, w.Set(level, reason))
			compare()
		}
	}
	check(t, w.Clear())
	compare()
	check(t, in.Close())
	check(t, c.Wait())
}

// TestPythonFreshFile: nothing was ever published.
func TestPythonFreshFile(t *testing.T) {
	_, _, path := pair(t)
	c := python(t, "testdata/reader.py", "follow", path)
	c.Stdin = strings.NewReader("\n")
	out, err := c.Output()
	want := `{"level": "UNSPECIFIED", "flag": false, "reason": "", "at_ms": 0, "age_ms": 0, "raised": false}`
	if got := strings.TrimSpace(string(out)); err != nil || got != want {
		t.Errorf("got %s, %v", got, err)
	}
}

// TestPythonLevels: the levels are leyline's.
func TestPythonLevels(t *testing.T) {
	out, err := python(t, "testdata/reader.py", "levels").Output()
	want := []string{leyline.EmergencyUnspecified.String()}
	for _, level := range leyline.EmergencyNotice.Members() {
		want = append(want, level.String())
	}
	if diff := cmp.Diff(want, strings.Fields(string(out))); err != nil || diff != "" {
		t.Errorf("leyline, Python: %s %v", diff, err)
	}
}

// TestPythonTests runs the tests of the Python reader. The rest of the package is
// tested in leyline/python.
func TestPythonTests(t *testing.T) {
	c := python(t, "-W", "error", "-m", "unittest", "tests.test_signal")
	c.Dir = "../python"
	c.Env = append(c.Env, "PYTHONPATH=")
	if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), "Ran ") {
		t.Errorf("%v\n%s", err, out)
	}
}
