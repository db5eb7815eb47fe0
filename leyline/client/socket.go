package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// ErrStranger says that the process that listens at a socket is another user's.
var ErrStranger = errors.New("belongs to another user")

// dialUnix connects to a socket and looks who listens there. A limit of 0 is none.
func dialUnix(ctx context.Context, path string, limit time.Duration) (net.Conn, error) {
	c, err := (&net.Dialer{Timeout: limit}).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	uid, err := ownerOf(c.(*net.UnixConn))
	if err == nil && !mine(uid, uint32(os.Geteuid())) {
		err = fmt.Errorf("the plane at %s %w: uid %d listens, this is uid %d; use the socket of a plane of your own", path, ErrStranger, uid, os.Geteuid())
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// mine reports whether a trainer of user me lets a plane of user uid decide: its own, or
// root's. Root may use anybody's, as with files.
func mine(uid, me uint32) bool { return me == 0 || uid == 0 || uid == me }

// ownerOf returns the user of the process that listened when it began to.
func ownerOf(c *net.UnixConn) (uid uint32, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("cannot ask who listens: %w", err)
	}
	var cred *syscall.Ucred
	var bad error
	err = raw.Control(func(fd uintptr) {
		cred, bad = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if err = errors.Join(err, bad); err != nil {
		return 0, fmt.Errorf("cannot ask who listens: %w", err)
	}
	return cred.Uid, nil
}
