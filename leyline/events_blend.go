package leyline

// SeedFailed says that a seed had no part in a step, because its own pass or its
// blend failed. It is culled in the same record.
type SeedFailed struct {
	Run     RunID
	Seed    SeedID
	Step    Step
	Failure SeedFailure
	Reason  string // the trainer's words
}

// Validate implements Event.
func (x SeedFailed) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	needID(&c, "seed", x.Seed)
	need(&c, "step", x.Step > 0)
	needEnum(&c, "failure", x.Failure)
	needText(&c, "reason", x.Reason)
	return c.result()
}

// EventKind implements Event.
func (SeedFailed) EventKind() EventKind { return EventSeedFailed }

// SeedHealth is how a seed fares (SPEC.md 1.1 and 4.11).
type SeedHealth = Enum[seedHealths]

type seedHealths struct{}

func (seedHealths) list() []string { return seedHealthNames[:] }

var seedHealthNames = [...]string{"UNKNOWN", "HEALTHY", "DEGRADED", "UNHEALTHY", "CRITICAL"}

// The states of health: nothing is held against the seed; its compiled code was given
// up or its kernel was slow; its isolation was violated; it was CriticalViolations
// times.
const (
	SeedHealthUnknown SeedHealth = iota
	SeedHealthy
	SeedDegraded
	SeedUnhealthy
	SeedCritical
)

// CriticalViolations is how often the isolation of one seed may be violated before
// that is CRITICAL.
const CriticalViolations = 4
