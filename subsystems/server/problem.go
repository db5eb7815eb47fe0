package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/wire"
)

// ProblemType is the media type of a problem document.
const ProblemType = "application/problem+json"

// typePrefix begins the type of every problem; its kind follows.
const typePrefix = "urn:esper:problem:"

// Problem is a problem document, RFC 9457, with members of esper's own: which kind
// of error it is, the field it is about and what to do about it.
type Problem struct {
	Type   string   `json:"type"`
	Title  string   `json:"title"`
	Status int      `json:"status"`
	Detail string   `json:"detail,omitempty"`
	Kind   string   `json:"kind"`            // stable: programs may compare it
	Field  string   `json:"field,omitempty"` // dotted, as the caller wrote it
	Hint   string   `json:"hint,omitempty"`
	Checks []Result `json:"checks,omitempty"` // of a probe
}

// refusals is the status of each kind of refusal: 400 for a request that no state
// could make right, 404 for what there is not, 409 for what the state forbids now,
// 422 for a value that this plane does not take, 403 for a sender who may not, and
// 503 for what another moment would allow.
var refusals = map[leyline.RefusalKind]int{
	leyline.RefusalMissingField:     http.StatusBadRequest,
	leyline.RefusalInvalidField:     http.StatusBadRequest,
	leyline.RefusalMissingRun:       http.StatusBadRequest,
	leyline.RefusalUnknownRun:       http.StatusNotFound,
	leyline.RefusalRunExists:        http.StatusConflict,
	leyline.RefusalRunNotOpen:       http.StatusConflict,
	leyline.RefusalIncarnation:      http.StatusConflict,
	leyline.RefusalStepOrder:        http.StatusConflict,
	leyline.RefusalRollbackActive:   http.StatusConflict,
	leyline.RefusalGradients:        http.StatusUnprocessableEntity,
	leyline.RefusalWeights:          http.StatusUnprocessableEntity,
	leyline.RefusalUnknownTask:      http.StatusUnprocessableEntity,
	leyline.RefusalUnknownSeed:      http.StatusNotFound,
	leyline.RefusalMissingSeed:      http.StatusUnprocessableEntity,
	leyline.RefusalUnknownSnapshot:  http.StatusNotFound,
	leyline.RefusalUnknownRollback:  http.StatusNotFound,
	leyline.RefusalUnknownCommand:   http.StatusNotFound,
	leyline.RefusalUnknownRequest:   http.StatusNotFound,
	leyline.RefusalPosture:          http.StatusUnprocessableEntity,
	leyline.RefusalInvalidSignature: http.StatusForbidden,
	leyline.RefusalUnknownKey:       http.StatusForbidden,
	leyline.RefusalNotAuthorized:    http.StatusForbidden,
	leyline.RefusalConfig:           http.StatusUnprocessableEntity,
	leyline.RefusalBlueprintExists:  http.StatusConflict,
	leyline.RefusalSnapshotExists:   http.StatusConflict,
	leyline.RefusalNotConfigured:    http.StatusServiceUnavailable,
	leyline.RefusalUnknownTimer:     http.StatusNotFound,
	leyline.RefusalUnknownBlueprint: http.StatusNotFound,
	leyline.RefusalDiskLow:          http.StatusServiceUnavailable,
	leyline.RefusalCompileOff:       http.StatusUnprocessableEntity,
	leyline.RefusalMissingKernel:    http.StatusNotFound,
	leyline.RefusalKernelDigest:     http.StatusUnprocessableEntity,
	leyline.RefusalKernelSize:       http.StatusUnprocessableEntity,
	leyline.RefusalQuarantine:       http.StatusForbidden,
	leyline.RefusalArtifact:         http.StatusUnprocessableEntity,
	leyline.RefusalLogits:           http.StatusUnprocessableEntity,
	leyline.RefusalBlendMode:        http.StatusUnprocessableEntity,
	leyline.RefusalBlendStats:       http.StatusUnprocessableEntity,
	leyline.RefusalOwned:            http.StatusConflict,
	leyline.RefusalNoTeacher:        http.StatusNotFound,
	leyline.RefusalKernelGuard:      http.StatusUnprocessableEntity,
	leyline.RefusalKernelFormat:     http.StatusUnprocessableEntity,
	leyline.RefusalKernelRoom:       http.StatusInsufficientStorage,
	leyline.RefusalWithdrawn:        http.StatusForbidden,
	leyline.RefusalMisfit:           http.StatusUnprocessableEntity,
	leyline.RefusalParameter:        http.StatusUnprocessableEntity,
	leyline.RefusalPolicyExists:     http.StatusConflict,
	leyline.RefusalStepConflict:     http.StatusConflict,
}

