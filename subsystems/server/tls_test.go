package server

import (
	"errors"
	"io"
	"net"

	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	neturl "net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// TestTLS: who has the token or a certificate of the authority is named; nobody else comes
// in; nothing below version 1.3 is spoken, and no plain HTTP.
func TestTLS(t *testing.T) {
	a := newAuthority(t)
	a.issue("server", a.ecdsa(), plain)
	o := options(who)
	o.TLS, o.Tokens = a.options(), []Token{{"ada", token}}
	s := start(t, o)
	stranger := newAuthority(t)
	stranger.cert, stranger.dir = stranger.sign(stranger.key.Public(), func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }), a.dir
	forged := stranger.named("bob")
	forged.RootCAs = a.shows(nil).RootCAs
	old := a.named("bob")
	old.MaxVersion = tls.VersionTLS12
	spiffe, err := neturl.Parse("spiffe://site/trainer-7")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		config *tls.Config
		change func(*http.Request)
		want   string // empty: the handshake fails
	}{
		"token":            {a.shows(nil), bearer(token), "trainer token:ada"},
		"nothing":          {a.shows(nil), nil, "401"},
		"wrong token":      {a.shows(nil), bearer(token + "x"), "401"},
		"certificate":      {a.named("bob"), nil, "trainer cert:bob"},
		"both":             {a.named("bob"), bearer(token), "trainer cert:bob"},
		"with wrong token": {a.named("bob"), bearer(token + "x"), "401"},
		"URI":              {a.client(func(c *x509.Certificate) { c.URIs, c.DNSNames = []*neturl.URL{spiffe}, nil }), nil, "trainer cert:spiffe://site/trainer-7"},
		"DNS":              {a.client(func(c *x509.Certificate) { c.DNSNames = []string{"gpu7.site"} }), nil, "trainer cert:gpu7.site"},
		"nameless":         {a.client(func(c *x509.Certificate) { c.DNSNames = nil }), nil, ""},
		"odd name":         {a.named("bob\nroot"), nil, ""},
		"expired":          {a.client(func(c *x509.Certificate) { c.Subject.CommonName, c.NotAfter = "bob", time.Now().Add(-time.Minute) }), nil, ""},
		"of a server": {a.client(func(c *x509.Certificate) {
			c.Subject.CommonName, c.ExtKeyUsage = "bob", []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}), nil, ""},
		"of another":  {forged, nil, ""},
		"version 1.2": {old, nil, ""},
	} {
		got, err := over(t, s, c.config, c.change)
		switch {
		case c.want == "":
			if err == nil {
				t.Errorf("%s: %d %s", name, got.status, got.body)
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want == "401":
			got.wants(t, 401, "unauthorized")
		case got.body != c.want:
			t.Errorf("%s: %d %q, want %q", name, got.status, got.body, c.want)
		}
	}
	if resp, err := http.Get(url(s, "/who")); err == nil {
		resp.Body.Close()
		if resp.StatusCode != 400 {
			t.Errorf("plain HTTP: %d", resp.StatusCode)
		}
	}
}

// TestSilentHandshakes: whoever connects and shakes no hands is closed as one that sends
// no header.
func TestSilentHandshakes(t *testing.T) {
	a := newAuthority(t)
	a.issue("server", a.ecdsa(), plain)
	o := options(who)
	o.TLS, o.HeaderTimeout = a.options(), 50*time.Millisecond
	s := start(t, o)
	for _, sent := range []string{"", "\x16\x03\x01\x02\x00", "\x16\x03\x01\xff\xff\x01"} {
		c, err := net.Dial("tcp", s.Addresses()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, sent) // one that is closed shows below
		c.SetReadDeadline(time.Now().Add(20 * time.Second))
		if b, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after %q it is held, with %q", sent, b)
		}
	}
}

// TestMutualTLS: where there are no tokens every client shows a certificate.
func TestMutualTLS(t *testing.T) {
	a := newAuthority(t)
	a.issue("server", a.ecdsa(), plain)
	o := options(who)
	o.TLS = a.options()
	s := start(t, o)
	if got, err := over(t, s, a.named("bob"), nil); err != nil || got.body != "trainer cert:bob" {
		t.Errorf("%q, %v", got.body, err)
	}
	if got, err := over(t, s, a.shows(nil), bearer(token)); err == nil {
		t.Errorf("without a certificate: %d %s", got.status, got.body)
	}
}

