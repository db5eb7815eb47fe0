package recheck

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/leyline/wire"
	"github.com/esper-plane/esper/subsystems/kasmina/verify/detail"
)

// trial is one command before this checker.
type trial struct {
	*Checker
	at  leyline.Instant
	env leyline.Envelope
	cmd leyline.Command // as far as it could be read
	key leyline.Key
}

// a check says why a command is to be rejected, or RejectNone.
type check func(*trial) (leyline.RejectReason, string)

// checks are made in this order, and the first reason is the verdict (DESIGN.md
// section 7).
var checks = []check{(*trial).form, (*trial).signature, (*trial).permission, (*trial).audience, (*trial).time, (*trial).novelty, (*trial).room}

const pass = leyline.RejectNone

func (t *trial) form() (leyline.RejectReason, string) {
	if n := len(t.env.Payload); n > leyline.MaxCommandBytes {
		return leyline.RejectTooLarge, detail.TooLarge(n)
	}
	if t.env.PayloadType != leyline.PayloadCommand {
		return leyline.RejectMalformed, detail.PayloadType()
	}
	cmd, err := wire.DecodeCommand(t.env.Payload)
	if err == nil {
		err = cmd.Validate()
	}
	if err != nil {
		return leyline.RejectMalformed, err.Error()
	}
	t.cmd = cmd
	return pass, ""
}

func (t *trial) signature() (leyline.RejectReason, string) {
	key, known := t.keys[t.env.KeyID]
	if !known {
		return leyline.RejectUnknownKey, detail.UnknownKey(t.env.KeyID)
	}
	if at, dead := t.revoked[t.env.KeyID]; dead {
		return leyline.RejectKeyRevoked, detail.KeyRevoked(t.env.KeyID, at)
	}
	if len(t.env.Signature) == 0 {
		return leyline.RejectMissingSignature, detail.MissingSignature()
	}
	if err := sign.Verify(key.Public, t.env); err != nil {
		return leyline.RejectInvalidSignature, err.Error()
	}
	t.key = key
	return pass, ""
}

func (t *trial) permission() (leyline.RejectReason, string) {
	if t.cmd.Issuer != t.key.Issuer {
		return leyline.RejectNotPermitted, detail.OtherIssuer()
	}
	kind, run := false, len(t.key.Runs) == 0
	for _, k := range t.key.Kinds {
		kind = kind || k == t.cmd.Kind
	}
	for _, r := range t.key.Runs {
		run = run || r == t.cmd.Audience.Run
	}
	if !kind || !run {
		return leyline.RejectNotPermitted, detail.NotPermitted(t.cmd.Kind, t.cmd.Audience.Run)
	}
	return pass, ""
}

func (t *trial) audience() (leyline.RejectReason, string) {
	if t.cmd.Audience.Origin != t.name {
		return leyline.RejectWrongAudience, detail.WrongAudience(t.cmd.Audience.Origin, t.name)
	}
	if err := leyline.CheckID(t.cmd.ID); err != nil {
		return leyline.RejectMissingCommandID, detail.BadID(err)
	}
	return pass, ""
}

func (t *trial) time() (leyline.RejectReason, string) {
	age := t.at.Sub(t.cmd.IssuedAt)
	window, skew := t.config.Freshness.Duration(), t.config.Skew.Duration()
	switch {
	case t.cmd.IssuedAt <= 0:
		return leyline.RejectMissingTimestamp, detail.Untimed()
	case t.cmd.IssuedAt > t.at.Add(skew):
		return leyline.RejectFuture, detail.Future(-age, skew)
	case t.at > t.cmd.IssuedAt.Add(window):
		return leyline.RejectStale, detail.Stale(age, window)
	case t.cmd.NotAfter != 0 && t.at > t.cmd.NotAfter:
		return leyline.RejectStale, detail.TooLate(t.cmd.NotAfter)
	}
	return pass, ""
}

