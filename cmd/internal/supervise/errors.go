package supervise

import (
	"errors"
	"fmt"
	"time"
)

// ErrRunning is wrapped by the error of a Stop that gave up: its component still
// runs, and counts as stuck.
var ErrRunning = errors.New("still running")

// EndedError says that a component ended by itself.
type EndedError struct {
	Name string
	Err  error // why; nil: it does not say
}

// Error implements error.
func (e *EndedError) Error() string {
	if e.Err == nil {
		return e.Name + " ended by itself"
	}
	return fmt.Sprintf("%s ended by itself: %v", e.Name, e.Err)
}

// Unwrap returns why.
func (e *EndedError) Unwrap() error { return e.Err }

// StuckError says what did not return within its time, and what was not stopped
// because of it.
type StuckError struct {
	Name   string        // a component, or "the work"
	Doing  string        // "start" or "stop", or "end" of the work
	Within time.Duration // the time it had
	Left   []string      // components that were left running below it
	Err    error         // what its Stop says; nil: it did not return
}

// Error implements error.
func (e *StuckError) Error() string {
	s := fmt.Sprintf("%s did not %s within %v", e.Name, e.Doing, e.Within)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	for i, name := range e.Left {
		if i == 0 {
			s += "; left running because it may use them: "
		} else {
			s += ", "
		}
		s += name
	}
	return s
}

// Unwrap returns what its Stop says.
func (e *StuckError) Unwrap() error { return e.Err }
