package cli

import (
	"encoding/json"
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

	"github.com/esper-plane/esper/cmd/internal/datadir"
)

// TestServeTellsMachines: with --json the lines say where it is and why it has ended,
// and the log is closed in order.
func TestServeTellsMachines(t *testing.T) {
	dir := filepath.Join(shortDir(t), "data")
	socket := datadir.SocketPath(dir)
	p := serving(t, dir, socket, "", "--json")
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v %v", info, err)
	}
	if code := p.end(t); code != exitOK {
		t.Fatalf("exit %d: %s", code, p.words())
	}
	var lines []map[string]any
	for _, text := range strings.Split(strings.TrimSpace(p.out.String()), "\n") {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		lines = append(lines, line)
	}
	ready, _ := lines[0]["ready"].(map[string]any)
	if len(lines) != 2 || ready["socket"] != socket || ready["data"] != dir || ready["lane"] != socket+".fast" || lines[1]["stopped"] == nil {
		t.Errorf("it says %v", lines)
	}
	if !closedInOrder(t, dir) {
		t.Error("the log was not closed in order")
	}
}

// TestServeIdle: it ends by itself when nobody uses it, and not while somebody is
// connected.
func TestServeIdle(t *testing.T) {
	dir, socket := filepath.Join(t.TempDir(), "data"), filepath.Join(shortDir(t), "s")
	p := serving(t, dir, socket, "", "--idle-exit", "300ms")
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.done:
		t.Fatalf("it ends although somebody is connected: %s", p.words())
	case <-time.After(time.Second):
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	<-p.done
	if code := exitOf(p.cmd.Wait()); code != exitOK || !strings.Contains(p.words(), "nobody was connected for 300ms") {
		t.Errorf("exit %d: %s", code, p.words())
	}
}

