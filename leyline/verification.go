package leyline

import "fmt"

// LedgerFill is how full a verdict leaves the replay ledger.
type LedgerFill struct {
	Live    uint32 // nonces that could still be replayed, this command's own included if it is spent
	OfKey   uint32 // of them, those of the command's key
	Expired uint32 // nonces that this verdict lets go of: they cannot be replayed any more
}

// RejectCount counts commands that were refused for one reason.
type RejectCount struct {
	Reason RejectReason
	N      uint64
}

// Rejection is why a command was refused at the door of a plane: it never became a
// record of its own, but is counted in a peer.rejected. It unwraps to its refusal.
type Rejection struct {
	Reason  RejectReason
	Refusal Refusal
}

// Error implements error.
func (r *Rejection) Error() string { return r.Reason.String() + ": " + r.Refusal.Error() }

// Unwrap returns the refusal.
func (r *Rejection) Unwrap() error { return &r.Refusal }

// rejections says what kind of refusal a reason is, and which field it is about. A
// reason that is not listed is the sender's lack of authority.
var rejections = [...]struct {
	kind  RefusalKind
	field string
}{
	RejectTooLarge:         {RefusalInvalidField, "envelope.payload"},
	RejectMalformed:        {RefusalInvalidField, "envelope.payload"},
	RejectUnknownKey:       {RefusalUnknownKey, "envelope.key_id"},
	RejectMissingSignature: {RefusalMissingField, "envelope.signature"},
	RejectInvalidSignature: {RefusalInvalidSignature, "envelope.signature"},
}

// Reject makes the error of a command that is refused at the door.
func Reject(why RejectReason, key KeyID, detail string) *Rejection {
	kind, field := RefusalNotAuthorized, "envelope"
	if int(why) < len(rejections) && rejections[why].kind != RefusalNone {
		kind, field = rejections[why].kind, rejections[why].field
	}
	return &Rejection{Reason: why, Refusal: Refusal{
		Subsystem: SubsystemKasmina, Kind: kind, Field: field, Identifier: clip(string(key)), Reason: detail,
		Hint: "sign a new command with an enrolled key; the plane counts this one as " + why.String(),
	}}
}

// PeerNamed checks who hands something in. It returns a *Refusal that names the field.
func PeerNamed(kind PeerKind, name string) error {
	var c check
	needEnum(&c, "peer", kind)
	text(&c, "peer_name", name, MaxText)
	return c.result()
}

// PeerRejected counts the commands of one peer, within about a second, that the
// door refused. None of them proved anything that would earn it a record: a flood
// of them must not fill the log.
type PeerRejected struct {
	Peer     PeerKind
	PeerName string        // as the door knows it
	Others   bool          // these are all peers beyond those that the door tells apart; Peer is that of the first
	Counts   []RejectCount // by reason, ascending
	First    Digest        // of the payload bytes of the first one
	Last     Digest        // of the payload bytes of the last one
	SpanNs   uint64        // from the first to the last, measured
}

// InputKind implements Input.
func (PeerRejected) InputKind() InputKind { return InputPeerRejected }

// Validate implements Input.
func (x PeerRejected) Validate() error {
	var c check
	needEnum(&c, "peer", x.Peer)
	text(&c, "peer_name", x.PeerName, MaxText)
	checkCounts(&c, x.Counts)
	need(&c, "first", !x.First.IsZero())
	need(&c, "last", !x.Last.IsZero())
	return c.result()
}

// CommandsRefused is what the counts of a peer add to the verdicts. Level CRITICAL.
type CommandsRefused struct {
	Peer     PeerKind
	PeerName string
	Others   bool
	Counts   []RejectCount
}

// EventKind implements Event.
func (CommandsRefused) EventKind() EventKind { return EventCommandsRefused }

// Validate implements Event.
func (x CommandsRefused) Validate() error {
	var c check
	needEnum(&c, "peer", x.Peer)
	checkCounts(&c, x.Counts)
	return c.result()
}

// checkCounts demands reasons that a command can be refused for, each once.
func checkCounts(c *check, counts []RejectCount) {
	need(c, "counts", len(counts) > 0)
	for i, n := range counts {
		c.element("counts", i)
		needEnum(c, "reason", n.Reason)
		need(c, "n", n.N > 0)
		switch {
		case Authentic(n.Reason):
			c.fail(Invalid("reason", fmt.Sprintf("is %s, which is decided in a record of its own", n.Reason)))
		case i > 0 && n.Reason <= counts[i-1].Reason:
			c.fail(Invalid("reason", "is not after the one before"))
		}
	}
	c.leave()
}
