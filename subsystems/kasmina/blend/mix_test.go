package blend

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/leylinetest"
)

func logitsOf(ls []leylinetest.BlendLogits) []Logits {
	var out []Logits
	for _, l := range ls {
		out = append(out, Logits{l.Classes, l.Floats()})
	}
	return out
}

func near(t *testing.T, what string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s has %d numbers, want %d", what, len(got), len(want))
	}
	for i := range got {
		if !(math.Abs(got[i]-want[i]) <= leylinetest.BlendTolerance*max(1, math.Abs(want[i]))) {
			t.Errorf("%s[%d] is %v, want %v", what, i, got[i], want[i])
		}
	}
}

// mixed runs every function of a mix on a batch.
func mixed(m *Mix, host, seed, dy []float64) (out, toSeed, toHost []float64) {
	out, toSeed, toHost = make([]float64, len(host)), make([]float64, len(host)), make([]float64, len(host))
	m.Output(out, host, seed)
	m.SeedGradient(toSeed, dy)
	m.HostGradient(toHost, dy)
	return out, toSeed, toHost
}

// TestVectors also uses one Mix for all: nothing of a batch is left in it.
func TestVectors(t *testing.T) {
	v := leylinetest.Blends()
	if len(v.Cases) < 20 || len(v.Schedule) < 5 {
		t.Fatalf("only %d cases and %d steps", len(v.Cases), len(v.Schedule))
	}
	var m Mix
	for _, c := range v.Cases {
		t.Run(c.Name, func(t *testing.T) {
			if err := m.Set(&c.Plan.BlendPlan, c.Alpha, c.Rows, c.Features, logitsOf(c.Logits)...); err != nil {
				t.Fatal(err)
			}
			out, toSeed, toHost := mixed(&m, c.Host, c.Seed, c.Upstream)
			near(t, "output", out, c.Want.Output)
			near(t, "seed gradient", toSeed, c.Want.SeedGradient)
			near(t, "host gradient", toHost, c.Want.HostGradient)
			near(t, "shares", m.shares, c.Want.Shares)
			near(t, "gates", m.gates, c.Want.Gates)
			s, w := m.Stats(), c.Want.Stats
			near(t, "statistics", []float64{s.Mean, s.P95, s.Sparsity, s.GateMean, s.Clamped}, []float64{w.Mean, w.P95, w.Sparsity, w.GateMean, w.Clamped})
			if s.Mode != c.Plan.Mode || s.Source != c.Plan.Source {
				t.Errorf("the statistics are those of %s by %s", s.Mode, s.Source)
			}
			if r := Check(&c.Plan.BlendPlan, c.Alpha, s); r != nil {
				t.Errorf("measured figures are refused: %v", r)
			}
		})
	}
	for _, c := range v.Schedule {
		near(t, "alpha", []float64{Alpha(c.Step, c.Total, c.Temperature)}, []float64{c.Alpha})
	}
}

func TestRefusedVectors(t *testing.T) {
	v := leylinetest.Blends()
	if len(v.Refused) < 40 {
		t.Fatalf("only %d cases", len(v.Refused))
	}
	var m Mix
	for _, c := range v.Refused {
		err := m.Set(&c.Plan.BlendPlan, float64(c.Alpha), c.Rows, c.Features, logitsOf(c.Logits)...)
		r, ok := leyline.AsRefusal(err)
		if !ok || r.Kind.String() != c.Kind || r.Field != c.Field || r.Reason == "" {
			t.Errorf("%s: %v, want %s of %s", c.Name, err, c.Kind, c.Field)
		}
		func() {
			defer func() { _ = recover() }()
			m.Output(make([]float64, 1), []float64{1}, []float64{2})
			t.Errorf("%s: the mix blends after it was refused", c.Name)
		}()
	}
}

