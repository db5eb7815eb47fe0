package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/protocol"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/server"
	"github.com/esper-plane/esper/subsystems/server/strictjson"
)

// The media types of bodies.
const (
	MediaJSON    = protocol.MediaJSON    // constant: local because callers of this package need no other
	MediaMsgpack = protocol.MediaMsgpack // constant: local because of the same
)

// Plane is what the routes need of a plane. Each call returns when what it caused is
// durable; a refusal is a *leyline.Refusal.
type Plane interface {
	// Judge hands in a signed command. A rejection is no error.
	Judge(ctx context.Context, in leyline.CommandReceived) (leyline.CommandAnswer, error)
	// Vouch hands in what the admin key has signed; peer is who does.
	Vouch(ctx context.Context, env leyline.Envelope, peer string) (leyline.Seq, error)
	// Teach makes the teacher of a run known.
	Teach(ctx context.Context, in leyline.TeacherRegistered) (leyline.Seq, error)
	// Forget says that a run has no teacher any more.
	Forget(ctx context.Context, in leyline.TeacherDeregistered) (leyline.Seq, error)
	// View calls f with the state, which f must not keep.
	View(ctx context.Context, f func(s *projections.State)) error
}

// Options says what the routes stand on.
type Options struct {
	Plane func() Plane // required; asked with every request; the server lets none in while it is nil
}

// Routes returns the routes of a plane.
func Routes(o Options) []server.Route {
	h := handler{o}
	var out []server.Route
	for _, r := range []struct {
		pattern string
		do      func(http.ResponseWriter, *http.Request) error
		waits   bool // for the trainer's next report, however long that takes
	}{
		{"POST /v1/commands", h.command, true},
		{"POST /v1/runs/{run}/registry/reset", h.reset, true},
		{"POST /v1/keys", h.key, false},
		{"POST /v1/runs/{run}/teacher", h.trainers(h.teach), false},
		{"DELETE /v1/runs/{run}/teacher", h.trainers(h.forget), false},
		{"POST /v1/policies", h.policy, false},
		{"GET /v1/policies", h.policies, false},
		{"GET /v1/plane", h.look, false},
		{"GET /v1/keys/{key}", h.lookKey, false},
	} {
		out = append(out, server.Route{Pattern: r.pattern, Handler: answering(r.do), Stream: r.waits})
	}
	return out
}

// answering writes the error of a handler as a problem document.
func answering(do func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := do(w, r); err != nil {
			problemOf(err).Write(w)
		}
	})
}

func problemOf(err error) server.Problem {
	var json *strictjson.Error
	switch {
	case errors.As(err, &json):
		p := server.NewProblem(http.StatusBadRequest, json.Kind, json.Error(), "send one JSON document with the fields of the route and no others")
		p.Field = json.Field
		return p
	}
	return server.ProblemOf(err)
}

type handler struct{ Options }

// trainers lets in who may speak for the trainer of the run: its principal, or, for a run
// that is trained in the process of the plane, whoever the server can name. At a TCP
// address without tokens and certificates that would be everybody on the machine.
func (h handler) trainers(do func(http.ResponseWriter, *http.Request) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		kind, name := server.PeerOf(r)
		if kind != leyline.PeerTrainer {
			return server.Mistake(http.StatusForbidden, leyline.RefusalNotAuthorized.String(), "", "nobody speaks for the trainer at a TCP address without a token",
				"use the unix socket, start the plane with --http-token-file, or sign a REGISTRY command")
		}
		if err := h.owns(r.Context(), leyline.RunID(r.PathValue("run")), name); err != nil {
			return err
		}
		return do(w, r)
	}
}

// owns refuses a peer that has not opened the run. A run that there is not is the
// plane's to refuse, which records it.
func (h handler) owns(ctx context.Context, run leyline.RunID, peer string) error {
	owner := ""
	err := h.Plane().View(ctx, func(s *projections.State) {
		if r := s.Tolaria.Run(run); r != nil {
			owner = r.Plan.Principal
		}
	})
	if err != nil || owner == "" || owner == leyline.PrincipalProcess || owner == peer {
		return err
	}
	return server.Mistake(http.StatusForbidden, leyline.RefusalNotAuthorized.String(), "run",
		fmt.Sprintf("run %s was opened by another principal than %s", run, peer), "ask as the principal that has opened the run, or sign a REGISTRY command")
}

// EnvelopeDoc is the JSON form of an envelope, as the DSSE specification has it.
type EnvelopeDoc struct {
	PayloadType string         `json:"payloadType"`
	Payload     []byte         `json:"payload"` // base64
	Signatures  []SignatureDoc `json:"signatures"`
}

// SignatureDoc is the signature of an envelope.
type SignatureDoc struct {
	KeyID leyline.KeyID `json:"keyid"`
	Sig   []byte        `json:"sig"` // base64
}

