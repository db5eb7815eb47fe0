package decider_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/esper-plane/esper/leyline"
)

// germinated lets Tamiyo plant a seed, and returns the window of that command.
func (w *world) germinated() leyline.FieldReportOpened {
	w.t.Helper()
	for range 20 {
		w.must(w.report())
		for len(w.s.Kasmina.Pending) > 0 {
			ev := w.must(leyline.CommandAcked{Run: "run-1", Incarnation: w.inc, Command: w.s.Kasmina.Pending[0].Command, Outcome: leyline.OutcomeOK, TookNs: 2e6})
			if x, ok := first[leyline.FieldReportOpened](ev); ok {
				return x
			}
		}
	}
	w.t.Fatal("nothing is germinated")
	return leyline.FieldReportOpened{}
}

// epoch ends an epoch with these held-out losses and accuracies, and returns the
// reports that it closes.
func (w *world) epoch(losses, accuracies []float64) []leyline.FieldReport {
	w.t.Helper()
	in := w.evaluated()
	in.Losses, in.Accuracies, in.HookNs = losses, accuracies, 4e6
	return filed(w.must(in))
}

func filed(events []leyline.Event) (out []leyline.FieldReport) {
	for _, e := range events {
		if x, ok := e.(leyline.FieldReportFiled); ok {
			out = append(out, x.Report)
		}
	}
	return out
}

func (w *world) windows() int { return len(w.s.Tamiyo.Reports.Run("run-1").Open) }

func TestReportComparesTheNetworkBeforeAndAfter(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.must(w.report())
	w.epoch([]float64{1, 2}, []float64{0.5, 0.7})
	o := w.germinated()
	if o.Operation != leyline.OpGerminate || o.Seed != "seed-a" || o.Blueprint != "bp-1" || o.Policy == "" || o.IssuedAt == 0 ||
		o.ApplyNs != 2e6 || !o.Measured || o.HeldOut != 1.5 || o.Epoch != 1 || o.WindowEpochs != 1 || o.RiskScore == 0 {
		t.Errorf("opened as %+v", o)
	}
	if !strings.HasPrefix(string(o.Report), "fr-") || !strings.HasSuffix(string(o.Report), fmt.Sprintf("-%d.1", w.seq)) {
		t.Errorf("the report is called %s in record %d", o.Report, w.seq)
	}
	for _, ms := range []float64{2, 5} {
		x := w.report()
		x.Metrics.Readings = []leyline.Reading{{Metric: leyline.TrainFinalizeMs, Value: ms}}
		w.must(x)
	}
	got := w.epoch([]float64{0.5, 1}, []float64{0.75, 0.95})
	if len(got) != 1 || w.windows() != 0 {
		t.Fatalf("%d reports are filed, %d windows are open", len(got), w.windows())
	}
	r := got[0]
	if r.Report != o.Report || r.Outcome != leyline.ReportSuccess || r.Closure != leyline.ReportByEpochs || r.Epochs != 1 || !r.HeldOut ||
		r.Delta.Loss != -0.75 || r.Delta.KasminaApplyMs != 2 || r.Delta.HookMs != 4 || r.Delta.KasminaEndMs != 3.5 || r.From != o.Step || r.To != o.Step+2 {
		t.Errorf("filed as %+v", r)
	}
	if x := r.Delta.Extra; len(x) != 2 || x[0].Name != "accuracy" || math.Abs(x[0].Value-0.25) > 1e-12 {
		t.Errorf("further figures %+v", x)
	}
}

// The second command grafts a seed: its tensors are what the run has grown by.
func TestReportCountsWhatTheRunHasGrownBy(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.germinated()
	w.serve()
	for range 20 {
		w.must(w.report())
		if len(w.s.Kasmina.Pending) > 0 {
			break
		}
	}
	p := w.s.Kasmina.Pending[0]
	if p.Seed.Operation != leyline.OpStartTraining {
		t.Fatalf("the next command is %s", p.Seed.Operation)
	}
	ev := w.must(leyline.CommandAcked{
		Run: "run-1", Incarnation: w.inc, Command: p.Command, Outcome: leyline.OutcomeOK, Parameters: []leyline.Parameter{{Name: "seed.a", Size: 12}},
	})
	if o := one[leyline.FieldReportOpened](w, ev); o.Parameters != 0 || o.Blueprint != "bp-1" {
		t.Errorf("opened as %+v", o)
	}
	got := w.epoch([]float64{1, 1}, []float64{0.5, 0.5})
	if len(got) != 2 || got[0].Delta.Parameters != 12 || got[1].Delta.Parameters != 12 {
		t.Errorf("filed as %+v", got)
	}
}

