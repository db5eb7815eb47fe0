package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	l "github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/telemetry"
)

// receiver is a webhook in memory.
type receiver struct {
	mu     sync.Mutex
	got    []payload
	answer func(n int) (status int, header string) // of the n-th request; nil: 200
	n      int
}

// RoundTrip implements http.RoundTripper.
func (r *receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
	status, header := 200, ""
	if r.answer != nil {
		status, header = r.answer(r.n)
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	if status == 0 {
		return nil, errors.New("the certificate is for \x1b[2J")
	}
	if status == 200 {
		var p payload
		if err := json.Unmarshal(body, &p); err != nil {
			return nil, err
		}
		r.got = append(r.got, p)
	}
	return &http.Response{
		StatusCode: status, Status: fmt.Sprint(status, "\x1b[2J"), Body: http.NoBody, Request: req, Header: http.Header{"Retry-After": {header}},
	}, nil
}

// told keeps notices.
type told []string

func (n *told) notice(format string, args ...any) { *n = append(*n, fmt.Sprintf(format, args...)) }

func newSender(t *testing.T, r http.RoundTripper, o Options) (*Sender, *told) {
	t.Helper()
	var n told
	o.URL, o.Transport, o.Notice = "https://hooks.test/secret", r, n.notice
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s, &n
}

// at makes the packets of a record of some second.
func at(seq l.Seq, run l.RunID, events ...l.Event) []l.Packet {
	return telemetry.Packets(l.Record{Seq: seq, At: l.Instant(seq) * 1e9, Run: run, Events: events})
}

// short writes what was received in one word per alert.
func short(got []payload) (out []string) {
	for _, p := range got {
		line := p.Status + ":"
		for _, a := range p.Alerts {
			line += fmt.Sprintf(" %s %s@%d", a.Status, a.Labels["alertname"], a.StartsAt.Unix())
			if !a.EndsAt.IsZero() {
				line += fmt.Sprintf("-%d", a.EndsAt.Unix())
			}
		}
		out = append(out, line)
	}
	return out
}

func wantAlerts(t *testing.T, r *receiver, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, short(r.got)); diff != "" {
		t.Errorf("notifications (-want +got):\n%s", diff)
	}
	r.got = nil
}

// TestNotificationInFull posts to a real server and reads what arrives with
// nothing but the documented members allowed.
func TestNotificationInFull(t *testing.T) {
	type members struct {
		Version, GroupKey, Status, Receiver, ExternalURL string
		TruncatedAlerts                                  uint64
		GroupLabels, CommonLabels, CommonAnnotations     map[string]string
		Alerts                                           []struct {
			Status, GeneratorURL, Fingerprint string
			Labels, Annotations               map[string]string
			StartsAt, EndsAt                  time.Time
		}
	}
	var all []members
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d := json.NewDecoder(r.Body)
		d.DisallowUnknownFields()
		var got members
		if err := d.Decode(&got); err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %v", r.Method, r.Header, err)
		}
		all = append(all, got)
	}))
	defer server.Close()
	s, err := New(Options{URL: server.URL + "/hook", ExternalURL: "http://plane:8080/", Notice: t.Errorf})
	if err != nil {
		t.Fatal(err)
	}
	s.Offer(at(9, "r1", l.GateEvaluated{Run: "r1", Seed: "s1", Gate: l.GateSanity, Reason: l.ReasonStage}))
	s.Drain(t.Context())
	want := members{ // of the first of two notifications: a failed gate has two events, and this one is CRITICAL
		Version: "4", GroupKey: `{}:{alertname="gate_failure", run="r1"}`, Status: "firing", Receiver: "esper", ExternalURL: "http://plane:8080",
		GroupLabels:       map[string]string{"alertname": "gate_failure", "run": "r1"},
		CommonLabels:      map[string]string{"alertname": "gate_failure", "run": "r1", "severity": "critical", "subsystem": "kasmina", "seed_id": "s1", "gate": "G0_SANITY"},
		CommonAnnotations: map[string]string{"summary": "A gate stays closed, and on what it failed; CRITICAL when it is something that the plane relies on", "record": "9", "reason": l.ReasonStage},
		Alerts: make([]struct {
			Status, GeneratorURL, Fingerprint string
			Labels, Annotations               map[string]string
			StartsAt, EndsAt                  time.Time
		}, 1),
	}
	a := &want.Alerts[0]
	a.Status, a.GeneratorURL, a.StartsAt = "firing", "http://plane:8080/v1/telemetry?after=8", time.Unix(9, 0).UTC()
	a.EndsAt = a.StartsAt.Add(Momentary)
	a.Labels, a.Annotations, a.Fingerprint = want.CommonLabels, want.CommonAnnotations, fingerprint(want.CommonLabels)
	if diff := cmp.Diff(want, all[0]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if st := s.Stats(); st.Sent != 2 || st.Waiting != 0 || st.Open != 2 {
		t.Errorf("%+v", st)
	}
}

