package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// The bounds of the pause between two attempts.
const (
	firstPause   = time.Second
	longestPause = time.Minute
	longestAfter = 5 * time.Minute // that a receiver may ask for
)

// deliver posts a notification until it is accepted or given up, and reports
// that; false when the context ended first, or a CRITICAL alert goes before.
func (s *Sender) deliver(ctx context.Context, n *notification) bool {
	for ctx.Err() == nil && s.wait(ctx, n) {
		body, truncated := s.body(n)
		again, after, err := s.post(ctx, body)
		switch {
		case err == nil:
			s.accepted(truncated)
			return true
		case ctx.Err() != nil:
			return false
		}
		n.attempts++
		if !again || n.attempts >= s.o.Attempts {
			s.gaveUp(len(n.alerts), n.attempts, err)
			return true
		}
		s.failed(err)
		n.due = time.Now().Add(max(n.pause, after))
		n.pause = min(2*n.pause, longestPause)
	}
	return false
}

// wait waits until a notification may be posted; false when the context ended or,
// if nothing in it is CRITICAL, something that is waits.
func (s *Sender) wait(ctx context.Context, n *notification) bool {
	t := time.NewTimer(time.Until(n.due))
	defer t.Stop()
	for {
		if !n.critical() && s.criticalWaits() {
			return false
		}
		select {
		case <-t.C:
			return true
		case <-s.urgent:
		case <-ctx.Done():
			return false
		}
	}
}

// body writes a notification for its next attempt, and returns how many truncated
// alerts it tells of.
func (s *Sender) body(n *notification) (body []byte, truncated uint64) {
	s.mu.Lock()
	truncated = s.truncated
	if n.attempts > 0 {
		s.stats.Retries++
	}
	s.mu.Unlock()
	p := newPayload(s.o.Receiver, s.o.ExternalURL, truncated, n.alerts)
	return p.encode(), truncated
}

// post makes one attempt. It says whether another makes sense, and how long the
// receiver wants to be left alone.
func (s *Sender) post(ctx context.Context, body []byte) (again bool, after time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.o.URL, bytes.NewReader(body))
	if err != nil {
		return false, 0, HideURL(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "esper")
	resp, err := s.client.Do(req)
	if err != nil {
		return true, 0, HideURL(err)
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection can be used again; what it says does not matter
	switch {
	case resp.StatusCode/100 == 2:
		return false, 0, nil
	case resp.StatusCode/100 == 5 || resp.StatusCode == http.StatusTooManyRequests:
		return true, retryAfter(resp.Header.Get("Retry-After")), fmt.Errorf("it answers %d", resp.StatusCode)
	}
	return false, 0, fmt.Errorf("it answers %d", resp.StatusCode)
}

// HideURL takes the address out of an error, and what a terminal would obey: an
// error may quote what the receiver said, such as a name in its certificate.
func HideURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return errors.New(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, err.Error()))
}

// retryAfter reads a header of seconds or a date; what it cannot read is no wish.
func retryAfter(header string) time.Duration {
	after := time.Duration(0)
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		after = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		after = time.Until(at)
	}
	return min(max(after, 0), longestAfter)
}

// accepted notes a notification that arrived. The receiver knows of what was
// truncated up to it.
func (s *Sender) accepted(truncated uint64) {
	s.mu.Lock()
	s.stats.Sent++
	s.truncated -= truncated
	over := s.failing
	s.failing, s.givenUp = false, false
	s.mu.Unlock()
	if over {
		s.o.Notice("the webhook at %s accepts notifications again", s.where)
	}
}

// failed notes an attempt that is made again, and tells the first.
func (s *Sender) failed(err error) {
	s.mu.Lock()
	first := !s.failing
	s.failing = true
	s.mu.Unlock()
	if first {
		s.o.Notice("the webhook at %s cannot be notified: %v; it is tried again, and the log has everything", s.where, err)
	}
}

// gaveUp notes a notification that will not arrive, and tells the first.
func (s *Sender) gaveUp(alerts, attempts int, err error) {
	s.mu.Lock()
	s.stats.Failed++
	s.lose(alerts)
	first := !s.givenUp
	s.failing, s.givenUp = true, true
	s.mu.Unlock()
	if first {
		s.o.Notice("the webhook at %s was not notified of %s, after %s: %v; the log has everything", s.where, count(alerts, "alert"), count(attempts, "attempt"), err)
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
