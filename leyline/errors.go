package leyline

import (
	"errors"
	"fmt"
	"strings"
)

// Refusal is the one error with which esper declines an input: it says which
// subsystem refused what, why, and how to mend it. A refused input is always
// logged as a dependency.violated event, at CRITICAL. It is also what Validate
// says of an event that no rule may decide; such an event never becomes durable.
type Refusal struct {
	Subsystem  Subsystem
	Kind       RefusalKind
	Field      string // the input's field, dotted, as the caller wrote it
	Identifier string // the id or value that was refused, if there is one
	Reason     string // what is wrong, in words
	Hint       string // what to do about it
}

// Error says all of it in one line.
func (r *Refusal) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s refused (%s)", r.Subsystem, r.Kind)
	if r.Field != "" {
		fmt.Fprintf(&b, ": %s", r.Field)
	}
	if r.Identifier != "" {
		fmt.Fprintf(&b, " %q", r.Identifier)
	}
	if r.Reason != "" {
		fmt.Fprintf(&b, " %s", r.Reason)
	}
	if r.Hint != "" {
		fmt.Fprintf(&b, "; %s", r.Hint)
	}
	return b.String()
}

// AsRefusal returns the refusal in err's chain, if there is one.
func AsRefusal(err error) (*Refusal, bool) {
	var r *Refusal
	return r, errors.As(err, &r)
}

// Invalid is a refusal of a field's value that needs no state to be seen.
func Invalid(field, reason string) *Refusal {
	return &Refusal{Subsystem: SubsystemPlane, Kind: RefusalInvalidField, Field: field, Reason: reason}
}

// Missing is a refusal of an absent required field.
func Missing(field string) *Refusal {
	return &Refusal{
		Subsystem: SubsystemPlane, Kind: RefusalMissingField, Field: field,
		Reason: "is missing", Hint: "send it; nothing is substituted",
	}
}

// ErrStorage marks an error after which the log accepts nothing more.
var ErrStorage = errors.New("storage failed: the log is poisoned and the plane must be restarted")

// ErrStopping marks an error given to callers while the plane shuts down.
var ErrStopping = errors.New("the plane is stopping")
