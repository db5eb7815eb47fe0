package server

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sys/unix"

	"github.com/esper-plane/esper/leyline"
)

// who answers with the kind and the name of its sender.
var who = Route{Pattern: "GET /who", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	kind, name := PeerOf(r)
	fmt.Fprintf(w, "%s %s", kind, name)
})}

func bearer(secret string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+secret) }
}

// TestPeerOf: the user of a socket, the name of a token, and nobody.
func TestPeerOf(t *testing.T) {
	path := filepath.Join(socketDir(t), "s")
	o := options(who)
	o.Listen = append(o.Listen, "unix:"+path)
	open := start(t, o)
	if a := ask(t, "GET", url(open, "/who"), nil, nil); a.body != "unspecified " {
		t.Errorf("without tokens: %q", a.body)
	}
	if a := ask(t, "GET", url(open, "/who"), nil, bearer(token)); a.body != "unspecified " {
		t.Errorf("a token where none is known: %q", a.body)
	}
	uid := fmt.Sprintf("trainer uid:%d", os.Geteuid())
	if a := overSocket(t, path, nil); a.body != uid {
		t.Errorf("at the socket: %q, want %q", a.body, uid)
	}

	path = filepath.Join(socketDir(t), "s")
	o.Listen = []string{"127.0.0.1:0", "unix:" + path}
	o.Tokens = []Token{{"ada", token}, {"bob", other}}
	s := start(t, o)
	for secret, want := range map[string]string{token: "trainer token:ada", other: "trainer token:bob"} {
		if a := ask(t, "GET", url(s, "/who"), nil, bearer(secret)); a.body != want {
			t.Errorf("%q, want %q", a.body, want)
		}
		if a := overSocket(t, path, bearer(secret)); a.body != uid {
			t.Errorf("at the socket with a token: %q, want %q", a.body, uid)
		}
	}
	if a := overSocket(t, path, nil); a.body != uid {
		t.Errorf("at the socket without one: %q, want %q", a.body, uid)
	}
	overSocket(t, path, bearer(token+"x")).wants(t, 401, "unauthorized")
	ask(t, "GET", url(s, "/who"), nil, nil).wants(t, 401, "unauthorized")
	if kind, name := PeerOf(&http.Request{RemoteAddr: "@"}); kind != leyline.PeerUnspecified || name != "" {
		t.Errorf("a request of no server: %s %q", kind, name)
	}
}

// overSocket asks who it is.
func overSocket(t *testing.T, path string, change func(*http.Request)) answered {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://esper/who", nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	resp, err := overUnix(path).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return read(t, resp)
}

// TestStrangersAtTheSocket: a process of another user that finds the way in is closed,
// with a line in the log.
func TestStrangersAtTheSocket(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be another user")
	}
	dir := socketDir(t)
	path := filepath.Join(dir, "own", "s")
	var said output
	o := options(who)
	o.Listen, o.Logger = []string{"unix:" + path}, hclog.New(&hclog.LoggerOptions{Output: &said})
	start(t, o)
	for name, mode := range map[string]os.FileMode{dir: 0o711, filepath.Dir(path): 0o711, path: 0o666} { // a careless administrator
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	got, err := asUser(65534, path)
	if err != nil || got != "" {
		t.Errorf("a stranger gets %q, %v", got, err)
	}
	if s := said.String(); !strings.Contains(s, "uid 65534 belongs to another user") {
		t.Errorf("the log says %q", s)
	}
	if got, err := asUser(0, path); err != nil || !strings.Contains(got, "uid:0") {
		t.Errorf("root gets %q, %v", got, err)
	}
}

// asUser asks at a socket from a thread of another user; credentials are those of a thread.
func asUser(uid int, path string) (string, error) {
	type result struct {
		said string
		err  error
	}
	out := make(chan result, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if _, _, no := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); no != 0 {
			out <- result{err: no}
			return
		}
		said, err := askRaw(path)
		out <- result{said, err}
	}()
	r := <-out
	return r.said, r.err
}

// askRaw connects on the calling thread; package net might use another.
func askRaw(path string) (string, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return "", err
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return "", err
	}
	io.WriteString(f, "GET /who HTTP/1.1\r\nHost: esper\r\nConnection: close\r\n\r\n") // one that is closed shows below
	b, err := io.ReadAll(f)
	if errors.Is(err, unix.ECONNRESET) {
		err = nil // it was closed with the request unread
	}
	return string(b), err
}

// TestSharesOfPeers: one peer that takes all it can leaves room for another, and gets in
// again itself once it is idle.
func TestSharesOfPeers(t *testing.T) {
	inside, leave := make(chan struct{}, 8), make(chan struct{})
	o := options(Route{Pattern: "GET /slow", Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inside <- struct{}{}; <-leave })}, who)
	o.MaxConnections, o.MaxPerPeer = 4, 3
	at := start(t, o).Addresses()[0].String()
	var busy []net.Conn
	for range o.MaxPerPeer {
		busy = append(busy, askFrom(t, "127.0.0.1", at, "/slow"))
		<-inside
	}
	if got := firstLine(t, askFrom(t, "127.0.0.1", at, "/who")); got != "" {
		t.Errorf("one more of the same peer gets %q", got)
	}
	if got := firstLine(t, askFrom(t, "127.0.0.9", at, "/healthz")); got != "HTTP/1.1 200" {
		t.Errorf("another peer gets %q", got)
	}
	close(leave)
	for _, c := range busy {
		if got := firstLine(t, c); got != "HTTP/1.1 200" {
			t.Errorf("%q", got)
		}
	}
	for i := 0; firstLine(t, askFrom(t, "127.0.0.1", at, "/who")) == ""; i++ {
		if i > 10_000 {
			t.Fatal("an idle peer gets in no more")
		}
		time.Sleep(time.Millisecond)
	}
}

// askFrom sends a request from an address of this machine, on a connection that stays.
func askFrom(t *testing.T, from, at, path string) net.Conn {
	t.Helper()
	c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).DialContext(t.Context(), "tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\n\r\n") // one that is closed shows in its answer
	return c
}

// firstLine is the beginning of an answer; empty when the connection was closed instead.
func firstLine(t *testing.T, c net.Conn) string {
	t.Helper()
	b := make([]byte, len("HTTP/1.1 200"))
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	n, err := io.ReadFull(c, b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("it is neither answered nor closed")
	}
	return string(b[:n])
}
