package projections

import (
	"cmp"
	"slices"

	"github.com/esper-plane/esper/leyline"
)

// Kasmina is the projection of the execution layer.
type Kasmina struct {
	Runs    []Slots          // sorted by run
	Pending []PendingCommand // accepted, not answered; in order of acceptance
	Nonces  []Nonce          // spent and still replayable, in order of KeepUntil
	Windows []SequenceWindow // per key, sorted

	NonceIDs []leyline.CommandID // the ids of Nonces, sorted
}

// PendingCommand is an accepted command whose answer is outstanding.
type PendingCommand struct {
	Command   leyline.CommandID
	Run       leyline.RunID
	Effect    leyline.EffectID // the directive that carries it
	Seed      leyline.SeedCommand
	Deadline  leyline.Instant
	Unknown   bool // the process stopped between durable and acted
	Kind      leyline.CommandKind
	Pause     leyline.PauseCommand    // of the kind PAUSE
	Emergency leyline.EmergencyAction // of the kind EMERGENCY
}

// Concerns reports whether a command is about a seed of its run.
func (p *PendingCommand) Concerns(seed leyline.SeedID) bool {
	if p.Kind == leyline.CommandPause {
		return p.Pause.Scope == leyline.PauseRun || p.Pause.Seed == seed
	}
	return p.Seed.Seed == seed
}

// Slots holds the seeds of one run.
type Slots struct {
	Run    leyline.RunID
	Seeds  []Seed  // in the order of RunOpened.Seeds
	Trials []Trial // sorted by blueprint
	Memos  []SeedMemo

	Violations uint64 // of the isolation of its seeds; never rewound
	// Teacher is the network whose parameters nobody may update; without an ID there is
	// none. It is no part of what is trained, so a rollback leaves it alone.
	Teacher leyline.Teacher
	Void    []VoidFetch // whose seeds were rewound; closed in the record that did it
	// Order holds the places of Seeds, ascending by the seeds' ids. Invariant: one of each
	// seed; the ids of slots never change.
	Order []uint32
	// Shown is what answers have told of Seeds, place by place, to a pipelined trainer, in
	// the incarnation ShownIn and up to the step ShownAt; empty for a synchronous one.
	Shown   []Shown
	ShownIn leyline.Incarnation
	ShownAt leyline.Step
}

// SeedMemo holds the seeds as they were at a snapshot.
type SeedMemo struct {
	Snapshot leyline.SnapshotID
	Seeds    []Seed
	Trials   []Trial
}

// Trial is what became of one kind of seed in a run so far.
type Trial struct {
	Blueprint  leyline.BlueprintID
	Germinated uint32
	Fossilized uint32
	Culled     uint32  // after it had begun to train: the kind failed, not its delivery
	Gain       float64 // in accuracy, as the probes of the last one that was kept have measured it, [-1,1]
}

// Seed is one slot of a host network and what grows in it. Born is the step at
// which it germinated. Slices inside a
// Seed are never changed in place, so a copy of a Seed is independent.
type Seed struct {
	ID           leyline.SeedID
	Stage        leyline.Stage
	Since        leyline.Step // step at which the stage was entered
	Blueprint    leyline.BlueprintID
	Mesh         []string
	Until        leyline.Instant // end of the embargo
	UntilStep    leyline.Step    // the same in a lockstep run
	Kernel       Kernel
	Plan         leyline.BlendPlan
	AlphaStep    uint32
	Alpha        float64
	Complete     bool    // the alpha schedule has ended
	LossBefore   float64 // loss EWMA before it blended
	Contribution Contribution
	Isolation    Isolation
	Fallbacks    uint32 // compile fallbacks since it germinated
	Born         leyline.Step
	Paused       bool               // takes no part in the forward pass and stays as it is
	Closed       bool               // by an operator, for good: not even a rollback opens the slot again
	Violations   uint32             // of its isolation since it germinated
	Health       leyline.SeedHealth // unset in an empty slot
	// Parameters are the tensors that it was grafted with; empty: the trainer has not
	// said. On trial they are the seed's own, of one that was kept they are the host's.
	Parameters []leyline.Parameter
	PausedBy   leyline.Party // of one that is paused
	PausedAt   leyline.Step
}

// Kernel is the state of a seed's kernel.
type Kernel struct {
	Request  leyline.EffectID // outstanding prefetch; zero when there is none
	Name     string
	Digest   leyline.Digest
	Deadline leyline.Instant // zero after a restart: only the worker's own limit holds
	Ready    bool
	TookNs   uint64
	Guard    leyline.Digest
	Bytes    uint64
}

// Isolation is what was measured of a seed in its present stage.
type Isolation struct {
	Steps    uint32
	GradNorm float64
	MaxLeak  float64
	Violated bool
	Quality  leyline.Quality
	Reported leyline.Stage // as in leyline.IsolationAssessed, of the last step
}

// Contribution is what was measured of a seed's worth in its present stage.
type Contribution struct {
	Probes   uint32
	Accuracy float64      // mean gain over probes, [-1,1]
	Loss     float64      // mean gain over probes
	Due      leyline.Step // from this step on the next probe is due; 0: none is
}

func trialBlueprint(t *Trial) leyline.BlueprintID { return t.Blueprint }

// Trial returns what became of a kind of seed so far; the zero Trial when it
// was never germinated.
func (s *Slots) Trial(id leyline.BlueprintID) Trial {
	if t := get(s.Trials, id, trialBlueprint); t != nil {
		return *t
	}
	return Trial{Blueprint: id}
}

