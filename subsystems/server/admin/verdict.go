package admin

import (
	"net/http"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/server"
)

// The verdicts.
const (
	VerdictAccepted = "accepted"
	VerdictRejected = "rejected"
)

// Verdict is the answer to a command that was accepted.
type Verdict struct {
	Verdict  string            `json:"verdict"`
	Record   leyline.Seq       `json:"record"` // that holds the verdict
	Command  leyline.CommandID `json:"command"`
	Run      leyline.RunID     `json:"run"`
	At       string            `json:"at"`       // plane time, RFC 3339
	Deadline string            `json:"deadline"` // of the trainer's answer, RFC 3339
	Settled  bool              `json:"settled"`  // carried out by the plane itself
}

// Rejection is the answer to a command that was rejected: a problem document whose kind
// is the reason.
type Rejection struct {
	server.Problem
	Verdict string               `json:"verdict"`
	Reason  leyline.RejectReason `json:"reason"`
	Record  leyline.Seq          `json:"record,omitempty"`  // that holds the verdict
	Command leyline.CommandID    `json:"command,omitempty"` // as far as it could be read
	Run     leyline.RunID        `json:"run,omitempty"`     // as far as it could be read
}

func accepted(a leyline.CommandAnswer) Verdict {
	return Verdict{
		Verdict: VerdictAccepted, Record: a.Seq, Command: a.Command, Run: a.Run, At: a.At.String(), Deadline: a.Deadline.String(), Settled: a.Settled,
	}
}

func rejected(a leyline.CommandAnswer) Rejection {
	status, hint := statusOf(a.Reason)
	return Rejection{
		Problem: server.NewProblem(status, a.Reason.String(), "the command was rejected: "+a.Detail, hint),
		Verdict: VerdictRejected, Reason: a.Reason, Record: a.Seq, Command: a.Command, Run: a.Run,
	}
}

// statuses are those of reasons that are not for the state of a run to change; every
// other reason is a 409.
var statuses = []struct {
	status  int
	hint    string
	reasons []leyline.RejectReason
}{
	{http.StatusRequestEntityTooLarge, "send a smaller payload", []leyline.RejectReason{leyline.RejectTooLarge}},
	{http.StatusBadRequest, "build the command with `esper command`", []leyline.RejectReason{
		leyline.RejectMalformed, leyline.RejectMissingCommandID, leyline.RejectMissingTimestamp,
	}},
	{http.StatusForbidden, "sign with a key that is enrolled for this kind of command", []leyline.RejectReason{
		leyline.RejectUnknownKey, leyline.RejectKeyRevoked, leyline.RejectMissingSignature, leyline.RejectInvalidSignature, leyline.RejectNotPermitted,
		leyline.RejectOperatorOnly,
	}},
	{http.StatusUnprocessableEntity, "issue it anew for this plane", []leyline.RejectReason{
		leyline.RejectWrongAudience, leyline.RejectFuture, leyline.RejectStale,
	}},
	{http.StatusUnprocessableEntity, "", []leyline.RejectReason{
		leyline.RejectUnsupportedKind, leyline.RejectUnsupportedOperation, leyline.RejectMissingMesh, leyline.RejectUnknownBlendMode,
		leyline.RejectBlendPlan, leyline.RejectLogits, leyline.RejectParameter, leyline.RejectBreakerInvalid, leyline.RejectUndeclared,
		leyline.RejectPruning, leyline.RejectPolicyArchitecture, leyline.RejectPolicyRegistry,
	}},
	{http.StatusConflict, "it was handed in before; its record says what became of it", []leyline.RejectReason{leyline.RejectNonceReplayed}},
	{http.StatusConflict, "number it above the last one of its key: GET /v1/keys/{key}", []leyline.RejectReason{leyline.RejectSequenceReplayed}},
	{http.StatusServiceUnavailable, "wait until older commands cannot be replayed any more", []leyline.RejectReason{leyline.RejectLedgerFull, leyline.RejectNonceQuota}},
	{http.StatusTooManyRequests, "wait for the next minute, or have the rate of the key raised", []leyline.RejectReason{leyline.RejectRateLimited}},
	{http.StatusNotFound, "", []leyline.RejectReason{
		leyline.RejectUnknownRun, leyline.RejectUnknownSeed, leyline.RejectUnknownBlueprint, leyline.RejectNoTeacher,
		leyline.RejectPolicyUnknown,
	}},
}

func statusOf(why leyline.RejectReason) (status int, hint string) {
	for _, s := range statuses {
		for _, r := range s.reasons {
			if r == why {
				return s.status, s.hint
			}
		}
	}
	return http.StatusConflict, ""
}
