package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/subsystems/server"
)

// shortDir is a directory whose paths fit a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "esper")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// get asks a socket.
func get(socket, path string) (status int, body string, err error) {
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	resp, err := c.Get("http://esper" + path)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// training starts a run of 3000 steps that is served at a socket, calls f once it
// trains, stops it with SIGTERM and returns what it said.
func training(t *testing.T, dir, socket string, f func(), args ...string) string {
	t.Helper()
	c := command(t, append([]string{"run", "--steps", "3000", "--data", dir, "--http", "unix:" + socket}, args...)...)
	errs, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	said := ""
	for in, asked := bufio.NewScanner(errs), false; in.Scan(); {
		said += in.Text() + "\n"
		if asked || !strings.Contains(in.Text(), "/3000 ") {
			continue
		}
		asked = true
		f()
		if err := c.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	if code := exitOf(c.Wait()); code != exitInterrupted {
		t.Fatalf("exit %d\n%s", code, said)
	}
	return said
}

// checks maps the names in a probe's answer to their reasons; empty: it holds.
func checks(t *testing.T, body string) map[string]string {
	t.Helper()
	var doc struct{ Checks []server.Result }
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	out := map[string]string{}
	for _, c := range doc.Checks {
		if (c.State == server.StateOK) != (c.Reason == "") {
			t.Errorf("%+v", c)
		}
		out[c.Name] = c.Reason
	}
	return out
}

// TestReadyWhileItRuns: a run that does well is ready; one that goes on although the
// disk is nearly full is alive, and not ready for another.
func TestReadyWhileItRuns(t *testing.T) {
	dir, socket := filepath.Join(t.TempDir(), "data"), filepath.Join(shortDir(t), "own", "s")
	said := training(t, dir, socket, func() {
		status, body, err := get(socket, "/readyz")
		if err != nil || status != http.StatusOK {
			t.Fatalf("%d %s %v", status, body, err)
		}
		want := map[string]string{"loop": "", "recovery": "", "log": "", "disk": "", "signal": "", "worker": "", "telemetry": "", "components": ""}
		if d := cmp.Diff(want, checks(t, body)); d != "" {
			t.Error(d)
		}
		if status, body, err := get(socket, "/v1/runs"); status != http.StatusNotFound {
			t.Errorf("%d %s %v", status, body, err)
		}
	})
	if !strings.Contains(said, "/healthz, /readyz, /metrics and /v1/telemetry at unix:"+socket+"\n") {
		t.Errorf("it says\n%s", said)
	}
	if _, err := os.Lstat(socket); err == nil {
		t.Error("the socket is still there")
	}
	training(t, dir, socket, func() {
		status, body, err := get(socket, "/readyz")
		if err != nil || status != http.StatusServiceUnavailable || !strings.Contains(body, `"kind":"not_ready"`) {
			t.Errorf("%d %s %v", status, body, err)
		}
		got := checks(t, body)
		if !strings.Contains(got["disk"], "log.min_free_mib = 4294967295") {
			t.Errorf("disk: %q", got["disk"])
		}
		delete(got, "disk")
		for name, reason := range got {
			if reason != "" {
				t.Errorf("%s: %s", name, reason)
			}
		}
		if status, body, err := get(socket, "/healthz"); err != nil || status != http.StatusOK {
			t.Errorf("%d %s %v", status, body, err)
		}
	}, "--set", "log.min_free_mib=4294967295")
	esper(t, exitOK, "replay", dir)
}

// TestReadyOfAPoisonedLog: from the moment in which the plane has ended, before
// anything is stopped, the probes say why.
func TestReadyOfAPoisonedLog(t *testing.T) {
	dir, socket := filepath.Join(t.TempDir(), "data"), filepath.Join(shortDir(t), "s")
	c := command(t, append(jobArgs(dir), "--http", "unix:"+socket)...)
	c.Env = append(os.Environ(), envLimit+"=70000", envPeek+"="+socket)
	var out, errs strings.Builder
	c.Stdout, c.Stderr = &out, &errs
	if code := exitOf(c.Run()); code != exitStorage {
		t.Fatalf("exit %d\n%s%s", code, &out, &errs)
	}
	for _, want := range []string{`CRITICAL the plane has ended by itself; everything else is stopped in order`, `peek 503 `, `"kind":"not_ready"`,
		`{"name":"log","state":"failed","reason":"storage failed: the log is poisoned`, `{"name":"components","state":"failed","reason":"plane is ended"}`, `peek 503 {"type":"urn:esper:problem:not_alive"`} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("%s is missing in\n%s", want, &errs)
		}
	}
}

