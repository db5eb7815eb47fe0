package webhook

import (
	"fmt"
	"testing"

	l "github.com/esper-plane/esper/leyline"
)

// TestResolution: what lasts is resolved when the log says so.
func TestResolution(t *testing.T) {
	escalate := func(to l.EmergencyLevel) l.Event { return l.EmergencyEscalated{Run: "r1", To: to} }
	clear := func(to l.EmergencyLevel) l.Event { return l.EmergencyCleared{Run: "r1", To: to} }
	for _, c := range []struct {
		name   string
		events []l.Event // one record each, the first in second 2
		want   []string
	}{
		{"disk", []l.Event{l.DiskLow{}, l.DiskRecovered{}}, []string{"firing: firing plane.disk_low@2", "resolved: resolved plane.disk_low@2-3"}},
		{"conservative", []l.Event{l.ConservativeEntered{Run: "r1"}, l.ConservativeLeft{Run: "r2"}, l.ConservativeLeft{Run: "r1"}}, []string{
			"firing: firing conservative_entered@2", "resolved: resolved conservative_entered@2-4",
		}},
		{"trainer", []l.Event{l.TrainerStalled{Run: "r1"}, l.TrainerReturned{Run: "r1"}}, []string{
			"firing: firing tolaria.trainer.stalled@2", "resolved: resolved tolaria.trainer.stalled@2-3",
		}},
		{"emergency, which rises twice and is lowered in two steps", []l.Event{
			escalate(l.EmergencyElevated), escalate(l.EmergencyConservative), escalate(l.EmergencyHalt), clear(l.EmergencyElevated), clear(l.EmergencyNotice),
		}, []string{
			"firing: firing tolaria.emergency.escalated@2", "firing: firing tolaria.emergency.escalated@3", "firing: firing tolaria.emergency.escalated@3",
			"resolved: resolved tolaria.emergency.escalated@3-6", "resolved: resolved tolaria.emergency.escalated@2-6", // CRITICAL, and WARNING
		}},
		{"rollback", []l.Event{l.RollbackStarted{Run: "r1"}, l.RollbackFinished{Run: "r1", Outcome: l.OutcomeOK}}, []string{
			"firing: firing tolaria.rollback.started@2", "resolved: resolved tolaria.rollback.started@2-3", "firing: firing tolaria.rollback.restored@3-303",
		}},
		{"the run ends", []l.Event{l.TrainerStalled{Run: "r1"}, l.ConservativeEntered{Run: "r1"}, l.TrainerStalled{Run: "r2"}, l.RunEnded{Run: "r1"}}, []string{
			"firing: firing tolaria.trainer.stalled@2", "firing: firing conservative_entered@3", "firing: firing tolaria.trainer.stalled@4",
			"resolved: resolved tolaria.trainer.stalled@2-5", "resolved: resolved conservative_entered@3-5",
		}},
		{"what is momentary, when its time is over", []l.Event{l.RunHalted{Run: "r1"}, l.RunHalted{Run: "r1"}, l.RunHalted{Run: "r2"}, l.RunEnded{Run: "r2"}, nil}, []string{
			"firing: firing tolaria.emergency.halt@2-302", "firing: firing tolaria.emergency.halt@3-303", "firing: firing tolaria.emergency.halt@4-304",
			"resolved: resolved tolaria.emergency.halt@4-5", "resolved: resolved tolaria.emergency.halt@3-303",
		}},
		{"nothing to resolve", []l.Event{l.DiskRecovered{}, l.RunStarted{Run: "r1"}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r receiver
			s, _ := newSender(t, &r, Options{})
			for i, e := range c.events {
				seq := l.Seq(i + 2)
				if e == nil { // five minutes after the second record
					e, seq = l.RunStarted{Run: "r3"}, 303
				}
				s.Offer(at(seq, runOf(e), e))
				s.Drain(t.Context())
			}
			wantAlerts(t, &r, c.want...)
		})
	}
}

func runOf(e l.Event) l.RunID {
	if p := at(2, "", e); len(p) > 0 {
		return p[0].Run
	}
	return ""
}

// TestRestore: what fired before the process is resolved in it, and not sent
// again.
func TestRestore(t *testing.T) {
	var r receiver
	s, _ := newSender(t, &r, Options{})
	s.Restore(at(2, "", l.DiskLow{}))
	s.Restore(at(3, "r1", l.RunHalted{Run: "r1"}))
	s.Drain(t.Context())
	wantAlerts(t, &r)
	s.Offer(at(4, "", l.DiskRecovered{}))
	s.Drain(t.Context())
	wantAlerts(t, &r, "resolved: resolved plane.disk_low@2-4")
	s.Offer(at(1000, "", l.PlaneBooted{Clean: true}))
	s.Drain(t.Context())
	wantAlerts(t, &r, "resolved: resolved tolaria.emergency.halt@3-303")
}

// TestOpenAlertsAreBounded by forgetting the oldest, and momentary ones first.
func TestOpenAlertsAreBounded(t *testing.T) {
	s, _ := newSender(t, &receiver{}, Options{Queue: 1})
	for i := range openMost + 5 {
		run := l.RunID(fmt.Sprint("r", i))
		s.Offer(at(l.Seq(i+2), run, l.TrainerStalled{Run: run}))
	}
	if st := s.Stats(); st.Open != openMost {
		t.Errorf("%+v", st)
	}
	s.Offer(at(2, "r5", l.RunHalted{Run: "r5"}))
	s.Offer(at(3, "r6", l.RunHalted{Run: "r6"}))
	kept := 0
	for i := range openMost + 5 {
		run := l.RunID(fmt.Sprint("r", i))
		kept += len(s.open.resolve(&at(4, run, l.RunEnded{Run: run})[0], &l.TelemetryEvent{Name: l.NameTrainerReturned}))
	}
	if kept != openMost-1 {
		t.Errorf("%d lasting alerts are kept", kept)
	}
}
