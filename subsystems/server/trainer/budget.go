package trainer

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/server"
)

// RefusalsAMinute is how many refusals of its plane a run can put into the log in one
// minute; all reports of one principal for runs that there are not count as one run's.
// Every refusal is a record, and a trainer that sends the same mistake for ever would
// fill the disk of all others.
const RefusalsAMinute = 600 // constant: local because it bounds what a trainer that has gone wrong costs its neighbours

// budget counts the refusals of this minute.
type budget struct {
	now func() time.Time

	mu     sync.Mutex
	minute int64
	spent  map[string]int
}

// of turns to the present minute; b.mu is held.
func (b *budget) of(key string) int {
	if m := b.now().Unix() / 60; m != b.minute || b.spent == nil {
		b.minute, b.spent = m, map[string]int{}
	}
	return b.spent[key]
}

func (b *budget) over(key string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.of(key) >= RefusalsAMinute
}

func (b *budget) spend(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spent[key] = b.of(key) + 1
}

// account names whose refusals those of a call are. Nobody but its principal reports for
// a run that there is.
func (s *Service) account(run leyline.RunID, peer Peer) string {
	if _, known := s.opts.Plane().Principal(run); known {
		return "run " + string(run)
	}
	return "peer " + peer.Name
}

// affords refuses a report of a run that has had its share of refusals.
func (s *Service) affords(run leyline.RunID, peer Peer) error {
	if !s.budget.over(s.account(run, peer)) {
		return nil
	}
	return server.Mistake(http.StatusTooManyRequests, "too_many_refusals", "run",
		fmt.Sprintf("%d reports were refused in this minute", RefusalsAMinute), "mend what the refusals say; reports are looked at again in the next minute")
}

// counted counts a refusal of the plane and returns err.
func (s *Service) counted(run leyline.RunID, peer Peer, err error) error {
	if _, refused := leyline.AsRefusal(err); refused {
		s.budget.spend(s.account(run, peer))
	}
	return err
}