// peeker asks the probes when the plane is said to have ended: nothing goes on
// before that has been written.
type peeker struct {
	io.Writer
	socket string
}

// Write implements io.Writer.
func (p *peeker) Write(b []byte) (int, error) {
	n, err := p.Writer.Write(b)
	if strings.Contains(string(b), "ended by itself; everything else is stopped") {
		for _, path := range []string{"/readyz", "/healthz"} {
			status, body, failed := get(p.socket, path)
			fmt.Fprintf(p.Writer, "peek %d %s %v\n", status, body, failed)
		}
	}
	return n, err
}

// TestServiceManager listens as systemd does: to the order of starts and stops, to
// READY, to the watchdog, to STOPPING.
func TestServiceManager(t *testing.T) {
	dir, short := filepath.Join(t.TempDir(), "data"), shortDir(t)
	name := filepath.Join(short, "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := command(t, "run", "--steps", "3000", "--data", dir, "--http", "unix:"+filepath.Join(short, "s"))
	c.Env = append(os.Environ(), "NOTIFY_SOCKET="+name, "WATCHDOG_USEC=20000")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var lines []string
	fed := 0
	for !slices.Contains(lines, "STATUS=http server stopped") {
		b := make([]byte, 4096)
		if err := l.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := l.Read(b)
		if err != nil {
			t.Fatalf("%v after %q", err, lines)
		}
		if string(b[:n]) != "WATCHDOG=1" {
			lines = append(lines, strings.Split(string(b[:n]), "\n")...)
			continue
		}
		if !slices.Contains(lines, "READY=1") {
			t.Error("fed before it is ready")
		}
		if fed++; fed == 3 { // it is in the middle of its work
			if err := c.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
		}
	}
	if code := exitOf(c.Wait()); code != exitInterrupted {
		t.Errorf("exit %d", code)
	}
	var want []string
	parts := []string{"http server", "data directory", "telemetry", "emergency stream", "plane", "requests"}
	for _, p := range parts {
		want = append(want, "STATUS="+p+" starting", "STATUS="+p+" running")
	}
	want = append(want, "READY=1", "STATUS=training run-1", "STOPPING=1")
	for _, p := range slices.Backward(parts) {
		want = append(want, "STATUS="+p+" stopping", "STATUS="+p+" stopped")
	}
	if d := cmp.Diff(want, lines); d != "" {
		t.Error(d)
	}
	if !closedInOrder(t, dir) {
		t.Error("the log was not closed in order")
	}
}

// TestNobodyListens: a service manager that cannot be told is an error before
// anything is made.
func TestNobodyListens(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	c := command(t, "run", "--data", dir)
	c.Env = append(os.Environ(), "NOTIFY_SOCKET=/no/such/socket")
	out, err := c.CombinedOutput()
	if code := exitOf(err); code != exitFailed || !strings.Contains(string(out), "cannot notify the service manager") {
		t.Errorf("exit %d: %s", code, out)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("a data directory was made")
	}
}

// TestOpenFiles: a limit that a run would meet later is met before it begins.
func TestOpenFiles(t *testing.T) {
	esperPath := command(t).Path
	c := exec.Command("sh", "-c", "ulimit -n 40; exec "+esperPath+" run --data "+filepath.Join(t.TempDir(), "data"))
	out, err := c.CombinedOutput()
	if code := exitOf(err); code != exitFailed || !strings.Contains(string(out), "40 files may be open at a time, 64 are needed; raise the limit with `ulimit -n 64`") {
		t.Errorf("exit %d: %s", code, out)
	}
}
