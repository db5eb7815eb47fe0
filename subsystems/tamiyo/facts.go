package tamiyo

import (
	"math"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/tamiyo/risk"
)

func facts(s *projections.State, run *projections.Run, p *projections.Policy, cmd leyline.SeedCommand) risk.Facts {
	f := risk.Facts{
		Conservative: p.Caution.Conservative,
		Operation:    cmd.Operation,
		LossRise:     run.Track.LossEWMA.Mean - p.Window.Loss,
		NoLast:       p.Window.Step == 0,
		Volatility:   math.Sqrt(run.Track.LossEWMA.Var),
		Conflict:     run.Track.ConflictEWMA.Mean,
	}
	if cmd.Operation == leyline.OpGerminate {
		f.Blueprint = s.Plane.Blueprint(cmd.Blueprint)
	}
	seeds := s.Kasmina.Run(run.ID).Seeds
	for i := range seeds {
		if seeds[i].Isolation.Violated {
			f.Violations++
		}
	}
	return f
}
