package server

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority issues certificates.
type authority struct {
	*testing.T
	dir  string
	key  crypto.Signer
	cert *x509.Certificate
	n    int64
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{T: t, dir: t.TempDir(), key: key}
	a.cert = a.sign(key.Public(), func(c *x509.Certificate) {
		c.Subject.CommonName, c.IsCA, c.BasicConstraintsValid, c.KeyUsage = "test authority", true, true, x509.KeyUsageCertSign
	})
	a.write("ca.pem", "CERTIFICATE", a.cert.Raw)
	return a
}

func (a *authority) path(name string) string { return filepath.Join(a.dir, name) }

// write puts a PEM file in place of what was there, as a renewal does.
func (a *authority) write(name, kind string, der []byte) {
	a.Helper()
	b := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	if err := os.WriteFile(a.path(name+".new"), b, 0o600); err != nil {
		a.Fatal(err)
	}
	if err := os.Rename(a.path(name+".new"), a.path(name)); err != nil {
		a.Fatal(err)
	}
}

func (a *authority) sign(key crypto.PublicKey, change func(*x509.Certificate)) *x509.Certificate {
	a.Helper()
	a.n++
	c := &x509.Certificate{
		SerialNumber: big.NewInt(a.n), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	change(c)
	parent := a.cert
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key, a.key)
	if err != nil {
		a.Fatal(err)
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		a.Fatal(err)
	}
	return out
}

// issue writes NAME.pem and NAME.key.
func (a *authority) issue(name string, key crypto.Signer, change func(*x509.Certificate)) *x509.Certificate {
	a.Helper()
	c := a.sign(key.Public(), change)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.Fatal(err)
	}
	a.write(name+".key", "PRIVATE KEY", der)
	a.write(name+".pem", "CERTIFICATE", c.Raw)
	return c
}

func (a *authority) ecdsa() crypto.Signer {
	a.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.Fatal(err)
	}
	return key
}

// named issues a client's certificate with a common name.
func (a *authority) named(name string) *tls.Config {
	a.Helper()
	return a.client(func(c *x509.Certificate) { c.Subject.CommonName = name })
}

func (a *authority) client(change func(*x509.Certificate)) *tls.Config {
	a.Helper()
	key := a.ecdsa()
	return a.shows(&tls.Certificate{Certificate: [][]byte{a.sign(key.Public(), change).Raw}, PrivateKey: key})
}

// shows is the configuration of a client that trusts the authority. A certificate is shown
// whatever the server asks for.
func (a *authority) shows(c *tls.Certificate) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	out := &tls.Config{RootCAs: pool, ServerName: "localhost"}
	if c != nil {
		out.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c, nil }
	}
	return out
}

// over asks who it is over TLS; an error is of the handshake or the connection.
func over(t *testing.T, s *Server, c *tls.Config, change func(*http.Request)) (answered, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", "https"+strings.TrimPrefix(url(s, "/who"), "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	resp, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: c, DisableKeepAlives: true}}).Do(r)
	if err != nil {
		return answered{}, err
	}
	return read(t, resp), nil
}

func (a *authority) options() *TLSOptions {
	return &TLSOptions{CertFile: a.path("server.pem"), KeyFile: a.path("server.key"), ClientCAFile: a.path("ca.pem")}
}

func plain(*x509.Certificate) {}