// DocOf returns the JSON form of an envelope.
func DocOf(e leyline.Envelope) EnvelopeDoc {
	return EnvelopeDoc{e.PayloadType, e.Payload, []SignatureDoc{{e.KeyID, e.Signature}}}
}

// ParseEnvelope reads the JSON form of an envelope. The error is a *strictjson.Error.
func ParseEnvelope(b []byte) (leyline.Envelope, error) {
	var d EnvelopeDoc
	if err := strictjson.Decode(b, &d); err != nil {
		return leyline.Envelope{}, err
	}
	if len(d.Signatures) != 1 {
		return leyline.Envelope{}, &strictjson.Error{
			Kind: strictjson.KindInvalid, Field: "signatures", Reason: fmt.Sprintf("has %d entries; want one", len(d.Signatures)),
		}
	}
	s := d.Signatures[0]
	return leyline.Envelope{PayloadType: d.PayloadType, Payload: d.Payload, KeyID: s.KeyID, Signature: s.Sig}, nil
}

// maxEnvelope bounds the body of an envelope: its payload in base64 and a few texts.
const maxEnvelope = 2*leyline.MaxCommandBytes + 8192

func envelope(r *http.Request) (leyline.Envelope, error) {
	body, media, err := read(r, maxEnvelope)
	if err != nil {
		return leyline.Envelope{}, err
	}
	switch media {
	case MediaJSON:
		return ParseEnvelope(body)
	case MediaMsgpack:
		return wire.DecodeEnvelope(body)
	}
	return leyline.Envelope{}, unsupported(MediaJSON + " or " + MediaMsgpack)
}

func unsupported(want string) error {
	return server.Mistake(http.StatusUnsupportedMediaType, "unsupported_media_type", "Content-Type", "the body is of another type than "+want, "send "+want)
}

// read reads a body of a bounded length, and says of which type it is.
func read(r *http.Request, limit int64) (body []byte, media string, err error) {
	media, _, err = mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return nil, "", unsupported("what Content-Type can name")
	}
	body, err = io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err == nil && int64(len(body)) > limit {
		err = &http.MaxBytesError{Limit: limit}
	}
	return body, media, err
}

// from names the sender of a request: who it is, or where it came from.
func from(r *http.Request) string {
	if _, name := server.PeerOf(r); name != "" {
		return name
	}
	return r.RemoteAddr
}

func (h handler) command(w http.ResponseWriter, r *http.Request) error {
	env, err := envelope(r)
	if err != nil {
		return err
	}
	return h.judge(w, r, env)
}

func (h handler) judge(w http.ResponseWriter, r *http.Request, env leyline.Envelope) error {
	in := leyline.CommandReceived{Envelope: env, Peer: leyline.PeerOperator, PeerName: from(r)}
	a, err := h.Plane().Judge(r.Context(), in)
	if no := (*leyline.Rejection)(nil); errors.As(err, &no) { // it proved nothing and has no record of its own
		a, err = leyline.CommandAnswer{Reason: no.Reason, Detail: no.Refusal.Reason}, nil
	}
	if err != nil {
		return err
	}
	if a.Accepted {
		write(w, MediaJSON, http.StatusAccepted, accepted(a))
		return nil
	}
	p := rejected(a)
	if p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1") // seconds
	}
	write(w, server.ProblemType, p.Status, p)
	return nil
}

// reset takes a command that resets the registry of the run in the path. What can be
// read and is another command is refused before the plane sees it; what cannot be read
// is the verifier's.
func (h handler) reset(w http.ResponseWriter, r *http.Request) error {
	env, err := envelope(r)
	if err != nil {
		return err
	}
	if c, err := wire.DecodeCommand(env.Payload); err == nil {
		run := leyline.RunID(r.PathValue("run"))
		if c.Kind != leyline.CommandRegistry || c.Registry.Action != leyline.RegistryResetAll || c.Audience.Run != run {
			return server.Mistake(http.StatusUnprocessableEntity, "wrong_command", "payload",
				fmt.Sprintf("the command is %s for run %.128q, this route takes a reset of the registry of run %.128q", c.Kind, c.Audience.Run, run),
				"send other commands to /v1/commands")
		}
	}
	return h.judge(w, r, env)
}

func (h handler) key(w http.ResponseWriter, r *http.Request) error {
	env, err := envelope(r)
	if err != nil {
		return err
	}
	seq, err := h.Plane().Vouch(r.Context(), env, from(r))
	if err != nil {
		return err
	}
	write(w, MediaJSON, http.StatusOK, Recorded{seq})
	return nil
}

// Recorded answers what is recorded and has no verdict of its own.
type Recorded struct {
	Record leyline.Seq `json:"record"`
}

// write answers with a document. A client that has gone away is not told.
func write(w http.ResponseWriter, media string, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // Invariant: only documents of this package, which have a JSON form
	}
	w.Header().Set("Content-Type", media)
	w.WriteHeader(status)
	w.Write(append(b, '\n'))
}
