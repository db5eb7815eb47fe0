package reports

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
)

func TestPostedReport(t *testing.T) {
	status, keys := 503, []string(nil)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var doc Document
		if err := json.NewDecoder(r.Body).Decode(&doc); err != nil || doc.Report != r.Header.Get("Idempotency-Key") || r.Method != http.MethodPost {
			t.Errorf("%s %q: %v", r.Method, doc.Report, err)
		}
		keys = append(keys, doc.Report)
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
	}))
	defer s.Close()
	p, err := NewPost(s.URL + "/secret")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		status int
		want   string // empty: delivered
	}{{503, "answers 503"}, {404, "answers 404"}, {302, "answers 302"}, {204, ""}} {
		status = c.status
		err := p.Deliver(t.Context(), example("fr-1", start), 0)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d: %v", c.status, err)
		}
	}
	if len(keys) != 4 {
		t.Errorf("posted %q", keys)
	}
	s.Close()
	if err := p.Deliver(t.Context(), example("fr-2", start), 0); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("nobody listens: %v", err)
	}
	for _, url := range []string{"", "file:///secret", "http://"} {
		if _, err := NewPost(url); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", url, err)
		}
	}
}

// TestAllSinksMustHaveTheReport: one that fails leaves none out.
func TestAllSinksMustHaveTheReport(t *testing.T) {
	dir := t.TempDir()
	d, _ := open(t, dir)
	dead, err := NewPost("http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := (All{dead, d}).Deliver(t.Context(), example("fr-1", start), 0); err == nil {
		t.Error("a report that one sink refused is delivered")
	}
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("the directory holds %q", got)
	}
	if err := (All{d}).Deliver(t.Context(), example("fr-1", start), leyline.Instant(0)); err != nil {
		t.Error(err)
	}
}