// ProbesDue lists the seeds of a run whose contribution is to be measured after
// step now. While a seed has a command outstanding nothing is asked of it: it may
// be another seed once that is carried out.
func (k *Kasmina) ProbesDue(run leyline.RunID, now leyline.Step) []leyline.SeedID {
	slots := k.Run(run)
	if slots == nil {
		return nil
	}
	var out []leyline.SeedID
	for i := range slots.Seeds {
		s := &slots.Seeds[i]
		if c := &s.Contribution; c.Due != 0 && now >= c.Due && !s.Paused && !k.Commanded(run, s.ID) {
			out = append(out, s.ID)
		}
	}
	return out
}

// Commanded reports whether a command about a seed waits for its answer.
func (k *Kasmina) Commanded(run leyline.RunID, seed leyline.SeedID) bool {
	return slices.ContainsFunc(k.Pending, func(p PendingCommand) bool { return p.Run == run && p.Concerns(seed) })
}

func slotsRun(s *Slots) leyline.RunID { return s.Run }

// Run returns the slots of a run, or nil.
func (k *Kasmina) Run(id leyline.RunID) *Slots { return get(k.Runs, id, slotsRun) }

// Seed returns a seed of a run, or nil.
func (k *Kasmina) Seed(run leyline.RunID, id leyline.SeedID) *Seed {
	if s := k.Run(run); s != nil {
		return s.Seed(id)
	}
	return nil
}

// Seed returns a seed, or nil.
func (s *Slots) Seed(id leyline.SeedID) *Seed {
	at, found := slices.BinarySearchFunc(s.Order, id, func(i uint32, id leyline.SeedID) int { return cmp.Compare(s.Seeds[i].ID, id) })
	if !found {
		return nil
	}
	return &s.Seeds[s.Order[at]]
}

// PendingCommand returns the accepted command, or nil.
func (k *Kasmina) PendingCommand(id leyline.CommandID) *PendingCommand {
	for i := range k.Pending {
		if k.Pending[i].Command == id {
			return &k.Pending[i]
		}
	}
	return nil
}

// Grown counts the parameters of the seeds that are grafted, as far as the trainer
// has declared them.
func (s *Slots) Grown() (n uint64) {
	for i := range s.Seeds {
		if d := &s.Seeds[i]; leyline.Grafted(d.Stage) {
			n += leyline.ParameterCount(d.Parameters)
		}
	}
	return n
}

func (k *Kasmina) apply(m leyline.Meta, id leyline.EffectID, e leyline.Event) {
	switch x := e.(type) {
	case leyline.RunStarted:
		k.Runs = put(k.Runs, newSlots(x), slotsRun)
	case leyline.EffectRecovered:
		k.recovered(x)
	case leyline.TrainingAssessed:
		k.outlived(x.Run)
	case leyline.CommandVerified:
		k.forget(x.Ledger.Expired)
		k.spend(m.At, Nonce{Command: x.Command, Key: x.Key, KeepUntil: x.KeepUntil}, x.Sequence)
		if x.Kind == leyline.CommandPolicy {
			return // what it waits for is Tamiyo's
		}
		k.Pending = append(k.Pending, PendingCommand{
			Command: x.Command, Run: x.Run, Effect: id, Seed: x.Seed, Deadline: x.Deadline, Kind: x.Kind, Pause: x.Pause,
			Emergency: x.Emergency.Action,
		})
	case leyline.CommandRejected:
		k.forget(x.Ledger.Expired)
		if x.KeepUntil > 0 {
			k.spend(m.At, Nonce{Command: x.Command, Key: x.Key, KeepUntil: x.KeepUntil}, x.Sequence)
		}
	case leyline.CommandSettled:
		k.drop(x.Command)
	case leyline.CommandExpired:
		k.drop(x.Command)
	default:
		k.applySeed(id, e)
		k.applyMemo(e)
		k.applyRegistry(e)
	}
}

func newSlots(x leyline.RunStarted) Slots {
	s := Slots{Run: x.Run}
	for i, id := range x.Plan.Seeds {
		s.Seeds, s.Order = append(s.Seeds, Seed{ID: id}), append(s.Order, uint32(i))
	}
	slices.SortFunc(s.Order, func(a, b uint32) int { return cmp.Compare(s.Seeds[a].ID, s.Seeds[b].ID) })
	return s
}

// recovered marks what the last process may or may not have done, and stops the
// clock of what the next one does again.
func (k *Kasmina) recovered(x leyline.EffectRecovered) {
	if p := k.PendingEffect(x.Effect); p != nil && !x.Reissued {
		p.Unknown = true
	}
	slots := k.Run(x.Run)
	if slots == nil {
		return
	}
	for i := range slots.Seeds {
		if s := &slots.Seeds[i]; s.Kernel.Request == x.Effect {
			s.Kernel.Deadline = 0
		}
	}
}

// outlived starts the clocks of commands again whose trainer has outlived the plane: it
// was handed them once more.
func (k *Kasmina) outlived(run leyline.RunID) {
	for i := range k.Pending {
		if p := &k.Pending[i]; p.Run == run {
			p.Unknown = false
		}
	}
}

// PendingEffect returns the accepted command that an effect carries out, or nil.
func (k *Kasmina) PendingEffect(id leyline.EffectID) *PendingCommand {
	for i := range k.Pending {
		if k.Pending[i].Effect == id {
			return &k.Pending[i]
		}
	}
	return nil
}

func (k *Kasmina) drop(id leyline.CommandID) {
	k.Pending = slices.DeleteFunc(k.Pending, func(p PendingCommand) bool { return p.Command == id })
}
