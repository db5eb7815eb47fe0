package value

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay/workload"
)

// accuracies of the rules, less those of each arm, in points: the differences are
// Student's for never, their negatives for random, nothing for modules.
func sleepRows(workload string, first uint64) []Row {
	var rows []Row
	for i, d := range sleep {
		seed, base := first+uint64(i), 0.5+0.03*float64(i%3)
		rows = append(rows,
			rowOf(workload, Modules, seed, base), rowOf(workload, Never, seed, base-d/100), rowOf(workload, Rules, seed, base),
			rowOf(workload, Random, seed, base+d/100), rowOf(workload, Wider, seed, base+0.004*float64(2*(i%2)-1)), rowOf(workload, Longer, seed, base))
	}
	return rows
}

func study(seeds int) Study { return Study{Workload: "penguins", Steps: 10, First: 1, Seeds: seeds} }

// TestAnalysePairsBySeed: whatever the order of the rows, each is compared with that of
// its own seed.
func TestAnalysePairsBySeed(t *testing.T) {
	rows := sleepRows("penguins", 1)
	want, err := Analyse([]Study{study(10)}, rows)
	ok(t, err)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	got, err := Analyse([]Study{study(10)}, rows)
	ok(t, err)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the order of the rows matters:\n%s", d)
	}
	never := comparison(t, got, Never, Accuracy)
	near(t, "mean", never.Mean, 1.58, 1e-9)
	near(t, "p", never.P, 0.002833, 5e-7)
	near(t, "low", never.T.Low, 0.7001142, 1e-6)
	// The smallest of a family of 8, of which 4 were run.
	random := comparison(t, got, Random, Accuracy)
	near(t, "Holm", *never.Holm, 8*never.P, 1e-9)
	near(t, "Holm", *random.Holm, *never.Holm, 1e-9)
	wider, modules := comparison(t, got, Wider, Accuracy), comparison(t, got, Modules, Accuracy)
	if d := cmp.Diff([]Verdict{Better, Worse, Small, Small}, []Verdict{never.Verdict, random.Verdict, wider.Verdict, modules.Verdict}); d != "" {
		t.Errorf("verdicts (-want +got):\n%s", d)
	}
	if got.Complete {
		t.Error("a part passes for the whole experiment")
	}
	if c := comparison(t, got, Never, Loss); c.Holm != nil || c.Verdict != "" || math.Abs(c.Mean+0.0158) > 1e-9 {
		t.Errorf("a secondary outcome: %+v", c)
	}
	for _, c := range got.Studies[0].Comparisons {
		if c.With == Longer && (c.Primary || c.Outcome == Area) {
			t.Errorf("longer is compared as %+v", c)
		}
	}
	for _, a := range got.Studies[0].Arms {
		if a.Runs != 10 || a.Failed != 0 || a.Accuracy.Mean < 40 {
			t.Errorf("%+v", a)
		}
	}
}

func comparison(t *testing.T, r Report, a Arm, o Outcome) Comparison {
	t.Helper()
	for _, c := range r.Studies[0].Comparisons {
		if c.With == a && c.Outcome == o {
			return c
		}
	}
	t.Fatalf("no comparison with %s by %s", a, o)
	return Comparison{}
}

// TestComplete: only the protocol's own studies are its experiment.
func TestComplete(t *testing.T) {
	var rows []Row
	for _, s := range Studies() {
		for i := range s.Seeds {
			for _, a := range Arms() {
				rows = append(rows, rowOf(s.Workload, a, s.First+uint64(i), 0.5))
			}
		}
	}
	r, err := Analyse(Studies(), rows)
	ok(t, err)
	if !r.Complete {
		t.Error("the whole experiment is told as a part")
	}
	other := Studies()
	other[0].Seeds--
	if r, err = Analyse(other, rows); err != nil || r.Complete {
		t.Errorf("one seed less: complete %t (%v)", r.Complete, err)
	}
}

// TestTooFewToSay: a wide interval around nothing is not a small difference.
func TestTooFewToSay(t *testing.T) {
	c := Comparison{Paired: Paired{Mean: 0.5, T: Interval{-1.2, 2.2}}}
	if v := c.verdict(0.3); v != Undecided {
		t.Errorf("verdict %q", v)
	}
	if v := c.verdict(0.05); v != Undecided {
		t.Errorf("at the level itself: verdict %q", v)
	}
}

