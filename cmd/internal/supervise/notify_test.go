package supervise

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// manager listens as a service manager does.
func manager(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func heard(t *testing.T, c *net.UnixConn) string {
	t.Helper()
	b := make([]byte, 4096)
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

// TestNotify sends over a real socket: a path, and an abstract name.
func TestNotify(t *testing.T) {
	dir, err := os.MkdirTemp("", "esper")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for _, name := range []string{filepath.Join(dir, "notify"), fmt.Sprintf("@esper-test-%d", os.Getpid())} {
		c := manager(t, name)
		n, err := NewNotifier(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Send(NotifyReady, Status("two\nlines  here")); err != nil {
			t.Fatal(err)
		}
		if got := heard(t, c); got != "READY=1\nSTATUS=two lines here" {
			t.Errorf("%s: %q", name, got)
		}
		for range 2 {
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := n.Send(NotifyStopping); err == nil {
			t.Error("a closed notifier sends")
		}
	}
	for _, bad := range []string{"relative", "vsock:2:1", filepath.Join(dir, "nobody")} {
		if _, err := NewNotifier(bad); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
	nobody, err := NewNotifier("")
	if err != nil || nobody != nil || nobody.Send(NotifyReady) != nil || nobody.Close() != nil {
		t.Error("no manager is an error")
	}
}

// TestWatchdog is fed while the process is alive, and only then.
func TestWatchdog(t *testing.T) {
	name := fmt.Sprintf("@esper-watchdog-%d", os.Getpid())
	c := manager(t, name)
	n, err := NewNotifier(name)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	var hangs atomic.Bool
	looked, failed := make(chan bool), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		n.Watchdog(ctx, 2*time.Millisecond, func(context.Context) error {
			hang := hangs.Load()
			looked <- hang
			if hang {
				return errors.New("it hangs")
			}
			return nil
		}, func(err error) { failed <- err })
	}()
	for range 3 {
		<-looked
		if got := heard(t, c); got != "WATCHDOG=1" {
			t.Errorf("%q", got)
		}
	}
	hangs.Store(true)
	for hung := 0; hung < 3; {
		if <-looked {
			hung++
			if err := <-failed; !strings.Contains(err.Error(), "it hangs") {
				t.Error(err)
			}
		} else if got := heard(t, c); got != "WATCHDOG=1" {
			t.Errorf("%q", got)
		}
	}
	if err := c.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if k, err := c.Read(make([]byte, 100)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("fed although it hangs: %d bytes, %v", k, err)
	}
	cancel()
	select {
	case <-ended:
	case <-looked:
		<-ended
	}
}
