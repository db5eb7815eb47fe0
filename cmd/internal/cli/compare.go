package cli

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay/workload"
)

// comparison says what faults, gradient aggregation and seeds changed: the run
// against runs that differ in one of them and in nothing else. Every control is
// a run of its own, with its own data directory, and can be replayed.
type comparison struct {
	Rows    int           `json:"held_out_rows"` // on which all are judged
	Runs    []comparedRun `json:"runs"`          // the run itself first
	Effects []effectOf    `json:"effects"`
}

// comparedRun is one of the runs.
type comparedRun struct {
	Name    string                `json:"name"`
	What    string                `json:"what"`
	Data    string                `json:"data"` // its data directory
	Digest  leyline.Digest        `json:"digest"`
	Seconds float64               `json:"seconds"`
	Tasks   []workload.TaskResult `json:"tasks"`
}

// effectOf is what one difference between two runs changed.
type effectOf struct {
	Of    string       `json:"of"`   // "the faults", "pcgrad", "the seeds"
	With  string       `json:"with"` // name of the run that has it
	Minus string       `json:"minus"`
	Same  bool         `json:"same_weights"` // to the last bit
	Tasks []taskEffect `json:"tasks"`
}

// taskEffect is a paired comparison of two networks on the same rows. Its
// interval covers the choice of held-out rows and nothing else: with another
// seed of training the difference would be another.
type taskEffect struct {
	Task      leyline.TaskID `json:"task"`
	Points    float64        `json:"points"`      // of accuracy, with less without
	Low       float64        `json:"low_95"`      // of the 95% interval, in points
	High      float64        `json:"high_95"`     // of the 95% interval, in points
	OnlyWith  int            `json:"only_with"`   // rows that only the first got right
	OnlyMinus int            `json:"only_minus"`  // rows that only the second got right
	Shown     bool           `json:"significant"` // the interval excludes 0
}

// pair compares two networks row by row. With b and c rows that only one got
// right, the difference is (b-c)/n with variance (b+c-(b-c)^2/n)/n^2, the usual
// one for paired proportions.
func pair(task leyline.TaskID, with, minus []bool) taskEffect {
	e := taskEffect{Task: task}
	for i := range with {
		switch {
		case with[i] && !minus[i]:
			e.OnlyWith++
		case !with[i] && minus[i]:
			e.OnlyMinus++
		}
	}
	n, b, c := float64(len(with)), float64(e.OnlyWith), float64(e.OnlyMinus)
	d := (b - c) / n
	half := 1.96 * math.Sqrt(math.Max(b+c-(b-c)*(b-c)/n, 0)) / n
	e.Points, e.Low, e.High = 100*d, 100*(d-half), 100*(d+half)
	e.Shown = e.Low > 0 || e.High < 0
	return e
}

// control is a run to compare with.
type control struct {
	name, what string
	change     func(*leyline.ExecutionConfig)
}

const (
	theRun    = "this run"
	faultless = "no-faults"
)

// controls lists what a run is compared with: itself without its faults, if it
// had any, and that run again without PCGrad and without seeds.
func (j *job) controls() []control {
	var cs []control
	if len(j.faults) > 0 {
		cs = append(cs, control{faultless, "without the faults", func(*leyline.ExecutionConfig) {}})
	}
	if m := j.config.Tolaria.Aggregation; m != leyline.AggregationSum {
		cs = append(cs, control{"sum", fmt.Sprintf("without faults, gradients summed instead of %s", m), func(c *leyline.ExecutionConfig) {
			c.Tolaria.Aggregation = leyline.AggregationSum
		}})
	}
	if j.config.Tamiyo.Enabled {
		cs = append(cs, control{"no-seeds", "without faults and without seeds", func(c *leyline.ExecutionConfig) { c.Tamiyo.Enabled = false }})
	}
	return cs
}

// compare trains the controls, as many at a time as there are processors.
func (j *job) compare(ctx context.Context, own workload.Result) (*comparison, error) {
	if err := j.comparable(); err != nil {
		return nil, fmt.Errorf("%s was not compared: %w", j.run, err)
	}
	j.app.notice("%s is finished and in the log; its controls are trained now, and the same command later would begin another run", j.run)
	cs := j.controls()
	results := make([]workload.Result, len(cs))
	errs := make([]error, len(cs))
	dirs := make([]string, len(cs))
	slots := make(chan struct{}, max(runtime.GOMAXPROCS(0), 1))
	var wg sync.WaitGroup
	for i, c := range cs {
		dirs[i] = filepath.Join(j.dir.ControlsPath(), string(j.run), c.name)
		j.app.notice("comparing: %s ...", c.what)
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			results[i], errs[i] = j.control(ctx, c, dirs[i])
		})
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("%s was not compared: the control run %s in %s: %w", j.run, cs[i].name, dirs[i], err)
		}
	}
	out := &comparison{Rows: len(own.Tasks[0].Right), Runs: []comparedRun{compared(theRun, "", j.dir.Path, own)}}
	byName := map[string]workload.Result{theRun: own}
	for i, c := range cs {
		out.Runs = append(out.Runs, compared(c.name, c.what, dirs[i], results[i]))
		byName[c.name] = results[i]
	}
	out.effects(byName, j.config.Tolaria.Aggregation.String())
	return out, nil
}

