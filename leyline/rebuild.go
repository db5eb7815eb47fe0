package leyline

import "reflect"

// Fence says when an optimizer may be rebuilt.
type Fence = Enum[fences]

type fences struct{}

func (fences) list() []string { return fenceNames[:] }

var fenceNames = [...]string{"unspecified", "off", "epoch", "n_steps", "command"}

// The fences: never, after each epoch that did not fail, after every so many
// optimizer steps.
const (
	FenceUnspecified Fence = iota
	FenceOff
	FenceEpoch
	FenceSteps
	FenceCommand // of an OPTIMIZER command; no setting
)

// brokenFence demands a fence that a setting may name.
func brokenFence(v reflect.Value) (reason, fix string) {
	if f := v.Interface().(Fence); f.Validate() != nil || f == FenceCommand {
		return "is " + f.String(), "write off, epoch or n_steps"
	}
	return "", ""
}

// RebuildStage is where the rebuild of an optimizer stands.
type RebuildStage = Enum[rebuildStages]

type rebuildStages struct{}

func (rebuildStages) list() []string { return rebuildStageNames[:] }

var rebuildStageNames = [...]string{"unspecified", "requested", "skipped", "done", "failed", "void", "late"}

// The stages.
const (
	RebuildUnspecified RebuildStage = iota
	RebuildRequested                // the trainer is told to
	RebuildSkipped                  // a fence was reached and nothing was asked for
	RebuildDone                     // and nothing was lost
	RebuildFailed
	RebuildVoid // a rollback, a resume or the end of the run came first
	RebuildLate // the trainer's word on an order that was closed already
)

// RebuildReason says why a rebuild was skipped, failed or void.
type RebuildReason = Enum[rebuildReasons]

type rebuildReasons struct{}

func (rebuildReasons) list() []string { return rebuildReasonNames[:] }

var rebuildReasonNames = [...]string{
	"none", "too_soon", "breaker_open", "pending", "trainer_failed", "groups_lost", "parameters_lost", "state_lost", "deadline_exceeded",
	"rolled_back", "resumed", "closed",
}

// The reasons.
const (
	RebuildFine           RebuildReason = iota
	RebuildTooSoon                      // skipped: fewer steps than tolaria.opt_rebuild_min_steps since the last one
	RebuildBreakerOpen                  // skipped: the breaker of rebuilds lets none pass
	RebuildPending                      // skipped: the last one was not acknowledged
	RebuildTrainer                      // failed: the trainer says so
	RebuildGroupsLost                   // failed: there are other parameter groups than before
	RebuildParametersLost               // failed: it optimizes other parameters than before
	RebuildStateLost                    // failed: its state is not what it was
	RebuildDeadline                     // failed: no report acknowledged it in time
	RebuildRolledBack                   // void
	RebuildResumed                      // void
	RebuildClosed                       // void
)

// OptimizerState is what an optimizer holds, as its trainer found it.
type OptimizerState struct {
	Groups     uint32 // parameter groups
	Parameters uint64 // in all groups
	Digest     Digest // of settings and buffers of every group
}

// RebuildOrder tells the trainer to make its optimizer anew from its own state.
type RebuildOrder struct {
	Step Step // of the fence
}

// OptimizerRebuild is a step in the life of a rebuild. WARNING when it was skipped
// or has failed.
type OptimizerRebuild struct {
	Run      RunID
	Step     Step // of the fence
	Fence    Fence
	Stage    RebuildStage
	Reason   RebuildReason
	Detail   string
	Order    EffectID // the request; zero for the request itself and for one that was skipped
	Deadline Instant  // of a request: the trainer's word is due by then
	Before   OptimizerState
	After    OptimizerState
	TookNs   uint64 // as the trainer measured it
}

// EventKind implements Event.
func (OptimizerRebuild) EventKind() EventKind { return EventOptimizerRebuild }

// Validate implements Event.
func (x OptimizerRebuild) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	needEnum(&c, "fence", x.Fence)
	needEnum(&c, "stage", x.Stage)
	switch x.Stage {
	case RebuildRequested:
		need(&c, "deadline", x.Deadline > 0)
	case RebuildSkipped, RebuildFailed, RebuildVoid:
		needEnum(&c, "reason", x.Reason)
	}
	if x.Stage != RebuildRequested && x.Stage != RebuildSkipped {
		need(&c, "order", !x.Order.IsZero())
	}
	mayEnum(&c, "reason", x.Reason)
	text(&c, "detail", x.Detail, MaxText)
	return c.result()
}
