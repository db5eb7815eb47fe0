package server

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	unixPrefix  = "unix:"
	maxUnixPath = 103 // bytes; sun_path of Linux holds 108, of others 104, with a zero at its end
	probeWait   = time.Second
)

// address is a parsed place to listen at.
type address struct {
	network string // "unix" or "tcp"
	at      string
}

// parseAddress reads "unix:PATH" or "HOST:PORT". Beyond loopback it wants a token.
// A name is none of the local addresses that it may resolve to, except localhost.
func parseAddress(s string, token bool) (address, error) {
	if path, ok := strings.CutPrefix(s, unixPrefix); ok {
		if path == "" || len(path) > maxUnixPath || strings.ContainsRune(path, 0) || path[0] == '@' {
			return address{}, fmt.Errorf("%q is no place for a socket: write unix:PATH, a path of 1 to %d bytes", s, maxUnixPath)
		}
		return address{"unix", path}, nil
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return address{}, fmt.Errorf("%q is no address: write unix:PATH or HOST:PORT", s)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return address{}, fmt.Errorf("%q has no port: write a number from 0 to 65535", s)
	}
	if !token && !isLoopback(host) {
		return address{}, fmt.Errorf("%q can be reached from elsewhere: configure a token, or listen on 127.0.0.1", s)
	}
	return address{"tcp", s}, nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// Probe reports whether a server with or without a token could listen at an
// address now. It leaves nothing behind.
func Probe(at string, token bool) error {
	a, err := parseAddress(at, token)
	if err != nil {
		return err
	}
	if a.network == "unix" {
		return a.probeUnix()
	}
	l, err := net.Listen(a.network, a.at)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w", a.at, err)
	}
	return l.Close()
}

// probeUnix looks at what is where the socket is to be.
func (a address) probeUnix() error {
	switch err := checkSocketDir(filepath.Dir(a.at)); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	info, err := os.Lstat(a.at)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("cannot look for the socket %s: %w", a.at, err)
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is there and is no socket; remove it or choose another path", a.at)
	}
	c, err := net.DialTimeout("unix", a.at, probeWait)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil // its process is dead
	}
	if err != nil {
		return fmt.Errorf("cannot tell whether the socket %s is in use: %w", a.at, err)
	}
	return errors.Join(fmt.Errorf("the socket %s is in use: another process answers there", a.at), c.Close())
}

// checkSocketDir refuses a directory that others can enter.
func checkSocketDir(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return fmt.Errorf("cannot use the directory of the socket: %w", err)
	case !info.IsDir():
		return fmt.Errorf("%s is no directory for a socket", dir)
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("the directory of the socket, %s, has mode %04o and others can enter it: chmod 700 %s, or use one of its own", dir, info.Mode().Perm(), dir)
	}
	return nil
}

// listen opens the listener of an address.
func (a address) listen() (net.Listener, error) {
	if a.network == "unix" {
		return a.listenUnix()
	}
	l, err := net.Listen(a.network, a.at)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", a.at, err)
	}
	return l, nil
}

// listenUnix makes the socket. Until its mode is set the directory protects it.
func (a address) listenUnix() (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(a.at), 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the directory of the socket: %w", err)
	}
	if err := a.probeUnix(); err != nil {
		return nil, err
	}
	if err := os.Remove(a.at); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot replace the socket of a dead process: %w", err)
	}
	l, err := net.Listen("unix", a.at)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", a.at, err)
	}
	if err := os.Chmod(a.at, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot protect the socket: %w", err), l.Close())
	}
	return l, nil
}

// limited hands out a connection only when there is room for it.
type limited struct {
	net.Listener
	room   chan struct{} // shared by all listeners; holds one element per open connection
	closed chan struct{}
	once   sync.Once
}

// Accept implements net.Listener.
func (l *limited) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	select {
	case l.room <- struct{}{}:
		return &counted{Conn: c, room: l.room}, nil
	case <-l.closed:
		return nil, errors.Join(net.ErrClosed, c.Close())
	}
}

// Close implements net.Listener.
func (l *limited) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// counted gives its place back when it is closed.
type counted struct {
	net.Conn
	room chan struct{}
	once sync.Once
}

// Close implements net.Conn.
func (c *counted) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { <-c.room })
	return err
}