// TestBits pins every bit of all vectors: a changed order of operations changes it.
func TestBits(t *testing.T) {
	h := sha256.New()
	var m Mix
	for _, c := range leylinetest.Blends().Cases {
		if err := m.Set(&c.Plan.BlendPlan, c.Alpha, c.Rows, c.Features, logitsOf(c.Logits)...); err != nil {
			t.Fatal(err)
		}
		out, toSeed, toHost := mixed(&m, c.Host, c.Seed, c.Upstream)
		s := m.Stats()
		for _, x := range slices.Concat(out, toSeed, toHost, []float64{s.Mean, s.P95, s.Sparsity, s.GateMean, s.Clamped}) {
			h.Write(binary.LittleEndian.AppendUint64(nil, math.Float64bits(x)))
		}
	}
	const want = "76ad8ddc6fd4f7f6ff69adc5b412f8c736fb768bff0c0dcc9d78929d05ea0e6a"
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		t.Errorf("the bits hash to %s, want %s", got, want)
	}
}

// batch is a random plan with a batch that fits it.
type batch struct {
	plan           leyline.BlendPlan
	alpha          float64
	rows, features int
	host, seed, dy []float64
	logits         []Logits
}

var (
	units   = rapid.OneOf(rapid.Float64Range(0, 1), rapid.SampledFrom([]float64{0, 1}))
	numbers = rapid.Float64Range(-1e3, 1e3)
)

func drawBatch(t *rapid.T) batch {
	b := batch{rows: rapid.IntRange(1, 6).Draw(t, "rows"), features: rapid.IntRange(1, 6).Draw(t, "features"), alpha: units.Draw(t, "alpha")}
	b.plan = leyline.BlendPlan{Mode: rapid.SampledFrom(leyline.BlendUnspecified.Members()).Draw(t, "mode"), TotalSteps: 20, Temperature: 2}
	switch b.plan.Mode {
	case leyline.BlendChannel:
		b.plan.Channels, b.plan.ChannelCount = rapid.SliceOfN(units, b.features, b.features).Draw(t, "channels"), uint32(b.features)
	case leyline.BlendConfidence:
		lo, hi := units.Draw(t, "lo"), units.Draw(t, "hi")
		b.plan.Gate = leyline.ConfidenceGate{K: rapid.Float64Range(0, 50).Draw(t, "k"), Tau: rapid.Float64Range(0, 5).Draw(t, "tau"), Lo: min(lo, hi), Hi: max(lo, hi)}
		b.plan.Source = leyline.LogitsSeed
		for range rapid.IntRange(1, 3).Draw(t, "tasks") {
			n := rapid.IntRange(2, 4).Draw(t, "classes")
			b.logits = append(b.logits, Logits{n, rapid.SliceOfN(numbers, n*b.rows, n*b.rows).Draw(t, "logits")})
		}
	}
	n := b.rows * b.features
	b.host, b.seed, b.dy = rapid.SliceOfN(numbers, n, n).Draw(t, "host"), rapid.SliceOfN(numbers, n, n).Draw(t, "seed"), rapid.SliceOfN(numbers, n, n).Draw(t, "dy")
	return b
}

func (b *batch) mix(t *rapid.T, alpha float64) *Mix {
	m := new(Mix)
	if err := m.Set(&b.plan, alpha, b.rows, b.features, b.logits...); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSharesStayInBoundsAndRiseWithAlpha(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBatch(t)
		higher := min(1, b.alpha+units.Draw(t, "more"))
		m, more := b.mix(t, b.alpha), b.mix(t, higher)
		lo, hi := 0.0, 1.0
		if b.plan.Mode == leyline.BlendConfidence {
			lo, hi = b.plan.Gate.Lo, b.plan.Gate.Hi
		}
		for r := range b.rows {
			for c := range b.features {
				e := m.Share(r, c)
				if !(e >= lo && e <= hi) {
					t.Fatalf("share %v is not within %v and %v", e, lo, hi)
				}
				if more.Share(r, c) < e {
					t.Fatalf("share falls from %v to %v as alpha rises from %v to %v", e, more.Share(r, c), b.alpha, higher)
				}
			}
		}
		if r := Check(&b.plan, b.alpha, m.Stats()); r != nil {
			t.Fatalf("measured figures are refused: %v", r)
		}
	})
}

