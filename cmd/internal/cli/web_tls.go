package cli

import (
	"github.com/spf13/pflag"

	"github.com/esper-plane/esper/cmd/internal/supervise"
	"github.com/esper-plane/esper/subsystems/server"
)

// tlsFlags are the flags about TLS at TCP addresses.
type tlsFlags struct {
	cert, key, clientCA string
	behindProxy         bool
}

func (f *tlsFlags) flags(s *pflag.FlagSet) {
	s.StringVar(&f.cert, "tls-cert", "", "speak TLS 1.3 over TCP with the certificate in `FILE` (PEM; ECDSA or Ed25519); needed beyond loopback")
	s.StringVar(&f.key, "tls-key", "", "the key of --tls-cert, in a `FILE` that only its owner can read")
	s.StringVar(&f.clientCA, "tls-client-ca", "", "clients show a certificate of an issuer in `FILE`; with --http-token-file a token will do as well")
	s.BoolVar(&f.behindProxy, "http-behind-proxy", false, "something in front adds TLS: take tokens in plain text beyond loopback")
}

// options returns what package server is to be told; nil without TLS.
func (f *tlsFlags) options() *server.TLSOptions {
	if f.cert == "" && f.key == "" && f.clientCA == "" {
		return nil
	}
	return &server.TLSOptions{CertFile: f.cert, KeyFile: f.key, ClientCAFile: f.clientCA}
}

// probe reports flags that lack another, and files that cannot be used.
func (f *tlsFlags) probe(r *supervise.Report) {
	switch {
	case f.options() == nil:
	case f.cert == "" || f.key == "":
		r.FailWith("--tls-cert", usagef("--tls-cert, --tls-key: TLS needs both; --tls-client-ca goes with them"))
	case f.behindProxy:
		r.FailWith("--http-behind-proxy", usagef("--http-behind-proxy: this server speaks TLS itself; drop it, or --tls-cert"))
	default:
		if err := f.options().Check(); err != nil {
			r.FailWith("--tls-cert", usagef("--tls-cert, --tls-key, --tls-client-ca: %w", err))
		}
	}
}
