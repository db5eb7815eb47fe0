package sse

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/esper-plane/esper/subsystems/telemetry"
)

// TestEndIsSaid to a client whose stream the server ends before the hub does, with
// the reason if there is one, and by a hub that is ended for a reason.
func TestEndIsSaid(t *testing.T) {
	for name, c := range map[string]struct {
		failed error
		hub    bool // ends first
		want   string
	}{
		"in order":        {nil, false, `{"detail":"the stream has ended"}`},
		"the log failed":  {errors.New("no space"), false, `{"detail":"the stream has ended: no space"}`},
		"the hub is told": {errors.New("no space"), true, `{"detail":"the stream has ended: no space"}`},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hub, err := telemetry.NewHub(telemetry.HubOptions{})
				if err != nil {
					t.Fatal(err)
				}
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				h := NewHandler(Options{Hub: hub, Failed: func() error { return c.failed }})
				w := httptest.NewRecorder()
				done := make(chan struct{})
				go func() {
					defer close(done)
					h.ServeHTTP(deadlines{w}, httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/telemetry", nil))
				}()
				synctest.Wait() // until it waits for a packet
				if c.hub {
					hub.End(c.failed)
				} else {
					stop()
				}
				<-done
				if got := w.Body.String(); !strings.HasSuffix(got, "event: end\ndata: "+c.want+"\n\n") {
					t.Errorf("it ends with\n%s", got)
				}
			})
		})
	}
}

// deadlines is a recorder that can be given a deadline.
type deadlines struct{ *httptest.ResponseRecorder }

// SetWriteDeadline is what http.ResponseController looks for.
func (deadlines) SetWriteDeadline(time.Time) error { return nil }
