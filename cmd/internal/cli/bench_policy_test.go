package cli

import (
	"cmp"
	"context"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay/harness"
	"github.com/esper-plane/esper/replay/value"
	"github.com/esper-plane/esper/replay/workload"
)

// countingSite counts the runs that are begun, and may change their configuration
// behind the experiment's back.
type countingSite struct {
	site
	opened *atomic.Int64
	change func(*leyline.ExecutionConfig)
}

func (s countingSite) Open(name string, spec workload.Spec, c leyline.ExecutionConfig) (*harness.Place, error) {
	s.opened.Add(1)
	if s.change != nil {
		s.change(&c)
	}
	return s.site.Open(name, spec, c)
}

// smallExperiment has two seeds of sixty steps: not the protocol's.
func smallExperiment(t *testing.T) (*value.Experiment, *atomic.Int64) {
	opened := new(atomic.Int64)
	quiet := &app{out: io.Discard, err: io.Discard, level: "off"}
	return &value.Experiment{
		Site:    countingSite{site: site{quiet, t.TempDir()}, opened: opened},
		Studies: []value.Study{{Workload: "penguins", Steps: 60, First: 1, Seeds: 2}},
		Workers: 1, Build: "test",
	}, opened
}

// rowsAt opens the rows of a directory; they are closed with the test.
func rowsAt(t *testing.T, dir string) *value.Store {
	t.Helper()
	s, err := value.OpenStore(filepath.Join(dir, rowsFile))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// measured is what rows say without what a clock has measured, in a fixed order.
func measured(rows []value.Row) []value.Row {
	out := slices.Clone(rows)
	for i := range out {
		out[i].Seconds = 0
	}
	slices.SortFunc(out, func(a, b value.Row) int {
		return cmp.Or(cmp.Compare(a.Seed, b.Seed), cmp.Compare(a.Arm, b.Arm))
	})
	return out
}

// TestPolicyExperimentResumes: stopped after any run, it goes on with the next and ends
// with the rows of one that was never stopped; so does one of two workers. What is
// paired has the same seed: the arms that do not grow begin with the same weights.
func TestPolicyExperimentResumes(t *testing.T) {
	whole, began := smallExperiment(t)
	whole.Verify = true
	all := rowsAt(t, t.TempDir())
	defer all.Close()
	if err := whole.Run(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	want := measured(all.Rows())
	if len(want) != 12 || began.Load() != 12 {
		t.Fatalf("%d rows of %d runs", len(want), began.Load())
	}
	for _, r := range want {
		if !r.Replayed || r.Failed != "" || r.Weights == nil || r.Records == 0 || len(r.Curve) < 16 || r.Work == 0 {
			t.Errorf("row %+v", r)
		}
	}

	e, began := smallExperiment(t)
	e.Verify, e.Workers = true, 2
	dir := t.TempDir()
	const stop = 5
	for life := 1; ; life++ {
		ctx, cancel := context.WithCancel(t.Context())
		s := rowsAt(t, dir)
		had, runs := len(s.Rows()), 0
		e.Told = func(_ value.Row, _, _ int) {
			if runs++; runs == had+stop {
				cancel()
			}
		}
		err := e.Run(ctx, s)
		got := measured(s.Rows())
		if cerr := s.Close(); cerr != nil {
			t.Fatal(cerr)
		}
		cancel()
		if err == nil {
			if d := gocmp.Diff(want, got); d != "" {
				t.Errorf("life %d ends otherwise (-never stopped +stopped):\n%s", life, d)
			}
			break
		}
		if !errors.Is(err, context.Canceled) || len(got) <= had || life > 12 {
			t.Fatalf("life %d: %d rows after %d: %v", life, len(got), had, err)
		}
	}
	// A life that is stopped loses at most the run that each worker was at.
	if n := began.Load(); n > 12+2*2 {
		t.Errorf("%d runs were made for 12 rows", n)
	}
	if _, err := value.Analyse(e.Studies, want); err != nil {
		t.Error(err)
	}
}

// TestPolicyExperimentRefusesOtherRows: nothing is mixed with what another build made.
func TestPolicyExperimentRefusesOtherRows(t *testing.T) {
	e, began := smallExperiment(t)
	s := rowsAt(t, t.TempDir())
	defer s.Close()
	e.Studies[0].Steps = 20
	if err := e.Run(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	e.Build = "another"
	began.Store(0)
	if err := e.Run(t.Context(), s); !errors.Is(err, value.ErrOtherExperiment) || began.Load() != 0 {
		t.Errorf("%d runs, then: %v", began.Load(), err)
	}
}

// TestHaltedRunsAreOutcomes: a run that the plane halts is a row like any other.
func TestHaltedRunsAreOutcomes(t *testing.T) {
	e, _ := smallExperiment(t)
	c := e.Site.(countingSite)
	c.change = func(c *leyline.ExecutionConfig) { // every step above the mean is a fault
		x := &c.Tolaria
		x.DivergeLoss, x.DivergeSigma, x.DivergeFactor, x.DivergeSteps, x.DivergeWarmup = 1e-6, 1e-9, 1, 1, 1
	}
	e.Site = c
	s := rowsAt(t, t.TempDir())
	defer s.Close()
	if err := e.Run(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	guess := (1.0/3 + 1.0/2 + 1.0/3) / 3
	for _, r := range s.Rows() {
		if r.Failed == "" || r.Accuracy-guess > 1e-12 || guess-r.Accuracy > 1e-12 || r.Weights != nil {
			t.Errorf("%s, seed %d: %q, accuracy %v", r.Arm, r.Seed, r.Failed, r.Accuracy)
		}
	}
	report, err := value.Analyse(e.Studies, s.Rows())
	if err != nil || len(report.Studies[0].Failed) != 12 {
		t.Errorf("%d of 12 are listed (%v)", len(report.Studies[0].Failed), err)
	}
}