func TestOutcomeOfAReport(t *testing.T) {
	before, flat := []float64{1, 1}, []float64{0.5, 0.5}
	for _, x := range []struct {
		name  string
		after []float64
		live  func(*world)
		want  leyline.ReportOutcome
	}{
		{"a lower loss", []float64{0.9, 1}, nil, leyline.ReportSuccess},
		{"the same loss", []float64{0.5, 1.5}, nil, leyline.ReportNeutral},
		{"a higher loss", []float64{1.1, 1}, nil, leyline.ReportRegression},
		{"a loss that is no number", []float64{math.NaN(), 0.1}, nil, leyline.ReportRegression},
		{"a lower loss, but an emergency", []float64{0.9, 1}, func(w *world) {
			w.operator().orders(leyline.EmergencyRaise, leyline.EmergencyConservative)
		}, leyline.ReportRegression},
		{"a lower loss, and a notice", []float64{0.9, 1}, func(w *world) {
			w.operator().orders(leyline.EmergencyRaise, leyline.EmergencyElevated)
		}, leyline.ReportSuccess},
	} {
		t.Run(x.name, func(t *testing.T) {
			w := newWorld(t)
			w.open()
			w.must(w.report())
			w.epoch(before, flat)
			w.germinated()
			if x.live != nil {
				x.live(w)
			}
			got := w.epoch(x.after, flat)
			if len(got) != 1 || got[0].Outcome != x.want || (x.live != nil) != (len(got[0].FollowUps) == 1) {
				t.Errorf("filed as %+v, want %s", got, x.want)
			}
		})
	}
}

// Windows are counted in epochs: however many steps pass, one epoch is one.
func TestWindowsAreCountedInEpochs(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) {
		c.Tamiyo.ReportEpochs, c.Tamiyo.TrainSteps, c.Kasmina.MinTrainSteps = 3, 1000, 1000
	})
	w.open()
	w.germinated()
	for i := range 3 {
		if w.windows() != 1 {
			t.Fatalf("%d windows are open before epoch %d", w.windows(), i+1)
		}
		for range 7 {
			w.must(w.report())
		}
		got := w.epoch([]float64{1, 1}, []float64{0.5, 0.5})
		if (len(got) > 0) != (i == 2) {
			t.Fatalf("epoch %d closes %d windows", i+1, len(got))
		}
		if i == 2 && (got[0].Epochs != 3 || got[0].HeldOut) {
			t.Errorf("filed as %+v", got[0]) // nothing was held out before it began
		}
	}
}

func TestRunWithoutEpochsIsJudgedAtItsEnd(t *testing.T) {
	for _, x := range []struct {
		outcome leyline.Outcome
		want    leyline.ReportOutcome
		closure leyline.ReportClosure
	}{
		{leyline.OutcomeOK, leyline.ReportSuccess, leyline.ReportByEnd},
		{leyline.OutcomeFailed, leyline.ReportAborted, leyline.ReportByFailure},
	} {
		w := newWorld(t)
		w.open()
		w.germinated()
		better := w.report()
		better.Losses = []float64{0.5, 0.25}
		w.must(better)
		got := filed(w.must(leyline.RunClosed{Run: "run-1", Incarnation: w.inc, Step: w.run().Track.Step, Outcome: x.outcome, Digest: digest("end"), Reason: "x"}))
		if len(got) != 1 || got[0].Outcome != x.want || got[0].Closure != x.closure || got[0].HeldOut || got[0].Delta.Loss >= 0 || got[0].Epochs != 0 {
			t.Errorf("%s: filed as %+v", x.outcome, got)
		}
	}
}

