package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
)

// TestOutlets follows a run over every outlet: a scrape, a stream from the first
// record on, and alerts for a rollback that begin and end.
func TestOutlets(t *testing.T) {
	var mu sync.Mutex
	alerts := map[string][]string{} // statuses by alert
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var doc struct {
			Version string
			Alerts  []struct {
				Status string
				Labels map[string]string
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&doc); err != nil || doc.Version != "4" {
			t.Errorf("notified with version %q, %v", doc.Version, err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, a := range doc.Alerts {
			name := a.Labels["alertname"]
			alerts[name] = append(alerts[name], a.Status)
		}
	}))
	defer receiver.Close()
	secret := filepath.Join(t.TempDir(), "webhook")
	if err := os.WriteFile(secret, []byte(receiver.URL+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir, socket := filepath.Join(t.TempDir(), "data"), filepath.Join(shortDir(t), "s")
	training(t, dir, socket, func() {
		_, body, err := get(socket, "/metrics")
		for _, want := range []string{
			`esper_tolaria_training_loss{run="run-1"} `, `esper_tolaria_train_compile_enabled{run="run-1"} 0`, `esper_tolaria_hook_latency_seconds{run="run-1"} `,
			"# TYPE esper_plane_telemetry_records_total counter", `esper_plane_worker_ended_total{state="done"} `,
			`esper_tolaria_training_step{run="run-1"} `, `esper_tolaria_run_incarnation{run="run-1"} `,
			`esper_plane_build{version="` + Version + `"} 1`, "\nesper_plane_disk_free_bytes ",
		} {
			if !strings.Contains(body, want) {
				t.Errorf("%s is missing in the scrape (%v)", want, err)
			}
		}
		var seen []string
		next := []leyline.EventName{leyline.NameRunStarted, leyline.NameRollbackStarted, leyline.NameRollbackRestored}
		follow(t, socket, "/v1/telemetry?after=0&priority=NORMAL", func(event, data string) bool {
			if strings.Contains(data, string(next[len(seen)])) {
				seen = append(seen, event)
			}
			return len(seen) < len(next)
		})
		if got := strings.Join(seen, " "); got != "NORMAL CRITICAL HIGH" {
			t.Errorf("start, rollback and its end came as %s", got)
		}
	}, "--fault", "nan@120", "--set", "telemetry.webhook_file="+secret)
	mu.Lock()
	defer mu.Unlock()
	if got := strings.Join(alerts[string(leyline.NameRollbackStarted)], " "); got != "firing resolved" {
		t.Errorf("the rollback was told as %q; all alerts: %v", got, alerts)
	}
}

// follow reads a stream until take has seen enough.
func follow(t *testing.T, socket, path string, take func(event, data string) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(resp.Body)
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	event := ""
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			event = name
		}
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && !take(event, data) {
			return
		}
	}
	t.Errorf("the stream ended: %v", lines.Err())
}

// TestOutletsTellOfAFailedLog: when nothing can be recorded any more no record says
// so, but whoever follows the run is told, and the webhook.
func TestOutletsTellOfAFailedLog(t *testing.T) {
	alerts := make(chan string, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		alerts <- string(b)
	}))
	defer receiver.Close()
	secret := filepath.Join(t.TempDir(), "webhook")
	if err := os.WriteFile(secret, []byte(receiver.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(shortDir(t), "s")
	c := command(t, "run", "--steps", "3000", "--data", filepath.Join(t.TempDir(), "data"), "--http", "unix:"+socket, "--set", "telemetry.webhook_file="+secret)
	c.Env = append(os.Environ(), envLimit+"=1000000")
	errs, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	last := ""
	for in, followed := bufio.NewScanner(errs), false; in.Scan(); {
		if !followed && strings.Contains(in.Text(), "/3000 ") {
			followed = true
			follow(t, socket, "/v1/telemetry", func(event, data string) bool {
				last = event + " " + data
				return event != "end"
			})
		}
	}
	if code := exitOf(c.Wait()); code != exitStorage {
		t.Fatalf("exit %d", code)
	}
	if !strings.HasPrefix(last, `end {"detail":"the stream has ended: storage failed: the log is poisoned`) {
		t.Errorf("the stream ends with %s", last)
	}
	close(alerts)
	told := 0
	for body := range alerts {
		if strings.Contains(body, `"alertname":"`+string(leyline.NameStorageFailed)) && strings.Contains(body, "the log is poisoned") {
			told++
		}
	}
	if told != 1 {
		t.Errorf("the webhook was told %d times", told)
	}
}
