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
	"time"
)

// The bounds of the pause between two attempts.
const (
	firstPause   = time.Second
	longestPause = time.Minute
	longestAfter = 5 * time.Minute // that a receiver may ask for
)

// deliver posts a notification until it is accepted or given up. It returns false
// when the context ended first.
func (s *Sender) deliver(ctx context.Context, body []byte, alerts int, truncated uint64) bool {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		again, after, err := s.post(ctx, body)
		switch {
		case err == nil:
			s.accepted(truncated)
			return true
		case ctx.Err() != nil:
			return false
		case !again || attempt >= s.o.Attempts:
			s.gaveUp(alerts, attempt, err)
			return true
		}
		s.failed(err)
		if !sleep(ctx, max(pause, after)) {
			return false
		}
		pause = min(2*pause, longestPause)
		s.mu.Lock()
		s.stats.Retries++
		s.mu.Unlock()
	}
}

// post makes one attempt. It says whether another makes sense, and how long the
// receiver wants to be left alone.
func (s *Sender) post(ctx context.Context, body []byte) (again bool, after time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.o.URL, bytes.NewReader(body))
	if err != nil {
		return false, 0, hideURL(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "esper")
	resp, err := s.client.Do(req)
	if err != nil {
		return true, 0, hideURL(err)
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection can be used again; what it says does not matter
	switch {
	case resp.StatusCode/100 == 2:
		return false, 0, nil
	case resp.StatusCode/100 == 5 || resp.StatusCode == http.StatusTooManyRequests:
		return true, retryAfter(resp.Header.Get("Retry-After")), fmt.Errorf("it answers %s", resp.Status)
	}
	return false, 0, fmt.Errorf("it answers %s", resp.Status)
}

// hideURL takes the address out of an error.
func hideURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
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

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
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
		s.o.Notice("the webhook at %s was not notified of %d alerts, after %d attempts: %v; the log has them", s.where, alerts, attempts, err)
	}
}
