package cli

import (
	"crypto/tls"
	"crypto/x509"

	"github.com/spf13/pflag"
)

// clientTLS say whom a client of a plane trusts over TLS, and what it shows itself.
type clientTLS struct{ ca, cert, key string }

// flags adds them; the names begin with prefix.
func (f *clientTLS) flags(s *pflag.FlagSet, prefix string) {
	s.StringVar(&f.ca, prefix+"tls-ca", "", "over https trust the issuers in `FILE` (PEM; default: those of the system)")
	s.StringVar(&f.cert, prefix+"tls-cert", "", "over https show the certificate in `FILE` (PEM)")
	s.StringVar(&f.key, prefix+"tls-key", "", "the key of that certificate, in a `FILE` that only its owner can read")
}

// config is the configuration of a client. prefix is that of the flags.
func (f *clientTLS) config(prefix string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS13}
	if f.ca != "" {
		b, err := readFile(f.ca)
		if err != nil {
			return nil, usagef("--%stls-ca: %w", prefix, err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(b) {
			return nil, usagef("--%stls-ca: there is no certificate in %s; it must hold PEM", prefix, f.ca)
		}
	}
	switch {
	case f.cert == "" && f.key == "":
		return c, nil
	case f.cert == "" || f.key == "":
		return nil, usagef("--%[1]stls-cert and --%[1]stls-key go together", prefix)
	}
	if _, err := readSecret("--"+prefix+"tls-key", f.key, "the key in PEM"); err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return nil, usagef("--%[1]stls-cert, --%[1]stls-key: %[2]w", prefix, err)
	}
	c.Certificates = []tls.Certificate{pair}
	return c, nil
}
