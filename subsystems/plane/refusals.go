package plane

import (
	"context"
	"crypto/sha256"
	"slices"
	"sync"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/sign"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/kasmina/verify"
)

// What a flood of bad commands may put into the log: for each of so many peers, and
// for all others together, one record a second. A valid signature earns a refusal a
// record of its own, but no more than so many a minute for each key: whoever has seen
// good commands go by can send them again for ever.
const (
	refusedPeers   = 16
	refusedEvery   = time.Second
	refusalsOfAKey = 60
)

// refusals counts commands that were refused at the door, for peer.rejected.
type refusals struct {
	mu    sync.Mutex
	peers []refusedPeer // at most refusedPeers, and one for all others
	wake  chan struct{} // holds one as soon as there is something to record
}

// refusedPeer is what the door has refused of one peer since the last record.
type refusedPeer struct {
	report leyline.PeerRejected
	counts map[leyline.RejectReason]uint64
	since  time.Time
	last   time.Time
}

func newRefusals() *refusals { return &refusals{wake: make(chan struct{}, 1)} }

// note counts one refused command.
func (r *refusals) note(kind leyline.PeerKind, name string, why leyline.RejectReason, digest leyline.Digest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	p := r.of(kind, name)
	if len(p.counts) == 0 {
		p.report.First, p.since = digest, now
	}
	p.counts[why]++
	p.report.Last, p.last = digest, now
	select {
	case r.wake <- struct{}{}:
	default: // the loop knows
	}
}

// of finds the row of a peer, or the one of all that came too late for a row.
func (r *refusals) of(kind leyline.PeerKind, name string) *refusedPeer {
	for i := range r.peers {
		if p := &r.peers[i]; p.report.Others || p.report.Peer == kind && p.report.PeerName == name {
			return p
		}
	}
	row := leyline.PeerRejected{Peer: kind, PeerName: name}
	if len(r.peers) == refusedPeers {
		row.PeerName, row.Others = "", true
	}
	r.peers = append(r.peers, refusedPeer{report: row, counts: map[leyline.RejectReason]uint64{}})
	return &r.peers[len(r.peers)-1]
}

// take returns what is to be recorded, and begins anew.
func (r *refusals) take() []leyline.PeerRejected {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]leyline.PeerRejected, len(r.peers))
	for i := range r.peers {
		p := &r.peers[i]
		for why, n := range p.counts {
			p.report.Counts = append(p.report.Counts, leyline.RejectCount{Reason: why, N: n})
		}
		slices.SortFunc(p.report.Counts, func(a, b leyline.RejectCount) int { return int(a.Reason) - int(b.Reason) })
		p.report.SpanNs = uint64(p.last.Sub(p.since))
		out[i] = p.report
	}
	r.peers = nil
	return out
}

// refuse records what the door has refused, as it is due.
func (l *loop) refuse() {
	l.refusing = nil
	if !l.booted || !l.state.Plane.Configured {
		return // nothing is admitted yet; the counts wait
	}
	for _, x := range l.plane.refusals.take() {
		l.stamp(x, nil)
	}
}

// announceKeys tells the door which keys are good from now on.
func (l *loop) announceKeys() {
	l.plane.keys.Store(&projections.Plane{Keys: slices.Clone(l.state.Plane.Keys), Revoked: slices.Clone(l.state.Plane.Revoked)})
}

// proven checks the form and the signature of a command: what can be done on the
// caller's goroutine, beside all others.
func (p *Plane) proven(env leyline.Envelope) (sign.Proof, verify.Verdict, uint64) {
	began := time.Now()
	var proof sign.Proof
	v := verify.Signed(p.keys.Load(), env, func(public []byte, env leyline.Envelope) (err error) {
		proof, err = sign.Prove(public, env)
		return err
	})
	return proof, v, uint64(time.Since(began))
}

// Command hands in a signed command from outside: an operator's, an external
// policy's, anyone's. It returns the record that holds the verdict; a command
// that Kasmina rejects there is no error of the call.
//
// A command that does not prove who sent it is no record of its own: the error is a
// *leyline.Rejection, and the command is counted in the next peer.rejected. The same
// goes for refusals of a key that has had its share of records in this minute. VerifyNs
// of the input is the plane's.
func (p *Plane) Command(ctx context.Context, in leyline.CommandReceived) (leyline.Seq, error) {
	a, err := p.judge(ctx, in, nil)
	return a.Seq, err
}