// TestFingerprint holds the hash to values worked out with the published FNV-1a
// constants by hand.
func TestFingerprint(t *testing.T) {
	slow := func(b string) string {
		h := uint64(14695981039346656037)
		for i := range len(b) {
			h = (h ^ uint64(b[i])) * 1099511628211
		}
		return fmt.Sprintf("%016x", h)
	}
	if got, want := fingerprint(map[string]string{"b": "2", "a": "1"}), slow("a\xff1\xffb\xff2\xff"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := fingerprint(nil); got != "cbf29ce484222325" {
		t.Errorf("without labels %s", got)
	}
}

func TestMinimum(t *testing.T) {
	for minimum, want := range map[l.Priority]int{0: 2, l.PriorityHigh: 2, l.PriorityCritical: 1, l.PriorityNormal: 3} {
		var r receiver
		s, _ := newSender(t, &r, Options{Minimum: minimum})
		s.Offer(at(2, "r1", l.RunStarted{Run: "r1"}))
		s.Offer(at(3, "r1", l.TrainerStalled{Run: "r1"}))
		s.Offer(at(4, "r1", l.RunHalted{Run: "r1"}))
		s.Drain(t.Context())
		if len(r.got) != want {
			t.Errorf("from %s on: %v", minimum, short(r.got))
		}
	}
}

// TestGrouping: alerts of one event and run share a notification, unless one is
// told twice, and there are at most so many.
func TestGrouping(t *testing.T) {
	var r receiver
	s, _ := newSender(t, &r, Options{})
	s.Offer(at(2, "r1", l.PrefetchSettled{Run: "r1", Seed: "s1", Outcome: l.OutcomeFailed}))
	s.Offer(at(3, "r2", l.PrefetchSettled{Run: "r2", Seed: "s1", Outcome: l.OutcomeFailed}))
	s.Offer(at(4, "r1", l.PrefetchSettled{Run: "r1", Seed: "s2", Outcome: l.OutcomeFailed}))
	s.Offer(at(5, "r1", l.TrainerStalled{Run: "r1"}))
	s.Offer(at(6, "r1", l.TrainerReturned{Run: "r1"}))
	s.Drain(t.Context())
	wantAlerts(t, &r, "firing: firing prefetch_error@2-302 firing prefetch_error@4-304", "firing: firing prefetch_error@3-303",
		"firing: firing tolaria.trainer.stalled@5", "resolved: resolved tolaria.trainer.stalled@5-6")
	for i := range batchMost + 1 {
		s.Offer(at(l.Seq(10+i), "r1", l.PrefetchSettled{Run: "r1", Seed: l.SeedID(fmt.Sprint("s", i)), Outcome: l.OutcomeFailed}))
	}
	s.Drain(t.Context())
	if len(r.got) != 2 || len(r.got[0].Alerts) != batchMost || len(r.got[1].Alerts) != 1 {
		t.Errorf("%d notifications", len(r.got))
	}
	if _, same := r.got[0].CommonLabels["seed_id"]; same || r.got[0].CommonLabels["run"] != "r1" {
		t.Errorf("common labels %v", r.got[0].CommonLabels)
	}
}

// TestOverflow: WARNING alerts make room before CRITICAL ones, and the receiver
// is told how many did.
func TestOverflow(t *testing.T) {
	var r receiver
	s, _ := newSender(t, &r, Options{Queue: 3})
	s.Offer(at(2, "r1", l.RunHalted{Run: "r1"}))
	s.Offer(at(3, "r1", l.TrainerStalled{Run: "r1"}))
	s.Offer(at(4, "r2", l.TrainerStalled{Run: "r2"}))
	s.Offer(at(5, "r3", l.TrainerStalled{Run: "r3"}))
	s.Offer(at(6, "r4", l.RunHalted{Run: "r4"}))
	s.Drain(t.Context())
	if st := s.Stats(); st.Dropped != 2 || r.got[0].TruncatedAlerts != 2 || r.got[1].TruncatedAlerts != 0 {
		t.Errorf("%+v, %+v", st, r.got)
	}
	wantAlerts(t, &r, "firing: firing tolaria.emergency.halt@2-302", "firing: firing tolaria.emergency.halt@6-306", "firing: firing tolaria.trainer.stalled@5")
	for i := range 5 {
		s.Offer(at(l.Seq(10+i), "", l.CommandRejected{Reason: l.RejectReason(i + 1)}))
	}
	s.Drain(t.Context())
	if len(r.got) != 3 || r.got[0].Alerts[0].StartsAt.Unix() != 12 {
		t.Errorf("of CRITICAL alerts alone the oldest make room: %v", short(r.got))
	}
}

// TestRetries: the pauses double, a wish of the receiver is heard, and what is
// tried again and what is not.
func TestRetries(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers []int // the rest is 200; 0 is a broken connection
		header  string
		took    time.Duration
		sent    uint64
		retries uint64
		notices int
	}{
		{"accepted", nil, "", 0, 1, 0, 0},
		{"busy", []int{503, 502, 0}, "", 7 * time.Second, 1, 3, 2},
		{"not there", []int{0}, "", time.Second, 1, 1, 2},
		{"asked to wait", []int{429}, "30", 30 * time.Second, 1, 1, 2},
		{"asked to wait for long", []int{503}, "86400", longestAfter, 1, 1, 2},
		{"asked in a way that nobody understands", []int{503}, "tomorrow", time.Second, 1, 1, 2},
		{"refused", []int{404}, "", 0, 0, 0, 1},
		{"sent elsewhere", []int{302}, "", 0, 0, 0, 1},
		{"given up", []int{500, 500, 500, 500}, "", 7 * time.Second, 0, 3, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := receiver{answer: func(n int) (int, string) {
					if n <= len(c.answers) {
						return c.answers[n-1], c.header
					}
					return 200, ""
				}}
				s, told := newSender(t, &r, Options{Attempts: 4})
				s.Offer(at(2, "r1", l.RunHalted{Run: "r1"}))
				begin := time.Now()
				s.Drain(t.Context())
				st := s.Stats()
				if took := time.Since(begin); took != c.took || st.Sent != c.sent || st.Retries != c.retries || len(*told) != c.notices || st.Waiting != 0 {
					t.Errorf("after %s: %+v, told %q", took, st, *told)
				}
				if st.Failed+st.Sent != 1 || st.Dropped != st.Failed {
					t.Errorf("%+v", st)
				}
				for _, n := range *told {
					if strings.Contains(n, "secret") || !strings.Contains(n, "https://hooks.test") || strings.ContainsRune(n, '\x1b') || strings.Contains(n, " 1 alerts") || strings.Contains(n, " 1 attempts") {
						t.Errorf("told %q", n)
					}
				}
				// A later success ends the failure, and says so once.
				s.Offer(at(3, "r2", l.RunHalted{Run: "r2"}))
				s.Drain(t.Context())
				failed := len(c.answers) > 0
				if last := strings.Join(*told, "\n"); strings.Count(last, "accepts notifications again") != map[bool]int{true: 1}[failed] {
					t.Errorf("told %q", *told)
				}
				if c.sent == 0 && r.got[0].TruncatedAlerts != 1 {
					t.Errorf("what was given up is not told: %+v", r.got[0])
				}
			})
		})
	}
}

