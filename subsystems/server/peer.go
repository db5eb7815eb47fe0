package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"

	"golang.org/x/sys/unix"

	"github.com/esper-plane/esper/leyline"
)

// The prefixes of principals.
const (
	uidPrincipal   = "uid:"
	tokenPrincipal = "token:"
	certPrincipal  = "cert:"
)

type principalKey struct{}

// withPrincipal returns the request of a known sender.
func withPrincipal(r *http.Request, name string) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), principalKey{}, name))
}

// PeerOf returns who has sent a request that this server let in:
//
//	uid:1000   through a unix socket, the user of its process
//	token:NAME over TCP, who has the token of this name
//	cert:NAME  over TLS, the name in the client's certificate
//
// Whoever can be named so may speak for a trainer: the kind is PeerTrainer. A peer at a
// loopback address without token and certificate may be anybody on the machine: it has
// the kind PeerUnspecified and no name. So has a request that came through no server of
// this package.
func PeerOf(r *http.Request) (leyline.PeerKind, string) {
	name, _ := r.Context().Value(principalKey{}).(string)
	if name == "" {
		return leyline.PeerUnspecified, ""
	}
	return leyline.PeerTrainer, name
}

// SocketPeer is the process at the other end of a unix socket, as the kernel knew it when
// it connected.
type SocketPeer struct {
	UID uint32
	PID int32
}

// Principal names the user of the process: "uid:1000".
func (p SocketPeer) Principal() string { return fmt.Sprintf("%s%d", uidPrincipal, p.UID) }

// ErrStranger says that a process of another user has connected to a socket.
var ErrStranger = errors.New("belongs to another user")

// PeerOfSocket returns who has connected to a unix socket. The error is ErrStranger,
// beside the peer, for a process whose user is neither that of this process nor root: the
// mode of the directory should have kept it out.
func PeerOfSocket(c *net.UnixConn) (SocketPeer, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return SocketPeer{}, fmt.Errorf("cannot ask who has connected: %w", err)
	}
	var cred *unix.Ucred
	var bad error
	err = raw.Control(func(fd uintptr) { cred, bad = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err = errors.Join(err, bad); err != nil {
		return SocketPeer{}, fmt.Errorf("cannot ask who has connected: %w", err)
	}
	peer := SocketPeer{UID: cred.Uid, PID: cred.Pid}
	if peer.UID != 0 && peer.UID != uint32(os.Geteuid()) {
		return peer, fmt.Errorf("the process %d of uid %d %w", peer.PID, peer.UID, ErrStranger)
	}
	return peer, nil
}