// A rollback takes back what was opened after its snapshot. What was opened
// before goes on without the epochs that are undone, and is a regression.
func TestRollbackTakesWindowsBack(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tamiyo.ReportEpochs = 2 })
	w.open()
	early := w.germinated()
	w.must(w.snapshot("s-1"))
	w.must(w.report()) // proves it good
	w.epoch([]float64{1, 1}, []float64{0.5, 0.5})
	w.serve()
	var late leyline.FieldReportOpened
	for range 30 {
		w.must(w.report())
		w.serve()
		if late, _ = first[leyline.FieldReportOpened](w.last); late.Report != "" {
			break
		}
	}
	if w.windows() != 2 {
		t.Fatalf("%d windows are open", w.windows())
	}
	w.fault()
	w.must(w.rollback(leyline.PhasePrepare, digest("s-1")))
	got := filed(w.must(w.rollback(leyline.PhaseCommit, digest("s-1"))))
	if len(got) != 1 || got[0].Report != late.Report || got[0].Outcome != leyline.ReportAborted || got[0].Closure != leyline.ReportByRewind ||
		len(got[0].FollowUps) != 2 || got[0].FollowUps[1].Kind != leyline.EventRollbackStarted || got[0].FollowUps[1].Record != w.seq-2 {
		t.Fatalf("filed as %+v", got)
	}
	w.inc = w.run().Incarnation
	for i := range 2 {
		w.must(w.report())
		got = w.epoch([]float64{0.1, 0.1}, []float64{0.5, 0.5})
		if (len(got) == 1) != (i == 1) {
			t.Fatalf("epoch %d after the rollback closes %d windows", i+1, len(got))
		}
	}
	if got[0].Report != early.Report || got[0].Outcome != leyline.ReportRegression || got[0].Epochs != 2 {
		t.Errorf("filed as %+v", got[0])
	}
}

// TestOldestWindowMakesRoom: a run that never ends an epoch cannot fill the memory.
func TestOldestWindowMakesRoom(t *testing.T) {
	w := newWorld(t, func(c *leyline.ExecutionConfig) { c.Tamiyo.Enabled = false })
	p := plan()
	p.Groups = []leyline.ParamGroup{{Name: "net", Rate: 0.1, Parameters: 10}}
	w.must(p)
	w.inc = 1
	w.must(w.report())
	w.steps(1)
	opened := 0
	for range leyline.MaxReportWindows {
		opened += w.pausedAndResumed()
	}
	if want := opened - leyline.MaxReportWindows; len(allFiled(w)) != want || w.windows() != leyline.MaxReportWindows {
		t.Fatalf("of %d windows %d are open and %d are filed", opened, w.windows(), len(allFiled(w)))
	}
	for i, r := range allFiled(w) {
		if r.Closure != leyline.ReportByOverflow || r.Outcome != leyline.ReportAborted {
			t.Errorf("report %d is %+v", i, r)
		}
	}
}

// pausedAndResumed plants and gives up a seed, and returns how many commands of
// Tamiyo's were put in force.
func (w *world) pausedAndResumed() int {
	w.t.Helper()
	n := 0
	for _, op := range []leyline.SeedOperation{leyline.OpGerminate, leyline.OpCull} {
		if why := w.command(leyline.SeedCommand{Operation: op, Seed: "seed-a", Blueprint: "bp-1", Mesh: []string{"trunk"}}); why != leyline.RejectNone {
			w.t.Fatalf("%s is rejected for %s", op, why)
		}
		w.serve()
		n++
	}
	for w.seed().Stage == leyline.StageEmbargoed {
		next, _ := w.s.NextTimer()
		w.at = max(w.at, next.Due)
		w.must(next)
	}
	return n
}

func allFiled(w *world) (out []leyline.FieldReport) {
	for _, r := range w.log {
		out = append(out, filed(r.Events)...)
	}
	return out
}

// Figures that a trainer makes up cannot stop the plane: what is no number leaves a
// report that says so.
func TestReportOfImpossibleFigures(t *testing.T) {
	w := newWorld(t)
	w.open()
	w.must(w.report())
	w.epoch([]float64{-math.MaxFloat64, 0}, []float64{0.5, 0.5})
	w.germinated()
	for range 3 {
		x := w.report()
		x.Metrics.Readings = []leyline.Reading{{Metric: leyline.TrainFinalizeMs, Value: math.MaxFloat64}}
		w.must(x)
	}
	got := w.epoch([]float64{math.MaxFloat64, math.MaxFloat64}, []float64{0.5, 0.5})
	if len(got) != 1 || got[0].Outcome != leyline.ReportRegression || got[0].HeldOut || got[0].Delta.KasminaEndMs != 0 ||
		!strings.Contains(got[0].Notes, "not a finite number") {
		t.Errorf("filed as %+v", got)
	}
}