// TestReceiverThatNeverAnswers: an attempt ends after its timeout, what comes
// meanwhile waits, and nothing that offers waits for it.
func TestReceiverThatNeverAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := roundTrip(func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, req.Context().Err()
		})
		s, told := newSender(t, hang, Options{Attempts: 2, Timeout: 3 * time.Second, Queue: 2})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { s.Run(ctx); close(done) }()
		begin := time.Now()
		for i := range 10 {
			s.Offer(at(l.Seq(i+2), l.RunID(fmt.Sprint("r", i)), l.RunHalted{Run: l.RunID(fmt.Sprint("r", i))}))
			synctest.Wait()
		}
		if d := time.Since(begin); d != 0 {
			t.Errorf("offering took %s", d)
		}
		if st := s.Stats(); st.Waiting != 2 || st.Dropped != 7 {
			t.Errorf("%+v", st)
		}
		time.Sleep(8 * time.Second) // 3 + 1 + 3, and into the next
		if st := s.Stats(); st.Failed != 1 || st.Retries != 1 || st.Dropped != 8 || len(*told) != 2 {
			t.Errorf("%+v, told %q", st, *told)
		}
		cancel()
		<-done
		if st := s.Stats(); st.Waiting != 2 {
			t.Errorf("what was under way is given back: %+v", st)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestDroppedWhilePosting: what is lost while a notification is under way is told
// with the next.
func TestDroppedWhilePosting(t *testing.T) {
	var s *Sender
	r := receiver{answer: func(n int) (int, string) {
		if n == 1 {
			for i := range 3 {
				s.Offer(at(l.Seq(10+i), l.RunID(fmt.Sprint("r", i)), l.RunHalted{Run: l.RunID(fmt.Sprint("r", i))}))
			}
		}
		return 200, ""
	}}
	s, _ = newSender(t, &r, Options{Queue: 1})
	s.Offer(at(2, "", l.DiskLow{}))
	s.Drain(t.Context())
	if len(r.got) != 2 || r.got[0].TruncatedAlerts != 0 || r.got[1].TruncatedAlerts != 2 {
		t.Errorf("%+v", r.got)
	}
}

// TestRunThenDrain: what waits when Run ends is sent by Drain.
func TestRunThenDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := receiver{answer: func(n int) (int, string) { return map[bool]int{true: 503, false: 200}[n <= 2], "" }}
		s, _ := newSender(t, &r, Options{})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		s.Offer(at(2, "r1", l.RunHalted{Run: "r1"}))
		s.Run(ctx) // attempts after 0 and 1 seconds fail, the third would come after 3
		if st := s.Stats(); st.Waiting != 1 || st.Retries != 1 {
			t.Errorf("%+v", st)
		}
		s.Drain(t.Context())
		wantAlerts(t, &r, "firing: firing tolaria.emergency.halt@2-302")
	})
}

