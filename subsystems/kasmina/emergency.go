package kasmina

import (
	"fmt"

	"github.com/esper-plane/esper/leyline"
)

// emergency accepts a command to raise or to clear the emergency level. Tolaria's
// controller carries it out in this very record, so it is settled at once. Only an
// open run can be raised; also a halted one can be cleared. A command to clean up is
// an effect of the plane's own, which empties the kernel cache.
func (d *dispatch) emergency() {
	c := d.v.Command.Emergency
	run := d.State.Tolaria.Run(d.id())
	switch {
	case run == nil:
		d.reject(leyline.RejectUnknownRun, fmt.Sprintf("no run %q", d.id()))
	case run.Status != leyline.RunStatusOpen && (c.Action == leyline.EmergencyRaise || run.Status == leyline.RunStatusEnded):
		d.reject(leyline.RejectRunNotOpen, fmt.Sprintf("the run is %s", run.Status))
	case c.Action == leyline.EmergencyRaise && c.Level <= run.Emergency:
		d.reject(leyline.RejectLevel, fmt.Sprintf("the level is %s, %s would not raise it", run.Emergency, c.Level))
	case c.Action == leyline.EmergencyClear && c.Level >= run.Emergency:
		d.reject(leyline.RejectLevel, fmt.Sprintf("the level is %s, %s would not lower it", run.Emergency, c.Level))
	case c.Action == leyline.EmergencyCleanup:
		d.accept() // it is settled when the plane has done it
	default:
		d.done()
	}
}
