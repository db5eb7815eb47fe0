package plane_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/reports"
)

// flaky is a real directory of reports that does not take some of them.
type flaky struct {
	dir *reports.Dir

	mu    sync.Mutex
	fails int                       // attempts that fail from now on; below 0: all
	hang  bool                      // attempts wait for their end
	calls map[leyline.CommandID]int // attempts by report
}

func (f *flaky) Deliver(ctx context.Context, r *leyline.FieldReport, keep leyline.Instant) error {
	f.mu.Lock()
	f.calls[r.Report]++
	fails, hang := f.fails != 0, f.hang
	if f.fails > 0 {
		f.fails--
	}
	f.mu.Unlock()
	switch {
	case hang:
		<-ctx.Done()
		return ctx.Err()
	case fails:
		return errors.New("no room")
	}
	return f.dir.Deliver(ctx, r, keep)
}

func (f *flaky) set(fails int, hang bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fails, f.hang = fails, hang
}

// reporting is a garden whose reports go to a directory.
type reporting struct {
	*garden
	sink  *flaky
	path  string
	epoch uint32
}

func newReporting(t *testing.T) *reporting {
	t.Helper()
	b, path := newBench(t), t.TempDir()
	dir, err := reports.OpenDir(path, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	sink := &flaky{dir: dir, calls: map[leyline.CommandID]int{}}
	b.reports = sink
	b.config.Tamiyo.ReportDir, b.config.Tamiyo.ReportBackoff, b.config.Tamiyo.ReportFactor = path, 1, 1
	return &reporting{garden: newGarden(t, b, 8), sink: sink, path: path}
}

// decide plants a seed and ends an epoch, which files its report.
func (g *reporting) decide(t *testing.T, seed int) {
	t.Helper()
	g.plant(t, seed)
	g.ack(t)
	g.epoch++
	_, err := g.p.Epoch(t.Context(), leyline.EpochObserved{
		Run: "run-1", Incarnation: 1, Epoch: g.epoch, Losses: []float64{1}, Accuracies: []float64{0.5}, Samples: 1,
	}, 0)
	if err != nil {
		t.Fatal(err)
	}
}

// await waits until the reports are as they should be.
func (g *reporting) await(t *testing.T, what string, ok func(*projections.Reports) bool) {
	t.Helper()
	last := ""
	for range 2000 {
		met := false
		if err := g.p.View(t.Context(), func(s *projections.State) {
			r := &s.Tamiyo.Reports
			met, last = ok(r), fmt.Sprintf("%d published, %d retries, %d dropped, fill %+v", r.Published, r.Retries, r.Dropped, r.Fill())
		}); err != nil {
			t.Fatal(err)
		}
		if met {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("never %s: %s", what, last)
}

func (g *reporting) files(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir(g.path)
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func published(n uint64) func(*projections.Reports) bool {
	return func(r *projections.Reports) bool { return r.Published == n && r.Fill().Pending == 0 }
}

func TestSinkThatFailsTwiceGetsTheReportThen(t *testing.T) {
	g := newReporting(t)
	g.sink.set(2, false)
	g.decide(t, 0)
	g.await(t, "delivered", published(1))
	if n := g.files(t); n != 1 || len(g.sink.calls) != 1 {
		t.Errorf("%d files after %v attempts", n, g.sink.calls)
	}
	for id, n := range g.sink.calls {
		if n != 3 {
			t.Errorf("report %s was sent %d times", id, n)
		}
	}
	if s := mustRedecide(t, g.log); s.Tamiyo.Reports.Retries != 2 {
		t.Errorf("%d retries after a replay", s.Tamiyo.Reports.Retries)
	}
}

func TestDeliveryIsGivenUpAtItsCap(t *testing.T) {
	g := newReporting(t)
	g.sink.set(-1, false)
	g.decide(t, 0)
	g.await(t, "given up", func(r *projections.Reports) bool { return r.Dropped == 1 && r.Fill().Pending == 0 })
	if n := g.files(t); n != 0 {
		t.Errorf("%d files", n)
	}
	filed := 0
	for _, r := range records(t, g.log) {
		for _, e := range r.Events {
			if _, ok := e.(leyline.FieldReportFiled); ok {
				filed++
			}
		}
	}
	if filed != 1 {
		t.Errorf("the log holds %d reports", filed) // for ever, whatever became of its delivery
	}
	g.sink.set(0, false)
	g.decide(t, 1)
	g.await(t, "delivered", published(1))
	mustRedecide(t, g.log)
}

// TestFourDecisionsAreFourReports: reports that are published one after the other,
// two and four of them in all, are four; the prototype published two of them.
func TestFourDecisionsAreFourReports(t *testing.T) {
	g := newReporting(t)
	for seed := range 4 {
		if seed == 2 { // the third one waits for the fourth
			g.sink.set(1, false)
		}
		g.decide(t, seed)
		if seed != 2 {
			g.await(t, "delivered", published(uint64(seed+1)))
		}
	}
	if n := g.files(t); n != 4 || len(g.sink.calls) != 4 {
		t.Errorf("%d files after the attempts %v", n, g.sink.calls)
	}
}

// TestRestartSendsWhatWasNotSettled: what the last process was about to deliver is
// delivered by the next, what was delivered is not, and counters go on.
func TestRestartSendsWhatWasNotSettled(t *testing.T) {
	g := newReporting(t)
	g.decide(t, 0)
	g.await(t, "delivered", published(1))
	g.sink.set(0, true)
	g.decide(t, 1)
	g.await(t, "on its way", func(r *projections.Reports) bool { return r.Fill().Pending == 1 })
	g.end(t)
	g.sink.set(0, false)
	g.begin(t)
	g.await(t, "delivered", published(2))
	if n := g.files(t); n != 2 {
		t.Errorf("%d files", n)
	}
	once, twice := 0, 0
	for _, n := range g.sink.calls {
		switch n {
		case 1:
			once++
		case 2:
			twice++
		}
	}
	if once != 1 || twice != 1 {
		t.Errorf("attempts %v; want the first report once and the second twice", g.sink.calls)
	}
	mustRedecide(t, g.log)
}

// TestLateSinkIsAFailure: an attempt has a deadline.
func TestLateSinkIsAFailure(t *testing.T) {
	b := newReporting(t)
	b.sink.set(0, true)
	b.config.Tamiyo.ReportTimeout, b.config.Tamiyo.ReportRetries = 5, 0
	b.end(t)
	b.begin(t) // under the changed configuration
	b.decide(t, 0)
	b.await(t, "given up", func(r *projections.Reports) bool { return r.Dropped == 1 })
	for _, r := range records(t, b.log) {
		if x, ok := r.Input.(leyline.ReportFailed); ok && x.Outcome != leyline.OutcomeDeadline {
			t.Errorf("failed as %+v", x)
		}
	}
}

// TestConfiguredReportsWithoutASinkFail: nothing is said to be delivered that is not.
func TestConfiguredReportsWithoutASinkFail(t *testing.T) {
	b := newBench(t)
	b.config.Tamiyo.ReportDir, b.config.Tamiyo.ReportRetries = "somewhere", 0
	g := &reporting{garden: newGarden(t, b, 1)}
	g.decide(t, 0)
	g.await(t, "given up", func(r *projections.Reports) bool { return r.Dropped == 1 && r.Published == 0 })
}
