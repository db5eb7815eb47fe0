package trainer

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/protocol"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/server"
)

// look says what the plane holds of a run.
func (s *Service) look(ctx context.Context, run leyline.RunID, now time.Time) (*protocol.RunView, error) {
	var v *protocol.RunView
	err := s.opts.Plane().View(ctx, func(st *projections.State) {
		if r := st.Tolaria.Run(run); r != nil {
			v = viewOf(st, r, now)
		}
	})
	if err == nil && v == nil {
		err = unknownRun(run)
	}
	return v, err
}

func unknownRun(run leyline.RunID) error {
	return server.Mistake(http.StatusNotFound, leyline.RefusalUnknownRun.String(), "run", fmt.Sprintf("there is no run %.128q", run), "open it: POST /v1/runs")
}

func viewOf(s *projections.State, r *projections.Run, now time.Time) *protocol.RunView {
	v := &protocol.RunView{
		Run: r.ID, Status: r.Status, Incarnation: r.Incarnation, Step: r.Track.Step, Steps: r.Plan.Steps, Lineage: r.Lineage,
		Emergency: r.Emergency, Rollback: r.Rollback.ID, Stalled: r.Stalled, Heard: r.Heard, Principal: r.Plan.Principal,
		Lag: r.Plan.Lag, Away: r.Plan.Away, Outcome: r.Outcome, Halt: r.Halt, HaltDetail: r.HaltDetail, Record: s.Seq,
	}
	if age := leyline.Instant(now.UnixNano()).Sub(r.Heard); r.Heard != 0 && age > 0 {
		v.AgeNs = uint64(age)
	}
	for _, x := range s.Kasmina.Run(r.ID).Seeds {
		v.Seeds = append(v.Seeds, leyline.SeedView{Seed: x.ID, Stage: x.Stage, Alpha: x.Alpha, Paused: x.Paused})
	}
	return v
}
