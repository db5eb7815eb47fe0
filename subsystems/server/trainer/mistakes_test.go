package trainer_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline/protocol"
	"github.com/esper-plane/esper/subsystems/server/trainer"
)

// TestMistakes makes every mistake that a request can have.
func TestMistakes(t *testing.T) {
	d := start(t)
	must[protocol.OpenAnswer](d, d.post("/v1/runs", openBody()))
	step, _ := protocol.AppendRequest(nil, protocol.MediaJSON, stepBody(1))
	for _, c := range []struct {
		name, method, path, media, body string
		status                          int
		kind, field                     string
	}{
		{"no type", "POST", steps, "", string(step), 415, "unsupported_media_type", "Content-Type"},
		{"a form", "POST", steps, "application/x-www-form-urlencoded", "a=b", 415, "unsupported_media_type", "Content-Type"},
		{"an unknown member", "POST", steps, protocol.MediaJSON, `{"setp":1}`, 400, "unknown_field", "setp"},
		{"an unknown member within", "POST", steps, protocol.MediaJSON, `{"seeds":[{"sede":"s"}]}`, 400, "unknown_field", "seeds[0].sede"},
		{"the plane's own member", "POST", steps, protocol.MediaJSON, `{"solution":{}}`, 400, "unknown_field", "solution"},
		{"the principal", "POST", "/v1/runs", protocol.MediaJSON, `{"principal":"process"}`, 400, "unknown_field", "principal"},
		{"a member twice", "POST", steps, protocol.MediaJSON, `{"step":1,"step":2}`, 400, "duplicate_field", "step"},
		{"no JSON", "POST", steps, protocol.MediaJSON, `{`, 400, "malformed", ""},
		{"nothing", "POST", steps, protocol.MediaJSON, ``, 400, "malformed", ""},
		{"no msgpack", "POST", steps, protocol.MediaMsgpack, "\xc1", 400, "invalid_field", ""},
		{"too large", "POST", steps, protocol.MediaJSON, `{"run":"` + strings.Repeat("a", 1<<20) + `"}`, 413, "body_too_large", ""},
		{"no step", "POST", steps, protocol.MediaJSON, `{"steps":[]}`, 400, "missing_field", "steps"},
		{"an empty object", "POST", steps, protocol.MediaMsgpack, "\x80", 400, "missing_field", "steps"},
		{"another run", "POST", steps, protocol.MediaJSON, `{"run":"run-2"}`, 400, "invalid_field", "run"},
		{"an unknown run", "POST", "/v1/runs/run-9/steps", protocol.MediaJSON, string(step), 404, "unknown_run", "run"},
		{"no run name", "POST", "/v1/runs/..%2f..%2fetc/steps", protocol.MediaJSON, string(step), 400, "invalid_field", "run"},
		{"a missing member", "POST", steps, protocol.MediaJSON, `{"step":1}`, 400, "missing_field", "incarnation"},
		{"no protocol", "POST", "/v1/runs", protocol.MediaJSON, `{"run":"r"}`, 400, "protocol_version", "protocol"},
		{"another protocol", "POST", "/v1/runs", protocol.MediaJSON, `{"protocol":2,"run":"r"}`, 400, "protocol_version", "protocol"},
		{"no away", "POST", "/v1/runs", protocol.MediaJSON, strings.Replace(openText(t), `,"away":"stop"`, "", 1), 400, "missing_field", "away"},
		{"no such run to look at", "GET", "/v1/runs/run-9", "", "", 404, "unknown_run", "run"},
		{"no such run to wait for", "GET", "/v1/runs/run-9/directives", "", "", 404, "unknown_run", "run"},
		{"a bad cursor", "GET", "/v1/runs/run-1/directives?after=x", "", "", 400, "invalid_field", "after"},
		{"a method", "PUT", steps, protocol.MediaJSON, "{}", 405, "method_not_allowed", ""},
	} {
		a := d.send(c.method, c.path, c.media, []byte(c.body))
		if a.status != c.status || a.Kind != c.kind || a.Field != c.field || a.Detail == "" {
			t.Errorf("%s: %d %s", c.name, a.status, a.body)
		}
	}
	if a := d.post(steps, stepBody(1)); a.status != http.StatusOK {
		t.Errorf("after all of them: %d %s", a.status, a.body)
	}
	d.accept = "text/html"
	if a := d.post(steps, stepBody(2)); a.status != http.StatusNotAcceptable || a.Field != "Accept" {
		t.Errorf("another form: %d %s", a.status, a.body)
	}
	d.accept = "text/html, application/msgpack;q=0.5, */*;q=0.1"
	if a := d.post(steps, stepBody(2)); a.status != http.StatusOK || a.media != protocol.MediaMsgpack {
		t.Errorf("weighted forms: %d %s", a.status, a.media)
	}
	if a := d.post(steps, stepBody(9)); a.status != http.StatusConflict || a.media != trainer.ProblemMsgpack {
		t.Errorf("a problem in another form: %d %s", a.status, a.media)
	}
}

func openText(t *testing.T) string {
	t.Helper()
	b := openBody()
	b.Run = "run-2"
	text, err := protocol.AppendRequest(nil, protocol.MediaJSON, b)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestEncodedBody refuses a body that would have to be unpacked.
func TestEncodedBody(t *testing.T) {
	d := start(t)
	r, err := http.NewRequestWithContext(t.Context(), "POST", "http://esper/v1/runs", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", protocol.MediaJSON)
	r.Header.Set("Content-Encoding", "gzip")
	resp, err := d.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("got %d", resp.StatusCode)
	}
}
