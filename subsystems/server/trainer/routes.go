package trainer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/frame"
	"github.com/esper-plane/esper/leyline/protocol"
	"github.com/esper-plane/esper/subsystems/server"
)

// reports are the routes of reports under /v1/runs/{run}.
var reports = []struct {
	path string
	op   Op
}{
	{"epochs", frame.OpEpoch}, {"snapshots", frame.OpSnapshot}, {"probes", frame.OpProbe}, {"acks", frame.OpAck},
	{"rollbacks", frame.OpRollback}, {"fallbacks", frame.OpFallback}, {"profiles", frame.OpProfile}, {"close", frame.OpClose},
}

// Routes returns the HTTP routes of the service.
func (s *Service) Routes() []server.Route {
	out := []server.Route{
		{Pattern: "POST /v1/runs", Handler: s.posting(func(r *http.Request, c Call) Reply { return s.Open(r.Context(), c) })},
		{Pattern: "POST /v1/runs/{run}/steps", Handler: s.posting(s.steps)},
		{Pattern: "GET /v1/runs/{run}/directives", Handler: http.HandlerFunc(s.poll), Stream: true},
		{Pattern: "GET /v1/runs/{run}", Handler: getting(func(r *http.Request) (any, error) {
			return s.look(r.Context(), leyline.RunID(r.PathValue("run")), time.Now())
		})},
		{Pattern: "GET /v1/protocol", Handler: getting(func(*http.Request) (any, error) {
			return &protocol.Versions{Protocol: []uint32{protocol.Version}, Version: s.opts.Version}, nil
		})},
		{Pattern: "GET /v1/openapi.json", Handler: http.HandlerFunc(openAPI)},
	}
	for _, r := range reports {
		out = append(out, server.Route{Pattern: "POST /v1/runs/{run}/" + r.path, Handler: s.posting(func(q *http.Request, c Call) Reply {
			c.Op = r.op
			return s.Do(q.Context(), c)
		})})
	}
	return out
}

// writeWithin is how long the writing of an answer may take.
const writeWithin = 30 * time.Second // constant: local because it bounds a write to a socket

// posting reads a request and writes the reply. How long the plane takes is bounded by
// the plane: a large snapshot is read and hashed, so the server's deadlines on a whole
// request are lifted once the body is there.
func (s *Service) posting(do func(*http.Request, Call) Reply) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := s.call(r)
		if err != nil {
			send(w, problem(err, c.accepted()))
			return
		}
		control := http.NewResponseController(w)
		if err := control.SetReadDeadline(time.Time{}); err != nil {
			send(w, problem(err, c.accepted()))
			return
		}
		said := do(r, c)
		if err := control.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
			panic(http.ErrAbortHandler) // the connection is gone
		}
		send(w, said)
	})
}

// send writes a reply. A client that has gone away is not told.
func send(w http.ResponseWriter, r Reply) {
	h := w.Header()
	if r.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "1") // seconds
	}
	if len(r.Body) > 0 {
		h.Set("Content-Type", r.Media)
		h.Set("Content-Length", strconv.Itoa(len(r.Body)))
	}
	w.WriteHeader(r.Status)
	w.Write(r.Body)
}

// call makes a call of a request. Media of the call is right where there is an error.
func (s *Service) call(r *http.Request) (Call, error) {
	c := Call{Run: leyline.RunID(r.PathValue("run")), Peer: s.peer(r)}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != protocol.MediaJSON && media != protocol.MediaMsgpack {
		c.Media = protocol.MediaJSON
		return c, server.Mistake(http.StatusUnsupportedMediaType, "unsupported_media_type", "Content-Type",
			fmt.Sprintf("the body is of type %.64q", r.Header.Get("Content-Type")), "send "+protocol.MediaJSON+" or "+protocol.MediaMsgpack)
	}
	c.Media = media
	if c.Accept, err = accept(r.Header.Get("Accept"), media); err != nil {
		return c, err
	}
	c.Body, err = io.ReadAll(r.Body)
	return c, unread(err)
}

// unread says why a body could not be read: too large, which the server's error says, or
// not there in time.
func unread(err error) error {
	var big *http.MaxBytesError
	if err == nil || errors.As(err, &big) {
		return err
	}
	return server.Mistake(http.StatusBadRequest, protocol.KindMalformed, "", "the body does not arrive: "+err.Error(), "send the whole body")
}

func (s *Service) peer(r *http.Request) Peer {
	kind, name := s.opts.PeerOf(r)
	return Peer{Kind: kind, Name: name}
}

// accept picks the form of an answer: the first that the header names with the highest
// weight, or that of the request where it does not care.
func accept(header, media string) (string, error) {
	if header == "" {
		return media, nil
	}
	best, weight := "", 0.0
	for part := range strings.SplitSeq(header, ",") {
		name, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		q, err := strconv.ParseFloat(params["q"], 64)
		if params["q"] == "" {
			q, err = 1, nil
		}
		if err != nil || !(q > weight) {
			continue
		}
		switch name {
		case protocol.MediaJSON, protocol.MediaMsgpack:
			best, weight = name, q
		case "*/*", "application/*":
			best, weight = media, q
		}
	}
	if best == "" {
		return "", server.Mistake(http.StatusNotAcceptable, "not_acceptable", "Accept", fmt.Sprintf("no answer is of type %.64q", header), "accept "+protocol.MediaJSON+" or "+protocol.MediaMsgpack)
	}
	return best, nil
}

// getting answers a request that changes nothing.
func getting(look func(*http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		media, err := accept(r.Header.Get("Accept"), protocol.MediaJSON)
		var v any
		if err == nil {
			v, err = look(r)
		}
		if err != nil {
			send(w, problem(err, media))
			return
		}
		send(w, reply(v, media))
	})
}

func openAPI(w http.ResponseWriter, _ *http.Request) {
	send(w, Reply{Status: http.StatusOK, Media: protocol.MediaJSON, Body: protocol.OpenAPI()})
}

// poll waits for a directive behind the cursor, and answers with 204 when there is none
// in time.
func (s *Service) poll(w http.ResponseWriter, r *http.Request) {
	media, err := accept(r.Header.Get("Accept"), protocol.MediaJSON)
	if err != nil {
		send(w, problem(err, media))
		return
	}
	a, err := s.directives(r)
	switch {
	case errors.Is(err, errNone):
		w.WriteHeader(http.StatusNoContent)
	case err != nil:
		send(w, problem(err, media))
	default:
		send(w, reply(a, media))
	}
}

// errNone says that there was no directive in time.
var errNone = errors.New("no directive came in time")

func (s *Service) directives(r *http.Request) (*leyline.Answer, error) {
	run := leyline.RunID(r.PathValue("run"))
	if err := s.admit(run, s.peer(r)); err != nil {
		return nil, err
	}
	if _, known := s.opts.Plane().Principal(run); !known {
		return nil, unknownRun(run)
	}
	after, err := cursor(r.URL.Query().Get("after"))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.opts.Poll)
	defer cancel()
	a, err := s.opts.Plane().Directives(ctx, run, after)
	if err != nil && ctx.Err() != nil && r.Context().Err() == nil {
		return nil, errNone
	}
	return &a, err
}

// cursor reads the cursor of a query; none is 0.
func cursor(s string) (leyline.Seq, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, server.Mistake(http.StatusBadRequest, leyline.RefusalInvalidField.String(), "after", fmt.Sprintf("after is %.64q, no record of a log", s), "send the cursor of the latest answer")
	}
	return leyline.Seq(n), nil
}
