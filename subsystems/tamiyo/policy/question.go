package policy

import (
	"slices"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/subsystems/breaker"
)

// Question is everything that a policy looks at.
type Question struct {
	Lineage leyline.Lineage // what chance is seeded with, beside the run's seed and the step

	Run         leyline.RunID
	Incarnation leyline.Incarnation
	Step        leyline.Step   // of the window
	Faulted     []leyline.Step // that had been reached when the run was rolled back
	Config      leyline.ExecutionConfig
	Plan        leyline.RunOpened
	Seeds       []projections.Seed // in slot order
	Trials      []projections.Trial
	Blueprints  []leyline.BlueprintRegistered // that are not withdrawn, ascending by id
	Barred      bool                          // the breaker of kernels lets no fetch pass now
	Track       projections.Track             // of the run, up to this step
	Last        projections.Window            // the zero value: there was none
	Memory      projections.Memory            // of the windows before
	LearnRate   float64                       // in the step that ends the window; 0: not told
	Readings    []leyline.Reading             // of that step, as in leyline.TrainingMetrics
	Artifact    leyline.PolicyRef             // whose weights Config.Rules are; zero: those of the settings
}

// Ask is the question that the state puts for a run that it knows. It shares
// memory with the state; see Clone.
func Ask(s *projections.State, run leyline.RunID) Question {
	r, slots, p := s.Tolaria.Run(run), s.Kasmina.Run(run), s.Tamiyo.Run(run)
	q := Question{
		Lineage: r.Lineage, Run: run, Incarnation: r.Incarnation,
		Step: r.Track.Step, Faulted: r.Faulted, Config: s.Plane.Config, Plan: r.Plan, Seeds: slots.Seeds, Trials: slots.Trials,
		Blueprints: s.Plane.InUse(), Barred: barred(s, r), Track: r.Track, Last: p.Window, Memory: p.Memory,
	}
	q.install(s.Tamiyo.Deciding(run))
	return q.With(p.Seen.LearnRate, p.Seen.Metrics.Readings)
}

func barred(s *projections.State, r *projections.Run) bool {
	allowed, _, _ := breaker.Allow(r.Breaker(leyline.BreakerKernel), breaker.Now{Run: r.ID, At: s.At, Steps: r.Steps, Lockstep: r.Plan.Lockstep})
	return !allowed
}

// With is the question together with what the trainer reported of the step that ends
// the window and the state does not keep.
func (q Question) With(rate float64, readings []leyline.Reading) Question {
	q.LearnRate, q.Readings = rate, readings
	return q
}

func (q *Question) reading(m leyline.TrainingMetric) (float64, bool) {
	return leyline.TrainingMetrics{Readings: q.Readings}.Get(m)
}

// Clone returns a question that the state can change under without harm: what the
// state changes in place is copied.
func (q Question) Clone() Question {
	q.Faulted = slices.Clone(q.Faulted)
	q.Seeds, q.Trials, q.Blueprints = slices.Clone(q.Seeds), slices.Clone(q.Trials), slices.Clone(q.Blueprints)
	return q
}

func (q *Question) trial(id leyline.BlueprintID) projections.Trial {
	slots := projections.Slots{Trials: q.Trials}
	return slots.Trial(id)
}
