package attack_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline/frame"
	"github.com/esper-plane/esper/leyline/protocol"
	"github.com/esper-plane/esper/subsystems/server"
)

// TestNoDoorIsOpen asks every route there is without a token, with a wrong one, under a
// foreign name and from a foreign page.
func TestNoDoorIsOpen(t *testing.T) {
	f := build(t, nil)
	at := f.log.Next()
	if len(f.routes) < 15 {
		t.Fatalf("only %d routes", len(f.routes))
	}
	for _, r := range f.routes {
		method, path, _ := strings.Cut(r.Pattern, " ")
		path = strings.NewReplacer("{run}", "run-1", "{key}", "k").Replace(path)
		for name, c := range map[string]struct {
			caller
			status int
			kind   string
		}{
			"no token":       {f.as(""), 401, "unauthorized"},
			"a wrong token":  {f.as(adas + "x"), 401, "unauthorized"},
			"both tokens":    {f.as(adas + " " + bobs), 401, "unauthorized"},
			"another scheme": {f.as("").with("Authorization", "Basic "+adas), 401, "unauthorized"},
			"a rebound name": {f.as(adas).with("Host", "evil.test"), 421, "unknown_host"},
			"at the socket":  {f.atSocket().with("Authorization", "Bearer wrong-wrong-wrong"), 401, "unauthorized"},
		} {
			if a := c.send(method, path, "{}"); a.status != c.status || a.Kind != c.kind {
				t.Errorf("%s with %s: %d %s", r.Pattern, name, a.status, a.body)
			}
		}
		if method == "GET" {
			continue
		}
		for name, value := range map[string]string{"Origin": "http://evil.test", "Sec-Fetch-Site": "cross-site"} {
			if a := f.as(adas).with(name, value).send(method, path, "{}"); a.status != 403 || a.Kind != "cross_origin" {
				t.Errorf("%s with %s %s: %d %s", r.Pattern, name, value, a.status, a.body)
			}
		}
	}
	f.stands(at)
}

