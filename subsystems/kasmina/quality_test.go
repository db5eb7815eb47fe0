package kasmina

import (
	"math"
	"testing"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/kasmina/gates"
)

// TestLearnFollowsTheLoss: ten steps make the base, after that a running mean of
// decay 0.9 says where the loss is.
func TestLearnFollowsTheLoss(t *testing.T) {
	var q leyline.Quality
	want := 0.0
	for i := range uint32(30) {
		loss := 2 - float64(i)*0.01
		q = learn(q, leyline.SeedObserved{Loss: loss}, i+1, 0)
		if want = 0.9*want + 0.1*loss; i == 0 {
			want = loss
		}
	}
	if math.Abs(q.FirstLoss-1.955) > 1e-12 || math.Abs(q.Loss-want) > 1e-12 {
		t.Errorf("learned %+v, want a first loss of 1.955 and %v now", q, want)
	}
	if q.RatioSteps != 0 || q.Ratio != 0 {
		t.Errorf("a ratio was learned from nothing: %+v", q)
	}
	got := gates.Improvement(projections.Isolation{Steps: 30, Quality: q})
	if math.Abs(got-(1.955-want)/1.955) > 1e-12 {
		t.Errorf("improvement %v", got)
	}
}

func TestRatio(t *testing.T) {
	seed := leyline.SeedObserved{GradNorm: 0.5, HostNorm: 2, Parameters: 100}
	if r, told := ratio(seed, 1600); !told || r != 1 {
		t.Errorf("0.25 of the norm in a sixteenth of the parameters is %v (%v)", r, told)
	}
	for name, change := range map[string]func(*leyline.SeedObserved){
		"no size":           func(o *leyline.SeedObserved) { o.Parameters = 0 },
		"no host gradient":  func(o *leyline.SeedObserved) { o.HostNorm = 0 },
		"host NaN":          func(o *leyline.SeedObserved) { o.HostNorm = math.NaN() },
		"host infinite":     func(o *leyline.SeedObserved) { o.HostNorm = math.Inf(1) },
		"gradient NaN":      func(o *leyline.SeedObserved) { o.GradNorm = math.NaN() },
		"gradient infinite": func(o *leyline.SeedObserved) { o.GradNorm = math.Inf(1) },
	} {
		o := seed
		change(&o)
		if r, told := ratio(o, 1600); told {
			t.Errorf("%s: a ratio of %v", name, r)
		}
	}
	if _, told := ratio(seed, 0); told {
		t.Error("a ratio to a host of unknown size")
	}
}

// TestRatioIsARunningMean also counts to the end of its counter.
func TestRatioIsARunningMean(t *testing.T) {
	seed := leyline.SeedObserved{GradNorm: 1, HostNorm: 1, Parameters: 1}
	q := learn(leyline.Quality{}, seed, 1, 1)
	seed.GradNorm = 2
	q = learn(q, seed, 2, 1)
	if math.Abs(q.Ratio-1.1) > 1e-15 || q.RatioSteps != 2 {
		t.Errorf("after 1 and 2 the ratio is %+v", q)
	}
	q.RatioSteps = math.MaxUint32
	if q = learn(q, seed, 3, 1); q.RatioSteps != math.MaxUint32 {
		t.Errorf("the count has gone on to %d", q.RatioSteps)
	}
}
