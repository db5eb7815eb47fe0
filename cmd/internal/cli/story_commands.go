package cli

import (
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/telemetry"
)

// commandStory counts commands. Operations are in the order in which they were
// first accepted.
type commandStory struct {
	Accepted   uint64          `json:"accepted"`
	Operations []named         `json:"accepted_by_operation"`
	Rejected   uint64          `json:"rejected"`
	Rejections []rejection     `json:"rejections"` // the first maxRejections
	Answered   uint64          `json:"answered"`
	Failed     uint64          `json:"failed"` // of the answered
	Failures   []commandFailed `json:"failures"`
	Expired    []named         `json:"expired"` // closed without an answer, by outcome
}

// maxRejections bounds what is listed: anyone can send commands. Those that a door has
// only counted are not listed.
const maxRejections = 50

// rejection is one declined command. Its texts may be a stranger's.
type rejection struct {
	Seq       leyline.Seq           `json:"seq"`
	Command   leyline.CommandID     `json:"command"`
	Operation leyline.SeedOperation `json:"operation"`
	Seed      leyline.SeedID        `json:"seed"`
	Issuer    string                `json:"issuer"`
	Reason    leyline.RejectReason  `json:"reason"`
	Detail    string                `json:"detail"`
}

// commandFailed is an accepted command that the trainer could not carry out.
type commandFailed struct {
	Seq     leyline.Seq       `json:"seq"`
	Command leyline.CommandID `json:"command"`
	Reason  string            `json:"reason"`
}

// named counts something by name.
type named struct {
	Name  string `json:"name"`
	Count uint64 `json:"count"`
}

// count adds one occurrence of a name, in order of appearance.
func count(list []named, name string) []named {
	for i := range list {
		if list[i].Name == name {
			list[i].Count++
			return list
		}
	}
	return append(list, named{name, 1})
}

func (s *story) commands(r leyline.Record, e leyline.Event) {
	c := &s.Commands
	switch x := e.(type) {
	case leyline.CommandVerified:
		c.Accepted++
		c.Operations = count(c.Operations, x.Seed.Operation.String())
	case leyline.CommandRejected:
		c.Rejected++
		s.beat(r, "CRITICAL command %s rejected: %s", printable(string(x.Command)), x.Reason)
		if len(c.Rejections) < maxRejections {
			c.Rejections = append(c.Rejections, rejection{r.Seq, x.Command, x.Operation, x.Seed, x.Issuer, x.Reason, x.Detail})
		}
	case leyline.CommandsRefused:
		for _, n := range x.Counts {
			c.Rejected += n.N
			if s.floods++; s.floods > maxRejections {
				continue
			}
			s.beat(r, "CRITICAL %d commands of %s %s refused at the door: %s", n.N, x.Peer, printable(x.PeerName), n.Reason)
		}
	case leyline.CommandSettled:
		c.Answered++
		if x.Outcome != leyline.OutcomeOK {
			c.Failed++
			s.beat(r, "CRITICAL command %s could not be carried out: %s", x.Command, printable(x.Reason))
			if len(c.Failures) < maxRejections {
				c.Failures = append(c.Failures, commandFailed{r.Seq, x.Command, x.Reason})
			}
		}
	case leyline.CommandExpired:
		c.Expired = count(c.Expired, x.Outcome.String())
	}
}

// telemetryStory counts packets and the events that make them urgent.
type telemetryStory struct {
	Normal   uint64   `json:"normal"`
	High     uint64   `json:"high"`
	Critical uint64   `json:"critical"`
	Names    []urgent `json:"emergency_events"`
}

// urgent counts a telemetry event of the emergency stream.
type urgent struct {
	Priority leyline.Priority  `json:"priority"`
	Name     leyline.EventName `json:"name"`
	Count    uint64            `json:"count"`
}

func (t *telemetryStory) add(r leyline.Record) {
	for _, p := range telemetry.Packets(r) {
		switch p.Priority {
		case leyline.PriorityCritical:
			t.Critical++
		case leyline.PriorityHigh:
			t.High++
		default:
			t.Normal++
		}
		for _, e := range p.Events {
			t.event(leyline.PriorityOf(e.Level), e.Name)
		}
	}
}

func (t *telemetryStory) event(p leyline.Priority, name leyline.EventName) {
	if p != leyline.PriorityCritical && p != leyline.PriorityHigh {
		return
	}
	for i := range t.Names {
		if u := &t.Names[i]; u.Priority == p && u.Name == name {
			u.Count++
			return
		}
	}
	t.Names = append(t.Names, urgent{p, name, 1})
}

// total is how many packets there were.
func (t *telemetryStory) total() uint64 { return t.Normal + t.High + t.Critical }
