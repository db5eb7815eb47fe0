package kasmina

import (
	"math"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/kasmina/blend"
	"github.com/esper-plane/esper/subsystems/kasmina/gates"
)

// observe records the isolation of every grafted seed and advances blends. A
// step that Tolaria found unhealthy advances nothing.
func observe(t *projections.Turn, x leyline.StepObserved) {
	run := t.State.Tolaria.Run(x.Run)
	if run.Rollback.Active() || run.Status != leyline.RunStatusOpen {
		return
	}
	for _, o := range x.Seeds {
		s := t.State.Kasmina.Seed(x.Run, o.Seed)
		isolate(t, x.Run, s, o)
		if s.Stage == leyline.StageBlending && !s.Complete {
			advance(t, x.Run, s)
		}
	}
}

func isolate(t *projections.Turn, run leyline.RunID, s *projections.Seed, o leyline.SeedObserved) {
	most := math.Max(s.Isolation.MaxLeak, o.Leak)
	t.Emit(leyline.IsolationAssessed{
		Run: run, Seed: s.ID, Steps: s.Isolation.Steps + 1, GradNorm: o.GradNorm, Cosine: o.Cosine,
		Leak: o.Leak, MaxLeak: most, Violated: !(o.Leak <= t.Config().Kasmina.MaxLeak),
	})
}

func advance(t *projections.Turn, run leyline.RunID, s *projections.Seed) {
	step := s.AlphaStep + 1
	t.Emit(leyline.BlendStepped{
		Run: run, Seed: s.ID, AlphaStep: step,
		Alpha:    blend.Alpha(int(step), int(s.Plan.TotalSteps), s.Plan.Temperature),
		Complete: step >= s.Plan.TotalSteps,
	})
}

// move changes a seed's stage and carries its identity along.
func move(t *projections.Turn, run leyline.RunID, s *projections.Seed, to leyline.Stage, cause string) {
	t.Emit(leyline.SeedMoved{
		Run: run, Seed: s.ID, From: s.Stage, To: to, Step: t.State.Tolaria.Run(run).Track.Step,
		Blueprint: s.Blueprint, Mesh: s.Mesh, Cause: cause,
	})
}

// cull retires a seed and closes its slot for the embargo. A seed that is no
// longer living is left alone.
func cull(t *projections.Turn, run leyline.RunID, s *projections.Seed, cause string) {
	if !living(s.Stage) {
		return
	}
	move(t, run, s, leyline.StageCulled, cause)
	t.Emit(leyline.SeedMoved{
		Run: run, Seed: s.ID, From: s.Stage, To: leyline.StageEmbargoed, Step: s.Since, Blueprint: s.Blueprint,
		Until: t.Meta.At.Add(t.Config().Kasmina.Embargo.Duration()), Cause: cause,
	})
}

func living(s leyline.Stage) bool {
	switch s {
	case leyline.StageGerminated, leyline.StageTraining, leyline.StageBlending, leyline.StageShadowing,
		leyline.StageProbationary:
		return true
	}
	return false
}

// reset empties a slot whose embargo is over. A slot that gate G5 finds unclean
// stays RESETTING, where nothing can germinate.
func reset(t *projections.Turn, run leyline.RunID, s *projections.Seed) {
	move(t, run, s, leyline.StageResetting, "embargo_over")
	if judge(t, run, s, gates.Reset(s)) {
		move(t, run, s, leyline.StageDormant, "reset")
	}
}

// judge emits a gate's verdict and returns whether it passed.
func judge(t *projections.Turn, run leyline.RunID, s *projections.Seed, v gates.Verdict) bool {
	t.Emit(leyline.GateEvaluated{
		Run: run, Seed: s.ID, Gate: v.Gate, Passed: v.Passed, Reason: v.Reason, Checks: v.Checks,
	})
	return v.Passed
}
