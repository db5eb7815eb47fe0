package workload

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// slow is the twin of Net for one row and loops only: it reads the same
// parameters and shares none of the code.
type slow struct {
	n *Net
	// detached holds, per seed and position in the batch, the input that counts
	// as a constant. A nil map lets seeds follow the host, as with a broken detach.
	detached map[*seed][][]float64
	// shares holds, per seed and position in the batch, the effective share of each
	// channel, which counts as a constant too. A seed that is not in it has alpha.
	shares map[*seed][][]float64
}

// freeze takes the shares of the last pass for constants.
func (s *slow) freeze(rows int) {
	s.shares = map[*seed][][]float64{}
	for _, sd := range s.n.seeds {
		for at := range rows {
			e := make([]float64, s.n.cfg.Hidden)
			for c := range e {
				if sd.mixed {
					e[c] = sd.mix.Share(at, c)
				}
			}
			s.shares[sd] = append(s.shares[sd], e)
		}
	}
}

func slowAffine(p []float64, in, out int, x []float64) []float64 {
	y := make([]float64, out)
	for o := range out {
		y[o] = p[in*out+o]
		for i := range in {
			y[o] += p[o*in+i] * x[i]
		}
	}
	return y
}

func slowTanh(v []float64) []float64 {
	for i := range v {
		v[i] = math.Tanh(v[i])
	}
	return v
}

func slowTrunk(p []float64, in, mid, out int, x []float64) []float64 {
	return slowAffine(p[in*mid+mid:], mid, out, slowTanh(slowAffine(p, in, mid, x)))
}

// slowSeed is the block of a seed for one image x, if it reads one, and trunk u.
func slowSeed(sd *seed, x, u []float64) []float64 {
	b, p := sd.shape, sd.value
	var mid []float64
	if b.Channels > 0 {
		for c := range b.Channels {
			for top := 0; top+5 <= b.Side; top += 2 {
				for left := 0; left+5 <= b.Side; left += 2 {
					sum := p[25*b.Channels+c]
					for i := range 25 {
						sum += p[25*c+i] * x[(top+i/5)*b.Side+left+i%5]
					}
					mid = append(mid, sum)
				}
			}
		}
		p = p[26*b.Channels:]
	}
	mid = append(mid, slowAffine(p, b.Hidden, b.Width, u)...)
	return slowAffine(p[b.Hidden*b.Width+b.Width:], len(mid), b.Hidden, slowTanh(mid))
}

func (s slow) headLoss(t, row int, h []float64) float64 {
	z := slowAffine(s.n.heads[t].value, len(h), s.n.data.Tasks[t].Classes, h)
	total := 0.0
	for _, v := range z {
		total += math.Exp(v)
	}
	return math.Log(total) - z[s.n.data.Labels[t][row]]
}

// losses returns the mean loss of task t over the batch, and the auxiliary loss
// of task t of the training seed aux, if any. record, if given, collects inputs.
func (s slow) losses(batch []int, t int, aux *seed, record map[*seed][][]float64) (task, auxiliary float64) {
	h, rows := s.n.cfg.Hidden, float64(len(batch))
	for at, row := range batch {
		cur := slowTanh(slowTrunk(s.n.trunk.value, s.n.trunk.in, h, h, s.n.data.X.RawRowView(row)))
		for _, sd := range s.n.seeds {
			if record != nil {
				record[sd] = append(record[sd], cur)
			}
			u := cur
			if s.detached != nil {
				u = s.detached[sd][at]
			}
			y := slowSeed(sd, s.n.data.X.RawRowView(row), u)
			if sd == aux {
				auxiliary += s.headLoss(t, row, slowSum(u, 1, y)) / rows
			}
			switch {
			case !sd.Mode.blends():
			case s.shares != nil:
				// e*(h + y) + (1-e)*h, where only what the block reads is detached
				next := slowSum(cur, 0, y)
				for c, e := range s.shares[sd][at] {
					next[c] = e*(cur[c]+y[c]) + (1-e)*cur[c]
				}
				cur = next
			default:
				cur = slowSum(cur, sd.Alpha, y)
			}
		}
		task += s.headLoss(t, row, cur) / rows
	}
	return task, auxiliary
}

// slowSum returns a + alpha*b in new memory.
func slowSum(a []float64, alpha float64, b []float64) []float64 {
	sum := make([]float64, len(a))
	for i := range sum {
		sum[i] = a[i] + alpha*b[i]
	}
	return sum
}

// slopes checks got against the central difference of f over every parameter in p.
func slopes(t *testing.T, what string, p, got []float64, f func() float64) (worst float64) {
	t.Helper()
	const eps, tolerance = 1e-5, 1e-7
	for i := range p {
		keep := p[i]
		p[i] = keep + eps
		up := f()
		p[i] = keep - eps
		down := f()
		p[i] = keep
		want := (up - down) / (2 * eps)
		worst = max(worst, math.Abs(want-got[i]))
		if math.Abs(want-got[i]) > tolerance {
			t.Fatalf("%s: element %d is %g, finite difference says %g", what, i, got[i], want)
		}
	}
	return worst
}

// garden returns a trained net with one seed of every mode, two of them blending.
func garden(t *testing.T) *story {
	s := newStory(t, 7)
	s.train(t, 1, 30)
	plant(t, s, func(i int) Block { return Block{Hidden: 32, Width: 3 + i} })
	return s
}