// comparable refuses a run that went on under another configuration: it differs
// from every control in more than one thing.
func (j *job) comparable() error {
	d, err := datadir.OpenReadOnly(j.dir.Path)
	if err != nil {
		return err
	}
	defer d.Close() // a reader; nothing is lost when closing it fails
	started := false
	for r, err := range decoded(d.Source(), 0) {
		if err != nil {
			return err
		}
		if _, ok := r.Input.(leyline.RunOpened); ok && r.Run == j.run {
			started = true
		}
		if _, ok := r.Input.(leyline.ConfigApplied); ok && started {
			return fmt.Errorf("record %d changed its configuration, so no single difference can be named", r.Seq)
		}
	}
	return nil
}

// effects reads off what each difference changed. Aggregation and seeds are
// judged without faults, where nothing else differs.
func (c *comparison) effects(runs map[string]workload.Result, method string) {
	base := theRun
	if _, ok := runs[faultless]; ok {
		base = faultless
	}
	for _, e := range []effectOf{
		{Of: "the faults", With: theRun, Minus: faultless},
		{Of: method, With: base, Minus: "sum"},
		{Of: "the seeds", With: base, Minus: "no-seeds"},
	} {
		with, minus := runs[e.With], runs[e.Minus]
		if len(minus.Tasks) == 0 {
			continue
		}
		e.Same = with.Digest == minus.Digest
		for i, t := range with.Tasks {
			e.Tasks = append(e.Tasks, pair(t.Task, t.Right, minus.Tasks[i].Right))
		}
		c.Effects = append(c.Effects, e)
	}
}

func compared(name, what, data string, r workload.Result) comparedRun {
	return comparedRun{Name: name, What: what, Data: data, Digest: r.Digest, Seconds: r.Elapsed.Seconds(), Tasks: r.Tasks}
}

// control trains one run quietly in a data directory of its own, which it keeps.
func (j *job) control(ctx context.Context, c control, dir string) (workload.Result, error) {
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return workload.Result{}, err
	}
	k := &job{
		served: served{
			app: &app{out: io.Discard, err: io.Discard, level: "off"}, at: placeFlags{data: dir, blueprints: j.at.blueprints},
			config: j.config, shipped: j.shipped, fits: j.fits, own: j.own,
		},
		flags: runFlags{steps: j.flags.steps, seed: j.flags.seed, stepsSet: true}, spec: j.spec, isControl: true,
	}
	c.change(&k.config)
	k.config.Tamiyo.ReportDir, k.config.Tamiyo.ReportURLFile = "", "" // the reports of a control stay in its own log
	res, failed, stopping := k.supervise(ctx)
	return res, andThen(failed, stopping)
}

// print says what was found, and where it was too little to tell.
func (c *comparison) print(w io.Writer) {
	fmt.Fprintf(w, "\ncompared\t%d runs of the same seed, judged on the same %d held-out rows\n", len(c.Runs), c.Rows)
	for _, r := range c.Runs {
		name := r.Name
		if r.What != "" {
			name += " (" + r.What + ")"
		}
		fmt.Fprintf(w, "  %s", r.Digest.Short())
		for _, t := range r.Tasks {
			fmt.Fprintf(w, "\t%s %.2f%%", t.Task, 100*t.Accuracy)
		}
		fmt.Fprintf(w, "\t%s\n", name)
	}
	for _, e := range c.Effects {
		fmt.Fprintf(w, "  %s\t%s\n", e.Of, e.words())
	}
	fmt.Fprint(w, "  \tintervals are 95% over held-out rows, for this seed of training alone\n")
}

// words says an effect in one sentence.
func (e effectOf) words() string {
	if e.Same {
		return "none at all: both runs end with the very same weights"
	}
	s, shown := "", false
	for i, t := range e.Tasks {
		if i > 0 {
			s += ", "
		}
		s += fmt.Sprintf("%s %+.2f points (%+.2f to %+.2f)", t.Task, t.Points, t.Low, t.High)
		shown = shown || t.Shown
	}
	if !shown {
		return s + ": too little to tell from none"
	}
	return s
}
