package webhook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/esper-plane/esper/leyline"
)

// The defaults of Options.
const (
	// constant: local because alerts wait for one receiver, packets for many subscribers.
	DefaultQueue    = 1024
	DefaultTimeout  = 10 * time.Second
	DefaultAttempts = 10 // over about five minutes
	DefaultReceiver = "esper"
)

// Options configure a sender.
type Options struct {
	URL         string                           // http or https
	Minimum     leyline.Priority                 // alerts of this priority and above; unset: HIGH
	Receiver    string                           // name in the notification; empty: DefaultReceiver
	ExternalURL string                           // of the plane, for links; may be empty
	Queue       int                              // alerts that may wait; 0: DefaultQueue
	Timeout     time.Duration                    // of one attempt; 0: DefaultTimeout
	Attempts    int                              // at one notification; 0: DefaultAttempts
	Transport   http.RoundTripper                // nil: one that goes straight to the receiver, through no proxy
	Notice      func(format string, args ...any) // told of failures and of their end; required
}

// Stats says what became of alerts and notifications so far.
type Stats struct {
	Waiting int    // alerts
	Open    int    // alerts that fire and can be resolved
	Sent    uint64 // notifications that were accepted
	Retries uint64 // attempts after the first
	Failed  uint64 // notifications that were given up
	Dropped uint64 // alerts that found no room to wait, or whose notification was given up
}

// Sender posts alerts. It is safe for concurrent use; Run and Drain must not run
// at the same time.
type Sender struct {
	o      Options
	where  string // scheme and host; the rest of a webhook's address is often a secret
	client *http.Client
	wake   chan struct{} // holds one signal when an alert may have come
	urgent chan struct{} // the same for CRITICAL ones
	last   chan struct{} // closed by Finish
	once   sync.Once

	mu        sync.Mutex // guards everything below
	open      open
	queue     []alert       // the oldest first
	parked    *notification // waits for its next attempt behind CRITICAL alerts; nothing in it is CRITICAL
	truncated uint64        // dropped since the last notification that was accepted
	stats     Stats
	failing   bool // told, and not over
	givenUp   bool // told, and nothing accepted since
}

// New makes a sender. It sends nothing before Run.
func New(o Options) (*Sender, error) {
	u, err := parseURL(o.URL)
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot notify a webhook: %w", err)
	case !o.Minimum.Known():
		return nil, fmt.Errorf("cannot notify a webhook: priority %w", o.Minimum.Validate())
	case o.Queue < 0 || o.Timeout < 0 || o.Attempts < 0:
		return nil, fmt.Errorf("cannot notify a webhook: queue %d, timeout %s, attempts %d; none may be negative", o.Queue, o.Timeout, o.Attempts)
	case o.Notice == nil:
		return nil, errors.New("cannot notify a webhook: nobody would be told of failures")
	}
	o.Minimum = cmp.Or(o.Minimum, leyline.PriorityHigh)
	o.Receiver = cmp.Or(o.Receiver, DefaultReceiver)
	o.Queue = cmp.Or(o.Queue, DefaultQueue)
	o.Timeout = cmp.Or(o.Timeout, DefaultTimeout)
	o.Attempts = cmp.Or(o.Attempts, DefaultAttempts)
	o.ExternalURL = strings.TrimSuffix(o.ExternalURL, "/")
	return &Sender{
		o: o, where: u.Scheme + "://" + u.Host, wake: make(chan struct{}, 1), last: make(chan struct{}),
		urgent: make(chan struct{}, 1), client: Client(o.Transport),
	}, nil
}

// Client returns a client that posts to one receiver: it goes through no proxy unless
// the transport does, and follows no redirect. A nil transport goes straight to the
// receiver. The caller bounds each request by its context.
func Client(transport http.RoundTripper) *http.Client {
	if transport == nil {
		transport = direct()
	}
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // a redirect would turn the post into a get
	}}
}

// direct returns a transport that asks no environment for a proxy, as that of
// net/http does: what a process obeys is in its configuration.
func direct() *http.Transport {
	return &http.Transport{ForceAttemptHTTP2: true, MaxIdleConns: 1, IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 10 * time.Second}
}