// gallery is a garden of small images in which all seeds but one have filters.
func gallery(t *testing.T) *story {
	s := newGallery(t)
	s.train(t, 1, 30)
	plant(t, s, func(i int) Block {
		if i == 2 {
			return Block{Hidden: 6, Width: 2}
		}
		return Block{Hidden: 6, Width: 1 + i, Channels: 1 + i%3, Side: 8}
	})
	return s
}

// newGallery returns a net of 6 hidden units on 40 random images of 8 x 8 pixels
// and two tasks.
func newGallery(t *testing.T) *story {
	r := rand.New(rand.NewPCG(7, 7))
	d := &Data{Name: "gallery", X: mat.NewDense(40, 64, nil), Side: 8, Labels: [][]int{make([]int, 40), make([]int, 40)}}
	for i := range d.X.RawMatrix().Data {
		d.X.RawMatrix().Data[i] = r.NormFloat64()
	}
	for i := range 40 {
		d.Labels[0][i], d.Labels[1][i] = r.IntN(3), r.IntN(2)
	}
	d.Tasks = []Task{{"three", 3, []string{"a", "b", "c"}}, {"two", 2, []string{"a", "b"}}}
	rows := ascending(40)
	d.Train, d.Probe, d.HeldOut = rows[:32], rows[32:36], rows[36:]
	n, err := NewNet(d, NetConfig{Hidden: 6, Seed: 7})
	ok(t, err)
	b, err := NewBatches(d.Train, n.Config().Batch, 7)
	ok(t, err)
	return &story{net: n, batches: b, weights: []float64{1, 1}}
}

// plant grafts five seeds.
func plant(t *testing.T, s *story, shape func(i int) Block) {
	t.Helper()
	for i, g := range []struct {
		slot  string
		mode  Mode
		alpha float64
	}{{"a", ModeBlending, 0.7}, {"b", ModeTraining, 0.3}, {"c", ModeFrozen, 0.4}, {"d", ModeBlending, 0.2}, {"e", ModeIdle, 1}} {
		kernel, err := NewKernel("test", shape(i), uint64(i))
		ok(t, err)
		ok(t, s.net.Graft(g.slot, kernel))
		for j := range s.net.find(g.slot).value { // away from the small initial weights
			s.net.find(g.slot).value[j] *= 3
		}
		ok(t, s.net.SetMode(g.slot, g.mode))
		ok(t, s.net.SetAlpha(g.slot, g.alpha))
	}
}

// Every gradient agrees with finite differences of the slow twin in which what
// every seed reads is a constant: that is what detach means.
func TestGradients(t *testing.T) {
	t.Run("trunk", func(t *testing.T) { checkGradients(t, garden(t).net) })
	t.Run("input and trunk", func(t *testing.T) { checkGradients(t, gallery(t).net) })
	t.Run("every blend mode", func(t *testing.T) { checkGradients(t, blended(t).net) })
}

func checkGradients(t *testing.T, n *Net) {
	t.Helper()
	batch := n.data.Train[:8]
	twin := slow{n: n, detached: map[*seed][][]float64{}}
	_, err := n.Step(n.data.Train[:32]) // a pass must not feel the one before it
	ok(t, err)
	p, err := n.Step(batch)
	ok(t, err)
	twin.freeze(len(batch))
	slow{n: n, shares: twin.shares}.losses(batch, 0, nil, twin.detached)
	training := n.find("b")
	auxSum := func() (sum float64) {
		for task := range n.data.Tasks {
			_, a := twin.losses(batch, task, training, nil)
			sum += a
		}
		return sum
	}
	for task := range n.data.Tasks {
		loss := func() float64 { l, _ := twin.losses(batch, task, nil, nil); return l }
		_, aux := twin.losses(batch, task, training, nil)
		if math.Abs(loss()-p.Losses[task]) > 1e-12 || math.Abs(aux-p.Seeds[1].AuxLosses[task]) > 1e-12 {
			t.Errorf("task %d: loss %g and auxiliary %g, twin says %g and %g", task, p.Losses[task], p.Seeds[1].AuxLosses[task], loss(), aux)
		}
		g := p.Gradients[task]
		worst := slopes(t, "trunk", n.trunk.value, g[:n.trunk.size()], loss)
		worst = max(worst, slopes(t, "head", n.heads[task].value, n.headGrad[task], loss))
		for _, slot := range []string{"a", "d"} {
			s := n.find(slot)
			worst = max(worst, slopes(t, "blending seed "+slot, s.value, g[s.offset:s.offset+s.size()], loss))
		}
		t.Logf("task %d: worst difference %.1e", task, worst)
	}
	total := func() (sum float64) {
		for task := range n.data.Tasks {
			l, _ := twin.losses(batch, task, nil, nil)
			sum += l
		}
		return sum
	}
	for i, at := range n.sample.at {
		h := n.cfg.Hidden
		u := twin.detached[n.find("d")][at/h]
		slopes(t, "trunk as blending seed d reads it", u[at%h:at%h+1], n.find("d").sampleDu[i:i+1], total)
	}
	slopes(t, "training seed", training.value, training.aux, auxSum)
	if want := n.trunk.size() + n.find("a").size() + n.find("d").size(); n.SharedSize() != want {
		t.Errorf("SharedSize is %d, want %d", n.SharedSize(), want)
	}
	if p.IsolationLeak != 0 || p.Cosine == 0 || math.Abs(p.Cosine) > 1 || p.SeedGradNorm == 0 || p.HostGradNorm == 0 {
		t.Errorf("leak %g, cosine %g, norms %g and %g", p.IsolationLeak, p.Cosine, p.HostGradNorm, p.SeedGradNorm)
	}
}