// TestFinish: an attempt under way is not broken off and made again, and what
// waits is sent before Run returns.
func TestFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := receiver{}
		slow := roundTrip(func(req *http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return r.RoundTrip(req)
		})
		s, _ := newSender(t, slow, Options{})
		done := make(chan struct{})
		go func() { s.Run(t.Context()); close(done) }()
		s.Offer(at(2, "r1", l.RunHalted{Run: "r1"}))
		synctest.Wait()
		s.Offer(at(3, "r2", l.RunHalted{Run: "r2"}))
		s.Finish()
		s.Finish()
		<-done
		wantAlerts(t, &r, "firing: firing tolaria.emergency.halt@2-302", "firing: firing tolaria.emergency.halt@3-303")
	})
}

func TestOptionsAreChecked(t *testing.T) {
	var n told
	for _, bad := range []Options{
		{URL: ""}, {URL: "ftp://x"}, {URL: "http://"}, {URL: "http://x/%zz-secret"}, {URL: "hooks.test/secret"},
		{URL: "http://x", Minimum: 99}, {URL: "http://x", Queue: -1}, {URL: "http://x", Timeout: -1}, {URL: "http://x", Attempts: -1},
	} {
		bad.Notice = n.notice
		if _, err := New(bad); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if _, err := New(Options{URL: "http://x"}); err == nil {
		t.Error("nobody would be told of failures")
	}
}

func TestMetrics(t *testing.T) {
	s, _ := newSender(t, &receiver{}, Options{})
	s.Offer(at(2, "", l.DiskLow{}))
	s.Drain(t.Context())
	got := s.Metrics()
	i := slices.IndexFunc(got, func(m l.Metric) bool { return m.Name == l.MetricWebhookSent })
	j := slices.IndexFunc(got, func(m l.Metric) bool { return m.Name == l.MetricWebhookOpen })
	if i < 0 || j < 0 || got[i].Value != 1 || got[j].Value != 1 {
		t.Errorf("%+v", got)
	}
	for _, m := range got {
		if row, known := l.DescribeMetric(m.Name); !known || row.Status != l.NameProcess || row.Unit != m.Unit {
			t.Errorf("%+v is described as %+v", m, row)
		}
	}
}