// TestGuarded: what may listen beyond loopback.
func TestGuarded(t *testing.T) {
	secret := []Token{{"ada", token}}
	for _, c := range []struct {
		o    Options
		want bool
	}{
		{Options{}, false},
		{Options{Tokens: secret}, false},
		{Options{Tokens: secret, BehindProxy: true}, true},
		{Options{BehindProxy: true}, false},
		{Options{TLS: &TLSOptions{}}, false},
		{Options{TLS: &TLSOptions{}, BehindProxy: true}, false},
		{Options{TLS: &TLSOptions{}, Tokens: secret}, true},
		{Options{TLS: &TLSOptions{ClientCAFile: "x"}}, true},
	} {
		if got := c.o.Guarded(); got != c.want {
			t.Errorf("%+v: %t", c.o, got)
		}
		if err := Probe(c.o.Guarded(), "0.0.0.0:0")[0]; (err == nil) != c.want {
			t.Errorf("%+v: %v", c.o, err)
		}
	}
}

// TestCertificateFiles: what cannot be used is refused with what to do.
func TestCertificateFiles(t *testing.T) {
	a := newAuthority(t)
	a.issue("server", a.ecdsa(), plain)
	a.issue("other", a.ecdsa(), plain)
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	a.issue("rsa", weak, plain)
	a.issue("old", a.ecdsa(), func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	if err := os.Chmod(a.path("other.key"), 0o640); err != nil {
		t.Fatal(err)
	}
	good := *a.options()
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for want, o := range map[string]TLSOptions{
		"chmod 600":                {CertFile: a.path("other.pem"), KeyFile: a.path("other.key")},
		"cannot read the key":      {CertFile: a.path("server.pem"), KeyFile: a.path("none.key")},
		"cannot use the":           {CertFile: a.path("other.pem"), KeyFile: a.path("server.key")},
		"use one with an ECDSA":    {CertFile: a.path("rsa.pem"), KeyFile: a.path("rsa.key")},
		"has expired":              {CertFile: a.path("old.pem"), KeyFile: a.path("old.key")},
		"there is no certificate":  {CertFile: a.path("server.pem"), KeyFile: a.path("server.key"), ClientCAFile: a.path("server.key")},
		"cannot read the certific": {CertFile: a.path("server.pem"), KeyFile: a.path("server.key"), ClientCAFile: a.path("none.pem")},
	} {
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestRenewal: new files are used without a restart; those that cannot be used are said
// once, and the old ones stay until they are right.
func TestRenewal(t *testing.T) {
	a := newAuthority(t)
	first := a.issue("server", a.ecdsa(), plain)
	var said output
	c, err := newCertificates(*a.options(), false, hclog.New(&hclog.LoggerOptions{Output: &said}))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	c.now = func() time.Time { return now }
	serial := func() int64 {
		now = now.Add(lookEvery)
		return c.current().Certificates[0].Leaf.SerialNumber.Int64()
	}
	if got := serial(); got != first.SerialNumber.Int64() {
		t.Errorf("at first %d", got)
	}
	a.write("server.pem", "CERTIFICATE", a.sign(a.ecdsa().Public(), plain).Raw) // the key is not there yet
	for range 3 {
		if got := serial(); got != first.SerialNumber.Int64() {
			t.Errorf("half renewed: %d", got)
		}
	}
	if n := strings.Count(said.String(), "the new certificates cannot be used"); n != 1 {
		t.Errorf("it is said %d times: %s", n, said.String())
	}
	second := a.issue("server", a.ecdsa(), plain)
	if got := serial(); got != second.SerialNumber.Int64() {
		t.Errorf("renewed: %d, want %d", got, second.SerialNumber.Int64())
	}
	third := a.issue("server", a.ecdsa(), plain)
	if got := c.current().Certificates[0].Leaf.SerialNumber.Int64(); got != second.SerialNumber.Int64() {
		t.Errorf("within a moment the files are looked at again: %d, not %d", got, third.SerialNumber.Int64())
	}
}
