package sla

import "github.com/esper-plane/esper/leyline"

// The parts of a rollback in which a process can die.
const (
	PartDecide  = "decide"
	PartRestore = "restore"
)

// Rollback is one fault from its first bad step to the first good one after it: in
// four parts, each from the times of records alone. A part that did not happen, or
// whose beginning no record tells, is nil.
type Rollback struct {
	Run       leyline.RunID       `json:"run"`
	ID        leyline.RollbackID  `json:"id"` // of the last attempt
	Cause     leyline.FaultReason `json:"cause"`
	FaultStep leyline.Step        `json:"fault_step"`
	ToStep    leyline.Step        `json:"to_step"`
	Outcome   leyline.Outcome     `json:"outcome"` // of the last attempt
	Reason    leyline.FaultReason `json:"reason"`  // why it did not succeed

	Tier     leyline.Tier          `json:"tier"`                // from which it was restored, or was to be
	LeftFast leyline.RollbackPhase `json:"left_fast,omitempty"` // in which the fast tier was given up; unset: it was not
	LeftWhy  leyline.FaultReason   `json:"left_fast_reason,omitempty"`
	Overran  leyline.RollbackPhase `json:"overran,omitempty"` // that ate the budget; unset: it was kept

	Saved         leyline.Digest   `json:"digest_saved"`
	Restored      leyline.Digest   `json:"digest_restored"` // zero when only the checksum was taken
	SavedCheck    leyline.Checksum `json:"checksum_saved"`
	RestoredCheck leyline.Checksum `json:"checksum_restored"`
	Bytes         uint64           `json:"bytes"`

	Attempts  []Attempt    `json:"attempts"`
	Phases    []Phase      `json:"phases"`
	DetectMs  *float64     `json:"detect_ms"`
	DecideMs  *float64     `json:"decide_ms"`
	RestoreMs *float64     `json:"restore_ms"`
	GoodMs    *float64     `json:"first_good_ms"`
	GoodStep  leyline.Step `json:"first_good_step"`

	BudgetMs  *float64 `json:"sla_ms"`     // of the tier; nil while its clock stands still
	SpentMs   *float64 `json:"spent_ms"`   // of the budget, over every attempt
	WithinSLA bool     `json:"within_sla"` // as computed here
	Recorded  bool     `json:"recorded_within_sla"`

	Resumed  bool     `json:"completed_by_resume"` // the process died within it
	ResumeMs *float64 `json:"resume_ms"`           // in place of restore: until the run was resumed
	Died     string   `json:"died_in,omitempty"`   // the part in which the process died

	Records Places `json:"records"`

	fullMs   *float64 // until the deadline of the whole
	since    leyline.Instant
	started  leyline.Instant
	decided  leyline.Instant
	finished leyline.Instant // or resumed
}

// Places are where a rollback's turning points lie in the log; 0 is none.
type Places struct {
	Started  leyline.Seq `json:"started"`
	Decided  leyline.Seq `json:"decided"`
	Finished leyline.Seq `json:"finished"` // or resumed
	Good     leyline.Seq `json:"first_good"`
}

// Attempt is one try of a rollback.
type Attempt struct {
	Seq     leyline.Seq         `json:"seq"`
	ID      leyline.RollbackID  `json:"id"`
	ToStep  leyline.Step        `json:"to_step"`
	Tier    leyline.Tier        `json:"tier"`
	Outcome leyline.Outcome     `json:"outcome"`
	Reason  leyline.FaultReason `json:"reason"`
}

// Phase is one phase of a rollback that came to an end, as measured by who did its
// work.
type Phase struct {
	Seq   leyline.Seq           `json:"seq"` // the record that ended it
	Phase leyline.RollbackPhase `json:"phase"`
	Tier  leyline.Tier          `json:"tier"`
	Ms    float64               `json:"ms"`
}

// Judged reports whether the rollback has a service level to be held against: its
// clock did not stand still.
func (b *Rollback) Judged() bool { return b.BudgetMs != nil }

// goesOn reports whether a rollback that starts is the next attempt of one that
// failed.
func (b *Rollback) goesOn(x leyline.RollbackStarted) bool {
	ended := b.Outcome == leyline.OutcomeFailed || b.Outcome == leyline.OutcomeDeadline
	return ended && b.Run == x.Run && b.FaultStep == x.FaultStep && b.since == x.Since && b.finished != 0
}

// died notes in which part of a rollback a process ended: the next one has started.
func (b *Rollback) died() {
	switch {
	case b.Outcome != leyline.OutcomeUnspecified || b.Died != "":
	case b.decided == 0:
		b.Died = PartDecide
	default:
		b.Died = PartRestore
	}
}

// between is the time from one instant to another in milliseconds, or nil when one
// of them is not known.
func between(from, to leyline.Instant) *float64 {
	if from == 0 || to == 0 {
		return nil
	}
	d := float64(to.Sub(from)) / 1e6
	return &d
}
