package workload

import (
	"testing"

	"github.com/esper-plane/esper/leyline"
)

// grown leads the fake's seed to BLENDING at alpha 0.75 by step 7 and then does
// what a test wants.
func grown(p *fakePlane, then func(s leyline.Step, seed *leyline.SeedView)) {
	onStep(p, func(s leyline.Step) {
		seed := &p.now.seed
		switch s {
		case 2:
			p.command(leyline.OpGerminate)
			seed.Stage = leyline.StageGerminated
		case 3:
			p.command(leyline.OpStartTraining)
			seed.Stage = leyline.StageTraining
		case 5:
			p.command(leyline.OpStartGrafting)
			seed.Stage, seed.Alpha = leyline.StageBlending, 0.75
		default:
			then(s, seed)
		}
	})
}

func culled(p *fakePlane, seed *leyline.SeedView) {
	p.command(leyline.OpCull)
	*seed = leyline.SeedView{Seed: slotName, Stage: leyline.StageEmbargoed}
}

// losses are those of every step from one on.
func losses(p *fakePlane, from leyline.Step) [][]float64 {
	var out [][]float64
	for _, x := range seen[leyline.StepObserved](p) {
		if x.Step >= from {
			out = append(out, x.Losses)
		}
	}
	return out
}

func same(a, b [][]float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		for j := range a[i] {
			if a[i][j] != b[i][j] {
				return false
			}
		}
	}
	return true
}

// TestFineTuneLeavesTheHostAlone: from then on the host trains as if the seed were
// not there, bit for bit, while the seed goes on learning beside it.
func TestFineTuneLeavesTheHostAlone(t *testing.T) {
	tuned := newFake(t)
	grown(tuned, func(s leyline.Step, seed *leyline.SeedView) {
		if s == 9 {
			tuned.command(leyline.OpFineTune)
			seed.Stage, seed.Alpha = leyline.StageTraining, 0
		}
	})
	train(t, tuned, tuned.options(16))
	gone := newFake(t)
	grown(gone, func(s leyline.Step, seed *leyline.SeedView) {
		if s == 9 {
			culled(gone, seed)
		}
	})
	train(t, gone, gone.options(16))
	if !same(losses(tuned, 10), losses(gone, 10)) {
		t.Error("the host is not what it would be without the seed")
	}
	var own []float64
	for _, x := range seen[leyline.StepObserved](tuned) {
		if x.Step < 10 {
			continue
		}
		s := x.Seeds[0]
		if s.Stage != leyline.StageTraining || s.Alpha != 0 || s.GradNorm == 0 || s.Leak != 0 {
			t.Errorf("step %d: the seed is reported as %+v", x.Step, s)
		}
		own = append(own, s.Loss)
	}
	if first, last := own[0], own[len(own)-1]; !(last < first) {
		t.Errorf("its own loss goes from %v to %v", first, last)
	}
}

// TestPausedSeedTakesNoPart: nothing stands in for it and nothing of it changes; when
// it is resumed it goes on as it was.
func TestPausedSeedTakesNoPart(t *testing.T) {
	halted := newFake(t)
	pause := func(p *fakePlane, on bool, seed *leyline.SeedView) {
		c := p.command(leyline.OpUnknown)
		c.Kind, c.Pause = leyline.CommandPause, leyline.PauseCommand{Action: leyline.PauseStart, Scope: leyline.PauseSeed, Seed: slotName}
		if !on {
			c.Pause.Action = leyline.PauseEnd
		}
		seed.Paused = on
	}
	var before, after []float64
	grown(halted, func(s leyline.Step, seed *leyline.SeedView) {
		switch s {
		case 9:
			pause(halted, true, seed)
		case 15:
			pause(halted, false, seed)
		}
	})
	o := halted.options(17)
	tr, err := newTrainer(halted, o)
	ok(t, err)
	tr.opts.Observe = func(x Progress) {
		switch x.Step {
		case 9:
			before = append(before, tr.net.find(slotName).value...)
		case 14:
			after = append(after, tr.net.find(slotName).value...)
		}
	}
	_, err = tr.run(t.Context())
	ok(t, err)
	if len(before) == 0 || !same([][]float64{before}, [][]float64{after}) {
		t.Error("a paused seed has changed")
	}
	gone := newFake(t)
	grown(gone, func(s leyline.Step, seed *leyline.SeedView) {
		if s == 9 {
			culled(gone, seed)
		}
	})
	train(t, gone, gone.options(15))
	if !same(losses(halted, 10)[:6], losses(gone, 10)) {
		t.Error("a paused seed has a part in the output of its host")
	}
	for _, x := range seen[leyline.StepObserved](halted) {
		if x.Step >= 16 && (x.Seeds[0].Alpha != 0.75 || x.Seeds[0].GradNorm == 0 || x.Seeds[0].Stage != leyline.StageBlending) {
			t.Errorf("resumed, it is reported as %+v", x.Seeds[0])
		}
	}
	if got := acks(halted); got[len(got)-1] == got[len(got)-2] || len(got) != 5 {
		t.Errorf("answers %v", got)
	}
}

