package leyline

// EpochReason says why an epoch failed. The order is that in which the reasons
// are looked for: the first that holds is the one (SPEC.md 2.7).
type EpochReason = Enum[epochReasons]

type epochReasons struct{}

func (epochReasons) list() []string { return epochReasonNames[:] }

var epochReasonNames = [...]string{
	"none", "breaker_open", "epoch_budget", "tamiyo_timeout", "tamiyo_error", "kasmina_timeout", "kasmina_error", "hook_budget",
}

// The reasons for a failed epoch. None of them says anything about the network,
// so none of them rolls it back.
const (
	EpochNone           EpochReason = iota
	EpochBreakerOpen                // the breaker of epochs lets none pass
	EpochBudget                     // it took longer than tolaria.epoch_budget_ms
	EpochTamiyoTimeout              // the policy did not answer a question in time
	EpochTamiyoError                // the policy could not answer
	EpochKasminaTimeout             // an accepted command was not answered in time
	EpochKasminaError               // the trainer could not carry out an accepted command
	EpochHookBudget                 // the slowest answer took longer than tolaria.hook_budget_ms
)

// EpochFailed says that an epoch failed. WARNING. Its held-out figures stand all
// the same.
type EpochFailed struct {
	Run      RunID
	Step     Step
	Epoch    uint32
	Reason   EpochReason
	TookNs   uint64 // what broke the budget: the epoch, or its slowest answer; 0 for another reason
	BudgetNs uint64 // that it broke; 0 for another reason
	Streak   uint32 // epochs that failed in a row, this one included; one that the breaker refused is not counted
}

// EventKind implements Event.
func (EpochFailed) EventKind() EventKind { return EventEpochFailed }

// Validate implements Event.
func (x EpochFailed) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "epoch", x.Epoch > 0)
	needEnum(&c, "reason", x.Reason)
	if x.Reason == EpochBudget || x.Reason == EpochHookBudget {
		need(&c, "took_ns", x.TookNs > 0)
		need(&c, "budget_ns", x.BudgetNs > 0)
	}
	return c.result()
}
