package supervise

import (
	"context"
	"fmt"
	"strings"
)

// Problem is one thing that a person has to mend before a start.
type Problem struct {
	Check string `json:"check"`           // that found it
	Field string `json:"field,omitempty"` // flag, setting or path that it is about
	What  string `json:"what"`            // is wrong
	Fix   string `json:"fix,omitempty"`
	Err   error  `json:"-"` // what it is for programs; may be nil
}

// String says what is wrong and what to do.
func (p Problem) String() string {
	s := p.What
	if p.Fix != "" && !strings.Contains(s, p.Fix) {
		s += "; " + p.Fix
	}
	return s
}

// PreflightError lists everything that stands in the way of a start.
type PreflightError struct {
	Problems []Problem // one or more
	Warnings []Problem // what would not have
}

// Error says the problem, or lists them, one per line.
func (e *PreflightError) Error() string {
	if len(e.Problems) == 1 {
		if err := e.Problems[0].Err; err != nil {
			return err.Error()
		}
		return e.Problems[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d things stand in the way; nothing was changed", len(e.Problems))
	for _, p := range e.Problems {
		fmt.Fprintf(&b, "\n  %s: %s", p.Check, indent(p.String()))
	}
	for _, p := range e.Warnings {
		fmt.Fprintf(&b, "\n  warning, %s: %s", p.Check, indent(p.String()))
	}
	return b.String()
}

func indent(s string) string { return strings.ReplaceAll(s, "\n", "\n    ") }

// Unwrap returns the errors behind the problems.
func (e *PreflightError) Unwrap() []error {
	var out []error
	for _, p := range e.Problems {
		if p.Err != nil {
			out = append(out, p.Err)
		}
	}
	return out
}

// Check looks at one thing and changes nothing.
type Check struct {
	Name string
	Look func(ctx context.Context, r *Report)
}

// Report collects what the checks find.
type Report struct {
	check    string
	problems []Problem
	warnings []Problem
}

// Fail notes what stands in the way of a start.
func (r *Report) Fail(p Problem) {
	p.Check = r.check
	r.problems = append(r.problems, p)
}

// FailWith notes an error that says itself what to do about it; nil is none.
func (r *Report) FailWith(field string, err error) {
	if err != nil {
		r.Fail(Problem{Field: field, What: err.Error(), Err: err})
	}
}

// Warn notes what does not stand in the way.
func (r *Report) Warn(p Problem) {
	p.Check = r.check
	r.warnings = append(r.warnings, p)
}

// Failed reports whether a problem was noted so far, by any check.
func (r *Report) Failed() bool { return len(r.problems) > 0 }

// Preflight runs all checks, in order, and returns the warnings, or a
// *PreflightError with all problems. When ctx ends in between its cause is the
// error.
func Preflight(ctx context.Context, checks ...Check) ([]Problem, error) {
	var r Report
	for _, c := range checks {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		r.check = c.Name
		c.Look(ctx, &r)
	}
	if len(r.problems) > 0 {
		return nil, &PreflightError{Problems: r.problems, Warnings: r.warnings}
	}
	return r.warnings, nil
}
