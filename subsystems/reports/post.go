package reports

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/telemetry/webhook"
)

// answerMost bounds how much of a receiver's answer is read, so that its connection
// can be used again; what it says does not matter.
const answerMost = 64 << 10

// Post posts each field report to one receiver, as JSON, with the id of the report in
// the header Idempotency-Key. It is safe for concurrent use.
type Post struct {
	url    string
	client *http.Client
}

// NewPost makes a sink out of the URL of a receiver, which may be a secret: no error
// repeats it.
func NewPost(url string) (*Post, error) {
	if err := webhook.CheckURL(url); err != nil {
		return nil, fmt.Errorf("cannot post field reports: %w", err)
	}
	return &Post{url: url, client: webhook.Client(nil)}, nil
}

// Deliver posts a report. Every answer but 2xx is a failure, and the plane tries
// again; redirects are not followed.
func (p *Post) Deliver(ctx context.Context, r *leyline.FieldReport, _ leyline.Instant) error {
	b, err := Encode(r)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(b))
	if err != nil {
		return webhook.HideURL(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "esper")
	req.Header.Set("Idempotency-Key", string(r.Report))
	resp, err := p.client.Do(req)
	if err != nil {
		return fmt.Errorf("cannot post field report %q: %w", r.Report, webhook.HideURL(err))
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, answerMost) // see answerMost
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("cannot post field report %q: the receiver answers %d", r.Report, resp.StatusCode)
	}
	return nil
}

// Sink takes field reports, as plane.Reports says.
type Sink interface {
	Deliver(ctx context.Context, r *leyline.FieldReport, keep leyline.Instant) error
}

// All delivers to every sink in turn. A report counts as delivered when all have it;
// one that has it already is given it again with the next attempt, under the same id.
type All []Sink

// Deliver implements Sink.
func (a All) Deliver(ctx context.Context, r *leyline.FieldReport, keep leyline.Instant) error {
	var failed error
	for _, s := range a {
		failed = errors.Join(failed, s.Deliver(ctx, r, keep))
	}
	return failed
}
