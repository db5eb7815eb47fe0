package server

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Defaults of Options.
const (
	DefaultMaxConnections = 256
	DefaultMaxHeader      = 16 << 10
	DefaultMaxBody        = 4 << 20
	DefaultHeaderTimeout  = 5 * time.Second
	DefaultReadTimeout    = 30 * time.Second
	DefaultWriteTimeout   = 30 * time.Second
	DefaultIdleTimeout    = 30 * time.Second
	// constant: local because it bounds a look at the plane, not the plane's own work.
	DefaultCheckTimeout = time.Second
)

// MinToken is the length of the shortest token, in bytes.
const MinToken = 16

// Route is a handler and the requests that it gets.
type Route struct {
	Pattern string // "METHOD [HOST]/PATH" as http.ServeMux takes it; the method is required
	Handler http.Handler
	// Stream says that an answer may take any time: server-sent events, a long
	// poll. Each of its writes must get through within WriteTimeout, until its
	// handler sets a write deadline with http.ResponseController; then all
	// deadlines are its own. Its context ends when it is cut, by EndStreams or by
	// Stop. At most half of MaxConnections are streams at a time; one more gets a
	// 503.
	Stream bool
}

// Options configures a server. Listen and Logger are required; a zero number takes
// its default.
type Options struct {
	Listen []string // "unix:PATH" or "HOST:PORT"
	// Tokens are the bearer tokens of which every request over TCP must carry one, unless
	// its client has shown a certificate. At a unix socket the kernel says who it is; a
	// token that is sent there must be right all the same.
	Tokens []Token
	TLS    *TLSOptions // nil: TCP is plain
	// BehindProxy says that something in front adds TLS: then tokens may be demanded in
	// plain text beyond loopback.
	BehindProxy bool
	Hosts       []string // further names, without a port, under which TCP clients may ask
	Routes      []Route
	Live        []Check // of /healthz and /readyz
	Ready       []Check // of /readyz
	Logger      hclog.Logger

	MaxConnections int           // open at a time on each listener; for one more an idle one is closed. Default 256
	MaxPerPeer     int           // of those by one process through a socket, or from one address over TCP. Default three quarters
	MaxHeader      int           // bytes of request line and header. Default 16 KiB
	MaxBody        int64         // bytes of a request's body. Default 4 MiB
	HeaderTimeout  time.Duration // from the connection, or the first byte of a later request, to the end of the header. Default 5 s
	ReadTimeout    time.Duration // of a whole request. Default 30 s
	WriteTimeout   time.Duration // of an answer; of one write of a stream that sets no deadlines. Default 30 s
	IdleTimeout    time.Duration // between two requests of a connection. Default 30 s
	CheckTimeout   time.Duration // of one check of a probe. Default 1 s
}

func (o Options) withDefaults() (Options, error) {
	if err := o.validate(); err != nil {
		return o, fmt.Errorf("server options: %w", err)
	}
	o.MaxConnections = cmp.Or(o.MaxConnections, DefaultMaxConnections)
	o.MaxPerPeer = cmp.Or(o.MaxPerPeer, o.MaxConnections-o.MaxConnections/4)
	o.MaxHeader = cmp.Or(o.MaxHeader, DefaultMaxHeader)
	o.MaxBody = cmp.Or(o.MaxBody, DefaultMaxBody)
	o.HeaderTimeout = cmp.Or(o.HeaderTimeout, DefaultHeaderTimeout)
	o.ReadTimeout = cmp.Or(o.ReadTimeout, DefaultReadTimeout)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, DefaultWriteTimeout)
	o.IdleTimeout = cmp.Or(o.IdleTimeout, DefaultIdleTimeout)
	o.CheckTimeout = cmp.Or(o.CheckTimeout, DefaultCheckTimeout)
	return o, nil
}

func (o Options) validate() error {
	switch {
	case len(o.Listen) == 0:
		return errors.New("nowhere to listen")
	case o.Logger == nil:
		return errors.New("no logger")
	case o.MaxConnections < 0 || o.MaxPerPeer < 0 || o.MaxHeader < 0 || o.MaxBody < 0:
		return errors.New("a negative bound")
	case min(o.HeaderTimeout, o.ReadTimeout, o.WriteTimeout, o.IdleTimeout, o.CheckTimeout) < 0:
		return errors.New("a negative timeout")
	}
	if err := CheckTokens(o.Tokens); err != nil {
		return err
	}
	if o.TLS != nil && (o.TLS.CertFile == "" || o.TLS.KeyFile == "") {
		return errors.New("TLS needs both a certificate and its key")
	}
	for _, at := range o.Listen {
		if _, err := parseAddress(at, o.Guarded()); err != nil {
			return err
		}
	}
	return nil
}

// Guarded reports whether the options allow to listen beyond loopback: everybody who comes
// must prove who he is, and nobody on the way may read how. That is TLS with tokens or
// certificates of clients, or tokens behind a proxy that adds TLS.
func (o Options) Guarded() bool {
	proven := len(o.Tokens) > 0
	if o.TLS != nil {
		return proven || o.TLS.ClientCAFile != ""
	}
	return proven && o.BehindProxy
}
