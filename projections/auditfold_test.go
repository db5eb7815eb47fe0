package projections_test

import (
	"crypto/sha256"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// auditLog writes records by hand: a fold depends on nothing but records.
type auditLog struct {
	fold projections.AuditFold
	seq  leyline.Seq
}

func (l *auditLog) add(in leyline.Input, events ...leyline.Event) leyline.Seq {
	l.seq++
	l.fold.Apply(leyline.Record{Seq: l.seq, At: leyline.Instant(1000 * l.seq), Input: in, Events: events})
	return l.seq
}

func received(payload string) leyline.CommandReceived {
	return leyline.CommandReceived{
		Envelope: leyline.Envelope{Payload: []byte(payload), KeyID: "key-1"}, Peer: leyline.PeerOperator, PeerName: "alice",
	}
}

func accepted(id leyline.CommandID) leyline.CommandVerified {
	return leyline.CommandVerified{
		Run: "run-1", Command: id, Key: "key-1", Issuer: "tamiyo", Kind: leyline.CommandSeed,
		Seed:     leyline.SeedCommand{Operation: leyline.OpGerminate, Seed: "seed-a"},
		IssuedAt: 900, Deadline: 31_000,
	}
}

func TestAuditRowsOfEveryFate(t *testing.T) {
	var l auditLog
	ack := func(id leyline.CommandID, o leyline.Outcome, reason string) leyline.CommandSettled {
		return leyline.CommandSettled{Run: "run-1", Command: id, Outcome: o, Reason: reason, TookNs: 77}
	}
	l.add(received("ok"), leyline.GateEvaluated{}, accepted("ok"), leyline.SeedMoved{})
	l.add(received("bad"), leyline.CommandRejected{
		Run: "run-1", Command: "bad", Key: "key-1", Issuer: "mallory", Kind: leyline.CommandSeed, Operation: leyline.OpCull,
		Reason: leyline.RejectInvalidSignature, Detail: "the signature does not match", IssuedAt: 800,
	})
	l.add(received("early"), leyline.CommandRejected{Command: "early", Reason: leyline.RejectBlendIncomplete})
	l.add(received("garbage"), leyline.DependencyViolated{Refusal: leyline.Refusal{
		Subsystem: leyline.SubsystemPlane, Kind: leyline.RefusalNotConfigured, Reason: "came early",
	}})
	l.add(leyline.CommandAcked{}, ack("ok", leyline.OutcomeOK, ""))
	for _, id := range []leyline.CommandID{"failed", "late", "void", "doubt", "doubt-closed", "open"} {
		l.add(received(string(id)), accepted(id)) // records 6 to 11
	}
	l.add(leyline.CommandAcked{}, ack("failed", leyline.OutcomeFailed, "out of memory"))
	l.add(leyline.TimerFired{}, leyline.CommandExpired{Command: "late", Outcome: leyline.OutcomeDeadline})
	l.add(leyline.RollbackReported{}, leyline.CommandExpired{Command: "void", Outcome: leyline.OutcomeSuperseded})
	recovered := func(seq leyline.Seq) leyline.EffectRecovered {
		return leyline.EffectRecovered{Effect: leyline.EffectID{Seq: seq}, Kind: leyline.EffectCommand, Run: "run-1"}
	}
	l.add(leyline.PlaneStarted{}, leyline.PlaneBooted{}, recovered(9), recovered(10),
		leyline.EffectRecovered{Effect: leyline.EffectID{Seq: 11, Index: 1}, Kind: leyline.EffectPrefetch},
		leyline.EffectRecovered{Effect: leyline.EffectID{Seq: 11}, Kind: leyline.EffectCommand, Reissued: true})
	l.add(leyline.RunOpened{Resume: true}, leyline.CommandExpired{Command: "doubt-closed", Outcome: leyline.OutcomeUnknown})

	row := func(seq leyline.Seq, id leyline.CommandID, verdict, answer string, at leyline.Seq) projections.AuditRow {
		a := projections.AuditRow{
			Seq: seq, At: leyline.Instant(1000 * seq), Command: id, Key: "key-1", PeerKind: leyline.PeerOperator, PeerName: "alice",
			Verdict: verdict, Digest: sha256.Sum256([]byte(id)), Answer: answer, AnswerSeq: at, AnsweredAt: leyline.Instant(1000 * at), Count: 1,
		}
		if verdict == projections.VerdictAccepted {
			a.Run, a.Kind, a.Issuer, a.Operation, a.Seed = "run-1", leyline.CommandSeed, "tamiyo", leyline.OpGerminate, "seed-a"
			a.Authentic, a.IssuedAt, a.Deadline = true, 900, 31_000
		}
		return a
	}
	want := []projections.AuditRow{
		row(1, "ok", "accepted", "ok", 5),
		row(2, "bad", "rejected", "none", 0),
		row(3, "early", "rejected", "none", 0),
		row(4, "garbage", "rejected", "none", 0),
		row(6, "failed", "accepted", "failed", 12),
		row(7, "late", "accepted", "deadline_exceeded", 13),
		row(8, "void", "accepted", "superseded", 14),
		row(9, "doubt", "accepted", "unknown", 15),
		row(10, "doubt-closed", "accepted", "unknown", 16),
		row(11, "open", "accepted", "none", 0),
	}
	want[0].AnswerTookNs = 77
	bad := &want[1]
	bad.Run, bad.Issuer, bad.Kind, bad.Operation, bad.IssuedAt = "run-1", "mallory", leyline.CommandSeed, leyline.OpCull, 800
	bad.Reason, bad.Detail = "invalid_signature", "the signature does not match"
	want[2].Reason, want[2].Authentic = "blend_incomplete", true
	want[3].Command, want[3].Reason, want[3].Detail = "", "not_configured", "plane refused (not_configured) came early"
	want[4].AnswerReason, want[4].AnswerTookNs = "out of memory", 77
	if d := cmp.Diff(want, l.fold.Rows()); d != "" {
		t.Errorf("rows:\n%s", d)
	}
}

// TestAuditRowsOfAReusedID: an id may be used again once its nonce is
// forgotten. The answer belongs to the newer command.
func TestAuditRowsOfAReusedID(t *testing.T) {
	var l auditLog
	l.add(received("a"), accepted("a"))
	l.add(leyline.CommandAcked{}, leyline.CommandSettled{Command: "a", Outcome: leyline.OutcomeOK})
	l.add(received("a"), accepted("a"))
	before := l.fold.Rows()
	l.add(leyline.CommandAcked{}, leyline.CommandSettled{Command: "a", Outcome: leyline.OutcomeFailed})
	rows := l.fold.Rows()
	if rows[0].Answer != "ok" || rows[0].AnswerSeq != 2 || rows[1].Answer != "failed" || rows[1].AnswerSeq != 4 {
		t.Errorf("answers %s by record %d and %s by record %d", rows[0].Answer, rows[0].AnswerSeq, rows[1].Answer, rows[1].AnswerSeq)
	}
	if before[1].Answer != projections.AnswerNone {
		t.Error("rows that were handed out have changed")
	}
}

// TestAuditRowsOfADoor: commands that were only counted are one row for each reason,
// and do not come between a command and its answer.
func TestAuditRowsOfADoor(t *testing.T) {
	var l auditLog
	l.add(received("a"), accepted("a"))
	first := leyline.Digest(sha256.Sum256([]byte("x")))
	counts := []leyline.RejectCount{{Reason: leyline.RejectUnknownKey, N: 3}, {Reason: leyline.RejectInvalidSignature, N: 90}}
	l.add(leyline.PeerRejected{First: first}, leyline.CommandsRefused{Peer: leyline.PeerTrainer, PeerName: "uid:7", Counts: counts})
	l.add(leyline.CommandAcked{}, leyline.CommandSettled{Command: "a", Outcome: leyline.OutcomeOK})
	rows := l.fold.Rows()
	if len(rows) != 3 || rows[0].Answer != "ok" || rows[0].Count != 1 {
		t.Fatalf("rows %+v", rows)
	}
	for i, c := range counts {
		want := projections.AuditRow{
			Seq: 2, At: 2000, PeerKind: leyline.PeerTrainer, PeerName: "uid:7", Verdict: "rejected", Reason: c.Reason.String(),
			Detail: "refused at the door and counted", Digest: first, Answer: "none", Count: c.N,
		}
		if d := cmp.Diff(want, rows[1+i]); d != "" {
			t.Errorf("row %d:\n%s", 1+i, d)
		}
	}
}