// TestAnalyseRefuses: a run that is missing is named and nothing stands in for it.
func TestAnalyseRefuses(t *testing.T) {
	rows := sleepRows("penguins", 1)
	if _, err := Analyse([]Study{study(11)}, rows); err == nil || !strings.Contains(err.Error(), "no run of rules with seed 11") {
		t.Errorf("a seed that was not run: %v", err)
	}
	if _, err := Analyse([]Study{study(1)}, rows); err == nil {
		t.Error("one pair was analysed")
	}
}

// TestFailedRunsCount: they are guesses, they are listed, and nothing is left out.
func TestFailedRunsCount(t *testing.T) {
	tasks := []workload.Task{{Name: "a", Classes: 2}, {Name: "b", Classes: 4}}
	rows := sleepRows("penguins", 1)
	for i := range rows {
		if r := &rows[i]; r.Arm == Rules && r.Seed == 3 {
			r.fail("the plane halted the run", tasks)
			near(t, "accuracy", r.Accuracy, 0.375, 1e-15)
			near(t, "loss", r.Loss, 1.5*math.Ln2, 1e-15)
			if r.Area != r.Loss || r.Curve != nil {
				t.Errorf("%+v", r)
			}
		}
	}
	report, err := Analyse([]Study{study(10)}, rows)
	ok(t, err)
	s := report.Studies[0]
	if len(s.Failed) != 1 || s.Failed[0].Seed != 3 || s.Arms[0].Failed != 1 || s.Arms[0].Runs != 10 {
		t.Errorf("failed %+v, arm %+v", s.Failed, s.Arms[0])
	}
	if c := comparison(t, report, Never, Accuracy); c.N != 10 || c.Negative != 1 {
		t.Errorf("compared %+v", c)
	}
}

func TestOutcome(t *testing.T) {
	res := workload.Result{
		Steps: 30,
		Tasks: []workload.TaskResult{{Task: "a", Loss: 0.5, Accuracy: 0.9}, {Task: "b", Loss: 1.5, Accuracy: 0.7}},
		Curve: []workload.Judgement{{Step: 0, Losses: []float64{2, 4}, Accuracy: []float64{0.1, 0.3}}, {Step: 20, Losses: []float64{1, 2}, Accuracy: []float64{0.5, 0.5}}},
		Seeds: []workload.SeedResult{
			{Seed: "x", Blueprint: "kept", Alpha: 1, Size: 100, Stage: leyline.StageTerminated}, {Seed: "y", Blueprint: "trains", Size: 7},
		},
		Work: workload.Work{Training: 90, Probes: 10},
	}
	r := Row{Parameters: 1000, Modules: []string{}}
	if !r.outcome(res) {
		t.Fatal("the figures are finite")
	}
	near(t, "accuracy", r.Accuracy, 0.8, 1e-15)
	near(t, "loss", r.Loss, 1, 1e-15)
	near(t, "area", r.Area, (20*(3+1.5)/2+10*(1.5+1)/2)/30, 1e-15) // the end is judged too
	if r.Parameters != 1100 || len(r.Modules) != 1 || r.Modules[0] != "kept" || r.Work != 100 || r.Probing != 10 || len(r.Curve) != 3 {
		t.Errorf("%+v", r)
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1)} {
		broken := Row{Parameters: 1000}
		res.Tasks[1].Loss = bad
		if broken.outcome(res) || broken.Parameters != 1000 {
			t.Errorf("a loss of %v passes, with %d parameters", bad, broken.Parameters)
		}
	}
}

// TestLife counts what happened in records.
func TestLife(t *testing.T) {
	var l Life
	l.count(leyline.Record{Events: []leyline.Event{
		leyline.SeedMoved{To: leyline.StageGerminated}, leyline.SeedMoved{To: leyline.StageTraining}, leyline.SeedMoved{To: leyline.StageCulled},
		leyline.SeedMoved{To: leyline.StageFossilized}, leyline.CommandVerified{}, leyline.CommandRejected{}, leyline.CommandRejected{},
		leyline.RiskAssessed{Proposed: leyline.OpCull, Effect: leyline.EffectHold}, leyline.RiskAssessed{Proposed: leyline.OpCull, Effect: leyline.EffectNone}, leyline.RiskAssessed{Effect: leyline.EffectHold},
		leyline.PolicyMissed{},
	}})
	want := Life{Germinated: 1, Kept: 1, Culled: 1, Accepted: 1, Refused: 2, Withheld: 1, Missed: 1}
	if l != want {
		t.Errorf("counted %+v, want %+v", l, want)
	}
}
