package replay

import (
	"math"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// Situation is what a plane knew of a run before it decided a record: the part
// of the state that decisions about the run look at.
type Situation struct {
	Run         leyline.RunID
	Status      leyline.RunStatus
	Step        leyline.Step
	Incarnation leyline.Incarnation
	LossMean    float64 // running
	LossSD      float64
	LossSteps   uint64       // healthy steps in these figures
	Suspect     uint32       // anomalous steps in a row
	SuspectFrom leyline.Step // the first of them
	Emergency   leyline.EmergencyLevel
	Stalled     bool
	Rollback    leyline.RollbackID // under way; empty when none is
	Phase       leyline.RollbackPhase
	Snapshots   uint32
	Good        leyline.SnapshotID // newest that is proven good; empty when none is
	GoodStep    leyline.Step
	Cautious    bool               // conservative mode
	Caution     leyline.RiskReason // why it was entered
	Healthy     uint32             // healthy windows in a row
	Asked       leyline.EffectID   // question to the policy that is not answered
	Pending     []Waiting
	Seeds       []Sprout
	Teacher     leyline.TeacherID // whose parameters nobody may update; empty when there is none
	Breakers    []Fuse            // that are not CLOSED, or count failures
}

// Fuse is a circuit breaker of the run.
type Fuse struct {
	ID       leyline.BreakerID
	State    leyline.BreakerState
	Failures uint32 // in a row
}

// Waiting is a command that the trainer has not answered.
type Waiting struct {
	Command   leyline.CommandID
	Operation leyline.SeedOperation
	Seed      leyline.SeedID // empty: every seed of the run
	Deadline  leyline.Instant
	Kind      leyline.CommandKind
	Pause     leyline.PauseAction // of the kind PAUSE
}

// Sprout is a seed as it stood.
type Sprout struct {
	Seed         leyline.SeedID
	Stage        leyline.Stage
	Steps        leyline.Step // since it entered the stage
	Blueprint    leyline.BlueprintID
	Alpha        float64
	Measured     uint32 // steps of the stage in which its isolation was measured
	MaxLeak      float64
	Probes       uint32
	Contribution float64      // mean gain in accuracy over the probes
	LossGain     float64      // mean gain in loss over the probes
	Age          leyline.Step // steps since it germinated
	Paused       bool
	Blends       bool   // it changes the host's output
	AlphaStep    uint32 // of its schedule, AlphaSteps long and of Temperature in steps
	AlphaSteps   uint32 // 0: it has no schedule
	Temperature  float64
	Quality      leyline.Quality
	Blend        leyline.BlendMode
	Health       leyline.SeedHealth
	Violations   uint32 // of its isolation, since it germinated
	Parameters   uint64 // numbers in its tensors; 0: there are none, or nobody said
}

// concerns returns the run that a record is about. A command has none in the
// record itself, as its run is a claim until it is verified.
func concerns(r leyline.Record) leyline.RunID {
	if r.Run != "" {
		return r.Run
	}
	for _, e := range r.Events {
		switch x := e.(type) {
		case leyline.CommandVerified:
			return x.Run
		case leyline.CommandRejected:
			return x.Run
		}
	}
	return ""
}

// situation copies what s knows of a run; nil when it knows none of that name.
func situation(s *projections.State, id leyline.RunID) *Situation {
	r := s.Tolaria.Run(id)
	if r == nil {
		return nil
	}
	x := &Situation{
		Run: id, Status: r.Status, Step: r.Track.Step, Incarnation: r.Incarnation, Emergency: r.Emergency, Stalled: r.Stalled,
		LossMean: r.Track.LossEWMA.Mean, LossSD: math.Sqrt(r.Track.LossEWMA.Var), LossSteps: r.Track.LossEWMA.N,
		Suspect: r.Track.Suspect, SuspectFrom: r.Track.SuspectFrom,
		Rollback: r.Rollback.ID, Phase: r.Rollback.Phase, Snapshots: uint32(len(r.Snapshots)),
	}
	if good := r.Good(math.MaxUint64); good != nil {
		x.Good, x.GoodStep = good.ID, good.Step
	}
	if p := s.Tamiyo.Run(id); p != nil {
		x.Cautious, x.Caution, x.Healthy, x.Asked = p.Caution.Conservative, p.Caution.Reason, p.Caution.Healthy, p.Asked.Effect
	}
	for _, k := range r.Breakers {
		if k.State != leyline.BreakerClosed || k.Failures > 0 {
			x.Breakers = append(x.Breakers, Fuse{k.ID, k.State, k.Failures})
		}
	}
	for _, p := range s.Kasmina.Pending {
		if p.Run == id {
			x.Pending = append(x.Pending, waiting(&p))
		}
	}
	if slots := s.Kasmina.Run(id); slots != nil {
		x.Teacher = slots.Teacher.ID
		for i := range slots.Seeds {
			x.Seeds = append(x.Seeds, sprout(&slots.Seeds[i], x.Step))
		}
	}
	return x
}

func waiting(p *projections.PendingCommand) Waiting {
	w := Waiting{Command: p.Command, Operation: p.Seed.Operation, Seed: p.Seed.Seed, Deadline: p.Deadline, Kind: p.Kind, Pause: p.Pause.Action}
	if p.Kind == leyline.CommandPause {
		w.Seed = p.Pause.Seed
	}
	return w
}

// words says what the trainer was asked to do.
func (w *Waiting) words() string {
	what := w.Operation.String()
	if w.Kind == leyline.CommandPause {
		what = w.Pause.String()
	}
	return what + " of " + when(w.Seed == "", "every seed of the run", "seed "+string(w.Seed))
}

func sprout(s *projections.Seed, now leyline.Step) Sprout {
	x := Sprout{
		Seed: s.ID, Stage: s.Stage, Blueprint: s.Blueprint, Alpha: s.Alpha, Measured: s.Isolation.Steps, MaxLeak: s.Isolation.MaxLeak,
		Probes: s.Contribution.Probes, Contribution: s.Contribution.Accuracy, LossGain: s.Contribution.Loss,
		Paused: s.Paused, Blends: s.Alpha > 0 && !s.Paused, AlphaStep: s.AlphaStep, AlphaSteps: s.Plan.TotalSteps, Temperature: s.Plan.Temperature,
		Parameters: leyline.ParameterCount(s.Parameters),
		Quality:    s.Isolation.Quality,
		Blend:      s.Plan.Mode, Health: s.Health, Violations: s.Violations,
	}
	if s.Blueprint != "" && now > s.Born {
		x.Age = now - s.Born
	}
	if now > s.Since {
		x.Steps = now - s.Since
	}
	return x
}