// mistake is a problem that is said as it is.
type mistake struct{ Problem }

// Error says the detail.
func (m mistake) Error() string { return m.Detail }

// Err is an error for which ProblemOf gives the document again.
func (p Problem) Err() error { return mistake{p} }

// Mistake is an error for which ProblemOf gives a document with these members.
func Mistake(status int, kind, field, detail, hint string) error {
	p := NewProblem(status, kind, detail, hint)
	p.Field = field
	return p.Err()
}

// ProblemOf says what an error is in the terms of the protocol. An error that it
// does not know is a 500 of kind "internal".
func ProblemOf(err error) Problem {
	if r, ok := leyline.AsRefusal(err); ok {
		return refused(r)
	}
	var said mistake
	var big *http.MaxBytesError
	var bad *wire.DecodeError
	switch {
	case errors.As(err, &said):
		return said.Problem
	case errors.Is(err, leyline.ErrStorage):
		return NewProblem(http.StatusServiceUnavailable, "storage", err.Error(), "restart the plane; everything that was answered is in the log")
	case errors.Is(err, leyline.ErrStopping):
		return NewProblem(http.StatusServiceUnavailable, "stopping", err.Error(), "ask again when the plane has started again")
	case errors.As(err, &big):
		return NewProblem(http.StatusRequestEntityTooLarge, "body_too_large", err.Error(), "send less in one request")
	case errors.As(err, &bad):
		return NewProblem(http.StatusBadRequest, "malformed", err.Error(), "")
	case errors.Is(err, context.DeadlineExceeded):
		return NewProblem(http.StatusServiceUnavailable, "timeout", err.Error(), "ask again; a report of a step may be repeated")
	}
	return NewProblem(http.StatusInternalServerError, "internal", err.Error(), "")
}

// refused makes a problem of a refusal, whose hint is not said twice. A kind without
// a status would be a mistake in the table above, not one of the caller's.
func refused(r *leyline.Refusal) Problem {
	status, ok := refusals[r.Kind]
	if !ok {
		status = http.StatusInternalServerError
	}
	bare := *r
	bare.Hint = ""
	p := NewProblem(status, r.Kind.String(), bare.Error(), r.Hint)
	p.Field = r.Field
	return p
}

// NewProblem makes a problem document of one of the kinds of this server.
func NewProblem(status int, kind, detail, hint string) Problem {
	return Problem{
		Type: typePrefix + kind, Title: strings.ReplaceAll(kind, "_", " "),
		Status: status, Detail: detail, Kind: kind, Hint: hint,
	}
}

// Write answers with the problem. Headers that were set before are kept.
func (p Problem) Write(w http.ResponseWriter) {
	if p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1") // seconds
	}
	writeJSON(w, ProblemType, p.Status, p)
}

// WriteError answers with the problem that an error is.
func WriteError(w http.ResponseWriter, err error) { ProblemOf(err).Write(w) }

// writeJSON answers with a document. A client that has gone away is not told.
func writeJSON(w http.ResponseWriter, media string, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // Invariant: only documents of this package, which have a JSON form
	}
	w.Header().Set("Content-Type", media)
	w.WriteHeader(status)
	w.Write(append(b, '\n'))
}
