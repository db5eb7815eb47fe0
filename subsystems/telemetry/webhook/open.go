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

// Momentary is how long an alert fires that no event resolves, in plane time. It
// is how long Alertmanager waits by default for one that was not said to end
// (resolve_timeout).
const Momentary = 5 * time.Minute

// openMost bounds how many alerts are remembered in order to be resolved.
const openMost = 1024

// open remembers the alerts that fire and can be resolved, the oldest first.
type open struct{ alerts []alert }

// fire remembers an alert and returns it as it is to be told: one that lasts and
// fires already keeps its beginning, a momentary one begins anew. Beyond openMost
// the oldest momentary one is forgotten, else the oldest.
func (o *open) fire(a alert) alert {
	if i := slices.IndexFunc(o.alerts, func(b alert) bool { return b.Fingerprint == a.Fingerprint }); i >= 0 {
		if a.EndsAt.IsZero() {
			a.StartsAt = o.alerts[i].StartsAt
		}
		o.alerts[i] = a
		return a
	}
	if len(o.alerts) == openMost {
		i := max(slices.IndexFunc(o.alerts, func(b alert) bool { return !b.EndsAt.IsZero() }), 0)
		o.alerts = slices.Delete(o.alerts, i, i+1)
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
	return o.remove(func(a *alert) bool {
		if a.Labels[labelRun] != string(p.Run) || names != nil && !slices.Contains(names, leyline.EventName(a.Labels[labelName])) {
			return false
		}
		a.EndsAt = instant(p.At)
		return true
	})
}

// expire forgets the momentary alerts whose time is over and returns them as
// resolved.
func (o *open) expire(at leyline.Instant) []alert {
	now := instant(at)
	return o.remove(func(a *alert) bool { return !a.EndsAt.IsZero() && !a.EndsAt.After(now) })
}

func (o *open) remove(over func(*alert) bool) (out []alert) {
	o.alerts = slices.DeleteFunc(o.alerts, func(a alert) bool {
		if !over(&a) {
			return false
		}
		a.Status = resolved
		out = append(out, a)
		return true
	})
	return out
}

func instant(at leyline.Instant) time.Time { return time.Unix(0, int64(at)).UTC() }