// Judge hands in a command as Command does and returns the verdict. A command that
// changes the network is decided with the trainer's next report, so that the answer to
// that report tells of it; see the package comment. Until then Judge waits. Once ctx has
// ended a command that was not decided never is.
func (p *Plane) Judge(ctx context.Context, in leyline.CommandReceived) (leyline.CommandAnswer, error) {
	return p.judge(ctx, in, ctx)
}

func (p *Plane) judge(ctx context.Context, in leyline.CommandReceived, wait context.Context) (leyline.CommandAnswer, error) {
	if in.Peer == leyline.PeerPlane || !in.Cause.IsZero() {
		return leyline.CommandAnswer{}, &leyline.Refusal{
			Subsystem: leyline.SubsystemPlane, Kind: leyline.RefusalNotAuthorized, Field: "peer", Identifier: in.Peer.String(),
			Reason: "is the plane's own", Hint: "hand in a command as operator, policy or trainer, without a cause",
		}
	}
	proof, v, took := p.proven(in.Envelope)
	in.VerifyNs = took
	if bad := leyline.PeerNamed(in.Peer, in.PeerName); bad != nil {
		return leyline.CommandAnswer{}, bad
	}
	if v.Reason != leyline.RejectNone {
		p.refusals.note(in.Peer, in.PeerName, v.Reason, v.Digest)
		return leyline.CommandAnswer{}, leyline.Reject(v.Reason, in.Envelope.KeyID, v.Detail)
	}
	r, err := p.call(ctx, &request{in: in, proof: proof, ctx: wait})
	return r.said, err
}

// Enroll hands in a key that the admin key signed, or a change of what an enrolled one
// may do. peer is who hands it in. It returns the record.
func (p *Plane) Enroll(ctx context.Context, in leyline.KeyAdded, peer string) (leyline.Seq, error) {
	return p.trust(ctx, in, in.Envelope, peer)
}

// Revoke hands in the revocation of a key that the admin key signed, and with it maybe
// the key that takes its place. peer is who hands it in. It returns the record, from
// which on the key is refused.
func (p *Plane) Revoke(ctx context.Context, in leyline.KeyRevoked, peer string) (leyline.Seq, error) {
	return p.trust(ctx, in, in.Envelope, peer)
}

// trust records what the admin key signed. What it did not sign is only counted.
func (p *Plane) trust(ctx context.Context, in leyline.Input, env leyline.Envelope, peer string) (leyline.Seq, error) {
	if bad := leyline.PeerNamed(leyline.PeerOperator, peer); bad != nil {
		return 0, bad
	}
	if err := in.Validate(); err != nil {
		return 0, err
	}
	if err := sign.Verify(p.opts.AdminKey, env); err != nil {
		p.refusals.note(leyline.PeerOperator, peer, leyline.RejectInvalidSignature, sha256.Sum256(env.Payload))
		return 0, leyline.Reject(leyline.RejectInvalidSignature, env.KeyID, "the admin key did not sign it: "+err.Error())
	}
	a, err := p.submit(ctx, in)
	return a.Seq, err
}

// excess returns why a command gets no record of its own: it spends nothing, and its
// key has had its share of such records in this minute.
func (l *loop) excess(x leyline.CommandReceived, proof sign.Proof) *leyline.Rejection {
	if x.Validate() != nil || !l.state.Plane.Configured {
		return nil
	}
	at, _ := l.now()
	v := verify.Command(verify.Of(&projections.Turn{State: l.state, Meta: leyline.Meta{At: at}, Proven: proof.Covers}), x.Envelope)
	if leyline.Authentic(v.Reason) {
		return nil
	}
	key, now := x.Envelope.KeyID, int64(at)/int64(time.Minute)
	n := l.noise[key]
	if n.minute != now {
		n = noise{minute: now}
	}
	n.refusals++
	l.noise[key] = n // Invariant: one for each key that was ever enrolled, the door knows no others
	if n.refusals <= refusalsOfAKey {
		return nil
	}
	l.plane.refusals.note(x.Peer, x.PeerName, v.Reason, v.Digest)
	return leyline.Reject(v.Reason, key, v.Detail)
}

// noise counts the refusals of a key that were recorded in a minute of plane time.
type noise struct {
	minute   int64
	refusals uint32
}
