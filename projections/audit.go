package projections

import "github.com/esper-plane/esper/leyline"

// Audit counts what became of commands, those refused at the door included. The commands themselves, with verdict
// and answer, are listed from the log by an AuditFold.
type Audit struct {
	Accepted uint64
	Rejected []ReasonCount // sorted by reason
	Applied  uint64        // answered OK
	Failed   uint64        // answered FAILED
	Expired  uint64        // never answered
}

// ReasonCount counts rejections for one reason.
type ReasonCount struct {
	Reason leyline.RejectReason
	N      uint64
}

func reasonOf(r *ReasonCount) leyline.RejectReason { return r.Reason }

func (a *Audit) apply(e leyline.Event) {
	switch x := e.(type) {
	case leyline.CommandVerified:
		a.Accepted++
	case leyline.CommandRejected:
		a.reject(x.Reason, 1)
	case leyline.CommandsRefused:
		for _, c := range x.Counts {
			a.reject(c.Reason, c.N)
		}
	case leyline.CommandSettled:
		if x.Outcome == leyline.OutcomeOK {
			a.Applied++
		} else {
			a.Failed++
		}
	case leyline.CommandExpired:
		a.Expired++
	case leyline.PolicyActivated, leyline.PolicyReverted:
		a.Applied++
	case leyline.PolicyRejected:
		if x.Command != "" {
			a.Failed++
		}
	}
}

func (a *Audit) reject(why leyline.RejectReason, n uint64) {
	row := ReasonCount{Reason: why, N: n}
	if old := get(a.Rejected, why, reasonOf); old != nil {
		row.N += old.N
	}
	a.Rejected = put(a.Rejected, row, reasonOf)
}

// RejectedTotal sums the rejections over all reasons.
func (a *Audit) RejectedTotal() uint64 {
	var n uint64
	for _, r := range a.Rejected {
		n += r.N
	}
	return n
}