// TestEndsAreBitForBit: at a share of 0 an element is the host's, at 1 the seed's,
// also where the other one has gone mad.
func TestEndsAreBitForBit(t *testing.T) {
	nan, inf, zero := math.NaN(), math.Inf(1), math.Copysign(0, -1)
	mad, sane := []float64{nan, inf, -inf, 1e308}, []float64{1.5, zero, -2, 5e-324}
	same := func(what string, got, want []float64) {
		t.Helper()
		for i := range got {
			if math.Float64bits(got[i]) != math.Float64bits(want[i]) {
				t.Errorf("%s: element %d is %v, want %v", what, i, got[i], want[i])
			}
		}
	}
	for _, p := range []leyline.BlendPlan{
		{Mode: leyline.BlendConvex, TotalSteps: 1, Temperature: 1}, {Mode: leyline.BlendResidual, TotalSteps: 1, Temperature: 1},
		{Mode: leyline.BlendChannel, TotalSteps: 1, Temperature: 1, Channels: []float64{1, 1}, ChannelCount: 2},
		{Mode: leyline.BlendConfidence, TotalSteps: 1, Temperature: 1, Gate: leyline.ConfidenceGate{K: 1e6, Hi: 1}, Source: leyline.LogitsPolicy, Logits: []float64{1e6, 0}},
	} {
		var m Mix
		out := make([]float64, 4)
		if err := m.Set(&p, 0, 2, 2); err != nil {
			t.Fatal(err)
		}
		m.Output(out, sane, mad)
		same(p.Mode.String()+" at 0", out, sane)
		if p.Mode == leyline.BlendResidual {
			continue
		}
		if err := m.Set(&p, 1, 2, 2); err != nil {
			t.Fatal(err)
		}
		m.Output(out, mad, sane)
		same(p.Mode.String()+" at 1", out, sane)
	}
}

// TestGradientsAgreeWithDifferences: shares are constants, so the output is linear in
// host and seed and a difference quotient is as good as its rounding.
func TestGradientsAgreeWithDifferences(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBatch(t)
		m := b.mix(t, b.alpha)
		_, toSeed, toHost := mixed(m, b.host, b.seed, b.dy)
		loss := func() float64 {
			out := make([]float64, len(b.host))
			m.Output(out, b.host, b.seed)
			sum := 0.0
			for i, y := range out {
				sum += y * b.dy[i]
			}
			return sum
		}
		slope := func(x *float64) float64 {
			const eps = 1.0
			keep := *x
			*x = keep + eps
			up := loss()
			*x = keep - eps
			down := loss()
			*x = keep
			return (up - down) / (2 * eps)
		}
		for i := range b.host {
			if got := slope(&b.seed[i]); !(math.Abs(got-toSeed[i]) <= 1e-6) {
				t.Fatalf("seed %d: gradient %v, difference %v", i, toSeed[i], got)
			}
			if got := slope(&b.host[i]); !(math.Abs(got-toHost[i]) <= 1e-6) {
				t.Fatalf("host %d: gradient %v, difference %v", i, toHost[i], got)
			}
		}
	})
}

func TestSetAllocatesNothingTwice(t *testing.T) {
	var m Mix
	plan := leyline.BlendPlan{
		Mode: leyline.BlendConfidence, TotalSteps: 20, Temperature: 2, Gate: leyline.ConfidenceGate{K: 4, Tau: 0.2, Hi: 1}, Source: leyline.LogitsSeed,
	}
	logits := []Logits{{2, []float64{3, 0.5, 1, 0.9}}}
	x := make([]float64, 6)
	run := func() {
		if err := m.Set(&plan, 0.5, 2, 3, logits...); err != nil {
			t.Fatal(err)
		}
		m.Output(x, x, x)
		m.Stats()
	}
	run()
	if n := testing.AllocsPerRun(10, run); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
