package client

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/esper-plane/esper/leyline"
)

// TestMine says whose planes a trainer follows.
func TestMine(t *testing.T) {
	for _, c := range []struct {
		uid, me uint32
		want    bool
	}{{1000, 1000, true}, {0, 1000, true}, {1000, 0, true}, {1001, 1000, false}} {
		if got := mine(c.uid, c.me); got != c.want {
			t.Errorf("a plane of uid %d for uid %d: %t", c.uid, c.me, got)
		}
	}
}

// TestStranger: a trainer sends nothing to a socket at which another user listens, and
// does not try again.
func TestStranger(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can listen as somebody else")
	}
	dir, err := os.MkdirTemp("", "esper")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	as := func(uid int, do func()) {
		if err := syscall.Seteuid(uid); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := syscall.Seteuid(0); err != nil {
				t.Fatal(err)
			}
		}()
		do()
	}
	var l net.Listener
	as(65534, func() { l, err = net.Listen("unix", path) })
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.Chmod(path, 0o777); err != nil {
		t.Fatal(err)
	}
	n := 0
	c, err := New(Options{Address: "unix:" + path, Away: leyline.AwayWait, Notice: func(string, ...any) { n++ }})
	if err != nil {
		t.Fatal(err)
	}
	as(65533, func() { _, err = c.Open(t.Context(), leyline.RunOpened{Run: "run-1"}) })
	if !errors.Is(err, ErrStranger) || n > 0 {
		t.Errorf("%v after %d notices", err, n)
	}
}
