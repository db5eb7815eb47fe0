package client

import (
	"context"
	"errors"
	"time"

	"github.com/esper-plane/esper/leyline"
)

// awayError marks an attempt that failed because the plane is not there, or not ready.
type awayError struct{ error }

func (e awayError) Unwrap() error { return e.error }

// The pauses between attempts: they double from the first to the longest. A trainer
// that stops makes stopAttempts of them, about a second together.
const (
	firstPause   = 20 * time.Millisecond
	longestPause = time.Second
	stopAttempts = 7
)

// patience counts the failed attempts of one request.
type patience struct {
	c      *Client
	began  time.Time
	tried  int
	pauses time.Duration
}

func (c *Client) patience() *patience { return &patience{c: c, began: time.Now()} }

// again waits before the next attempt, after one that failed with err. It returns the
// error to give up with: err itself when it is no awayError, that of a context that
// ended, or an *AwayError.
func (p *patience) again(ctx context.Context, err error) error {
	away := awayError{}
	if !errors.As(err, &away) {
		return err
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if p.tried == 0 {
		p.pauses = firstPause
		if p.c.opts.Away == leyline.AwayWait {
			p.c.opts.Notice("the plane at %s cannot be reached: %v; training waits for it", p.c.opts.Address, away.error)
		}
	}
	p.tried++
	if tried := time.Since(p.began); p.over(tried, away) {
		return &AwayError{Address: p.c.opts.Address, Tried: tried, Last: away.error}
	}
	t := time.NewTimer(p.pauses)
	defer t.Stop()
	p.pauses = min(2*p.pauses, longestPause)
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// over says that it was tried for long enough; last is why the latest attempt failed.
func (p *patience) over(tried time.Duration, last error) bool {
	if p.c.opts.Away == leyline.AwayStop {
		var slow interface{ Timeout() bool }
		return p.tried >= stopAttempts || errors.As(last, &slow) && slow.Timeout()
	}
	return p.c.opts.AwayFor > 0 && tried >= p.c.opts.AwayFor
}

// found says that an attempt succeeded.
func (p *patience) found() {
	if p.tried > 0 && p.c.opts.Away == leyline.AwayWait {
		p.c.opts.Notice("the plane at %s is there again, after %v", p.c.opts.Address, time.Since(p.began).Round(time.Millisecond))
	}
}
