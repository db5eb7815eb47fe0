// Package recheck derives the verdict on every command again, from the log alone, and
// compares it with the one that was recorded.
//
// It is for an auditor who does not want to trust the plane: it runs no decider and
// reads no projection. It keeps its own keys, configuration and replay ledger, folded
// from inputs whose signatures it checks itself, and starts from the admin key in the
// log's origin record. No private key is needed.
//
// # What it can vouch for
//
// For every recorded command: that it is authentic, permitted, addressed to this log,
// fresh and new, or why not, with the reason and its detail, the deadline of the answer,
// how long the nonce is kept and how full the ledger is. For an authentic command that
// was rejected because of the state of its run (a wrong stage, a gate) it vouches for
// everything but that last reason: the deciders are needed for it, and `esper replay`
// runs them. Commands that the door refused and only counted are counted here too;
// their bytes are not in the log.
package recheck

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
)

// Difference is something in which the log differs from what was derived.
type Difference struct {
	Seq      leyline.Seq       `json:"seq"`
	Command  leyline.CommandID `json:"command"` // as claimed; empty if the record is about none
	Field    string            `json:"field"`
	Recorded string            `json:"recorded"`
	Derived  string            `json:"derived"`
}

// maxDifferences bounds how many are kept. All are counted.
const maxDifferences = 1000

// Report is what a Checker has found so far.
type Report struct {
	Records     uint64       `json:"records"`
	First       leyline.Seq  `json:"first"`
	Last        leyline.Seq  `json:"last"`
	Commands    uint64       `json:"commands"`     // received in records of their own
	Accepted    uint64       `json:"accepted"`     // of them, as recorded
	Rejected    uint64       `json:"rejected"`     // of them, as recorded
	Refused     uint64       `json:"refused"`      // of them, inputs that the guard did not admit
	InFull      uint64       `json:"in_full"`      // verdicts of which everything was derived again
	AsAuthentic uint64       `json:"as_authentic"` // verdicts of which all but the reason in the state of the run was
	Counted     uint64       `json:"counted"`      // refused at the door, of which only the count is in the log
	Keys        uint64       `json:"keys"`         // enrolments and changes whose signature was checked
	Revocations uint64       `json:"revocations"`  // the same
	Configs     uint64       `json:"configs"`      // the same
	Differences uint64       `json:"differences"`
	Listed      []Difference `json:"listed"` // the first 1000 differences
}

// Checker derives verdicts. It is fed all records of a log from its beginning, in
// order. It is not safe for concurrent use.
type Checker struct {
	admin  []byte // the trust root
	name   string // of the log, at the position reached: a restored log had another
	report Report

	configured bool
	config     leyline.KasminaConfig
	keys       map[leyline.KeyID]leyline.Key
	revoked    map[leyline.KeyID]leyline.Seq
	ledger     ledger

	seq     leyline.Seq // of the record at hand
	command leyline.CommandID
}

// New returns a checker for a log whose origin record names the admin key.
func New(admin []byte) *Checker {
	return &Checker{
		admin: admin, keys: map[leyline.KeyID]leyline.Key{}, revoked: map[leyline.KeyID]leyline.Seq{},
		ledger: ledger{spent: map[leyline.CommandID]bool{}, used: map[leyline.KeyID]*use{}},
	}
}

// Report returns what was found so far.
func (c *Checker) Report() Report {
	out := c.report
	out.Listed = append([]Difference{}, out.Listed...)
	return out
}

// Apply checks one record.
func (c *Checker) Apply(r leyline.Record) {
	if c.report.First == 0 {
		c.report.First = r.Seq
	}
	c.report.Records, c.report.Last = c.report.Records+1, r.Seq
	c.seq, c.command = r.Seq, ""
	switch x := r.Input.(type) {
	case leyline.PlaneStarted:
		c.start(r, x)
	case leyline.ConfigApplied:
		c.configure(r, x)
	case leyline.KeyAdded:
		c.add(r, x)
	case leyline.KeyRevoked:
		c.revoke(r, x)
	case leyline.CommandReceived:
		c.receive(r, x)
		return
	case leyline.PeerRejected:
		c.counts(r, x)
	}
	for _, e := range r.Events {
		switch e.(type) {
		case leyline.CommandVerified, leyline.CommandRejected:
			c.differ("event", e.EventKind().String(), "no verdict: the record holds no command")
		}
	}
}

// differ notes a difference.
func (c *Checker) differ(field, recorded, derived string) {
	c.report.Differences++
	if len(c.report.Listed) < maxDifferences {
		c.report.Listed = append(c.report.Listed, Difference{c.seq, c.command, field, recorded, derived})
	}
}

// same notes a difference unless two values are equal.
func same[T comparable](c *Checker, field string, recorded, derived T) bool {
	if recorded == derived {
		return true
	}
	c.differ(field, fmt.Sprint(recorded), fmt.Sprint(derived))
	return false
}

// counts checks that the event about commands refused at the door says what the door
// counted.
func (c *Checker) counts(r leyline.Record, x leyline.PeerRejected) {
	told := ""
	for _, e := range r.Events {
		if y, ok := e.(leyline.CommandsRefused); ok {
			told = fmt.Sprint(y.Peer, y.PeerName, y.Others, y.Counts)
		}
	}
	if refusedBy(r) == nil {
		same(c, "counts", told, fmt.Sprint(x.Peer, x.PeerName, x.Others, x.Counts))
		for _, n := range x.Counts {
			c.report.Counted += n.N
		}
	}
}

// refusedBy returns why the guard did not admit the input of a record, or nil.
func refusedBy(r leyline.Record) *leyline.Refusal {
	for _, e := range r.Events {
		if x, ok := e.(leyline.DependencyViolated); ok {
			return &x.Refusal
		}
	}
	return nil
}