// CheckURL says what is wrong with the URL of a receiver. It does not repeat it:
// the URL may be a secret.
func CheckURL(s string) error {
	_, err := parseURL(s)
	return err
}

func parseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, errors.New("its URL cannot be read") // the error repeats it
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, errors.New("its URL does not begin with http:// or https:// and a host")
	}
	return u, nil
}

// Offer takes the packets of one released record, in the order of the log. It
// does not wait.
func (s *Sender) Offer(packets []leyline.Packet) { s.fold(packets, true) }

// Restore is Offer for records that were released before this process: what they
// fired and did not resolve is known afterwards, and nothing is sent.
func (s *Sender) Restore(packets []leyline.Packet) { s.fold(packets, false) }

func (s *Sender) fold(packets []leyline.Packet, tell bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range packets {
		alerts := s.open.expire(packets[i].At)
		for j := range packets[i].Events {
			alerts = append(alerts, s.alerts(&packets[i], &packets[i].Events[j])...)
		}
		if tell {
			s.enqueue(alerts)
		}
	}
}

// alerts returns what an event resolves and what it fires.
func (s *Sender) alerts(p *leyline.Packet, e *leyline.TelemetryEvent) []alert {
	out := s.open.resolve(p, e)
	if leyline.PriorityOf(e.Level) < s.o.Minimum {
		return out
	}
	a := newAlert(p, e, s.o.ExternalURL)
	if !lasting(e.Name) {
		a.EndsAt = a.StartsAt.Add(Momentary)
	}
	return append(out, s.open.fire(a))
}

// Tell posts an alert about something of the plane that no record holds, such as
// that no record can be written any more. It fires and is not resolved: who is
// told has to look. It does not wait.
func (s *Sender) Tell(at leyline.Instant, e leyline.TelemetryEvent) {
	p := leyline.Packet{At: at, Source: leyline.SubsystemPlane}
	s.mu.Lock()
	defer s.mu.Unlock()
	if leyline.PriorityOf(e.Level) >= s.o.Minimum {
		s.enqueue([]alert{newAlert(&p, &e, s.o.ExternalURL)})
	}
}

// Run posts alerts as they come until Finish, and then what waits; it returns
// early when the context ends, which breaks off an attempt under way.
func (s *Sender) Run(ctx context.Context) {
	for {
		s.Drain(ctx)
		select {
		case <-s.wake:
			continue
		default:
		}
		select {
		case <-s.wake:
		case <-s.last:
			s.Drain(ctx)
			return
		case <-ctx.Done():
			return
		}
	}
}

// Finish tells Run that no alert comes any more. It may be called twice.
func (s *Sender) Finish() { s.once.Do(func() { close(s.last) }) }

// Drain posts the alerts that wait now, with retries, until none waits or the
// context ends.
func (s *Sender) Drain(ctx context.Context) {
	for {
		n := s.next()
		switch {
		case n == nil:
			return
		case s.deliver(ctx, n):
		case ctx.Err() != nil:
			s.giveBack(n)
			return
		default:
			s.park(n)
		}
	}
}

// Stats returns what became of alerts so far.
func (s *Sender) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.stats
	out.Waiting, out.Open = len(s.queue), len(s.open.alerts)
	if s.parked != nil {
		out.Waiting += len(s.parked.alerts)
	}
	return out
}

// Metrics returns the statistics under their names in the catalogue. Counters
// hold their totals since the sender was made.
func (s *Sender) Metrics() []leyline.Metric {
	x := s.Stats()
	var out []leyline.Metric
	for _, row := range []struct {
		name  leyline.MetricName
		value float64
	}{
		{leyline.MetricWebhookSent, float64(x.Sent)}, {leyline.MetricWebhookRetries, float64(x.Retries)},
		{leyline.MetricWebhookFailures, float64(x.Failed)}, {leyline.MetricWebhookDropped, float64(x.Dropped)},
		{leyline.MetricWebhookOpen, float64(x.Open)},
	} {
		info, _ := leyline.DescribeMetric(row.name)
		out = append(out, leyline.Metric{Name: row.name, Value: row.value, Unit: info.Unit})
	}
	return out
}
