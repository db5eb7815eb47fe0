package client

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/protocol"
)

// ErrAway says that the plane could not be reached for as long as it was tried.
var ErrAway = errors.New("the plane cannot be reached")

// ErrOutstanding says that a report was made while answers to steps were outstanding.
var ErrOutstanding = errors.New("answers to steps are outstanding; wait for them first")

// AwayError says how long the plane was tried, and why the last attempt failed. It is
// an ErrAway.
type AwayError struct {
	Address string
	Tried   time.Duration
	Last    error
}

// Error says all of it and what helps.
func (e *AwayError) Error() string {
	return fmt.Sprintf("the plane at %s cannot be reached, tried for %v: %v; start it again with `esper serve`, and resume the run",
		e.Address, e.Tried.Round(time.Millisecond), e.Last)
}

// Is makes it an ErrAway.
func (e *AwayError) Is(target error) bool { return target == ErrAway }

// Unwrap returns the error of the last attempt.
func (e *AwayError) Unwrap() error { return e.Last }

// ProblemError is a problem document that is no refusal of the plane's rules: a body
// that could not be read, a token that is wrong.
type ProblemError struct{ protocol.Problem }

// Error says kind, detail and hint.
func (e *ProblemError) Error() string {
	s := fmt.Sprintf("the plane answers %d (%s): %s", e.Status, e.Kind, e.Detail)
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// passing are the kinds of problems that another moment would not have: the plane
// starts, stops, is about to be replaced, or has no place just now.
var passing = map[string]bool{
	"starting": true, "stopping": true, "storage": true, "timeout": true, "too_many_streams": true, "too_many_lanes": true,
}

// errorOf makes an error of a problem document; away says that it will pass.
func errorOf(p protocol.Problem) (err error, away bool) {
	if passing[p.Kind] {
		return &ProblemError{p}, true
	}
	if r := refusalOf(p); r != nil {
		return r, false
	}
	return &ProblemError{p}, false
}

// refusalOf rebuilds the refusal that a problem document was made of; nil: it was made
// of something else. The detail is the refusal's text without its hint.
func refusalOf(p protocol.Problem) *leyline.Refusal {
	r := &leyline.Refusal{Field: p.Field, Hint: p.Hint, Reason: p.Detail}
	if r.Kind.UnmarshalText([]byte(p.Kind)) != nil {
		return nil
	}
	who, rest, ok := strings.Cut(p.Detail, " refused ("+p.Kind+")")
	if !ok || r.Subsystem.UnmarshalText([]byte(who)) != nil {
		return r
	}
	if p.Field != "" {
		if rest, ok = strings.CutPrefix(rest, ": "+p.Field); !ok {
			return r
		}
	}
	rest = strings.TrimPrefix(rest, " ")
	if quoted, err := strconv.QuotedPrefix(rest); err == nil && quoted[0] == '"' {
		r.Identifier, _ = strconv.Unquote(quoted) // it has just been read as one
		rest = strings.TrimPrefix(rest[len(quoted):], " ")
	}
	r.Reason = rest
	return r
}
