package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/server"
	"github.com/esper-plane/esper/subsystems/server/admin"
)

// remoteTimeout bounds one request to a plane. A command may wait for a step.
const remoteTimeout = 10 * time.Minute

// dialTimeout bounds how long a plane may take to be reached.
const dialTimeout = 10 * time.Second

// maxReply bounds what is read of an answer.
const maxReply = 4 << 20

// remoteFlags say which plane is asked.
type remoteFlags struct {
	to        string
	tokenFile string
	trust     clientTLS
}

func (f *remoteFlags) flags(s *pflag.FlagSet) {
	s.StringVar(&f.to, "to", "", "the plane, at `ADDR`: unix:PATH, HOST:PORT or https://HOST:PORT, as it was given to --http")
	f.trust.flags(s, "")
	s.StringVar(&f.tokenFile, "token-file", "", "send the bearer token in `FILE`")
}

// remote is a plane at an address.
type remote struct {
	client *http.Client
	at     string
	url    string
	token  string
}

// open returns the plane of the flags; nil when there is none.
func (f *remoteFlags) open() (*remote, error) {
	if f.to == "" {
		return nil, nil
	}
	r := &remote{at: f.to, url: f.to}
	network, addr := "tcp", strings.TrimPrefix(strings.TrimPrefix(f.to, "http://"), "https://")
	if path, ok := strings.CutPrefix(f.to, "unix:"); ok {
		network, addr, r.url = "unix", path, "http://localhost"
	} else if _, _, err := net.SplitHostPort(addr); err != nil {
		return nil, usagef("--to %q; want unix:PATH, HOST:PORT or https://HOST:PORT", f.to)
	} else if addr == f.to {
		r.url = "http://" + addr
	}
	trust, err := f.trust.config("")
	if err != nil {
		return nil, err
	}
	if f.tokenFile != "" {
		if r.token, err = readSecret("--token-file", f.tokenFile, "the token of the plane"); err != nil {
			return nil, err
		}
	}
	r.client = &http.Client{Timeout: remoteTimeout, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: trust,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, addr)
		},
	}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return r, nil
}

// problemError is a problem document that a plane answered with.
type problemError struct {
	server.Problem
	at string
}

// Error says what the plane said.
func (e *problemError) Error() string {
	return fmt.Sprintf("the plane at %s refused (%s): %s", e.at, printable(e.Kind), printable(e.Detail))
}

// ask sends a request and returns status and body of the answer.
func (r *remote) ask(ctx context.Context, method, path string, body []byte) (int, []byte, error) {
	q, err := http.NewRequestWithContext(ctx, method, r.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if body != nil {
		q.Header.Set("Content-Type", admin.MediaJSON)
	}
	if r.token != "" {
		q.Header.Set("Authorization", "Bearer "+r.token)
	}
	resp, err := r.client.Do(q)
	if err != nil {
		return 0, nil, fmt.Errorf("cannot reach the plane at %s: %w", r.at, err)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return 0, nil, fmt.Errorf("the plane at %s broke off: %w", r.at, err)
	}
	return resp.StatusCode, b, nil
}

// get reads a document of the plane.
func (r *remote) get(ctx context.Context, path string, to any) error {
	status, b, err := r.ask(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return r.problem(status, b)
	}
	return r.read(b, to)
}

func (r *remote) read(b []byte, to any) error {
	if err := json.Unmarshal(b, to); err != nil {
		return fmt.Errorf("%s does not answer as a plane: %w", r.at, err)
	}
	return nil
}

// problem is the error that an answer is.
func (r *remote) problem(status int, b []byte) error {
	e := &problemError{at: r.at}
	if err := json.Unmarshal(b, &e.Problem); err != nil || e.Kind == "" {
		return fmt.Errorf("%s does not answer as a plane: status %d, %q", r.at, status, clipText(string(b)))
	}
	return e
}

func (r *remote) planeDoc(ctx context.Context) (d admin.PlaneDoc, err error) {
	return d, r.get(ctx, "/v1/plane", &d)
}

func (r *remote) key(ctx context.Context, id leyline.KeyID) (d admin.KeyDoc, err error) {
	return d, r.get(ctx, "/v1/keys/"+string(id), &d)
}

// reply is what became of an envelope. Exactly one of verdict and rejection is from the
// plane; the verdict of what has none names only a record.
type reply struct {
	verdict   admin.Verdict
	rejection *admin.Rejection
	document  []byte // as it was sent, on one line
}

// post hands in an envelope. An answer that holds no verdict is an error.
func (r *remote) post(ctx context.Context, path string, env leyline.Envelope) (reply, error) {
	body, err := json.Marshal(admin.DocOf(env))
	if err != nil {
		return reply{}, err
	}
	status, b, err := r.ask(ctx, http.MethodPost, path, body)
	if err != nil {
		return reply{}, err
	}
	out := reply{document: bytes.TrimSpace(b)}
	if status == http.StatusOK || status == http.StatusAccepted {
		return out, r.read(b, &out.verdict)
	}
	var x admin.Rejection
	if err := json.Unmarshal(b, &x); err != nil || x.Verdict != admin.VerdictRejected {
		return reply{}, r.problem(status, b)
	}
	out.rejection = &x
	return out, nil
}
