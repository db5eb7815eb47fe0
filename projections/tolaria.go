package projections

import (
	"cmp"
	"slices"

	"github.com/esper-plane/esper/leyline"
)

// Tolaria is the projection of training runs.
type Tolaria struct {
	Runs      []Run  // sorted by id
	FastBytes uint64 // of all copies in the fast tier
	Bucket    Bucket
}

// Run is one training run.
type Run struct {
	ID          leyline.RunID
	Plan        leyline.RunOpened
	Status      leyline.RunStatus
	Incarnation leyline.Incarnation
	Lineage     leyline.Lineage
	Emergency   leyline.EmergencyLevel
	Raised      bool // by an operator, and not cleared since: nothing else lowers it
	Broadcast   Broadcast
	Track       Track
	Snapshots   []Snapshot // ascending by step
	Rollback    Rollback
	Faulted     []leyline.Step     // steps that had been reached when a rollback began, in order
	AwaitGood   leyline.RollbackID // restored, and no healthy step seen since
	Heard       leyline.Instant    // when the last step was reported
	QuietBy     leyline.Instant    // after this the trainer is stalled; zero while nothing is expected of it
	Patience    uint64             // how long it had for that, in nanoseconds, when something was expected last
	Stalled     bool
	Steps       uint64 // healthy steps over all incarnations
	Conflicted  uint64 // steps with at least one conflict, suspect ones included
	Rollbacks   uint64
	RewoundAt   leyline.Instant // when the last rollback succeeded, or a resume completed it
	Outcome     leyline.Outcome // once ended
	Final       leyline.Digest
	Halt        leyline.FaultReason // once halted
	HaltDetail  string
	HaltOrder   leyline.EffectID // that tells the trainer so
	Breakers    []Breaker        // those that ever moved, sorted
	Fallbacks   uint32           // compile fallbacks of the host
	Fallback    Fallback         // the last one reported, of the host or a seed
	Epochs      Epochs
	Waits       Waits
	Rates       Rates
	Rebuild     Rebuild
	RateScale   float64 // by which a command multiplies learning rates; 0: none does. Never rewound
	RateBy      leyline.Party
	Told        Tellings
	Overtook    Overtook
}

// Track is what of a run is rewound with its network.
type Track struct {
	Step         leyline.Step // last step that was given weights
	Loss         float64
	LossEWMA     leyline.Moments
	GradEWMA     leyline.Moments
	ConflictEWMA leyline.Moments
	StepEWMA     leyline.Moments // of the step time in nanoseconds
	RateEWMA     leyline.Moments // of the samples per second
	Samples      uint32          // in the last step's batch
	Watched      uint32          // anomalous steps in a row while the rule is in shadow
	Suspect      uint32          // anomalous steps in a row
	SuspectFrom  leyline.Step    // the first of them
	SuspectAt    leyline.Instant // when it was reported
	Tally        leyline.Tally   // of the epoch so far
	Epoch        uint32
	EpochLosses  []float64
	Accuracies   []float64
	Shares       []leyline.SeedShare // of the seeds in the last epoch
	Targets      []float64           // of gradvac: k*k target cosines; empty before its first step
}

// Snapshot is a registered snapshot and what its state was.
type Snapshot struct {
	ID          leyline.SnapshotID
	Step        leyline.Step
	Incarnation leyline.Incarnation
	Bytes       uint64
	Digest      leyline.Digest
	Check       leyline.Checksum
	Copies      []Copy // ascending by tier, at least one
	Confirmed   bool   // a later step was healthy
	Rollbacks   uint32 // times it was rolled back to
	Memo        Track
}

// Copy is a snapshot's file in one tier.
type Copy struct {
	Tier leyline.Tier
	File string
	Used leyline.Seq // the record in which it was registered or last chosen for a rollback
}

// Copy returns the snapshot's copy in a tier, or nil.
func (s *Snapshot) Copy(t leyline.Tier) *Copy {
	for i := range s.Copies {
		if s.Copies[i].Tier == t {
			return &s.Copies[i]
		}
	}
	return nil
}

