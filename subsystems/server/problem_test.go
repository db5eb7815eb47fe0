package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
)

// TestEveryRefusalHasAStatus: a new kind of refusal is given one, and the table has
// no kind that does not exist.
func TestEveryRefusalHasAStatus(t *testing.T) {
	kinds := leyline.RefusalNone.Members()
	for _, k := range kinds {
		if s := refusals[k]; s < 400 || s > 599 || s == http.StatusInternalServerError {
			t.Errorf("%s has status %d", k, s)
		}
	}
	if len(refusals) != len(kinds) {
		t.Errorf("%d kinds have a status, %d exist", len(refusals), len(kinds))
	}
}

func TestProblemOf(t *testing.T) {
	_, decode := wire.DecodeRecord(1, 0, []byte{0xc1})
	for _, c := range []struct {
		err    error
		status int
		kind   string
	}{
		{&leyline.Refusal{Kind: leyline.RefusalUnknownRun}, 404, "unknown_run"},
		{&leyline.Refusal{Kind: leyline.RefusalNone}, 500, "none"},
		{fmt.Errorf("%w: %w", leyline.ErrStorage, errors.New("EIO")), 503, "storage"},
		{leyline.ErrStopping, 503, "stopping"},
		{&http.MaxBytesError{Limit: 9}, 413, "body_too_large"},
		{context.DeadlineExceeded, 503, "timeout"},
		{decode, 400, "malformed"},
		{errors.New("odd"), 500, "internal"},
	} {
		p := ProblemOf(fmt.Errorf("cannot do it: %w", c.err))
		if p.Status != c.status || p.Kind != c.kind || p.Detail == "" || p.Type != "urn:esper:problem:"+c.kind {
			t.Errorf("%v: %+v, want %d %s", c.err, p, c.status, c.kind)
		}
	}
}

// TestProblemDocument is the form that clients see.
func TestProblemDocument(t *testing.T) {
	w := httptest.NewRecorder()
	WriteError(w, &leyline.Refusal{
		Subsystem: leyline.SubsystemPlane, Kind: leyline.RefusalDiskLow, Field: "run", Identifier: "run-2", Reason: "has no room", Hint: "make room",
	})
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"type": "urn:esper:problem:disk_low", "title": "disk low", "status": 503.0, "kind": "disk_low", "field": "run", "hint": "make room",
		"detail": `plane refused (disk_low): run "run-2" has no room`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if h := w.Header(); w.Code != 503 || h.Get("Content-Type") != "application/problem+json" || h.Get("Retry-After") == "" {
		t.Errorf("%d %v", w.Code, h)
	}
}
