package kasmina

import (
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/detmath"
	"github.com/esper-plane/esper/subsystems/kasmina/blend"
	"github.com/esper-plane/esper/subsystems/kasmina/gates"
)

// observe records the isolation of every grafted seed and advances blends. A
// step that Tolaria found unhealthy advances nothing.
func observe(t *projections.Turn, x leyline.StepObserved) {
	run := t.State.Tolaria.Run(x.Run)
	if run.Status != leyline.RunStatusOpen {
		return
	}
	failures(t, x) // also in a step that shows nothing else: who failed has failed
	if run.Rollback.Active() {
		return
	}
	if run.Track.Suspect > 0 {
		return // an anomalous step teaches nothing about a seed either
	}
	for _, o := range x.Seeds {
		if o.Failure != leyline.SeedFailureNone {
			continue
		}
		s := t.State.Kasmina.Seed(x.Run, o.Seed)
		if s.Paused {
			continue // the trainer had not heard of it yet
		}
		if overreaches(t, x.Run, s, o.Parameters) {
			continue
		}
		isolate(t, run, s, o)
		if s.Stage == leyline.StageBlending && !s.Complete {
			advance(t, x.Run, s)
		}
	}
	release(t, run)
}

// release ends the embargoes that count steps: those that time does not end.
func release(t *projections.Turn, run *projections.Run) {
	slots := t.State.Kasmina.Run(run.ID)
	for i := range slots.Seeds {
		s := &slots.Seeds[i]
		if s.Stage == leyline.StageEmbargoed && s.Until == 0 && run.Track.Step >= s.UntilStep {
			reset(t, run.ID, s)
		}
	}
}

// probed records a measured contribution and says when the next is due.
func probed(t *projections.Turn, x leyline.SeedProbed) {
	s := t.State.Kasmina.Seed(x.Run, x.Seed)
	n := float64(len(x.Losses))
	e := leyline.ContributionMeasured{
		Run: x.Run, Seed: x.Seed, Step: x.Step, Probes: s.Contribution.Probes + 1,
		Accuracy: (detmath.Sum(x.Accuracies) - detmath.Sum(x.AccuracyAt0)) / n,
		Loss:     (detmath.Sum(x.LossesAt0) - detmath.Sum(x.Losses)) / n,
		Next:     x.Step + leyline.Step(t.Config().Kasmina.ProbeEvery),
	}
	e.MeanAccuracy = running(s.Contribution.Accuracy, e.Accuracy, e.Probes)
	e.MeanLoss = running(s.Contribution.Loss, e.Loss, e.Probes)
	t.Emit(e)
}

// running is the mean of n values, the last of which is x, from the mean of the
// others.
func running(mean, x float64, n uint32) float64 { return mean + (x-mean)/float64(n) }

func advance(t *projections.Turn, run leyline.RunID, s *projections.Seed) {
	step := s.AlphaStep + 1
	stepped(t, run, s, step, blend.Alpha(int(step), int(s.Plan.TotalSteps), s.Plan.Temperature), step >= s.Plan.TotalSteps)
}

// stepped records where a seed's alpha stands, with the parameters of its schedule.
func stepped(t *projections.Turn, run leyline.RunID, s *projections.Seed, step uint32, alpha float64, complete bool) {
	t.Emit(leyline.BlendStepped{
		Run: run, Seed: s.ID, AlphaStep: step, Alpha: alpha, Complete: complete,
		TotalSteps: s.Plan.TotalSteps, Temperature: s.Plan.Temperature,
	})
}

// move changes a seed's stage and carries its identity along.
func move(t *projections.Turn, run leyline.RunID, s *projections.Seed, to leyline.Stage, cause string) {
	t.Emit(leyline.SeedMoved{
		Run: run, Seed: s.ID, From: s.Stage, To: to, Step: t.State.Tolaria.Run(run).Track.Step,
		Blueprint: s.Blueprint, Mesh: s.Mesh, Cause: cause,
	})
}

// cull retires a seed and closes its slot for the embargo. A seed that is not on
// trial is left alone. In a lockstep run the embargo counts steps, so that the
// slot opens at the same step however fast the machine is.
func cull(t *projections.Turn, run leyline.RunID, s *projections.Seed, cause string) {
	if !leyline.OnTrial(s.Stage) {
		return
	}
	cancel(t, run, s, cancelRetired)
	move(t, run, s, leyline.StageCulled, cause)
	e := leyline.SeedMoved{
		Run: run, Seed: s.ID, From: s.Stage, To: leyline.StageEmbargoed, Step: s.Since, Blueprint: s.Blueprint, Cause: cause,
	}
	if c := &t.Config().Kasmina; t.State.Tolaria.Run(run).Plan.Lockstep {
		e.UntilStep = e.Step + leyline.Step(c.EmbargoSteps)
	} else {
		e.Until = t.Meta.At.Add(c.Embargo.Duration())
	}
	t.Emit(e)
}

// reset empties a slot whose embargo is over. A slot that gate G5 finds unclean
// stays RESETTING, where nothing can germinate.
func reset(t *projections.Turn, run leyline.RunID, s *projections.Seed) {
	move(t, run, s, leyline.StageResetting, "embargo_over")
	if judge(t, run, s, gates.Reset(s)) {
		move(t, run, s, leyline.StageDormant, "reset")
		shut(t, run, s)
	}
}

// judge emits a gate's verdict and returns whether it passed.
func judge(t *projections.Turn, run leyline.RunID, s *projections.Seed, v gates.Verdict) bool {
	t.Emit(leyline.GateEvaluated{
		Run: run, Seed: s.ID, Gate: v.Gate, Passed: v.Passed, Reason: v.Reason, Checks: v.Checks, Mesh: v.Mesh,
	})
	return v.Passed
}
