package projections

import (
	"crypto/sha256"

	"github.com/esper-plane/esper/leyline"
)

// The verdicts of AuditRow.
const (
	VerdictAccepted = "accepted"
	VerdictRejected = "rejected"
)

// AnswerNone is AuditRow.Answer of a command that was not answered, or not yet.
const AnswerNone = "none"

// AuditRow is one command.received with its verdict and what became of it, or all
// commands of a peer that its door has refused for one reason, within about a second,
// and only counted: then Count is their number, and nothing is known of a single one. Of
// a command that is not Authentic every field up to PeerName but Seq and At is
// what it claims, as far as it could be read.
type AuditRow struct {
	Seq       leyline.Seq // of command.received
	At        leyline.Instant
	Run       leyline.RunID
	Command   leyline.CommandID
	Kind      leyline.CommandKind
	Operation leyline.SeedOperation
	Seed      leyline.SeedID
	Issuer    string
	Key       leyline.KeyID
	PeerKind  leyline.PeerKind
	PeerName  string

	Verdict   string // VerdictAccepted or VerdictRejected; empty if the record holds neither
	Reason    string // of a rejection: a leyline.RejectReason, or the leyline.RefusalKind of a refused input
	Detail    string
	Authentic bool            // it proved who sent it, that it was fresh and that it was new
	IssuedAt  leyline.Instant // 0 when it could not be read
	Deadline  leyline.Instant // of the answer; 0 unless accepted
	Digest    leyline.Digest  // of the payload bytes

	Answer       string      // a leyline.Outcome, or AnswerNone
	AnswerSeq    leyline.Seq // of the record that settled it; 0 with AnswerNone
	AnsweredAt   leyline.Instant
	AnswerReason string
	AnswerTookNs uint64 // as measured by the trainer

	Count uint64 // commands: 1 in a record of its own
}

// AuditFold lists every command that a plane received. It is fed all records in
// order. The zero AuditFold is ready to use. It is not safe for concurrent use.
type AuditFold struct {
	rows []AuditRow
	open map[leyline.CommandID]int // accepted and not settled, by position in rows
}

// Apply folds one record.
func (f *AuditFold) Apply(r leyline.Record) {
	switch in := r.Input.(type) {
	case leyline.CommandReceived:
		f.receive(r, in)
	case leyline.PeerRejected:
		f.refused(r, in)
	}
	for _, e := range r.Events {
		f.answer(r, e)
	}
}

// Rows returns one row per command received or per reason of a door, in the order of reception. Rows of
// commands that are answered later do not change in what was returned.
func (f *AuditFold) Rows() []AuditRow { return append([]AuditRow(nil), f.rows...) }

func (f *AuditFold) receive(r leyline.Record, in leyline.CommandReceived) {
	row := AuditRow{
		Seq: r.Seq, At: r.At, Key: in.Envelope.KeyID, PeerKind: in.Peer, PeerName: in.PeerName,
		Digest: sha256.Sum256(in.Envelope.Payload), Answer: AnswerNone, Count: 1,
	}
	for _, e := range r.Events {
		row.judge(e)
	}
	if row.Verdict == VerdictAccepted {
		if f.open == nil {
			f.open = map[leyline.CommandID]int{}
		}
		f.open[row.Command] = len(f.rows)
	}
	f.rows = append(f.rows, row)
}

// refused adds what a door has counted. The digest is that of the first of them.
func (f *AuditFold) refused(r leyline.Record, in leyline.PeerRejected) {
	for _, e := range r.Events {
		x, ok := e.(leyline.CommandsRefused)
		if !ok {
			continue
		}
		for _, c := range x.Counts {
			f.rows = append(f.rows, AuditRow{
				Seq: r.Seq, At: r.At, PeerKind: x.Peer, PeerName: x.PeerName, Verdict: VerdictRejected, Reason: c.Reason.String(),
				Detail: "refused at the door and counted", Digest: in.First, Answer: AnswerNone, Count: c.N,
			})
		}
	}
}

func (a *AuditRow) judge(e leyline.Event) {
	switch x := e.(type) {
	case leyline.CommandVerified:
		a.Verdict, a.Authentic = VerdictAccepted, true
		a.Run, a.Command, a.Kind, a.Issuer = x.Run, x.Command, x.Kind, x.Issuer
		a.Operation, a.Seed = x.Seed.Operation, x.Seed.Seed
		a.IssuedAt, a.Deadline = x.IssuedAt, x.Deadline
	case leyline.CommandRejected:
		a.Verdict, a.Authentic = VerdictRejected, leyline.Authentic(x.Reason)
		a.Run, a.Command, a.Kind, a.Issuer = x.Run, x.Command, x.Kind, x.Issuer
		a.Operation, a.Seed, a.IssuedAt = x.Operation, x.Seed, x.IssuedAt
		a.Reason, a.Detail = x.Reason.String(), x.Detail
	case leyline.DependencyViolated:
		a.Verdict = VerdictRejected
		a.Reason, a.Detail = x.Refusal.Kind.String(), x.Refusal.Error()
	}
}

// answer notes how an accepted command ended. A command that a restart left in
// doubt is unknown until its run is resumed, which closes it.
func (f *AuditFold) answer(r leyline.Record, e leyline.Event) {
	switch x := e.(type) {
	case leyline.CommandSettled:
		f.decided(r, x.Command, x.Outcome, x.Reason, x.TookNs)
	case leyline.PolicyActivated:
		f.decided(r, x.Command, leyline.OutcomeOK, "", x.TookNs)
	case leyline.PolicyReverted:
		f.decided(r, x.Command, leyline.OutcomeOK, "", 0)
	case leyline.PolicyRejected:
		f.decided(r, x.Command, leyline.OutcomeFailed, x.Fault.String(), x.TookNs)
	case leyline.CommandExpired:
		f.settle(r, x.Command, x.Outcome)
		delete(f.open, x.Command)
	case leyline.EffectRecovered:
		if x.Kind == leyline.EffectCommand && !x.Reissued {
			f.settle(r, f.commandOf(x.Effect.Seq), leyline.OutcomeUnknown)
		}
	}
}

// decided closes an accepted command, and says why and after how long.
func (f *AuditFold) decided(r leyline.Record, id leyline.CommandID, how leyline.Outcome, why string, ns uint64) {
	if row := f.settle(r, id, how); row != nil {
		row.AnswerReason, row.AnswerTookNs = why, ns
		delete(f.open, id)
	}
}

func (f *AuditFold) settle(r leyline.Record, id leyline.CommandID, how leyline.Outcome) *AuditRow {
	i, ok := f.open[id]
	if !ok {
		return nil
	}
	row := &f.rows[i]
	row.Answer, row.AnswerSeq, row.AnsweredAt = how.String(), r.Seq, r.At
	return row
}

// commandOf returns the command that was received in a record: the directive
// of an accepted command is an effect of that record.
func (f *AuditFold) commandOf(seq leyline.Seq) leyline.CommandID {
	if row := get(f.rows, seq, func(a *AuditRow) leyline.Seq { return a.Seq }); row != nil {
		return row.Command
	}
	return ""
}
