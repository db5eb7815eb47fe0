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
	"syscall"
	"time"

	"golang.org/x/sys/unix"
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

// parseAddress reads "unix:PATH" or "HOST:PORT". Beyond loopback it wants Options.Guarded.
// A name is none of the local addresses that it may resolve to, except localhost.
func parseAddress(s string, guarded bool) (address, error) {
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
	if _, err := strconv.ParseUint(port, 10, 16); errors.Is(err, strconv.ErrRange) {
		return address{}, fmt.Errorf("the port of %q is out of range: write a number from 0 to 65535", s)
	} else if err != nil {
		return address{}, fmt.Errorf("%q has no port: write a number from 0 to 65535", s)
	}
	if !guarded && !isLoopback(host) {
		return address{}, fmt.Errorf("%q can be reached from elsewhere: demand a token with --http-token-file and speak TLS with --tls-cert and --tls-key, or listen on 127.0.0.1", s)
	}
	return address{"tcp", s}, nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// ErrInUse says that another process answers at a socket.
var ErrInUse = errors.New("is in use")

// Probe reports, for each address, why a server that is Guarded or not could not
// listen there now beside those before it; nil when it could. It leaves nothing
// behind.
func Probe(guarded bool, at ...string) []error {
	errs := make([]error, len(at))
	seen := map[string]bool{}
	for i, s := range at {
		a, err := parseAddress(s, guarded)
		if err == nil && seen[a.place()] {
			err = fmt.Errorf("%q is given twice", s)
		}
		if err != nil {
			errs[i] = err
			continue
		}
		seen[a.place()] = a.place() != ""
		if a.network == "unix" {
			errs[i] = a.probeUnix()
			continue
		}
		l, err := a.listen()
		if errs[i] = err; err == nil {
			defer l.Close() // it is held until the others were tried; nothing is lost with it
		}
	}
	return errs
}

// place is the same for addresses that cannot both be listened at; empty for one that
// can be any number of times. Names for one TCP address differ: only listening tells.
func (a address) place() string {
	if a.network == "unix" {
		dir, err := filepath.EvalSymlinks(filepath.Dir(a.at))
		if err != nil {
			dir = filepath.Dir(a.at) // it is made, or refused
		}
		if full, err := filepath.Abs(dir); err == nil {
			dir = full
		}
		return filepath.Join(dir, filepath.Base(a.at))
	}
	if _, port, _ := net.SplitHostPort(a.at); strings.Trim(port, "0") == "" {
		return ""
	}
	return a.at
}

// probeUnix looks at what is where the socket is to be.
func (a address) probeUnix() error {
	dir := filepath.Dir(a.at)
	switch err := checkSocketDir(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return checkParent(dir)
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
	return errors.Join(fmt.Errorf("the socket %s %w: another process answers there", a.at, ErrInUse), c.Close())
}

// checkParent reports why a directory for a socket cannot be made. Only the last one
// of its path is: a whole path that is missing is rather misspelt.
func checkParent(dir string) error {
	if _, err := os.Lstat(dir); err == nil {
		return fmt.Errorf("the directory of the socket, %s, is a link to nothing", dir)
	}
	up := filepath.Dir(dir)
	info, err := os.Stat(up)
	switch {
	case err != nil:
		return fmt.Errorf("the directory of the socket, %s, cannot be made: %w; make %s first", dir, err, up)
	case !info.IsDir():
		return fmt.Errorf("the directory of the socket, %s, cannot be made: %s is no directory", dir, up)
	}
	if err := unix.Access(up, unix.W_OK|unix.X_OK); err != nil {
		return fmt.Errorf("the directory of the socket, %s, cannot be made in %s: %w", dir, up, err)
	}
	return nil
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
	if owner := info.Sys().(*syscall.Stat_t).Uid; owner != 0 && owner != uint32(os.Geteuid()) {
		return fmt.Errorf("the directory of the socket, %s, belongs to uid %d, who can enter it: use one of its own", dir, owner)
	}
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return fmt.Errorf("the directory of the socket, %s, cannot be written to: %w", dir, err)
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

// ListenUnix makes a private socket at a path, as "unix:PATH" of Options.Listen does: with
// mode 0600, in a directory with mode 0700 that is made when it is missing. Who connects
// is to be asked for with PeerOfSocket.
func ListenUnix(path string) (*net.UnixListener, error) {
	a, err := parseAddress(unixPrefix+path, false)
	if err != nil {
		return nil, err
	}
	return a.listenUnix()
}

// listenUnix makes the socket. Until its mode is set the directory protects it.
func (a address) listenUnix() (*net.UnixListener, error) {
	if err := os.Mkdir(filepath.Dir(a.at), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("cannot make the directory of the socket: %w", err)
	}
	if err := a.probeUnix(); err != nil {
		return nil, err
	}
	if err := os.Remove(a.at); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot replace the socket of a dead process: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: a.at, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", a.at, err)
	}
	if err := os.Chmod(a.at, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot protect the socket: %w", err), l.Close())
	}
	return l, nil
}
