package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/esper-plane/esper/leyline/protocol"
)

// maxAnswer bounds the body of an answer, in bytes.
const maxAnswer = 64 << 20 // constant: local because it bounds what this client reads into memory

// newHTTP makes the client of an endpoint. It follows no redirect: a plane gives none.
func newHTTP(o *Options, at endpoint) *http.Client {
	t := &http.Transport{TLSClientConfig: o.TLS, MaxIdleConnsPerHost: 2, IdleConnTimeout: 20 * time.Second}
	if at.socket != "" {
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialUnix(ctx, at.socket, 0)
		}
	}
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// reply is an answer as it came.
type reply struct {
	status int
	body   []byte
}

// once makes one attempt of a request. What keeps it from an answer is an awayError,
// but for a context that ends.
func (c *Client) once(ctx context.Context, method, path string, body []byte, limit time.Duration) (reply, error) {
	inner, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r, err := http.NewRequestWithContext(inner, method, c.at.base+path, bytes.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	if body != nil {
		r.Header.Set("Content-Type", c.opts.Media)
	}
	r.Header.Set("Accept", c.opts.Media)
	if c.opts.Token != "" {
		r.Header.Set("Authorization", "Bearer "+c.opts.Token)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return reply{}, c.unreached(ctx, err)
	}
	defer resp.Body.Close() // it was read, or the attempt has failed
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return reply{}, c.unreached(ctx, err)
	}
	if len(b) > maxAnswer {
		return reply{}, fmt.Errorf("the answer of %s is longer than %d bytes", path, maxAnswer)
	}
	return reply{resp.StatusCode, b}, nil
}

// unreached is why an attempt has no answer.
func (c *Client) unreached(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if errors.Is(err, ErrStranger) {
		return err // another attempt would find the same
	}
	return awayError{err}
}

// ask makes attempts until one is answered, and reads the answer into to, which may be
// nil for one without a body. tries is how many attempts failed before.
func (c *Client) ask(ctx context.Context, method, path string, body []byte, limit time.Duration, to any) (status int, err error) {
	p := c.patience()
	for {
		r, err := c.once(ctx, method, path, body, limit)
		if err == nil {
			err = judge(c.opts.Media, r, to)
		}
		if err == nil {
			p.found()
			return r.status, nil
		}
		if err := p.again(ctx, err); err != nil {
			return r.status, repeated(err, p.tried)
		}
	}
}

// repeatedError is an error of a request that had been sent before, without an answer.
type repeatedError struct{ error }

func (e repeatedError) Unwrap() error { return e.error }

func repeated(err error, tried int) error {
	if tried == 0 {
		return err
	}
	return repeatedError{err}
}

// judge reads an answer, or makes an error of a problem.
func judge(media string, r reply, to any) error {
	switch {
	case r.status == http.StatusNoContent:
		return nil
	case r.status >= http.StatusOK && r.status < http.StatusMultipleChoices:
		if to == nil {
			return nil
		}
		if err := protocol.DecodeAnswer(media, r.body, to); err != nil {
			return fmt.Errorf("the plane's answer cannot be read: %w", err)
		}
		return nil
	}
	return problem(r)
}

// problem makes an error of a problem document. Documents are JSON unless the first
// byte says otherwise.
func problem(r reply) error {
	media, p := protocol.MediaMsgpack, protocol.Problem{}
	if len(r.body) > 0 && r.body[0] == '{' {
		media = protocol.MediaJSON
	}
	if err := protocol.DecodeAnswer(media, bytes.TrimSpace(r.body), &p); err != nil {
		return &ProblemError{protocol.Problem{Status: uint32(r.status), Kind: "unreadable", Detail: fmt.Sprintf("%.128q is no problem document: %v", r.body, err)}}
	}
	err, away := errorOf(p)
	if away {
		return awayError{err}
	}
	return err
}

// isRepeated says that an error came after an attempt whose answer was lost.
func isRepeated(err error) bool {
	var r repeatedError
	return errors.As(err, &r)
}
