package workload

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"

	"github.com/esper-plane/esper/leyline"
)

// ErrStalePass: the pass was applied already, is not the latest, or the set of
// shared parameters has changed since.
var ErrStalePass = errors.New("pass is stale")

// Pass is what one Step measured. It belongs to the net and is valid until the
// next Step, Graft, Remove, SetMode or Load.
type Pass struct {
	Losses  []float64 // per task: mean cross-entropy over the batch, in nats
	Correct []int     // per task: rows classified correctly; an exact tie is not
	Rows    int       // rows of the batch
	// Gradients holds, per task, the gradient of its loss with respect to the
	// shared parameters: k vectors of length SharedSize. The trunk comes first
	// (layer 1 weight, bias, layer 2 weight, bias, row-major, weights out x in),
	// then every blending seed in slot order, in the same order inside.
	Gradients [][]float64

	// HostGradNorm is the L2 norm of the trunk's gradient of the summed losses.
	HostGradNorm float64
	// SeedGradNorm is the L2 norm over the parameters of all learning seeds.
	SeedGradNorm float64
	// IsolationLeak is the largest Leak of any seed; 0 when isolation holds.
	IsolationLeak float64
	// Cosine is the Cosine of the seed where it is largest in magnitude.
	Cosine float64
	// Seeds has one entry per grafted seed, in slot order.
	Seeds []SeedPass
}

// SeedPass is what one Step measured of one seed.
type SeedPass struct {
	Slot  string
	Mode  Mode
	Alpha float64
	// AuxLosses is per task the mean cross-entropy, in nats, of the heads on
	// h + s. In training mode only, else nil.
	AuxLosses []float64
	// GradNorm is the L2 norm of the seed's own gradient: of the auxiliary loss
	// in training, of the summed task losses in blending, else 0.
	GradNorm float64
	// Leak is the L2 norm, over tasks, rows and hidden units, of the gradient
	// that got into the host through what the seed reads of it: the gradient
	// handed to the trunk is compared before and after the seed's backward pass.
	// The detach makes it exactly 0.
	Leak float64
	// Cosine, in [-1,1], is between the gradient of the summed losses at the
	// graft point and the gradient that the seed would send back to the trunk if
	// what it reads were not detached; 0 when either vanishes. It is estimated
	// from CosineSamples of their elements; 0 samples: from all.
	Cosine        float64
	CosineSamples int
	// Blend is what was measured of the mix in blending and frozen modes.
	Blend leyline.BlendStats
	// Failure says why the seed had no part in this step, Why says it in words.
	Failure leyline.SeedFailure
	Why     string

	gradient []float64 // laid out like the seed's parameters; nil unless it learns
}

// Gram appends to dst[:0] the k*k inner products of the gradients, row-major and
// exactly symmetric, and returns it.
func (p *Pass) Gram(dst []float64) []float64 {
	k := len(p.Gradients)
	dst = dst[:0]
	for i, a := range p.Gradients {
		for j, b := range p.Gradients {
			if j < i {
				dst = append(dst, dst[j*k+i])
			} else {
				dst = append(dst, floats.Dot(a, b))
			}
		}
	}
	return dst
}

// Step runs the net forward and backward on the rows of a batch, 1 to
// NetConfig.Batch of them, and changes no parameter. A row that does not exist
// or a batch of another size is an error. Numbers that are not finite are
// passed through as they are: to judge them is the plane's work.
func (n *Net) Step(batch []int) (*Pass, error) { return n.stepAs(batch, nil) }

// stepAs is Step on labels that are not those of the data, for fault drills: per task
// one class per row of the batch. nil: those of the data.
func (n *Net) stepAs(batch []int, told [][]int) (*Pass, error) {
	if len(batch) > n.cfg.Batch {
		return nil, fmt.Errorf("cannot step: %d rows, at most %d are allowed", len(batch), n.cfg.Batch)
	}
	if err := n.checkRows(batch); err != nil {
		return nil, fmt.Errorf("cannot step: %w", err)
	}
	n.forward(batch)
	n.teach(batch, told)
	n.sample.draw(n.cfg.Seed, batch, len(batch)*n.cfg.Hidden)
	n.startBackward()
	for t := range n.data.Tasks {
		n.backwardTask(t, len(batch))
	}
	n.measure(batch)
	n.fresh = true
	return &n.pass, nil
}

// teach sets the labels that the tasks are judged by in this step.
func (n *Net) teach(batch []int, told [][]int) {
	for t := range n.data.Tasks {
		if told != nil {
			copy(n.labels[t], told[t])
			continue
		}
		for i, row := range batch {
			n.labels[t][i] = n.data.Labels[t][row]
		}
	}
}

func (n *Net) checkRows(rows []int) error {
	if len(rows) == 0 {
		return fmt.Errorf("no rows")
	}
	total, _ := n.data.X.Dims()
	for _, r := range rows {
		if r < 0 || r >= total {
			return fmt.Errorf("row %d is not within 0 and %d", r, total-1)
		}
	}
	return nil
}

// forward runs trunk and seeds on the rows and leaves in n.current what the
// heads see.
func (n *Net) forward(rows []int, overrides ...AlphaOverride) {
	for i, r := range rows {
		copy(n.tr.x.Data[i*n.tr.x.Stride:], n.data.X.RawRowView(r))
	}
	n.trunk.forward(&n.tr, len(rows))
	current := top(n.current, len(rows))
	copy(current.Data, n.tr.y.Data)
	for _, s := range n.seeds {
		s.mixed, s.failure, s.why = false, leyline.SeedFailureNone, ""
		alpha, mixes := s.part(overrides)
		if mixes || s.Mode.learns() {
			n.mixIn(s, current, alpha, mixes)
		}
	}
}

