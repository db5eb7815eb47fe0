package client

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/frame"
	"github.com/esper-plane/esper/leyline/protocol"
)

// DefaultAttempt is how long one attempt of a request may take. A plane that waits for
// what it computes answers within its own deadlines, which are shorter.
const DefaultAttempt = 60 * time.Second

// slowAttempt is how long one may take at least for which the plane reads whole
// snapshots: to open a run, and to report a snapshot.
const slowAttempt = 10 * time.Minute // constant: local because it bounds a request and is nobody's deadline

// Options says where the plane is and how long it is tried. Address and Away are
// required.
type Options struct {
	Address string      // "unix:PATH", "http://HOST:PORT" or "https://HOST:PORT"
	Token   string      // bearer token; empty: none is sent. Beyond this machine it wants https
	TLS     *tls.Config // of https; nil: the defaults of crypto/tls
	Media   string      // of bodies: protocol.MediaMsgpack, which is the default, or protocol.MediaJSON
	NoLane  bool        // reports go over HTTP, also where there is a framed lane
	// Away is what to do while the plane cannot be reached: AwayStop gives up after
	// about a second, or with the first Attempt that was not answered; AwayWait goes on
	// for AwayFor. Both are those of the runs that are opened.
	Away    leyline.Away
	AwayFor time.Duration // of AwayWait; no attempt begins after it. 0: until the context ends
	Attempt time.Duration // of one request, longer where the plane reads a snapshot for it; 0: DefaultAttempt
	// Notice is called when the plane is lost and when it is found again, by whichever
	// goroutine makes the request; may be nil. A client that stops calls it never.
	Notice func(format string, args ...any)
}

// endpoint is a parsed address.
type endpoint struct {
	socket string // path; empty: TCP
	base   string // "http://HOST:PORT"
}

// lane is the path of the framed lane; empty: there is none.
func (e endpoint) lane() string {
	if e.socket == "" {
		return ""
	}
	return e.socket + ".fast"
}

// parse reads an address.
func parse(address string) (endpoint, error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		if path == "" {
			return endpoint{}, errors.New("the address unix: has no path; write unix:PATH")
		}
		return endpoint{socket: path, base: "http://esper"}, nil
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return endpoint{}, fmt.Errorf("%q is no address of a plane; write unix:PATH, http://HOST:PORT or https://HOST:PORT", address)
	}
	return endpoint{base: u.Scheme + "://" + u.Host}, nil
}

// clear reports whether what is sent can be read on the way.
func (e endpoint) clear() bool {
	u, err := url.Parse(e.base)
	if e.socket != "" || err != nil || u.Scheme == "https" {
		return false
	}
	ip, bad := netip.ParseAddr(u.Hostname())
	return u.Hostname() != "localhost" && (bad != nil || !ip.IsLoopback())
}

// limit is how long an attempt to make a report may take.
func (o *Options) limit(op frame.Op) time.Duration {
	if op == frame.OpSnapshot {
		return max(o.Attempt, slowAttempt)
	}
	return o.Attempt
}

// keeps refuses a plan that says of its trainer what this client will not do. What it
// leaves out is the plane's to refuse.
func (o *Options) keeps(in *leyline.RunOpened) error {
	if in.Away == leyline.AwayUnspecified {
		return nil
	}
	if in.Away != o.Away {
		return leyline.Invalid("away", fmt.Sprintf("is %s, and the client was made with %s", in.Away, o.Away))
	}
	if time.Duration(in.AwaySeconds)*time.Second != o.AwayFor {
		return leyline.Invalid("away_seconds", fmt.Sprintf("is %d, and the client was made with %v", in.AwaySeconds, o.AwayFor))
	}
	return nil
}

func (o *Options) check() error {
	switch {
	case o.Away != leyline.AwayStop && o.Away != leyline.AwayWait:
		return errors.New("no Away: say what the trainer does when the plane cannot be reached, AwayStop or AwayWait")
	case o.Away == leyline.AwayStop && o.AwayFor != 0:
		return errors.New("an AwayFor, but Away is AwayStop; only a trainer that waits has a limit")
	case o.AwayFor < 0 || o.Attempt < 0:
		return errors.New("a negative AwayFor or Attempt")
	}
	switch o.Media {
	case "":
		o.Media = protocol.MediaMsgpack
	case protocol.MediaJSON, protocol.MediaMsgpack:
	default:
		return fmt.Errorf("a Media of %q; write %s or %s", o.Media, protocol.MediaJSON, protocol.MediaMsgpack)
	}
	if o.Attempt == 0 {
		o.Attempt = DefaultAttempt
	}
	if o.Notice == nil {
		o.Notice = func(string, ...any) {}
	}
	return nil
}