func (t *trial) novelty() (leyline.RejectReason, string) {
	if t.ledger.spent[t.cmd.ID] {
		return leyline.RejectNonceReplayed, detail.Replayed()
	}
	if high := t.ledger.of(t.env.KeyID).high; t.cmd.Sequence <= high {
		return leyline.RejectSequenceReplayed, detail.OldSequence(t.cmd.Sequence, high)
	}
	return pass, ""
}

func (t *trial) room() (leyline.RejectReason, string) {
	u := t.ledger.of(t.env.KeyID)
	quota := max(1, min(t.config.NonceKeyCap(), t.config.NonceCap/uint32(max(1, t.valid()))))
	switch {
	case t.key.Rate > 0 && u.within(t.at) >= t.key.Rate:
		return leyline.RejectRateLimited, detail.RateLimited(t.key.Rate)
	case uint32(len(t.ledger.queue)) >= t.config.NonceCap:
		return leyline.RejectLedgerFull, detail.LedgerFull(t.config.NonceCap)
	case u.live >= quota:
		return leyline.RejectNonceQuota, detail.QuotaFull(quota)
	}
	return pass, ""
}

// receive derives the verdict on a command and compares it with the recorded one.
func (c *Checker) receive(r leyline.Record, x leyline.CommandReceived) {
	c.report.Commands++
	bad := x.Validate()
	if bad != nil || !c.configured {
		c.unadmitted(r, bad)
		return
	}
	if why := refusedBy(r); why != nil {
		c.report.Refused++
		c.differ("verdict", "refused by the guard: "+why.Error(), "a verdict")
		return
	}
	t := &trial{Checker: c, at: r.At, env: x.Envelope}
	fill := leyline.LedgerFill{Expired: c.ledger.expire(r.At)}
	fill.Live, fill.OfKey = uint32(len(c.ledger.queue)), c.ledger.of(x.Envelope.KeyID).live
	reason, text := t.judge()
	keep := leyline.Instant(0)
	if reason == pass {
		keep = t.cmd.IssuedAt.Add(c.config.Freshness.Duration() + c.config.Skew.Duration())
		c.ledger.spend(r.At, x.Envelope.KeyID, t.cmd, keep)
		fill.Live, fill.OfKey = fill.Live+1, fill.OfKey+1
	}
	c.command = t.cmd.ID
	t.compare(r, reason, text, keep, fill)
}

// unadmitted checks that the guard refused an input that it had to refuse.
func (c *Checker) unadmitted(r leyline.Record, bad error) {
	c.report.Refused++
	if refusedBy(r) != nil && len(r.Events) == 1 {
		return
	}
	why := "it came before any configuration"
	if bad != nil {
		why = bad.Error()
	}
	c.differ("verdict", fmt.Sprintf("%d events", len(r.Events)), "refused by the guard: "+why)
}

func (t *trial) judge() (leyline.RejectReason, string) {
	for _, ck := range checks {
		if why, text := ck(t); why != pass {
			return why, text
		}
	}
	return pass, ""
}

// compare holds the one verdict of a record against the derived one.
func (t *trial) compare(r leyline.Record, reason leyline.RejectReason, text string, keep leyline.Instant, fill leyline.LedgerFill) {
	verdicts, before := 0, t.report.Differences
	full := true
	for _, e := range r.Events {
		switch x := e.(type) {
		case leyline.CommandVerified:
			verdicts++
			t.report.Accepted++
			t.accepted(x, reason, text, keep, fill)
		case leyline.CommandRejected:
			verdicts++
			t.report.Rejected++
			full = t.rejected(x, reason, text, keep, fill)
		}
	}
	if verdicts != 1 {
		t.differ("verdict", fmt.Sprintf("%d verdicts", verdicts), "one")
	}
	switch {
	case t.report.Differences > before:
	case full:
		t.report.InFull++
	default:
		t.report.AsAuthentic++
	}
}

