package cli

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/esper-plane/esper/cmd/internal/supervise"
)

// issuer writes certificates into a directory.
type issuer struct {
	*testing.T
	dir  string
	key  crypto.Signer
	cert *x509.Certificate
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{T: t, dir: t.TempDir()}
	i.issue("ca")
	return i
}

func (i *issuer) at(name string) string { return filepath.Join(i.dir, name) }

// issue writes NAME.pem and NAME.key; the first is that of the issuer itself.
func (i *issuer) issue(name string) {
	i.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		i.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, IsCA: i.cert == nil, BasicConstraintsValid: true,
	}
	if i.cert == nil {
		i.key, i.cert = key, c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, i.cert, key.Public(), i.key)
	if err != nil {
		i.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err = errors.Join(err, os.WriteFile(i.at(name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)); err != nil {
		i.Fatal(err)
	}
	if err := os.WriteFile(i.at(name+".key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600); err != nil {
		i.Fatal(err)
	}
}

// TestFlagsOfTLS: what goes together, and what is refused.
func TestFlagsOfTLS(t *testing.T) {
	i := newIssuer(t)
	i.issue("plane")
	token := i.at("token")
	if err := os.WriteFile(token, []byte("# two\nada 0123456789abcdef0\nbob 0123456789abcdef1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	whole := tlsFlags{cert: i.at("plane.pem"), key: i.at("plane.key")}
	mutual := whole
	mutual.clientCA = i.at("ca.pem")
	for name, c := range map[string]struct {
		f    webFlags
		want string // empty: nothing is wrong
	}{
		"token and TLS":        {webFlags{listen: []string{"0.0.0.0:0"}, tokenFile: token, tls: whole}, ""},
		"certificates":         {webFlags{listen: []string{"0.0.0.0:0"}, tls: mutual}, ""},
		"token behind a proxy": {webFlags{listen: []string{"0.0.0.0:0"}, tokenFile: token, tls: tlsFlags{behindProxy: true}}, ""},
		"token in clear":       {webFlags{listen: []string{"0.0.0.0:0"}, tokenFile: token}, "can be reached from elsewhere"},
		"TLS for anybody":      {webFlags{listen: []string{"0.0.0.0:0"}, tls: whole}, "can be reached from elsewhere"},
		"a proxy for anybody":  {webFlags{listen: []string{"0.0.0.0:0"}, tls: tlsFlags{behindProxy: true}}, "can be reached from elsewhere"},
		"no key":               {webFlags{listen: []string{"127.0.0.1:0"}, tls: tlsFlags{cert: whole.cert}}, "TLS needs both"},
		"issuers alone":        {webFlags{listen: []string{"127.0.0.1:0"}, tls: tlsFlags{clientCA: mutual.clientCA}}, "TLS needs both"},
		"TLS behind a proxy":   {webFlags{listen: []string{"127.0.0.1:0"}, tls: tlsFlags{cert: whole.cert, key: whole.key, behindProxy: true}}, "speaks TLS itself"},
		"another key":          {webFlags{listen: []string{"127.0.0.1:0"}, tls: tlsFlags{cert: whole.cert, key: i.at("ca.key")}}, "cannot use the certificate"},
		"nowhere":              {webFlags{tls: whole}, "need --http"},
	} {
		_, err := supervise.Preflight(t.Context(), supervise.Check{Name: "http", Look: func(_ context.Context, r *supervise.Report) { c.f.probe(t.TempDir(), r) }})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestTrainingOverTLS: a trainer with a certificate, or a token of its own, trains over
// TLS; one with neither is refused, and the run of one is not the other's.
func TestTrainingOverTLS(t *testing.T) {
	i := newIssuer(t)
	i.issue("plane")
	i.issue("trainer")
	tokens, adas, wrong := i.at("tokens"), i.at("ada"), i.at("wrong")
	for path, text := range map[string]string{tokens: "ada 0123456789abcdef0\nbob 0123456789abcdef1\n", adas: "0123456789abcdef0\n", wrong: "0123456789abcdef2\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := serving(t, filepath.Join(i.dir, "data"), filepath.Join(i.dir, "own", "s"), "",
		"--builtin-blueprints=penguins", "--set", "tolaria.diverge_loss=2", "--http", "127.0.0.1:0", "--http-token-file", tokens,
		"--tls-cert", i.at("plane.pem"), "--tls-key", i.at("plane.key"), "--tls-client-ca", i.at("ca.pem"))
	at := regexp.MustCompile(`https://127\.0\.0\.1:\d+`).FindString(p.words())
	if at == "" {
		t.Fatalf("no address: %s", p.words())
	}
	train := func(exit int, args ...string) string {
		t.Helper()
		return esper(t, exit, append([]string{"run", "--json", "--remote", at, "--away", "stop", "--workload", "penguins", "--steps", "40", "--remote-tls-ca", i.at("ca.pem")}, args...)...)
	}
	train(exitOK, "--run", "hers", "--remote-token-file", adas)
	train(exitOK, "--run", "its", "--remote-tls-cert", i.at("trainer.pem"), "--remote-tls-key", i.at("trainer.key"))
	for name, args := range map[string][]string{
		"nobody":        {"--run", "none"},
		"a wrong token": {"--run", "none", "--remote-token-file", wrong},
	} {
		c := command(t, append([]string{"run", "--json", "--remote", at, "--away", "stop", "--remote-tls-ca", i.at("ca.pem")}, args...)...)
		if out, err := c.CombinedOutput(); err == nil || !strings.Contains(string(out), "unauthorized") {
			t.Errorf("%s: %v %.500s", name, err, out)
		}
	}
	c := command(t, "run", "--json", "--remote", at, "--away", "stop", "--run", "none", "--remote-token-file", adas)
	if out, err := c.CombinedOutput(); err == nil || !strings.Contains(string(out), "certificate") {
		t.Errorf("a trainer that trusts nobody: %v %.500s", err, out)
	}
	if out := esper(t, exitOK, "log", "cat", "--json", filepath.Join(i.dir, "data")); !strings.Contains(out, `"principal":"token:ada"`) || !strings.Contains(out, `"principal":"cert:trainer"`) {
		t.Error("the log does not say who opened the runs")
	}
	if code := p.end(t); code != exitOK {
		t.Errorf("exit %d: %s", code, p.words())
	}
}