// TestSeedThatIsManagedNoMoreStays: it is part of the host, learns with it and is
// reported no more, after a restart as well.
func TestSeedThatIsManagedNoMoreStays(t *testing.T) {
	p := newFake(t)
	life := func(s leyline.Step, seed *leyline.SeedView) {
		switch s {
		case 7:
			p.command(leyline.OpStabilize)
			seed.Stage, seed.Alpha = leyline.StageShadowing, 1
		case 8:
			p.command(leyline.OpEvaluate)
			seed.Stage = leyline.StageProbationary
		case 9:
			p.command(leyline.OpFossilize)
			seed.Stage = leyline.StageFossilized
		case 10:
			p.command(leyline.OpCancel)
			seed.Stage = leyline.StageTerminated
		}
	}
	grown(p, life)
	tr, err := newTrainer(p, p.options(14))
	ok(t, err)
	_, err = tr.run(t.Context())
	ok(t, err)
	if s := tr.net.find(slotName); s == nil || s.Alpha != 1 || s.Mode != ModeBlending {
		t.Fatalf("the net has %+v", tr.net.Slots())
	}
	again, err := newTrainer(p, p.options(14))
	ok(t, err)
	_, err = again.run(t.Context())
	ok(t, err)
	if s := again.net.find(slotName); s == nil || s.Alpha != 1 || again.stages[slotName] != leyline.StageTerminated {
		t.Errorf("resumed, the net has %+v, stages %v", again.net.Slots(), again.stages)
	}
}

// TestOvertakenStepIsTrainedAgain: an operator has given the seed up while the trainer
// computed a step with it.
func TestOvertakenStepIsTrainedAgain(t *testing.T) {
	p := newFake(t)
	grown(p, func(leyline.Step, *leyline.SeedView) {})
	refusals := 0
	p.refuse = func(in leyline.Input) error {
		x, isStep := in.(leyline.StepObserved)
		if !isStep || x.Step != 8 || refusals > 0 {
			return nil
		}
		refusals++
		culled(p, &p.now.seed)
		return &leyline.Refusal{Kind: leyline.RefusalUnknownSeed, Field: "seeds[0]", Identifier: slotName, Reason: "is not grafted"}
	}
	r := train(t, p, p.options(12))
	if refusals != 1 || r.Steps != 12 {
		t.Errorf("%d refusals, %d steps", refusals, r.Steps)
	}
	if got := acks(p); len(got) != 4 {
		t.Errorf("answers %v", got)
	}
}

// TestRefusalWithoutNewsIsAnError: nothing was decided that would explain it.
func TestRefusalWithoutNewsIsAnError(t *testing.T) {
	p := newFake(t)
	p.refuse = func(in leyline.Input) error {
		if x, isStep := in.(leyline.StepObserved); isStep && x.Step == 3 {
			return &leyline.Refusal{Kind: leyline.RefusalMissingSeed, Field: "seeds", Reason: "is missing"}
		}
		return nil
	}
	_, err := Train(t.Context(), p, p.options(5))
	if r, refused := leyline.AsRefusal(err); !refused || r.Kind != leyline.RefusalMissingSeed {
		t.Errorf("training ends with %v", err)
	}
}
