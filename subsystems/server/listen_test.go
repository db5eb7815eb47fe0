package server

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// socketDir is a directory whose paths are short enough for a socket.
func socketDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "esper")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// TestUnixSocket: it is private, any host is right on it, it replaces what a dead
// process left, and goes when the server stops.
func TestUnixSocket(t *testing.T) {
	path := filepath.Join(socketDir(t), "own", "s")
	o := options()
	o.Listen = []string{"unix:" + path, "127.0.0.1:0"}
	stale := func() {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := probe(o.Listen[0]); err != nil {
			t.Fatal(err)
		}
		s, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]fs.FileMode{filepath.Dir(path): fs.ModeDir | 0o700, path: fs.ModeSocket | 0o600} {
			if info, err := os.Lstat(name); err != nil || info.Mode() != want {
				t.Errorf("%s: %v, %v, want %v", name, info.Mode(), err, want)
			}
		}
		resp, err := overUnix(path).Get("http://whatever/healthz")
		if err != nil {
			t.Fatal(err)
		}
		if a := read(t, resp); a.status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
		if err := probe(o.Listen[0]); !errors.Is(err, ErrInUse) {
			t.Errorf("probe of a socket in use: %v", err)
		}
		if cut, err := s.Stop(t.Context()); cut > 0 || err != nil {
			t.Fatalf("%d cut, %v", cut, err)
		}
		if _, err := os.Lstat(path); err == nil {
			t.Error("the socket is still there")
		}
		stale()
	}
}

// TestStartIsAllOrNothing: when one address cannot be listened at, none is.
func TestStartIsAllOrNothing(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	path := filepath.Join(socketDir(t), "s")
	o := options()
	o.Listen = []string{"unix:" + path, busy.Addr().String()}
	if err := probe(o.Listen[1]); err == nil {
		t.Error("the probe finds the address free")
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("start: %v", err)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("the socket is still there")
	}
	if _, err := s.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

// probe probes one address.
func probe(at string) error { return Probe(false, at)[0] }

// TestProbeHoldsWhatItTried: addresses that are each free may not be together.
func TestProbeHoldsWhatItTried(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(free.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	dir := socketDir(t)
	link := filepath.Join(dir, "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	at := []string{
		"127.0.0.1:" + port, "127.0.0.1:" + port, "127.0.0.1:0", "127.0.0.1:0", "0.0.0.0:" + port,
		"unix:" + filepath.Join(dir, "s"), "unix:" + filepath.Join(dir, ".", "s"), "unix:" + filepath.Join(link, "s"), "unix:" + filepath.Join(dir, "other"),
	}
	want := []string{"", "is given twice", "", "", "address already in use", "", "is given twice", "is given twice", ""}
	for i, err := range Probe(true, at...) {
		if want[i] == "" && err != nil || want[i] != "" && (err == nil || !strings.Contains(err.Error(), want[i])) {
			t.Errorf("%s: %v, want %q", at[i], err, want[i])
		}
	}
	if err := probe(at[0]); err != nil {
		t.Errorf("a probe leaves its listener: %v", err)
	}
}

func TestProbeRefuses(t *testing.T) {
	dir := socketDir(t)
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	nowhere := filepath.Join(dir, "nowhere")
	if err := os.Symlink(filepath.Join(dir, "x"), nowhere); err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]string{
		"unix:" + filepath.Join(open, "s"):  "others can enter it: chmod 700",
		"unix:" + file:                      "is no socket; remove it",
		"unix:" + filepath.Join(file, "s"):  "is no directory for a socket",
		"unix:":                             "is no place for a socket",
		"unix:@abstract":                    "is no place for a socket",
		"unix:/" + strings.Repeat("x", 103): "is no place for a socket",
		"192.0.2.1:80":                      "demand a token with --http-token-file",
		"example.com:80":                    "demand a token with --http-token-file",
		":80":                               "demand a token with --http-token-file",
		"127.0.0.1:65536":                   "is out of range",
		"127.0.0.1:99999":                   "is out of range",
		"127.0.0.1:http":                    "has no port",
		"unix:" + filepath.Join(dir, "a", "b", "s"): "make " + filepath.Join(dir, "a") + " first",
		"unix:" + filepath.Join(nowhere, "s"):       "is a link to nothing",
		"unix:" + filepath.Join(file, "b", "s"):     "not a directory",
	} {
		if err := probe(at); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", at, err, want)
		}
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "text" {
		t.Error("the file was touched")
	}
	missing := filepath.Join(dir, "new", "s")
	if err := probe("unix:" + missing); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Dir(missing)); err == nil {
		t.Error("a probe made a directory")
	}
	for _, at := range []string{"127.0.0.1:0", "localhost:0"} {
		if err := probe(at); err != nil {
			t.Error(err)
		}
	}
}

// TestDirectoriesOfOthers: whoever owns the directory of a socket can enter it, whatever
// its mode is.
func TestDirectoriesOfOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a directory away")
	}
	dir := filepath.Join(socketDir(t), "theirs")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, 65534, 65534)); err != nil {
		t.Fatal(err)
	}
	if err := probe("unix:" + filepath.Join(dir, "s")); err == nil || !strings.Contains(err.Error(), "belongs to uid 65534") {
		t.Errorf("%v", err)
	}
	if _, err := ListenUnix(filepath.Join(dir, "s")); err == nil || !strings.Contains(err.Error(), "belongs to uid 65534") {
		t.Errorf("it listens: %v", err)
	}
}
