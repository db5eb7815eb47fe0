package leyline

import "fmt"

// MaxLag bounds RunOpened.Lag, in steps.
const MaxLag = 64

// MaxRanks bounds RunOpened.Ranks.
const MaxRanks = 1 << 16

// PrincipalProcess is the RunOpened.Principal of a trainer in the process of the plane.
const PrincipalProcess = "process"

// Away is what a trainer does when it cannot reach the plane. There is no third way:
// no trainer goes on without it.
type Away = Enum[aways]

type aways struct{}

func (aways) list() []string { return awayNames[:] }

var awayNames = [...]string{"unspecified", "stop", "wait"}

// The ways.
const (
	AwayUnspecified Away = iota
	AwayStop             // training ends with an error
	AwayWait             // training stands still until the plane is there again, at most RunOpened.AwaySeconds
)

// WeightsMismatched says that a pipelined trainer has applied other weights than the
// plane derives from what the trainer reported. CRITICAL: one of the two is wrong,
// and the network is not the one that the log tells of.
type WeightsMismatched struct {
	Run     RunID
	Step    Step
	Applied []float64 // per task, as the trainer reported
	Derived []float64 // per task, as the plane decided; empty: nothing was to be applied
}

// StepOvertaken says that a pipelined trainer reported a step which a rollback had
// made void before the report arrived. Nothing was decided from it. INFO.
type StepOvertaken struct {
	Run         RunID
	Step        Step
	Incarnation Incarnation // of the report
	Rollback    RollbackID  // that has overtaken it
}

// EventKind implements Event.
func (WeightsMismatched) EventKind() EventKind { return EventWeightsMismatched }

// EventKind implements Event.
func (StepOvertaken) EventKind() EventKind { return EventStepOvertaken }

// Validate implements Event.
func (x WeightsMismatched) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "step", x.Step > 0)
	need(&c, "applied", len(x.Applied) > 0)
	bound(&c, "applied", len(x.Applied), MaxTasks)
	if n := len(x.Derived); n > 0 && n != len(x.Applied) {
		c.fail(Invalid("derived", fmt.Sprintf("has %d entries, applied has %d", n, len(x.Applied))))
	}
	return c.result()
}

// Validate implements Event.
func (x StepOvertaken) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "step", x.Step > 0)
	need(&c, "incarnation", x.Incarnation > 0)
	needID(&c, "rollback", x.Rollback)
	return c.result()
}

// mode demands that the trainer has said how far behind answers may be and what it
// does without a plane.
func (x *RunOpened) mode(c *check) {
	if x.Lag > MaxLag {
		c.fail(Invalid("lag", fmt.Sprintf("is %d steps, at most %d are allowed", x.Lag, MaxLag)))
	}
	needEnum(c, "away", x.Away)
	if x.Away == AwayStop && x.AwaySeconds != 0 {
		c.fail(Invalid("away_seconds", "is set, but away is stop; only a trainer that waits has a limit"))
	}
	if x.Ranks > MaxRanks {
		c.fail(Invalid("ranks", fmt.Sprintf("is %d, at most %d are allowed", x.Ranks, MaxRanks)))
	}
	needText(c, "principal", x.Principal)
}

// applied demands the weights of every task, or of none.
func (x *StepObserved) applied(c *check) {
	if len(x.Applied) > 0 {
		same(c, "applied", len(x.Applied), len(x.Losses))
	}
}