// part says with which alpha a seed takes part in the output, if it does.
func (s *seed) part(overrides []AlphaOverride) (alpha float64, mixes bool) {
	alpha, mixes = s.Alpha, s.Mode.blends()
	for _, o := range overrides {
		if o.Slot == s.ID {
			alpha, mixes = o.Alpha, o.Alpha > 0
		}
	}
	return alpha, mixes
}

func (n *Net) startBackward() {
	clear(n.hostSum)
	for t := range n.pass.Gradients {
		clear(n.pass.Gradients[t])
		clear(n.headGrad[t])
	}
	for _, s := range n.seeds {
		s.leak2 = 0
		clear(s.aux)
		clear(s.sampleDu)
	}
}

// backwardTask takes the loss of one task back through its head, the learning
// seeds and the trunk. The identity path carries the gradient past the seeds
// unchanged, so the trunk is given the gradient at the head input.
func (n *Net) backwardTask(t, rows int) {
	current, dLogits, dHead := top(n.current, rows), top(n.logits[t], rows), top(n.dHead, rows)
	head := n.head(t)
	head.forward(dLogits, current)
	sum, correct := crossEntropy(dLogits, n.labels[t], 1/float64(rows))
	n.pass.Losses[t], n.pass.Correct[t] = sum/float64(rows), correct
	affineOver(n.headGrad[t], n.cfg.Hidden, n.data.Tasks[t].Classes).gradient(dLogits, current)
	head.input(dHead, dLogits)

	dHost := top(n.dHost, rows)
	copy(dHost.Data, dHead.Data)
	n.sample.add(n.hostSum, dHead.Data)
	for _, s := range n.seeds {
		if s.teaches() {
			n.backwardSeed(s, t, rows)
		}
	}
	n.trunk.backward(&n.tr, dHost, n.pass.Gradients[t][:n.trunk.size()])
}

// measure fills the norms, leaks and cosines of the pass.
func (n *Net) measure(batch []int) {
	p := &n.pass
	p.Rows, p.Seeds = len(batch), p.Seeds[:0]
	p.IsolationLeak, p.Cosine = 0, 0
	clear(n.combined)
	for _, g := range p.Gradients {
		floats.Add(n.combined, g)
	}
	p.HostGradNorm = norm(n.combined[:n.trunk.size()])
	total2 := 0.0
	for _, s := range n.seeds {
		sp := SeedPass{Slot: s.ID, Mode: s.Mode, Alpha: s.Alpha, Failure: s.failure, Why: s.why}
		if s.mixed && s.Mode.blends() {
			sp.Blend = s.mix.Stats()
		}
		if s.teaches() {
			grad := s.aux
			if s.Mode == ModeBlending {
				grad = n.combined[s.offset : s.offset+s.size()]
			} else {
				sp.AuxLosses = s.auxLosses
			}
			sp.gradient, sp.GradNorm, sp.Leak = grad, norm(grad), math.Sqrt(s.leak2)
			sp.Cosine, sp.CosineSamples = n.sample.cosine(n.hostSum, s.sampleDu), n.sample.samples()
		}
		total2 += sp.GradNorm * sp.GradNorm
		p.IsolationLeak = max(p.IsolationLeak, sp.Leak) // max propagates NaN
		if math.Abs(sp.Cosine) > math.Abs(p.Cosine) || math.IsNaN(sp.Cosine) {
			p.Cosine = sp.Cosine
		}
		p.Seeds = append(p.Seeds, sp)
	}
	p.SeedGradNorm = math.Sqrt(total2)
}

func norm(v []float64) float64 { return math.Sqrt(floats.Dot(v, v)) }

// Apply makes one update from the latest pass. The shared parameters follow the
// sum of weights[i] times the gradient of task i; every head follows its own
// gradient with weight 1; a seed in training follows its auxiliary gradient.
// There must be one finite weight per task. Errors, among them ErrStalePass,
// leave the net as it was. A pass can be applied once.
func (n *Net) Apply(pass *Pass, weights []float64) error {
	if pass != &n.pass || !n.fresh {
		return fmt.Errorf("cannot apply: %w", ErrStalePass)
	}
	if len(weights) != len(pass.Gradients) {
		return fmt.Errorf("cannot apply: %d weights for %d tasks", len(weights), len(pass.Gradients))
	}
	for t, w := range weights {
		if math.IsNaN(w) || math.IsInf(w, 0) {
			return fmt.Errorf("cannot apply: weight of task %q is %v", n.data.Tasks[t].Name, w)
		}
	}
	clear(n.combined)
	for t, w := range weights {
		floats.AddScaled(n.combined, w, pass.Gradients[t])
	}
	rate, momentum := n.LearningRate(), n.cfg.Momentum
	n.trunk.descend(n.combined[:n.trunk.size()], rate, momentum)
	for t, h := range n.heads {
		h.descend(n.headGrad[t], rate, momentum)
	}
	for i, s := range n.seeds {
		if pass.Seeds[i].gradient == nil {
			continue
		}
		switch s.Mode {
		case ModeBlending:
			s.descend(n.combined[s.offset:s.offset+s.size()], rate, momentum)
		case ModeTraining:
			s.descend(s.aux, rate, momentum)
		}
	}
	n.fresh = false
	return nil
}
