package cli

import (
	"context"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// idleness waits until nobody has used a plane for a time.
type idleness struct {
	limit time.Duration // 0: it waits for its context alone
	busy  func(context.Context) (bool, error)
}

// How often idleness is looked at: eight times within the limit, but not more often
// and not less often than that.
const (
	idleFast = 10 * time.Millisecond
	idleSlow = 5 * time.Second
)

// wait returns nil when the plane has been idle for the limit at every look, and the
// error of a context that ends before.
func (i idleness) wait(ctx context.Context) error {
	if i.limit == 0 {
		<-ctx.Done()
		return ctx.Err()
	}
	tick := time.NewTicker(min(max(i.limit/8, idleFast), idleSlow))
	defer tick.Stop()
	since := time.Now()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		busy, err := i.busy(ctx)
		if err != nil {
			return err
		}
		if busy {
			since = time.Now()
		} else if time.Since(since) >= i.limit {
			return nil
		}
	}
}

// busy reports whether somebody is connected or a run is open.
func (s *service) busy(ctx context.Context) (bool, error) {
	if s.web.server.Connections()+s.lane.Connections() > 0 {
		return true, nil
	}
	open := false
	err := s.plane.View(ctx, func(st *projections.State) {
		for i := range st.Tolaria.Runs {
			open = open || st.Tolaria.Runs[i].Status == leyline.RunStatusOpen
		}
	})
	return open, err
}