// TestNobodySpeaksForATrainer at a TCP address that demands nothing: anybody on the
// machine could.
func TestNobodySpeaksForATrainer(t *testing.T) {
	f := build(t, nil)
	at := f.log.Next()
	c := f.as("")
	c.at = f.bare.Addresses()[0]
	for path, body := range map[string]string{
		"/v1/runs": openText(f, "run-2"), steps: f.stepText(1, nil), "/v1/runs/run-1/close": "{}", "/v1/runs/run-1/teacher": "{}",
	} {
		if a := c.send("POST", path, body); a.status != 403 || a.Kind != "not_authorized" {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	f.stands(at)
}

// TestNeighbours: bob, and the user of the socket, can neither report for ada's run, nor
// listen to it, resume it, open it anew or give it a teacher.
func TestNeighbours(t *testing.T) {
	f := build(t, nil)
	at := f.log.Next()
	for who, c := range map[string]caller{"bob": f.as(bobs), "the socket": f.atSocket()} {
		for _, route := range []string{"steps", "epochs", "snapshots", "probes", "acks", "rollbacks", "fallbacks", "profiles", "close", "teacher"} {
			if a := c.send("POST", "/v1/runs/run-1/"+route, "{}"); a.status != 403 || a.Kind != "not_authorized" {
				t.Errorf("%s: %s: %d %s", who, route, a.status, a.body)
			}
		}
		if a := c.send("GET", "/v1/runs/run-1/directives", ""); a.status != 403 {
			t.Errorf("%s listens: %d %s", who, a.status, a.body)
		}
		if a := c.send("DELETE", "/v1/runs/run-1/teacher?id=t", ""); a.status != 403 {
			t.Errorf("%s takes the teacher: %d %s", who, a.status, a.body)
		}
		resume := strings.Replace(openText(f, "run-1"), `"protocol":1`, `"protocol":1,"resume":true`, 1)
		if a := c.send("POST", "/v1/runs", resume); a.status != 403 {
			t.Errorf("%s resumes: %d %s", who, a.status, a.body)
		}
	}
	conn, err := net.Dial("unix", f.socket+".fast")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := frame.Open(conn, frame.Hello{Protocol: 1, Run: "run-1", Media: protocol.MediaJSON}); err == nil || !strings.Contains(err.Error(), "not_authorized") {
		t.Errorf("the lane: %v", err)
	}
	f.stands(at)
	if a := f.as(bobs).send("POST", "/v1/runs", openText(f, "run-1")); a.status != 409 {
		t.Errorf("bob opens it anew: %d %s", a.status, a.body)
	}
	if a := f.as(bobs).send("POST", steps, f.stepText(2, nil)); a.status != 403 {
		t.Errorf("then bob's step: %d %s", a.status, a.body)
	}
	f.stands(f.log.Next())
}

// TestOldSteps: what was said before is answered as it was; another body, another life or
// another step is a conflict.
func TestOldSteps(t *testing.T) {
	f := build(t, nil)
	f.stands(f.log.Next())
	first := f.as(adas).send("POST", steps, f.stepText(1, nil))
	at := f.log.Next()
	for name, c := range map[string]struct{ body, kind string }{
		"another body":  {strings.Replace(f.stepText(1, nil), `"losses":[1,2]`, `"losses":[1,3]`, 1), "step_conflict"},
		"a new life":    {strings.Replace(f.stepText(2, nil), `"incarnation":1`, `"incarnation":2`, 1), "incarnation_mismatch"},
		"a step beyond": {f.stepText(7, nil), "step_out_of_order"},
	} {
		if a := f.as(adas).send("POST", steps, c.body); a.status != 409 || a.Kind != c.kind {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	weights := func(a said) string {
		_, rest, _ := strings.Cut(a.body, `"seq"`)
		w, _, _ := strings.Cut(rest, `"seeds"`)
		return w
	}
	if again := f.as(adas).send("POST", steps, f.stepText(1, nil)); weights(again) != weights(first) || again.status != 200 {
		t.Errorf("the same again: %d %s, first %s", again.status, again.body, first.body)
	}
	f.step = 1
	f.stands(max(at, f.log.Next()))
}

// TestSmuggling: where two readers could see the end of a request at different bytes, it
// is refused and the connection closed; what is behind it is no second request.
func TestSmuggling(t *testing.T) {
	f := build(t, nil)
	at := f.log.Next()
	behind := request(fmt.Sprintf("Content-Length: %d\r\n", len(f.stepText(1, nil))), f.stepText(1, nil))
	for name, text := range map[string]string{
		"both lengths":     request(fmt.Sprintf("Content-Length: %d\r\nTransfer-Encoding: chunked\r\n", len(behind)+5), "0\r\n\r\n"+behind),
		"chunks":           request("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"+behind),
		"spelled oddly":    request("Transfer-Encoding: xchunked\r\nContent-Length: 2\r\n", "{}"+behind),
		"chunks twice":     request("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"+behind),
		"a space":          request("Transfer-Encoding : chunked\r\nContent-Length: 2\r\n", "{}"+behind),
		"two lengths":      request("Content-Length: 2\r\nContent-Length: 30\r\n", "{}"+behind),
		"a signed length":  request("Content-Length: +2\r\n", "{}"+behind),
		"a negative one":   request("Content-Length: -2\r\n", "{}"+behind),
		"a folded line":    request("X: a\r\n Content-Length: 2\r\nContent-Length: x\r\n", "{}"+behind),
		"a bare return":    request("X: a\rContent-Length: 2\r\n", "{}"+behind),
		"a zero byte":      request("X: a\x00b\r\nContent-Length: 2\r\n", "{}"+behind),
		"version 2 on top": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + behind,
	} {
		got := f.raw(text)
		if n := strings.Count(got, "HTTP/1.1 "); n != 1 || strings.Contains(got, "HTTP/1.1 2") {
			t.Errorf("%s: %d answers: %.300s", name, n, got)
		}
	}
	f.stands(at)
}

// TestPacked: a body that would have to be unpacked is refused before it is.
func TestPacked(t *testing.T) {
	f := build(t, nil)
	at := f.log.Next()
	for _, how := range []string{"gzip", "deflate", "br", "zstd", "GZIP", "identity, gzip"} {
		if a := f.as(adas).with("Content-Encoding", how).send("POST", steps, "\x1f\x8b\x08bomb"); a.status != 415 || a.Field != "Content-Encoding" {
			t.Errorf("%s: %d %s", how, a.status, a.body)
		}
	}
	f.stands(at)
}

// TestSlowness: whoever sends a header or a body byte by byte is cut in time, also one
// that has proved who it is.
func TestSlowness(t *testing.T) {
	f := build(t, func(o *server.Options) { o.HeaderTimeout, o.ReadTimeout = 100*time.Millisecond, 200*time.Millisecond })
	at := f.log.Next()
	for name, c := range map[string]struct{ first, drip string }{
		"header":  {"POST /v1/runs HTTP/1.1\r\nHost: localhost\r\nX: ", "x"},
		"endless": {"POST /v1/runs HTTP/1.1\r\nHost: localhost\r\n", "X: x\r\n"},
		"body":    {request("Content-Length: 100000\r\n", ""), " "},
		"silence": {"", ""},
	} {
		conn, err := net.Dial("tcp", f.tcp())
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan string, 1)
		go func() {
			conn.SetReadDeadline(time.Now().Add(20 * time.Second))
			b, err := io.ReadAll(conn)
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				b = []byte("it is held")
			}
			ended <- string(b)
		}()
		io.WriteString(conn, c.first)
		for held := true; held; {
			select {
			case got := <-ended:
				if strings.Contains(got, "it is held") || strings.Contains(got, "HTTP/1.1 2") {
					t.Errorf("%s: %s", name, got)
				}
				held = false
			case <-time.After(5 * time.Millisecond):
				io.WriteString(conn, c.drip) // one that is closed shows above
			}
		}
		conn.Close()
	}
	f.stands(at)
}

// TestACrowd: one peer that holds all it can get, silent, slow and polling, keeps neither
// its neighbour nor the probes from being answered.
func TestACrowd(t *testing.T) {
	f := build(t, func(o *server.Options) { o.MaxConnections, o.ReadTimeout = 16, time.Hour })
	at := f.log.Next()
	for i := range 60 {
		conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 66)}}).DialContext(t.Context(), "tcp", f.tcp())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		poll := fmt.Sprintf("GET /v1/runs/run-1/directives HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n", adas)
		io.WriteString(conn, []string{"", "POST / HTTP/1.1\r\n", request("Content-Length: 100000\r\n", "{"), poll}[i%4]) // whoever gets no place shows nothing
	}
	for range 3 {
		f.stands(at)
		at = f.log.Next()
	}
	if a := f.atSocket().send("GET", "/readyz", ""); a.status != http.StatusOK {
		t.Errorf("the socket: %d %s", a.status, a.body)
	}
}
