package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	l "github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/telemetry"
)

// TestCriticalGoesFirst: of what waits, the oldest CRITICAL alert.
func TestCriticalGoesFirst(t *testing.T) {
	var r receiver
	s, _ := newSender(t, &r, Options{})
	s.Offer(at(2, "r1", l.TrainerStalled{Run: "r1"}))
	s.Offer(at(3, "r2", l.TrainerStalled{Run: "r2"}))
	s.Offer(at(4, "r1", l.RunHalted{Run: "r1"}))
	s.Offer(at(5, "", l.DiskLow{}))
	s.Drain(t.Context())
	wantAlerts(t, &r, "firing: firing tolaria.emergency.halt@4-304", "firing: firing plane.disk_low@5",
		"firing: firing tolaria.trainer.stalled@2", "firing: firing tolaria.trainer.stalled@3")
}

// TestCriticalDoesNotWaitForARetry: it is tried in the pause between two attempts
// at a WARNING, which goes on behind it where it was, also when it fails too.
func TestCriticalDoesNotWaitForARetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var tried []string // when, and what answer
		down := 10         // requests that fail
		var r receiver
		r.answer = func(n int) (int, string) {
			status := map[bool]int{true: 503, false: 200}[n <= down]
			tried = append(tried, fmt.Sprintf("%v %d", time.Since(begin), status))
			return status, ""
		}
		s, _ := newSender(t, &r, Options{Attempts: 5})
		done := make(chan struct{})
		go func() { s.Run(t.Context()); close(done) }()
		s.Offer(at(2, "r1", l.TrainerStalled{Run: "r1"})) // tried after 0, 1, 3 and 7 s
		time.Sleep(8 * time.Second)
		s.Offer(at(3, "r1", l.RunHalted{Run: "r1"})) // tried after 8, 9, 11 and 15 s, and given up after 23 s
		time.Sleep(time.Second / 2)
		if st := s.Stats(); st.Waiting != 1 || st.Retries != 3 {
			t.Errorf("while the CRITICAL alert is tried: %+v", st)
		}
		s.Offer(at(4, "r1", l.TrainerReturned{Run: "r1"})) // must not go before what it resolves
		time.Sleep(time.Minute)
		s.Finish()
		<-done
		want := "0s 503, 1s 503, 3s 503, 7s 503, 8s 503, 9s 503, 11s 503, 15s 503, 23s 503, 23s 503, 23s 200"
		if got := strings.Join(tried, ", "); got != want {
			t.Errorf("tried at\n%s, want\n%s", got, want)
		}
		// Both were given up after five attempts; what resolves the WARNING is told.
		wantAlerts(t, &r, "resolved: resolved tolaria.trainer.stalled@2-4")
		if st := s.Stats(); st.Failed != 2 || st.Dropped != 2 || st.Waiting != 0 || st.Retries != 8 {
			t.Errorf("%+v", st)
		}
	})
}

// TestParkedIsNotLost: a notification that a CRITICAL one goes before is counted
// when Run ends, and sent by the next Drain.
func TestParkedIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := true
		r := receiver{answer: func(int) (int, string) { return map[bool]int{true: 503, false: 200}[down], "" }}
		s, _ := newSender(t, &r, Options{Queue: 2})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { s.Run(ctx); close(done) }()
		s.Offer(at(2, "r1", l.TrainerStalled{Run: "r1"}))
		synctest.Wait()
		s.Offer(at(3, "r1", l.RunHalted{Run: "r1"}))
		synctest.Wait()
		cancel()
		<-done
		if st := s.Stats(); st.Waiting != 2 || st.Dropped != 0 {
			t.Errorf("%+v", st)
		}
		down = false
		s.Drain(t.Context())
		wantAlerts(t, &r, "firing: firing tolaria.emergency.halt@3-303", "firing: firing tolaria.trainer.stalled@2")
	})
}

// TestNoProxy: the default transport asks no environment where to go.
func TestNoProxy(t *testing.T) {
	s, err := New(Options{URL: "https://hooks.test", Notice: t.Errorf})
	if err != nil {
		t.Fatal(err)
	}
	transport, ok := s.client.Transport.(*http.Transport)
	if !ok || transport.Proxy != nil {
		t.Errorf("the transport is %T and may go through a proxy", s.client.Transport)
	}
}

// TestTell: an alert of which there is no record has no end and no link.
func TestTell(t *testing.T) {
	var r receiver
	s, _ := newSender(t, &r, Options{ExternalURL: "http://plane:8080"})
	s.Tell(5e9, l.TelemetryEvent{Name: l.NameStorageFailed, Level: l.LevelCritical, Attrs: []l.Attr{{Key: "reason", Value: "no space"}}})
	s.Drain(t.Context())
	if len(r.got) != 1 {
		t.Fatalf("%d notifications", len(r.got))
	}
	a := r.got[0].Alerts[0]
	if a.Annotations["reason"] != "no space" || a.Annotations["record"] != "" || a.GeneratorURL != "" || a.Labels["subsystem"] != "plane" {
		t.Errorf("%+v", a)
	}
	wantAlerts(t, &r, "firing: firing plane.storage_failed@5")
	s, _ = newSender(t, &r, Options{Minimum: l.PriorityCritical})
	s.Tell(5e9, l.TelemetryEvent{Name: l.NameStorageFailed, Level: l.LevelWarning})
	if n := s.Stats().Waiting; n != 0 {
		t.Errorf("%d alerts below the minimum wait", n)
	}
}

// TestSample holds the body in the package comment to what is posted.
func TestSample(t *testing.T) {
	var r receiver
	s, _ := newSender(t, &r, Options{})
	s.Offer(telemetry.Packets(l.Record{Seq: 1042, At: l.Instant(time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC).UnixNano()), Run: "run-1", Events: []l.Event{
		l.TrainingAssessed{Run: "run-1", Step: 120, Loss: math.NaN(), Health: l.HealthNonFinite},
	}}))
	s.Drain(t.Context())
	body, err := json.MarshalIndent(r.got[0], "//\t", "  ")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(source), "//\t"+string(body)+"\n") {
		t.Errorf("doc.go does not hold\n//\t%s", body)
	}
}
