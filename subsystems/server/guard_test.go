package server

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

// TestToken: with a token nothing answers without it, probes and errors included.
func TestToken(t *testing.T) {
	o := options(Route{Pattern: "GET /x", Handler: says("x")})
	o.Tokens = []Token{{"ada", token}}
	s := start(t, o)
	for _, path := range []string{"/x", "/healthz", "/nowhere"} {
		for _, wrong := range []string{"", "Bearer", "Bearer " + token + "0", "Bearer " + token[1:], "Basic " + token, token} {
			a := ask(t, "GET", url(s, path), nil, func(r *http.Request) { r.Header.Set("Authorization", wrong) })
			a.wants(t, 401, "unauthorized")
			if a.header.Get("WWW-Authenticate") == "" {
				t.Error("no challenge")
			}
		}
	}
	for _, right := range []string{"Bearer " + token, "bearer " + token} {
		if a := ask(t, "GET", url(s, "/x"), nil, func(r *http.Request) { r.Header.Set("Authorization", right) }); a.status != 200 {
			t.Errorf("%s: %d %s", right, a.status, a.body)
		}
	}
}

// TestHosts: a page that rebinds its name to this machine sends that name.
func TestHosts(t *testing.T) {
	o := options(Route{Pattern: "POST /x", Handler: says("x")})
	o.Hosts = []string{"Plane.example"}
	s := start(t, o)
	_, port, err := net.SplitHostPort(s.Addresses()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	post := func(host string) answered {
		return ask(t, "POST", url(s, "/x"), nil, func(r *http.Request) { r.Host = host })
	}
	for _, good := range []string{"localhost:" + port, "LOCALHOST", "127.0.0.1:" + port, "plane.example:" + port} {
		if a := post(good); a.status != 200 {
			t.Errorf("%s: %d", good, a.status)
		}
	}
	for _, bad := range []string{"evil.test:" + port, "127.0.0.1.evil.test", "127.0.0.2:" + port, "localhost.:" + port, "[::1]:" + port, "evil.test@localhost"} {
		a := post(bad)
		if a.status == 400 { // net/http itself
			continue
		}
		a.wants(t, 421, "unknown_host")
		if !strings.Contains(a.doc.Hint, "--http-host") {
			t.Errorf("the hint is %q", a.doc.Hint)
		}
	}
}

// TestCrossOrigin: a browser says where a page comes from.
func TestCrossOrigin(t *testing.T) {
	s := start(t, options(Route{Pattern: "POST /x", Handler: says("x")}))
	ask(t, "POST", url(s, "/x"), nil, func(r *http.Request) { r.Header.Set("Origin", "http://evil.test") }).wants(t, 403, "cross_origin")
	ask(t, "POST", url(s, "/x"), nil, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }).wants(t, 403, "cross_origin")
	if a := ask(t, "POST", url(s, "/x"), nil, func(r *http.Request) { r.Header.Set("Origin", url(s, "")) }); a.status != 200 {
		t.Errorf("the page's own: %d", a.status)
	}
}

// TestBounds: header and body.
func TestBounds(t *testing.T) {
	o := options(Route{Pattern: "POST /x", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			WriteError(w, err)
		}
	})})
	o.MaxHeader, o.MaxBody = 1000, 100
	s := start(t, o)
	send := func(header, body int) answered {
		return ask(t, "POST", url(s, "/x"), strings.NewReader(strings.Repeat("b", body)), func(r *http.Request) { r.Header.Set("X-Long", strings.Repeat("h", header)) })
	}
	if a := send(700, 100); a.status != 200 {
		t.Errorf("within: %d %s", a.status, a.body)
	}
	send(1000, 0).wants(t, 431, "header_too_large")
	send(0, 101).wants(t, 413, "body_too_large")
	ask(t, "POST", url(s, "/"+strings.Repeat("x", 1000)), nil, nil).wants(t, 431, "header_too_large")
}

// TestPanics: before the first byte it is a 500, after it the connection is cut.
func TestPanics(t *testing.T) {
	var said output
	o := options(
		Route{Pattern: "GET /early", Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a secret") })},
		Route{Pattern: "GET /late", Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, strings.Repeat("x", 10_000))
			panic("late")
		})},
	)
	o.Logger = hclog.New(&hclog.LoggerOptions{Output: &said})
	s := start(t, o)
	a := ask(t, "GET", url(s, "/early"), nil, nil)
	a.wants(t, 500, "internal")
	if strings.Contains(a.body, "secret") || !strings.Contains(said.String(), "a secret") || !strings.Contains(said.String(), "TestPanics") {
		t.Errorf("it answers %s and logs %s", a.body, said.String())
	}
	resp, err := http.Get(url(s, "/late"))
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	if err == nil {
		t.Error("half an answer passes for a whole one")
	}
	if a := ask(t, "GET", url(s, "/healthz"), nil, nil); a.status != 200 {
		t.Errorf("afterwards %d", a.status)
	}
}