func (t *trial) accepted(x leyline.CommandVerified, reason leyline.RejectReason, text string, keep leyline.Instant, fill leyline.LedgerFill) {
	if reason != pass {
		t.differ("verdict", "accepted", fmt.Sprintf("rejected as %s: %s", reason, text))
		return
	}
	deadline := t.at.Add(t.config.CommandDeadline.Duration())
	if t.cmd.NotAfter != 0 {
		deadline = min(deadline, t.cmd.NotAfter)
	}
	t.identity(x.Run, x.Command, x.Key, x.Issuer, x.Kind, x.IssuedAt, x.Digest)
	same(t.Checker, "sequence", x.Sequence, t.cmd.Sequence)
	same(t.Checker, "deadline", x.Deadline, deadline)
	same(t.Checker, "keep_until", x.KeepUntil, keep)
	same(t.Checker, "ledger", x.Ledger, fill)
	c := t.cmd.Argued()
	same(t.Checker, "emergency", x.Emergency, c.Emergency)
	same(t.Checker, "pause", x.Pause, c.Pause)
	same(t.Checker, "optimizer", x.Optimizer, c.Optimizer)
	same(t.Checker, "breaker", x.Breaker, c.Breaker)
	same(t.Checker, "rollback", x.Rollback, c.Rollback)
	same(t.Checker, "conservative", x.Conservative, c.Conservative)
	same(t.Checker, "policy", x.Policy, c.Policy)
	t.sameStored("seed", x.Seed, c.Seed)
	t.sameStored("metadata", x.Metadata, t.cmd.Metadata)
}

// sameStored notes a difference unless two values have the same stored form.
func (t *trial) sameStored(field string, recorded, derived any) {
	a, aerr := wire.Marshal(recorded)
	b, berr := wire.Marshal(derived)
	if aerr != nil || berr != nil || !bytes.Equal(a, b) {
		t.differ(field, fmt.Sprintf("%+v", recorded), fmt.Sprintf("%+v", derived))
	}
}

// rejected reports whether all of the verdict was derived: not the reason why an
// authentic command cannot be carried out.
func (t *trial) rejected(x leyline.CommandRejected, reason leyline.RejectReason, text string, keep leyline.Instant, fill leyline.LedgerFill) bool {
	t.identity(x.Run, x.Command, x.Key, x.Issuer, x.Kind, x.IssuedAt, x.Digest)
	same(t.Checker, "operation", x.Operation, t.cmd.Seed.Operation)
	same(t.Checker, "seed", x.Seed, t.cmd.Seed.Seed)
	same(t.Checker, "ledger", x.Ledger, fill)
	same(t.Checker, "keep_until", x.KeepUntil, keep)
	if leyline.Authentic(x.Reason) {
		same(t.Checker, "sequence", x.Sequence, t.cmd.Sequence)
		if reason != pass {
			t.differ("reason", x.Reason.String(), fmt.Sprintf("%s: %s", reason, text))
		}
		return false
	}
	same(t.Checker, "reason", x.Reason, reason)
	same(t.Checker, "detail", x.Detail, text)
	same(t.Checker, "sequence", x.Sequence, 0)
	return true
}

// identity compares what a verdict says of the command, all of which is claims if the
// command could be read but proved nothing.
func (t *trial) identity(run leyline.RunID, id leyline.CommandID, key leyline.KeyID, issuer string, kind leyline.CommandKind, issued leyline.Instant, digest leyline.Digest) {
	same(t.Checker, "run", run, t.cmd.Audience.Run)
	same(t.Checker, "command", id, t.cmd.ID)
	same(t.Checker, "key", key, t.env.KeyID)
	same(t.Checker, "issuer", issuer, t.cmd.Issuer)
	same(t.Checker, "kind", kind, t.cmd.Kind)
	same(t.Checker, "issued_at", issued, t.cmd.IssuedAt)
	same(t.Checker, "digest", digest, leyline.Digest(sha256.Sum256(t.env.Payload)))
}
