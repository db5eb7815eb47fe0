package effect

import (
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// report hands a field report to the sinks. The report is copied: the state forgets
// it once it is delivered.
func report(s *projections.State, id leyline.EffectID, r *leyline.FieldReport) Effect {
	c, body := &s.Plane.Config.Tamiyo, *r
	return Effect{
		ID: id, Kind: leyline.EffectReport, Run: r.Run, Report: &body, Within: c.ReportTimeout.Duration(), Keep: s.At.Add(-c.ReportRetention()),
	}
}
