package cli

import (
	"math"
	"slices"

	"github.com/esper-plane/esper/leyline"
)

// maxBuckets bounds a series: when it would hold more, neighbours are merged.
const maxBuckets = 1500

// maxMarks bounds the marks of a story.
const maxMarks = 500

// series is one figure in the order in which steps were observed, which is not
// the order of steps: a rollback and a resume repeat some. Neighbours are merged
// so that it never holds more than maxBuckets.
type series struct {
	buckets []bucket
	width   int // observations per bucket, the last may hold fewer
}

// bucket is what some consecutive observations showed.
type bucket struct {
	sum   float64 // of the finite ones
	good  int     // how many are finite
	n     int
	last  float64 // the newest, finite or not
	worst float64 // the largest finite one
}

func (s *series) add(v float64) {
	b := bucket{n: 1, last: v, worst: math.Inf(-1)}
	if !math.IsNaN(v) && !math.IsInf(v, 0) {
		b.sum, b.good, b.worst = v, 1, v
	}
	s.width = max(s.width, 1)
	if n := len(s.buckets); n > 0 && s.buckets[n-1].n < s.width {
		s.buckets[n-1] = s.buckets[n-1].join(b)
		return
	}
	if len(s.buckets) == maxBuckets {
		s.halve()
		s.add(v)
		return
	}
	s.buckets = append(s.buckets, b)
}

// halve merges neighbours two by two.
func (s *series) halve() {
	s.width *= 2
	for i := range maxBuckets / 2 {
		s.buckets[i] = s.buckets[2*i].join(s.buckets[2*i+1])
	}
	s.buckets = s.buckets[:maxBuckets/2]
}

func (b bucket) join(next bucket) bucket {
	return bucket{b.sum + next.sum, b.good + next.good, b.n + next.n, next.last, math.Max(b.worst, next.worst)}
}

// mean is NaN for a bucket without a finite value.
func (b bucket) mean() float64 {
	if b.good == 0 {
		return math.NaN()
	}
	return b.sum / float64(b.good)
}

// shrink returns at most n buckets that cover the series.
func (s *series) shrink(n int) []bucket {
	k := len(s.buckets)
	if k <= n {
		return s.buckets
	}
	out := make([]bucket, n)
	for i := range out {
		part := s.buckets[i*k/n : (i+1)*k/n]
		out[i] = part[0]
		for _, b := range part[1:] {
			out[i] = out[i].join(b)
		}
	}
	return out
}

// means returns at most n means; NaN where nothing was finite.
func (s *series) means(n int) []float64 {
	var out []float64
	for _, b := range s.shrink(n) {
		out = append(out, b.mean())
	}
	return out
}

// lasts returns at most n newest values.
func (s *series) lasts(n int) []float64 {
	var out []float64
	for _, b := range s.shrink(n) {
		out = append(out, b.last)
	}
	return out
}

// most is the largest finite value of all.
func (s *series) most() float64 {
	most := math.Inf(-1)
	for _, b := range s.buckets {
		most = math.Max(most, b.worst)
	}
	return most
}

// The kinds of mark.
const (
	markNonFinite = "non-finite"
	markRollback  = "rollback"
	markResumed   = "resumed"
)

// mark is a moment on the axis of observations.
type mark struct {
	Kind string
	Step leyline.Step
	At   int // observations before it
}

// observed are the figures of every observed step. All series get a value at
// each step, so that they stay aligned.
type observed struct {
	count  int
	slots  []leyline.SeedID
	steps  series // the step's number
	loss   series // mean over tasks
	limit  series // above which a step is anomalous; NaN while there is none
	ratio  series // of conflicts; NaN for a step that was given no weights
	tasks  []series
	alphas []series
	stages [][]stageChange // per slot
	marks  []mark
}

// stageChange is a slot's entry into a stage, or its return to one.
type stageChange struct {
	At    int // observations before it
	Step  leyline.Step
	Stage leyline.Stage
	Gates []gateVerdict
	Undo  string // what has returned it
}

// stage adds a change unless the slot is in that stage already.
func (o *observed) stage(id leyline.SeedID, c stageChange) {
	i := slices.Index(o.slots, id)
	if i < 0 || len(o.stages[i]) >= maxMarks {
		return
	}
	c.At = o.count
	if n := len(o.stages[i]); c.Undo != "" && (n == 0 || o.stages[i][n-1].Stage == c.Stage) {
		return
	}
	o.stages[i] = append(o.stages[i], c)
}

func (o *observed) begin(plan *leyline.RunOpened) {
	o.slots = plan.Seeds
	o.tasks, o.alphas = make([]series, len(plan.Tasks)), make([]series, len(plan.Seeds))
	o.stages = make([][]stageChange, len(plan.Seeds))
}

func (o *observed) mark(kind string, step leyline.Step) {
	if len(o.marks) < maxMarks {
		o.marks = append(o.marks, mark{kind, step, o.count})
	}
}

// observe adds a step that was reported and judged.
func (s *story) observe(r leyline.Record) {
	x, ok := r.Input.(leyline.StepObserved)
	if !ok || x.Run != s.run {
		return
	}
	ratio := math.NaN()
	var judged *leyline.TrainingAssessed
	for _, e := range r.Events {
		switch y := e.(type) {
		case leyline.TrainingAssessed:
			judged = &y
		case leyline.GradientsCombined:
			ratio = y.Ratio
		}
	}
	if judged == nil {
		return // refused
	}
	o := &s.Series
	o.steps.add(float64(x.Step))
	o.loss.add(meanOf(x.Losses)) // as measured: of a step that is not finite the verdict repeats the running mean
	o.limit.add(zeroToNaN(judged.Limit))
	o.ratio.add(ratio)
	for i := range o.tasks {
		o.tasks[i].add(at(x.Losses, i))
	}
	for i := range o.alphas {
		o.alphas[i].add(alphaOf(x.Seeds, o.slots[i]))
	}
	if judged.Health == leyline.HealthNonFinite {
		o.mark(markNonFinite, x.Step)
	}
	o.count++
}

func meanOf(xs []float64) float64 {
	sum := 0.0
	for _, x := range xs {
		sum += x
	}
	return sum / float64(len(xs))
}

func zeroToNaN(v float64) float64 {
	if v == 0 {
		return math.NaN()
	}
	return v
}

// at is the ith element, or the zero of its type.
func at[E any](list []E, i int) E {
	var none E
	if i < len(list) {
		return list[i]
	}
	return none
}

func alphaOf(seeds []leyline.SeedObserved, id leyline.SeedID) float64 {
	for _, o := range seeds {
		if o.Seed == id {
			return o.Alpha
		}
	}
	return 0
}
