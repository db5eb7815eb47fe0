package webhook

import (
	"slices"
	"time"

	"github.com/esper-plane/esper/leyline"
)

// endings says which alerts of the same run an event resolves.
var endings = []struct {
	event    leyline.EventName
	resolves []leyline.EventName // nothing: every alert of the run
}{
	{leyline.NameDiskRecovered, []leyline.EventName{leyline.NameDiskLow}},
	{leyline.NameEmergencyCleared, []leyline.EventName{leyline.NameEmergencyEscalated}},
	{leyline.NameConservativeExited, []leyline.EventName{leyline.NameConservativeEntered}},
	{leyline.NameTrainerReturned, []leyline.EventName{leyline.NameTrainerStalled}},
	{leyline.NameRunResumed, []leyline.EventName{leyline.NameTrainerStalled}},
	{leyline.NameRollbackRestored, []leyline.EventName{leyline.NameRollbackStarted}},
	{leyline.NameRollbackFailed, []leyline.EventName{leyline.NameRollbackStarted}},
	{leyline.NameRunEnded, nil},
}

// lasting reports whether some event resolves alerts of this name.
func lasting(name leyline.EventName) bool {
	for _, e := range endings {
		if slices.Contains(e.resolves, name) {
			return true
		}
	}
	return false
}

// over returns which alerts of its run an event resolves, and whether it
// resolves any. An emergency that is lowered but not to L1 goes on.
func over(e *leyline.TelemetryEvent) (names []leyline.EventName, ok bool) {
	if e.Name == leyline.NameEmergencyCleared && !slices.Contains(e.Attrs, leyline.Attr{Key: "to", Value: leyline.EmergencyNotice.String()}) {
		return nil, false
	}
	for _, x := range endings {
		if x.event == e.Name {
			return x.resolves, true
		}
	}
	return nil, false
}

// openMost bounds how many alerts are remembered in order to be resolved.
const openMost = 1024

// open remembers the alerts that fire and can be resolved, the oldest first.
type open struct{ alerts []alert }

// fire remembers an alert and returns it as it is to be told: one that fires
// already keeps its beginning. Beyond openMost the oldest is forgotten.
func (o *open) fire(a alert) alert {
	if i := slices.IndexFunc(o.alerts, func(b alert) bool { return b.Fingerprint == a.Fingerprint }); i >= 0 {
		a.StartsAt = o.alerts[i].StartsAt
		o.alerts[i] = a
		return a
	}
	if len(o.alerts) == openMost {
		o.alerts = slices.Delete(o.alerts, 0, 1)
	}
	o.alerts = append(o.alerts, a)
	return a
}

// resolve forgets the alerts that an event of a run ends and returns them as
// resolved.
func (o *open) resolve(p *leyline.Packet, e *leyline.TelemetryEvent) (out []alert) {
	names, ok := over(e)
	if !ok {
		return nil
	}
	o.alerts = slices.DeleteFunc(o.alerts, func(a alert) bool {
		ended := a.Labels[labelRun] == string(p.Run) && (names == nil || slices.Contains(names, leyline.EventName(a.Labels[labelName])))
		if ended {
			a.Status, a.EndsAt = resolved, time.Unix(0, int64(p.At)).UTC()
			out = append(out, a)
		}
		return ended
	})
	return out
}