func runID(r *Run) leyline.RunID { return r.ID }

// Run returns the run, or nil.
func (t *Tolaria) Run(id leyline.RunID) *Run { return get(t.Runs, id, runID) }

// Snapshot returns the run's snapshot, or nil.
func (r *Run) Snapshot(id leyline.SnapshotID) *Snapshot {
	for i := range r.Snapshots {
		if r.Snapshots[i].ID == id {
			return &r.Snapshots[i]
		}
	}
	return nil
}

// HasFile reports whether a registered copy of a tier is in a file.
func (r *Run) HasFile(t leyline.Tier, name string) bool {
	return slices.ContainsFunc(r.Snapshots, func(s Snapshot) bool {
		c := s.Copy(t)
		return c != nil && c.File == name
	})
}

// Good returns the newest snapshot at or before step that a later healthy step
// has proven good, or nil.
func (r *Run) Good(step leyline.Step) *Snapshot {
	for i := len(r.Snapshots) - 1; i >= 0; i-- {
		if s := &r.Snapshots[i]; s.Confirmed && s.Step <= step {
			return s
		}
	}
	return nil
}

func (t *Tolaria) apply(m leyline.Meta, id leyline.EffectID, e leyline.Event) {
	if x, ok := e.(leyline.RunStarted); ok {
		t.Runs = put(t.Runs, Run{
			ID: x.Run, Plan: x.Plan, Status: leyline.RunStatusOpen, Incarnation: x.Incarnation,
			Emergency: leyline.EmergencyNotice, Heard: m.At, QuietBy: x.QuietBy, Patience: uint64(max(x.QuietBy.Sub(m.At), 0)),
		}, runID)
		return
	}
	if _, ok := e.(leyline.PlaneBooted); ok {
		for i := range t.Runs {
			t.Runs[i].booted(m)
			t.Runs[i].Broadcast = Broadcast{} // the process sets the signal from the state when it starts
		}
		return
	}
	switch x := e.(type) {
	case leyline.SnapshotRegistered:
		t.FastBytes = x.FastBytes
	case leyline.SnapshotEvicted:
		t.FastBytes = x.FastBytes
	case leyline.EmergencyDispatched:
		t.Bucket = Bucket{Tokens: x.Tokens, At: m.At}
	}
	run, ok := runOfEvent(e)
	if !ok {
		return
	}
	if r := t.Run(run); r != nil {
		r.applyTraining(m, e)
		r.applySilence(m, e)
		r.applyLife(m, id, e)
		r.applySnapshot(m, e)
		r.applyRollback(m, id, e)
		r.applyBreaker(e)
		r.applyEpoch(e)
		r.applyRates(id, e)
		r.applyRebuild(id, e)
		r.applyOrders(e)
		r.applyEmergency(id, e)
	}
}

func (r *Run) applyTraining(m leyline.Meta, e leyline.Event) {
	switch x := e.(type) {
	case leyline.GradientsCombined:
		if x.Conflicts > 0 {
			r.Conflicted++
		}
		if len(x.Targets) > 0 {
			r.Track.Targets = x.Targets
		}
	case leyline.TrainingAssessed:
		r.assess(m, x)
	case leyline.EpochAssessed:
		t := &r.Track
		t.Epoch, t.EpochLosses, t.Accuracies, t.Shares, t.Tally = x.Epoch, x.Losses, x.Accuracies, x.Shares.Seeds, leyline.Tally{}
	}
}

func (r *Run) applyLife(m leyline.Meta, id leyline.EffectID, e leyline.Event) {
	switch x := e.(type) {
	case leyline.RunResumed:
		r.rewind(x.Snapshot)
		r.Incarnation, r.Lineage = x.Incarnation, x.Lineage
		r.Plan.Posture = x.Posture
		r.Rollback, r.Told, r.Overtook = Rollback{}, Tellings{}, Overtook{}
		if x.Rollback != "" {
			r.AwaitGood, r.RewoundAt = x.Rollback, m.At
		}
	case leyline.RunEnded:
		r.Status, r.Outcome, r.Final = leyline.RunStatusEnded, x.Outcome, x.Digest
	case leyline.RunHalted:
		r.Status, r.Halt, r.HaltDetail, r.HaltOrder = leyline.RunStatusHalted, x.Reason, x.Detail, id
	}
}

