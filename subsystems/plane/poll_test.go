package plane

import (
	"context"
	"testing"
)

// TestPollsAreForgotten: a poll whose caller has gone is kept no longer. A trainer polls
// for as long as it lives.
func TestPollsAreForgotten(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	l := &loop{polls: []*request{{poll: true, run: "r", ctx: gone}, {poll: true, run: "r", ctx: t.Context()}}}
	l.settlePolls()
	if len(l.polls) != 1 || l.polls[0].ctx != t.Context() {
		t.Errorf("%d polls are kept", len(l.polls))
	}
}
