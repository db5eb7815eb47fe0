package policy

import (
	"math"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/detmath"
)

// What a feature is measured against. They give the features their scale; how much a
// feature counts is its weight.
const (
	recordScale   = 0.02 // gain in accuracy, as a share, of a kind of seed with a full record: two points
	harmScale     = 0.01 // loss of accuracy, as a share, that is full harm: one point
	learningScale = 0.02 // fall of a seed's own loss in one window, as a share of its first, that is full learning
	tiny          = 1e-12
)

// trend is what the figures of training say of the time. Each is in [0,1], and 0 where
// nothing is known.
type trend struct {
	plateau, falling, regression   float64
	volatility, conflict, pressure float64
}

// trendOf holds the change of the loss EWMA since the last window against its noise.
// An EWMA of weight a over samples of standard deviation s varies by s*sqrt(a/(2-a));
// the difference of two by sqrt(2) times that. With z the change over that noise,
// falling is z/(1+z) when the loss fell, less the further the run is, regression the
// same when it rose, and the plateau 1/(1+|z|).
func trendOf(q *Question) trend {
	var t trend
	c, m := &q.Config, q.Track.LossEWMA
	sd := math.Sqrt(max(m.Var, 0))
	if m.N > 1 {
		t.volatility = saturated(sd / c.Tamiyo.Volatility)
	}
	if q.Last.Step > 0 && m.N > 1 {
		a := c.Tolaria.EWMAAlpha
		z := (q.Last.Loss - m.Mean) / max(sd*math.Sqrt(2*a/(2-a)), tiny)
		t.plateau = 1 / (1 + math.Abs(z))
		t.falling, t.regression = float64(saturated(z)*(1-progress(q))), saturated(-z)
	}
	if q.Track.ConflictEWMA.N > 0 {
		t.conflict = min(max(q.Track.ConflictEWMA.Mean, 0), 1)
	}
	t.pressure = pressure(q)
	return t
}

// pressure is how far the memory of the device is filled beyond its half, [0,1]: 0 at a
// half and less, 1 when nothing is left. A trainer that does not tell what is used and
// what is free tells of no pressure.
func pressure(q *Question) float64 {
	used, known := q.reading(leyline.TrainGPUMemUsedGB)
	free, both := q.reading(leyline.TrainGPUMemFreeGB)
	if !known || !both || !(used+free > 0) {
		return 0
	}
	return min(max(float64(2*(used/(used+free)))-1, 0), 1)
}

// saturated maps 0 and less to 0, 1 to a half and infinity to 1.
func saturated(v float64) float64 {
	if !(v > 0) {
		return 0
	}
	return 1 - 1/(1+v)
}

// progress is the share of the planned steps that the run has behind it.
func progress(q *Question) float64 {
	if q.Plan.Steps == 0 {
		return 0
	}
	return min(float64(q.Step)/float64(q.Plan.Steps), 1)
}

// runway is the share of a seed's trial that would come after the planned end of the
// run.
func runway(q *Question) float64 {
	t, k := &q.Config.Tamiyo, &q.Config.Kasmina
	trial := float64(t.TrainSteps) + float64(t.BlendSteps) + float64(t.ShadowSteps) + float64(float64(t.Probes)*float64(k.ProbeEvery))
	if q.Plan.Steps == 0 || trial == 0 {
		return 0
	}
	left := float64(max(q.Plan.Steps, q.Step) - q.Step)
	return min(max(1-left/trial, 0), 1)
}

// record is what the last seed of a kind that was kept has gained, [-1,1]; 0 when none was.
func record(t projections.Trial) float64 {
	if t.Fossilized == 0 {
		return 0
	}
	return min(max(t.Gain/recordScale, -1), 1)
}

func tier(t leyline.BlueprintTier) float64 {
	switch t {
	case leyline.BlueprintExperimental:
		return 0.5
	case leyline.BlueprintHighRisk:
		return 1
	}
	return 0
}

// learning is how fast a seed's own loss has fallen since the last window, [0,1]; 0
// when there is nothing to compare with.
func learning(q *Question, s *projections.Seed) float64 {
	for i := range q.Memory.Marks {
		loss := &s.Isolation.Quality
		if m := &q.Memory.Marks[i]; m.Seed == s.ID && finite(loss.Loss) && finite(loss.FirstLoss) {
			fell := (m.Loss - loss.Loss) / max(math.Abs(loss.FirstLoss), tiny)
			return min(max(fell/learningScale, 0), 1)
		}
	}
	return 0
}

// overdue is how much longer than it should a seed has trained, as a share, [0,1].
func overdue(steps, should uint32) float64 {
	if should == 0 {
		return 1
	}
	return min(float64(max(steps, should)-should)/float64(should), 1)
}

// harm is what a seed takes away, [0,1].
func harm(gain float64) float64 { return min(max(-gain/harmScale, 0), 1) }

func unhealthy(h leyline.SeedHealth) float64 {
	switch h {
	case leyline.SeedDegraded:
		return 0.25
	case leyline.SeedUnhealthy:
		return 0.5
	case leyline.SeedCritical:
		return 1
	}
	return 0
}

// riskClasses is how many classes of risk the rules tell: none, low, medium, high,
// critical.
const riskClasses = 5

// risk is the chance that the best candidate goes wrong, as far as the rules can see:
// that its blueprint does, or the loss that rises, or the loss that varies, were they
// independent. The last two count half: they are no fault of the candidate.
func (b *board) risk(top *leyline.Candidate) float64 {
	own := 0.0
	if top != nil && top.Operation == leyline.OpGerminate {
		for i := range b.q.Blueprints {
			if b.q.Blueprints[i].Blueprint == top.Blueprint {
				own = b.q.Blueprints[i].Risk
			}
		}
	}
	rises, varies := 1-float64(0.5*b.trend.regression), 1-float64(0.5*b.trend.volatility)
	return 1 - float64(float64((1-own)*rises)*varies)
}

// riskLogits are the logarithms of a distribution over two neighbouring classes whose
// expected severity is r.
func riskLogits(r float64) []float64 {
	out := constant(riskClasses, never)
	at := float64(r * (riskClasses - 1))
	low := math.Floor(at)
	i := int(low)
	out[i] = max(detmath.Log(1-(at-low)), never)
	if i+1 < riskClasses {
		out[i+1] = max(detmath.Log(at-low), never)
	}
	return out
}

// never is the logit of a class of no weight: e^-60 is less than any rounding.
const never = -60

func finite(x float64) bool { return math.Abs(x) <= math.MaxFloat64 }