func (r *Run) applySnapshot(m leyline.Meta, e leyline.Event) {
	switch x := e.(type) {
	case leyline.SnapshotRegistered:
		r.register(m.Seq, x)
	case leyline.SnapshotEvicted:
		if s := r.Snapshot(x.Snapshot); s != nil {
			s.Copies = slices.DeleteFunc(s.Copies, func(c Copy) bool { return c.Tier == x.Tier })
		}
		if x.Gone {
			r.Snapshots = slices.DeleteFunc(r.Snapshots, func(s Snapshot) bool { return s.ID == x.Snapshot })
		}
	}
}

func (r *Run) register(at leyline.Seq, x leyline.SnapshotRegistered) {
	c := Copy{Tier: x.Tier, File: x.File, Used: at}
	if x.Further {
		s := r.Snapshot(x.Snapshot)
		s.Copies = append(s.Copies, c)
		slices.SortFunc(s.Copies, func(a, b Copy) int { return cmp.Compare(a.Tier, b.Tier) })
		return
	}
	s := Snapshot{
		ID: x.Snapshot, Step: x.Step, Incarnation: x.Incarnation,
		Bytes: x.Bytes, Digest: x.Digest, Check: x.Check, Copies: []Copy{c}, Memo: r.Track,
	}
	i := len(r.Snapshots)
	for i > 0 && r.Snapshots[i-1].Step > s.Step {
		i--
	}
	r.Snapshots = slices.Insert(r.Snapshots, i, s)
}

func (r *Run) applyRollback(m leyline.Meta, id leyline.EffectID, e leyline.Event) {
	switch x := e.(type) {
	case leyline.RollbackStarted:
		r.Rollback = Rollback{
			ID: x.Rollback, Phase: leyline.PhasePrepare, Cause: x.Cause, FaultStep: x.FaultStep, Reached: x.Reached, Seen: x.Seen,
			Snapshot: x.Snapshot, ToStep: x.ToStep, Tier: x.Tier, Started: x.Since, Deadline: x.Deadline, PhaseBy: x.PhaseBy, Effect: id,
		}
		r.Rollbacks++
		s := r.Snapshot(x.Snapshot)
		s.Rollbacks++
		s.Copy(x.Tier).Used = m.Seq
		if !slices.Contains(r.Faulted, x.Reached) {
			r.Faulted = append(r.Faulted, x.Reached)
		}
	case leyline.RollbackAdvanced:
		b := &r.Rollback
		b.Phase, b.Tier, b.PhaseBy, b.Effect = x.Phase, x.Tier, x.PhaseBy, id
		b.Left = max(b.Left, x.Left)
	case leyline.EffectRecovered:
		if x.Effect == r.Rollback.Effect {
			r.Rollback.Deadline, r.Rollback.PhaseBy = 0, 0
		}
	case leyline.RollbackFinished:
		reached := r.Rollback.Reached
		r.Rollback = Rollback{}
		if x.Outcome == leyline.OutcomeOK {
			if r.Plan.Lag > 0 {
				r.Overtook = Overtook{Rollback: x.Rollback, Incarnation: r.Incarnation, Reached: reached, To: x.Step}
			}
			r.rewind(x.Snapshot)
			r.Incarnation, r.Lineage, r.AwaitGood, r.RewoundAt = x.Incarnation, x.Lineage, x.Rollback, m.At
		}
	}
}

// rewind returns the track to a snapshot, or to the beginning when there is
// none.
func (r *Run) rewind(id leyline.SnapshotID) {
	r.Track = Track{}
	if s := r.Snapshot(id); s != nil {
		r.Track = s.Memo
	}
}
