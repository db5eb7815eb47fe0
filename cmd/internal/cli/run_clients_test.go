package cli

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/esper-plane/esper/subsystems/server/sse"
)

// dial connects to a socket and sends a text.
func dial(t *testing.T, socket, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestClientsAtTheEnd: whoever is connected when a run ends, reads or not, the run
// succeeds and its summary is printed; who follows it is told of its end.
func TestClientsAtTheEnd(t *testing.T) {
	const ask = " HTTP/1.1\r\nHost: esper\r\n\r\n"
	dir, socket := filepath.Join(t.TempDir(), "data"), filepath.Join(shortDir(t), "s")
	c := command(t, "run", "--steps", "3000", "--data", dir, "--http", "unix:"+socket)
	var out strings.Builder
	c.Stdout = &out
	errs, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	said, told, asked := "", make(chan string, 1), time.Time{}
	for in := bufio.NewScanner(errs); in.Scan(); {
		said += in.Text() + "\n"
		if !asked.IsZero() || !strings.Contains(in.Text(), "/3000 ") {
			continue
		}
		asked = time.Now()
		dial(t, socket, "GET /v1/telemetry?after=0"+ask) // and never reads
		dial(t, socket, "")
		dial(t, socket, "GET /healthz"+ask)
		go half(socket)
		follower := dial(t, socket, "GET /v1/telemetry?priority=NORMAL"+ask)
		go func() {
			b, err := io.ReadAll(follower)
			told <- fmt.Sprintf("%s %v", b, err)
		}()
	}
	if code := exitOf(c.Wait()); code != exitOK {
		t.Fatalf("exit %d\n%s", code, said)
	}
	if !strings.Contains(out.String(), "3000 steps") {
		t.Errorf("it prints\n%s\nand says\n%s", &out, said)
	}
	// On a slow machine the run outlasts its patience with a client that does not read:
	// that one is cut while the run goes on, and its end has nothing to say of it.
	cut := strings.Contains(said, "telemetry streams had not taken their last events and were cut (1)")
	if took := time.Since(asked); !cut && took < sse.DefaultWrite {
		t.Errorf("%v after the client that does not read came, it says\n%s", took, said)
	}
	stream := <-told
	ended, end := strings.Index(stream, `"tolaria.run.ended"`), strings.Index(stream, "event: end\n")
	if ended < 0 || end < ended {
		t.Errorf("the follower gets\n%s", stream[max(0, len(stream)-2000):])
	}
	if !closedInOrder(t, dir) {
		t.Error("the log was not closed in order")
	}
}

// half begins a request ten times a second until the socket has gone.
func half(socket string) {
	for {
		c, err := net.Dial("unix", socket)
		if err != nil {
			return
		}
		if _, err := io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost:"); err != nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
		defer c.Close()
	}
}

// TestReadyWithoutItsSignal: a plane whose emergency nobody can see is not ready.
func TestReadyWithoutItsSignal(t *testing.T) {
	dir, socket := filepath.Join(t.TempDir(), "data"), filepath.Join(shortDir(t), "s")
	training(t, dir, socket, func() {
		if err := os.Truncate(filepath.Join(dir, "signal"), 0); err != nil {
			t.Fatal(err)
		}
		status, body, err := get(socket, "/readyz")
		if err != nil || status != http.StatusServiceUnavailable {
			t.Fatalf("%d %s %v", status, body, err)
		}
		if got := checks(t, body)["signal"]; got != "the emergency signal has lost its file: it was cut short, or its disk failed" {
			t.Errorf("signal: %q", got)
		}
	})
}

// TestTakenSockets: an address that another process has is nobody's wrong usage,
// whichever kind it is.
func TestTakenSockets(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	unix, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	for _, at := range []string{"unix:" + path, tcp.Addr().String()} {
		esper(t, exitFailed, "run", "--data", filepath.Join(t.TempDir(), "data"), "--http", at)
	}
}