// TestServeStaysForAnOpenRun: a run whose trainer has gone keeps it there.
func TestServeStaysForAnOpenRun(t *testing.T) {
	dir, socket := filepath.Join(t.TempDir(), "data"), filepath.Join(shortDir(t), "s")
	p := serving(t, dir, socket, "", append([]string{"--idle-exit", "200ms"}, likePenguins...)...)
	trainer := command(t, "run", "--json", "--remote", "unix:"+socket, "--steps", "100000")
	out, err := trainer.StdoutPipe()
	if err == nil {
		err = trainer.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil { // it trains
		t.Fatal(err)
	}
	if err := trainer.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = trainer.Wait() // it was killed
	select {
	case <-p.done:
		t.Fatalf("it ends with an open run: %s", p.words())
	case <-time.After(time.Second):
	}
	if code := p.end(t); code != exitOK {
		t.Errorf("exit %d: %s", code, p.words())
	}
}

// TestServeRefuses what cannot work, before anything is made.
func TestServeRefuses(t *testing.T) {
	dir, socket := filepath.Join(t.TempDir(), "data"), filepath.Join(shortDir(t), "s")
	p := serving(t, dir, socket, "")
	for _, c := range []struct {
		want int
		args []string
	}{
		{exitLocked, []string{"--data", dir, "--socket", socket + "2"}},
		{exitFailed, []string{"--data", dir + "2", "--socket", socket}},
		{exitUsage, []string{"--data", dir + "2", "--socket", socket + "2", "--idle-exit", "-1s"}},
		{exitUsage, []string{"--data", dir + "2", "--socket", socket + "2", "--builtin-blueprints=nothing"}},
		{exitUsage, []string{"--data", dir + "2", "--socket", filepath.Join(dir+"2", "other.sock")}},
		{exitUsage, []string{"--data", dir + "2", "--socket", socket + "2", "--set", "tolaria.nothing=1"}},
	} {
		esper(t, c.want, append([]string{"serve"}, c.args...)...)
		if _, err := os.Stat(dir + "2"); err == nil {
			t.Fatalf("%v has made the data directory", c.args)
		}
	}
	if code := p.end(t); code != exitOK {
		t.Errorf("exit %d: %s", code, p.words())
	}
}

// TestServeMakesItsPath: a data directory is made with what is above it, as esper run
// makes it.
func TestServeMakesItsPath(t *testing.T) {
	dir := filepath.Join(shortDir(t), "above", "data")
	p := serving(t, dir, filepath.Join(dir, "esper.sock"), "")
	if code := p.end(t); code != exitOK {
		t.Errorf("exit %d: %s", code, p.words())
	}
}

// TestRemoteRefuses flags that belong to the plane, and says whose they are.
func TestRemoteRefuses(t *testing.T) {
	for _, args := range [][]string{
		{"--remote", "unix:/nowhere/s", "--data", "d"}, {"--remote", "unix:/nowhere/s", "--set", "tolaria.window=1"}, {"--remote", "/nowhere/s"},
		{"--away", "wait"}, {"--run", "r"}, {"--remote", "unix:/nowhere/s", "--away", "guess"}, {"--remote", "unix:/nowhere/s", "--away-for", "1500ms"},
		{"--remote", "unix:/nowhere/s", "--workload", "nothing"}, {"--remote", "unix:/nowhere/s", "--fault", "nothing@3"},
	} {
		esper(t, exitUsage, append([]string{"run"}, args...)...)
	}
	esper(t, exitFailed, "run", "--remote", "unix:/nowhere/s", "--away", "stop")
	esper(t, exitFailed, "run", "--remote", "unix:/nowhere/s", "--away-for", "1s")
}

// TestServeTwiceAtOnce: of planes that are started on one data directory at the same
// time one serves, and can be reached; the others say that it is in use.
func TestServeTwiceAtOnce(t *testing.T) {
	for range 5 {
		dir := filepath.Join(shortDir(t), "data")
		const many = 4
		codes := make(chan int, many)
		var all []*exec.Cmd
		for range many {
			c := command(t, "serve", "--data", dir)
			c.Stderr = t.Output()
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			all = append(all, c)
		}
		for _, c := range all {
			go func() { codes <- exitOf(c.Wait()) }()
		}
		for range many - 1 {
			if code := <-codes; code != exitLocked {
				t.Fatalf("one of them exits with %d", code)
			}
		}
		for status := 0; status != http.StatusOK; {
			status, _, _ = get(datadir.SocketPath(dir), "/readyz")
			select {
			case code := <-codes:
				t.Fatalf("the last one exits with %d", code)
			case <-time.After(10 * time.Millisecond):
			}
		}
		for _, c := range all {
			_ = c.Process.Signal(syscall.SIGTERM) // the others have ended
		}
		if code := <-codes; code != exitOK {
			t.Errorf("it exits with %d", code)
		}
	}
}

// TestServeTellsItsManager in which order it starts and stops, when trainers are let in,
// and that it stops.
func TestServeTellsItsManager(t *testing.T) {
	short := shortDir(t)
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(short, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := command(t, "serve", "--data", filepath.Join(short, "data"))
	c.Env = append(os.Environ(), "NOTIFY_SOCKET="+filepath.Join(short, "notify"))
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for !slices.Contains(got, "STATUS=claim stopped") {
		b := make([]byte, 4096)
		if err := l.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := l.Read(b)
		if err != nil {
			t.Fatalf("%v after %q", err, got)
		}
		got = append(got, strings.Split(string(b[:n]), "\n")...)
		if strings.HasPrefix(got[len(got)-1], "STATUS=serving") {
			if err := c.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
		}
	}
	if code := exitOf(c.Wait()); code != exitOK {
		t.Errorf("exit %d", code)
	}
	var want []string
	parts := []string{"claim", "http server", "data directory", "telemetry", "emergency stream", "plane", "framed lane", "requests"}
	for _, p := range parts {
		want = append(want, "STATUS="+p+" starting", "STATUS="+p+" running")
	}
	want = append(want, "READY=1", "STATUS=serving trainers at unix:"+datadir.SocketPath(filepath.Join(short, "data")), "STOPPING=1")
	for _, p := range slices.Backward(parts) {
		want = append(want, "STATUS="+p+" stopping", "STATUS="+p+" stopped")
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
