package decider_test

import (
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/effect"
)

// toDir makes a plane deliver its reports somewhere.
func toDir(c *leyline.ExecutionConfig) { c.Tamiyo.ReportDir = "reports" }

// sent is the attempt at the only report that is on its way.
func (w *world) sent() effect.Effect {
	w.t.Helper()
	for _, e := range effect.Outstanding(w.s) {
		if e.Kind == leyline.EffectReport {
			return e
		}
	}
	w.t.Fatal("no report is on its way")
	return effect.Effect{}
}

func (w *world) unsent() []leyline.Event {
	w.t.Helper()
	e := w.sent()
	return w.must(leyline.ReportFailed{Request: e.ID, Run: e.Run, Report: e.Report.Report, Outcome: leyline.OutcomeFailed, Reason: "no room"})
}

// reported is a world with one report on its way.
func reported(t *testing.T, change ...func(*leyline.ExecutionConfig)) *world {
	t.Helper()
	w := newWorld(t, append(change, toDir)...)
	w.open()
	w.germinated()
	w.serve() // with the kernel, no deadline but those of reports
	if got := w.epoch([]float64{1, 1}, []float64{0.5, 0.5}); len(got) != 1 {
		t.Fatalf("%d reports are filed", len(got))
	}
	return w
}

func TestFailedDeliveryIsRepeatedAndThenGivenUp(t *testing.T) {
	w := reported(t)
	for i, pause := range []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second} {
		d := one[leyline.FieldReportDeferred](w, w.unsent())
		if d.Attempts != uint32(i+1) || d.Due.Sub(w.at) != pause || d.Fill != (leyline.ReportFill{Pending: 1, Backlog: 1}) {
			t.Fatalf("deferred as %+v, %s later; want %s", d, d.Due.Sub(w.at), pause)
		}
		due, ok := w.s.NextTimer()
		if !ok || due.Timer != leyline.TimerReport || due.Due != d.Due {
			t.Fatalf("the next timer is %+v", due)
		}
		w.at = due.Due.Add(-time.Millisecond)
		if r := one[leyline.FieldReportRetried](w, w.must(due)); r.Attempts != uint32(i+2) || r.Fill != (leyline.ReportFill{Pending: 1}) {
			t.Fatalf("retried as %+v", r)
		}
	}
	id := w.sent().Report.Report
	if d := one[leyline.FieldReportDropped](w, w.unsent()); d.Attempts != 4 || d.Fill != (leyline.ReportFill{}) || d.Reason != "no room" {
		t.Errorf("dropped as %+v", d)
	}
	book := &w.s.Tamiyo.Reports
	if f := book.Filed(id); f.Status != leyline.ReportGivenUp || f.Body.Report != "" || book.Dropped != 1 || book.Retries != 3 || book.Published != 0 {
		t.Errorf("kept as %+v in %+v", f, book)
	}
	for _, e := range effect.Outstanding(w.s) {
		if e.Kind == leyline.EffectReport {
			t.Error("a report that was given up is sent again")
		}
	}
}

func TestDeliveredReportIsNotSentAgain(t *testing.T) {
	w := reported(t)
	w.unsent()
	due, _ := w.s.NextTimer()
	w.at = due.Due
	w.must(due)
	e := w.sent()
	boot := leyline.PlaneStarted{Boot: "b2", Origin: "esper-test", AdminKey: w.admin.Public(), Decider: 1}
	if r := one[leyline.EffectRecovered](w, w.must(boot)); r.Effect != e.ID || r.Kind != leyline.EffectReport || !r.Reissued {
		t.Errorf("recovered as %+v", r)
	}
	done := leyline.ReportDelivered{Request: e.ID, Run: e.Run, Report: e.Report.Report, TookNs: 5}
	if d := one[leyline.FieldReportDelivered](w, w.must(done)); d.Attempts != 2 || d.Fill != (leyline.ReportFill{}) {
		t.Errorf("delivered as %+v", d)
	}
	if r := w.refused(done); r.Kind != leyline.RefusalUnknownRequest {
		t.Errorf("the same answer again is refused as %s", r.Kind)
	}
	boot.Boot = "b3"
	if r, ok := first[leyline.EffectRecovered](w.must(boot)); ok {
		t.Errorf("a restart sends %+v", r)
	}
	if _, ok := w.s.NextTimer(); ok && w.s.Tamiyo.Reports.Published != 1 {
		t.Errorf("%d reports are delivered", w.s.Tamiyo.Reports.Published)
	}
}

// Without a sink a report is in the log and in the index, and nobody waits for it.
func TestReportWithoutASinkIsKept(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.germinated()
	w.serve()
	id := w.epoch([]float64{1, 1}, []float64{0.5, 0.5})[0].Report
	book := &w.s.Tamiyo.Reports
	if f := book.Filed(id); f == nil || f.Status != leyline.ReportKept || book.Fill() != (leyline.ReportFill{}) || len(effect.Outstanding(w.s)) != 0 {
		t.Errorf("kept as %+v", f)
	}
}

// Reports leave the index after their time, but none that is on its way.
func TestReportsExpire(t *testing.T) {
	w := reported(t, func(c *leyline.ExecutionConfig) { c.Tamiyo.ReportHours = 1 })
	old := w.sent()
	next := func() leyline.FieldReportFiled {
		w.at = w.at.Add(2 * time.Hour)
		w.pausedAndResumed()
		in := w.evaluated()
		return one[leyline.FieldReportFiled](w, w.must(in))
	}
	w.must(leyline.CommandAcked{Run: "run-1", Incarnation: w.inc, Command: w.cull(), Outcome: leyline.OutcomeOK})
	for w.seed().Stage == leyline.StageEmbargoed {
		due, _ := w.s.NextTimer()
		w.at = max(w.at, due.Due)
		w.must(due)
	}
	if x := next(); len(x.Expired) != 0 {
		t.Errorf("%v left the index before it was delivered", x.Expired)
	}
	w.must(leyline.ReportDelivered{Request: old.ID, Run: old.Run, Report: old.Report.Report})
	if x := next(); len(x.Expired) != 1 || x.Expired[0] != old.Report.Report || w.s.Tamiyo.Reports.Filed(old.Report.Report) != nil {
		t.Errorf("%v left the index", x.Expired)
	}
}

// cull gives the seed up and returns the command, which waits for its answer.
func (w *world) cull() leyline.CommandID {
	w.t.Helper()
	if why := w.command(leyline.SeedCommand{Operation: leyline.OpCull, Seed: "seed-a"}); why != leyline.RejectNone {
		w.t.Fatalf("CULL is rejected for %s", why)
	}
	return w.s.Kasmina.Pending[0].Command
}
