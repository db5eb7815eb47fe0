package workload

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/blas/blas64"
)

// NetConfig describes a net. A zero field takes its default.
type NetConfig struct {
	// Hidden is the width of both trunk layers, within 1 and 256. Default 32.
	Hidden int
	// Batch is the largest number of rows that Step takes, within 1 and 256. Default 32.
	Batch int
	// Seed determines the initial weights. Every value is a seed, also 0.
	Seed uint64
	// LearningRate multiplies the velocity in every update; finite, above 0.
	// Default 0.05. SetLearningRate changes it later.
	LearningRate float64
	// Momentum is the share of the velocity that survives a step, within 0 and
	// 1, not 1 itself. Default 0.9.
	Momentum float64
}

func (c NetConfig) withDefaults() NetConfig {
	if c.Hidden == 0 {
		c.Hidden = 32
	}
	if c.Batch == 0 {
		c.Batch = 32
	}
	if c.LearningRate == 0 {
		c.LearningRate = 0.05
	}
	if c.Momentum == 0 {
		c.Momentum = 0.9
	}
	return c
}

func (c NetConfig) validate() error {
	switch {
	case c.Hidden < 1 || c.Hidden > maxWidth:
		return fmt.Errorf("hidden is %d, not within 1 and %d", c.Hidden, maxWidth)
	case c.Batch < 1 || c.Batch > maxRows:
		return fmt.Errorf("batch is %d, not within 1 and %d", c.Batch, maxRows)
	case !validRate(c.LearningRate):
		return fmt.Errorf("learning rate is %v, not finite and above 0", c.LearningRate)
	case !(c.Momentum >= 0 && c.Momentum < 1):
		return fmt.Errorf("momentum is %v, not within 0 and below 1", c.Momentum)
	}
	return nil
}

func validRate(r float64) bool { return r > 0 && !math.IsInf(r, 1) }

// Net is the built-in model: a shared trunk, one graft point after it, and one
// linear softmax head per task. The package doc has the equations. A Net is not
// safe for concurrent use and starts no goroutine. It reuses its buffers: a
// Step allocates nothing once the set of seeds has settled.
type Net struct {
	data *Data
	cfg  NetConfig

	// Training state: all of it, and nothing else, is saved, loaded and digested.
	// The learning rate in cfg belongs to it too.
	trunk mlp
	heads []params // per task: weight (classes x hidden), then bias
	seeds []*seed  // in slot order

	stuck bool // fault drill: the learning rate is 0; no part of the state

	// Scratch, sized for cfg.Batch rows.
	tr       trace
	current  blas64.General   // what the heads see
	logits   []blas64.General // per task; after Step the gradient of the logits
	labels   [][]int          // per task the class of every row of the batch
	headGrad [][]float64      // per task, laid out like heads
	dHead    blas64.General   // gradient at the head input, one task
	dHost    blas64.General   // gradient handed to the trunk, one task
	before   blas64.General   // dHost before a seed's backward pass
	sample   sampler          // of the gradients at the graft
	hostSum  []float64        // sampled elements of dHead summed over tasks
	combined []float64        // as long as a shared gradient
	pass     Pass
	fresh    bool // pass holds gradients for the present layout that were not applied
}

// NewNet returns a net with its initial weights, a pure function of cfg and the
// shape of data: PCG-seeded Glorot-uniform weights in the order trunk, heads;
// biases and velocities are zero. The data is kept, not copied. An error names
// the first field of cfg that is out of range, or what is wrong with the data.
func NewNet(data *Data, cfg NetConfig) (*Net, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("cannot make a net: %w", err)
	}
	if err := data.validate(); err != nil {
		return nil, fmt.Errorf("cannot make a net: %w", err)
	}
	n := blank(data, cfg)
	r := rand.NewPCG(cfg.Seed, streamInit)
	first, second := n.trunk.over(n.trunk.value)
	fillUniform(first.w.Data, glorot(n.trunk.in, n.trunk.mid), r)
	fillUniform(second.w.Data, glorot(n.trunk.mid, n.trunk.out), r)
	for t, task := range data.Tasks {
		fillUniform(n.head(t).w.Data, glorot(cfg.Hidden, task.Classes), r)
	}
	n.relayout()
	return n, nil
}

// blank returns a net without seeds whose parameters are all zero.
func blank(data *Data, cfg NetConfig) *Net {
	_, features := data.X.Dims()
	h, rows := cfg.Hidden, cfg.Batch
	n := &Net{
		data: data, cfg: cfg,
		trunk:   newMLP(features, h, h),
		current: matrix(rows, h), dHead: matrix(rows, h), dHost: matrix(rows, h),
		before: matrix(rows, h), sample: newSampler(), hostSum: make([]float64, cosineSamples),
	}
	n.tr = newTrace(rows, &n.trunk)
	for _, task := range data.Tasks {
		size := affineSize(h, task.Classes)
		n.heads = append(n.heads, newParams(size))
		n.headGrad = append(n.headGrad, make([]float64, size))
		n.logits = append(n.logits, matrix(rows, task.Classes))
		n.labels = append(n.labels, make([]int, rows))
	}
	return n
}

// head returns the head of a task as a view of its parameters.
func (n *Net) head(t int) affine {
	return affineOver(n.heads[t].value, n.cfg.Hidden, n.data.Tasks[t].Classes)
}

// relayout assigns every blending seed its place in the shared gradients,
// resizes them, and makes the last Pass stale.
func (n *Net) relayout() {
	size := n.trunk.size()
	for _, s := range n.seeds {
		if s.Mode == ModeBlending {
			s.offset = size
			size += s.size()
		}
	}
	k := len(n.data.Tasks)
	n.combined = make([]float64, size)
	n.pass = Pass{Losses: make([]float64, k), Correct: make([]int, k), Gradients: make([][]float64, k)}
	for t := range n.pass.Gradients {
		n.pass.Gradients[t] = make([]float64, size)
	}
	n.fresh = false
}

// Config returns the configuration with its defaults filled in and the present
// learning rate.
func (n *Net) Config() NetConfig { return n.cfg }

// Data returns the data the net was made with.
func (n *Net) Data() *Data { return n.data }

// SharedSize returns the present length of a shared gradient: the trunk's
// parameters and those of every blending seed.
func (n *Net) SharedSize() int { return len(n.combined) }

// SetLearningRate changes the learning rate from the next Apply on. It must be
// finite and above 0; otherwise nothing changes and an error says so.
func (n *Net) SetLearningRate(rate float64) error {
	if !validRate(rate) {
		return fmt.Errorf("cannot set the learning rate to %v: it must be finite and above 0", rate)
	}
	n.cfg.LearningRate, n.stuck = rate, false
	return nil
}

// LearningRate returns the rate that the next Apply uses: the configured one, or 0
// after FaultRate.
func (n *Net) LearningRate() float64 {
	if n.stuck {
		return 0
	}
	return n.cfg.LearningRate
}

// ResetOptimizer sets every velocity to zero, as a new optimizer has it.
func (n *Net) ResetOptimizer() {
	clear(n.trunk.velocity)
	for _, h := range n.heads {
		clear(h.velocity)
	}
	for _, s := range n.seeds {
		clear(s.velocity)
	}
}
