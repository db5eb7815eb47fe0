package server

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/esper-plane/esper/leyline"
)

// TLSOptions says how TCP listeners speak TLS: version 1.3, with ECDSA or Ed25519.
type TLSOptions struct {
	CertFile string // PEM: the certificate of the server, and those that lead to its issuer
	KeyFile  string // PEM: its key, in a file that only its owner can read
	// ClientCAFile is PEM of those who issue certificates to clients; empty: clients
	// show none. With tokens a client shows a certificate or sends a token, else every
	// client shows a certificate. Its name is the common name of its subject; where
	// there is none its first URI, else its first DNS name.
	ClientCAFile string
}

// Check reports why the files cannot be used now.
func (o TLSOptions) Check() error {
	_, err := newCertificates(o, false, hclog.NewNullLogger())
	return err
}

// lookEvery is how often the files of certificates are looked at, at most.
const lookEvery = time.Second

// certificates are what is in the files, read again when a file has changed. A handshake
// after lookEvery sees the change. New files that cannot be used are said in the log once,
// and those before them stay in use until they are right: so a renewal that is under way
// locks nobody out.
type certificates struct {
	files  TLSOptions
	tokens bool // a client may send a token instead
	log    hclog.Logger
	now    func() time.Time

	mu     sync.Mutex
	looked time.Time
	stamp  string
	config *tls.Config
}

// newCertificates reads the files for the first time.
func newCertificates(o TLSOptions, tokens bool, log hclog.Logger) (*certificates, error) {
	c := &certificates{files: o, tokens: tokens, log: log, now: time.Now}
	var err error
	c.stamp = c.look()
	c.looked = c.now()
	c.config, err = c.read()
	return c, err
}

// listenerConfig is what a listener needs: every handshake asks for the newest.
func (c *certificates) listenerConfig() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.current(), nil }}
}

// current returns what is in the files, or was when they could last be used.
func (c *certificates) current() *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if now.Sub(c.looked) < lookEvery {
		return c.config
	}
	c.looked = now
	stamp := c.look()
	if stamp == c.stamp {
		return c.config
	}
	c.stamp = stamp
	fresh, err := c.read()
	if err != nil {
		c.log.Error("the new certificates cannot be used; those before them stay in use", "error", err)
		return c.config
	}
	c.log.Info("the certificates were read again")
	c.config = fresh
	return fresh
}

// look returns a text that changes with the files.
func (c *certificates) look() string {
	var out strings.Builder
	for _, path := range []string{c.files.CertFile, c.files.KeyFile, c.files.ClientCAFile} {
		if path == "" {
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			fmt.Fprintf(&out, "%v;", err)
			continue
		}
		sys := info.Sys().(*syscall.Stat_t) // a file that was put in its place has another number
		fmt.Fprintf(&out, "%d %d %d %v;", sys.Ino, info.ModTime().UnixNano(), info.Size(), info.Mode())
	}
	return out.String()
}

// read makes a configuration of the files.
func (c *certificates) read() (*tls.Config, error) {
	if err := checkPrivate(c.files.KeyFile); err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(c.files.CertFile, c.files.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("cannot use the certificate %s with the key %s: %w", c.files.CertFile, c.files.KeyFile, err)
	}
	if err := checkCertificate(pair.Leaf, c.now()); err != nil {
		return nil, fmt.Errorf("the certificate %s %w", c.files.CertFile, err)
	}
	out := &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}}
	if c.files.ClientCAFile == "" {
		return out, nil
	}
	if out.ClientCAs, err = readPool(c.files.ClientCAFile); err != nil {
		return nil, err
	}
	out.ClientAuth, out.VerifyConnection = tls.RequireAndVerifyClientCert, verifyClient
	if c.tokens {
		out.ClientAuth = tls.VerifyClientCertIfGiven
	}
	return out, nil
}

// checkPrivate refuses a key that others can read.
func checkPrivate(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return fmt.Errorf("cannot read the key: %w", err)
	case !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("the key %s is %s; it must be a file that only its owner can read: chmod 600 %s", path, info.Mode(), path)
	}
	return nil
}

// checkCertificate refuses a certificate of another kind of key, or one whose time is over.
func checkCertificate(c *x509.Certificate, now time.Time) error {
	switch c.PublicKey.(type) {
	case *ecdsa.PublicKey, ed25519.PublicKey:
	default:
		return fmt.Errorf("has a key of type %s; use one with an ECDSA or Ed25519 key", c.PublicKeyAlgorithm)
	}
	if now.After(c.NotAfter) {
		return fmt.Errorf("has expired at %s; renew it", c.NotAfter.UTC().Format(time.RFC3339))
	}
	return nil
}

func readPool(path string) (*x509.CertPool, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the certificates of those who issue to clients: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("there is no certificate in %s; it must hold PEM of those who issue to clients", path)
	}
	return pool, nil
}

// verifyClient refuses a certificate that names nobody. Its chain was verified before.
func verifyClient(s tls.ConnectionState) error {
	if len(s.VerifiedChains) == 0 {
		return nil // it shows none: then it needs a token
	}
	leaf := s.VerifiedChains[0][0]
	if err := checkCertificate(leaf, time.Now()); err != nil {
		return fmt.Errorf("the certificate of the client %w", err)
	}
	_, err := certName(leaf)
	return err
}

// certName returns the name of a client's certificate.
func certName(c *x509.Certificate) (string, error) {
	name := c.Subject.CommonName
	if name == "" && len(c.URIs) > 0 {
		name = c.URIs[0].String()
	}
	if name == "" && len(c.DNSNames) > 0 {
		name = c.DNSNames[0]
	}
	if name == "" {
		return "", errors.New("the certificate of the client names nobody: give it a common name, a URI or a DNS name")
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' }) || leyline.PeerNamed(leyline.PeerTrainer, certPrincipal+name) != nil {
		return "", fmt.Errorf("the name %.80q in the certificate of the client is too long or not of printable ASCII", name)
	}
	return name, nil
}

// certPeer returns the name of a client who has shown a certificate; empty for one who
// has not.
func certPeer(s *tls.ConnectionState) string {
	if s == nil || len(s.VerifiedChains) == 0 {
		return ""
	}
	name, err := certName(s.VerifiedChains[0][0])
	if err != nil {
		return "" // the handshake refuses it; without a name nobody is let in
	}
	return name
}
