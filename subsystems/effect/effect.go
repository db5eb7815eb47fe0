// Package effect turns decided events into work, as data.
//
// An effect is a pure function of the events of a record and the state right
// after it; its id is the record's sequence and the event's index. The plane
// carries effects out: computations (nothing outside the process changes: fetch
// and verify a kernel, read and verify a snapshot) may start as soon as they
// are decided; actions (a directive to the trainer, the emergency signal, a
// deletion) only when their record is durable. The completion of an effect
// comes back through the door as an input.
//
// What happens when the power fails between durable and acted: of a command it
// is recorded that nobody knows whether it was handed over (Idempotent is
// false), and a trainer that has outlived the plane is handed it once more (Unheard): a
// trainer follows a directive once, by its id, and one that resumes its run is handed
// nothing of before; a question to the policy or to the catalogue is void: nothing is proposed in that window; the file of a
// policy that a command wants in force is read again, as are kernels, staged bytes, cleanups and restore orders; evicted
// bytes are found and deleted at the next start; the signal is set from the state; orders
// about an optimizer are void, since the resumed trainer is given new ones; a
// halted run refuses to be opened. A field report is delivered again: at least once, and
// known by its id.
package effect

import (
	"slices"
	"time"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
)

// Effect is one piece of work. Fields beside ID, Kind and Run depend on Kind.
type Effect struct {
	ID       leyline.EffectID
	Kind     leyline.EffectKind
	Run      leyline.RunID
	Seed     leyline.SeedID         // PREFETCH
	Kernel   string                 // PREFETCH: file in the kernel store
	Bytes    uint64                 // PREFETCH, POLICY_FILE: its size, as registered
	Guard    leyline.Digest         // PREFETCH: its guard digest, as registered
	Built    Built                  // PREFETCH: what it was built for, as registered
	Tier     leyline.Tier           // STAGE, EVICT
	File     string                 // STAGE, EVICT: file in the run's directory of the tier; POLICY_FILE: in the policy store
	Quick    bool                   // STAGE: the trainer alone has the time to read the bytes
	Light    bool                   // STAGE: the checksum is enough, the trainer takes the digest
	Digest   leyline.Digest         // PREFETCH, STAGE, POLICY_FILE: what the bytes must hash to
	Rollback leyline.RollbackID     // STAGE
	Deadline leyline.Instant        // PREFETCH, STAGE, POLICY, METADATA, POLICY_FILE
	Level    leyline.EmergencyLevel // SIGNAL
	Within   time.Duration          // SIGNAL, REPORT: deadline, from its start
	Reason   leyline.FaultReason    // SIGNAL
	Order    *leyline.Directive     // COMMAND, RESTORE, HALT, RATES, REBUILD
	Report   *leyline.FieldReport   // REPORT
	Keep     leyline.Instant        // REPORT: reports of commands that were issued before need not be kept

	Blueprint leyline.BlueprintID // METADATA
}

// Built is what a kernel was built for.
type Built struct {
	Framework string
	Mesh      []string // not to be changed
}

// Computation reports whether an effect of this kind touches nothing outside
// the process, so that it may start before its record is durable.
func Computation(k leyline.EffectKind) bool {
	switch k {
	case leyline.EffectPrefetch, leyline.EffectStage, leyline.EffectPolicy, leyline.EffectMetadata, leyline.EffectPolicyFile:
		return true
	}
	return false
}

// Idempotent reports whether an effect of this kind may be carried out twice.
// Handing a command to the trainer may not: the network could be changed twice.
// An order about the optimizer rides on the answer to a step of a trainer that is
// gone by then, or closed; the next step decides anew. A field report that
// arrives twice is known by its id.
func Idempotent(k leyline.EffectKind) bool {
	return k != leyline.EffectCommand && k != leyline.EffectRates && k != leyline.EffectRebuild
}

// Of returns the effect of one event; false when it has none. s is the state
// after the whole record.
func Of(s *projections.State, m leyline.Meta, index int, e leyline.Event) (Effect, bool) {
	id := leyline.EffectID{Seq: m.Seq, Index: uint16(index)}
	switch x := e.(type) {
	case leyline.PrefetchRequested:
		return Effect{
			ID: id, Kind: leyline.EffectPrefetch, Run: x.Run, Seed: x.Seed,
			Kernel: x.Kernel, Digest: x.Digest, Bytes: x.Bytes, Guard: x.Guard, Built: built(s, x.Blueprint), Deadline: x.Deadline,
		}, true
	case leyline.PolicyAsked:
		return Effect{ID: id, Kind: leyline.EffectPolicy, Run: x.Run, Deadline: x.Deadline}, true
	case leyline.MetadataAsked:
		return Effect{ID: id, Kind: leyline.EffectMetadata, Run: x.Run, Blueprint: x.Blueprint, Deadline: x.Deadline}, true
	case leyline.PolicyRequested:
		return policyFile(s, id, x.Run, x.Policy, x.Deadline), true
	case leyline.CommandVerified:
		if x.Emergency.Action == leyline.EmergencyCleanup {
			return Effect{ID: id, Kind: leyline.EffectClean, Run: x.Run}, true
		}
		if leyline.ByPlane(x.Kind) {
			return Effect{}, false // it was carried out in the record itself
		}
		return command(s, projections.PendingCommand{
			Command: x.Command, Run: x.Run, Effect: id, Seed: x.Seed, Deadline: x.Deadline, Kind: x.Kind, Pause: x.Pause,
		}), true
	case leyline.RollbackStarted:
		return stage(s, id, x.Run), true
	case leyline.RollbackAdvanced:
		if x.Phase == leyline.PhaseCommit {
			return restore(s, id, x.Run), true
		}
		return stage(s, id, x.Run), true
	case leyline.SnapshotEvicted:
		return Effect{ID: id, Kind: leyline.EffectEvict, Run: x.Run, Tier: x.Tier, File: x.File}, true
	case leyline.SnapshotRefused:
		return Effect{ID: id, Kind: leyline.EffectEvict, Run: x.Run, Tier: x.Tier, File: x.File}, true
	case leyline.EmergencyDispatched:
		return Effect{
			ID: id, Kind: leyline.EffectSignal, Run: x.Run, Level: x.Level, Reason: x.Reason, Within: time.Duration(x.WithinNs),
		}, true
	case leyline.RateSet:
		return ratesOrder(id, x.Run, x.Step, x.Rates, x.Deadline), true
	case leyline.OptimizerRebuild:
		if x.Stage == leyline.RebuildRequested {
			return rebuildOrder(id, x.Run, x.Step, x.Deadline), true
		}
	case leyline.RunHalted:
		return halt(id, x.Run, x.Reason, x.Detail), true
	case leyline.FieldReportFiled:
		return report(s, id, &x.Report), x.Deliver
	case leyline.FieldReportRetried:
		return report(s, id, &s.Tamiyo.Reports.Filed(x.Report).Body), true
	}
	return Effect{}, false
}

func command(s *projections.State, p projections.PendingCommand) Effect {
	v := &leyline.VerifiedCommand{ID: p.Command, Seed: p.Seed, Kind: p.Kind, Pause: p.Pause}
	if seed := s.Kasmina.Seed(p.Run, p.Seed.Seed); seed != nil {
		v.Blueprint, v.Kernel, v.KernelDigest = seed.Blueprint, seed.Kernel.Name, seed.Kernel.Digest
	}
	return Effect{
		ID: p.Effect, Kind: leyline.EffectCommand, Run: p.Run,
		Order: &leyline.Directive{ID: p.Effect, Kind: leyline.EffectCommand, Command: v, Deadline: p.Deadline},
	}
}

// stage reads and verifies the bytes of the rollback under way.
func stage(s *projections.State, id leyline.EffectID, run leyline.RunID) Effect {
	e := Effect{ID: id, Kind: leyline.EffectStage, Run: run}
	if r := s.Tolaria.Run(run); r != nil {
		e.Rollback, e.Deadline, e.Tier = r.Rollback.ID, r.Rollback.PhaseBy, r.Rollback.Tier
		if snap := r.Snapshot(r.Rollback.Snapshot); snap != nil {
			ref := Ref(snap, e.Tier)
			e.File, e.Digest, e.Quick, e.Light = ref.File, ref.Digest, ref.Quick(), ref.Light()
		}
	}
	return e
}

// recovery is the outstanding effect of a rollback under way.
func recovery(s *projections.State, r *projections.Run) Effect {
	if r.Rollback.Phase == leyline.PhaseCommit {
		return restore(s, r.Rollback.Effect, r.ID)
	}
	return stage(s, r.Rollback.Effect, r.ID)
}

func restore(s *projections.State, id leyline.EffectID, run leyline.RunID) Effect {
	o := &leyline.RestoreOrder{}
	d := &leyline.Directive{ID: id, Kind: leyline.EffectRestore, Restore: o}
	if r := s.Tolaria.Run(run); r != nil {
		o.Rollback, o.Cause, o.Fault, o.Reached = r.Rollback.ID, r.Rollback.Cause, r.Rollback.FaultStep, r.Rollback.Reached
		if r.Rollback.PhaseBy != 0 { // what is restored must also be reported by then
			d.Deadline = r.Rollback.PhaseBy.Add(-s.Plane.Config.Tolaria.RollbackConfirm.Duration())
		}
		if snap := r.Snapshot(r.Rollback.Snapshot); snap != nil {
			o.From = Ref(snap, r.Rollback.Tier)
		}
	}
	return Effect{ID: id, Kind: leyline.EffectRestore, Run: run, Order: d}
}

func halt(id leyline.EffectID, run leyline.RunID, reason leyline.FaultReason, detail string) Effect {
	return Effect{
		ID: id, Kind: leyline.EffectHalt, Run: run,
		Order: &leyline.Directive{
			ID: id, Kind: leyline.EffectHalt, Halt: &leyline.HaltOrder{Reason: reason, Detail: detail},
		},
	}
}

// orders are the orders about a run's optimizer that were not acknowledged.
func orders(r *projections.Run) (out []Effect) {
	if id := r.Rates.Order; !id.IsZero() {
		out = append(out, ratesOrder(id, r.ID, r.Track.Step, r.Rates.Rates, r.Rates.Due))
	}
	if id := r.Rebuild.Order; !id.IsZero() {
		out = append(out, rebuildOrder(id, r.ID, r.Rebuild.Step, r.Rebuild.Due))
	}
	return out
}

func ratesOrder(id leyline.EffectID, run leyline.RunID, at leyline.Step, rates []float64, due leyline.Instant) Effect {
	return Effect{
		ID: id, Kind: leyline.EffectRates, Run: run,
		Order: &leyline.Directive{
			ID: id, Kind: leyline.EffectRates, Rates: &leyline.RateOrder{Step: at, Rates: rates}, Deadline: due,
		},
	}
}

func rebuildOrder(id leyline.EffectID, run leyline.RunID, at leyline.Step, due leyline.Instant) Effect {
	return Effect{
		ID: id, Kind: leyline.EffectRebuild, Run: run,
		Order: &leyline.Directive{ID: id, Kind: leyline.EffectRebuild, Rebuild: &leyline.RebuildOrder{Step: at}, Deadline: due},
	}
}

// Ref names a copy of a snapshot for a trainer. Without a copy in the tier it names
// no file.
func Ref(s *projections.Snapshot, t leyline.Tier) leyline.SnapshotRef {
	ref := leyline.SnapshotRef{Snapshot: s.ID, Step: s.Step, Tier: t, Bytes: s.Bytes, Digest: s.Digest, Check: s.Check}
	if c := s.Copy(t); c != nil {
		ref.File = c.File
	}
	return ref
}

// Safest names the copy of a snapshot that a resume starts from: there is time
// for the full one.
func Safest(s *projections.Snapshot) leyline.SnapshotRef {
	return Ref(s, s.Copies[len(s.Copies)-1].Tier)
}

// Outstanding returns the effects whose completion the state still waits for,
// in the order of their ids. It is what a restarted process must see to.
func Outstanding(s *projections.State) []Effect {
	out := commands(s)
	for i := range s.Tolaria.Runs {
		r := &s.Tolaria.Runs[i]
		if r.Rollback.Active() {
			out = append(out, recovery(s, r))
		}
		if r.Status == leyline.RunStatusOpen {
			out = append(out, orders(r)...)
		}
	}
	for i := range s.Tamiyo.Installed {
		if l := &s.Tamiyo.Installed[i].Loading; !l.Request.IsZero() {
			out = append(out, policyFile(s, l.Request, s.Tamiyo.Installed[i].Run, l.Policy, l.Deadline))
		}
	}
	for i := range s.Kasmina.Runs {
		out = append(out, prefetches(s, &s.Kasmina.Runs[i])...)
	}
	for i := range s.Tamiyo.Reports.Index {
		if f := &s.Tamiyo.Reports.Index[i]; f.Status == leyline.ReportSending {
			out = append(out, report(s, f.Effect, &f.Body))
		}
	}
	slices.SortFunc(out, byID)
	return out
}

func built(s *projections.State, id leyline.BlueprintID) Built {
	if bp := s.Plane.Blueprint(id); bp != nil {
		return Built{bp.Framework, bp.Mesh}
	}
	return Built{}
}

func prefetches(s *projections.State, slots *projections.Slots) []Effect {
	var out []Effect
	for i := range slots.Seeds {
		d := &slots.Seeds[i]
		if d.Kernel.Request.IsZero() {
			continue
		}
		out = append(out, Effect{
			ID: d.Kernel.Request, Kind: leyline.EffectPrefetch, Run: slots.Run, Seed: d.ID,
			Kernel: d.Kernel.Name, Digest: d.Kernel.Digest, Bytes: d.Kernel.Bytes, Guard: d.Kernel.Guard,
			Built: built(s, d.Blueprint), Deadline: d.Kernel.Deadline,
		})
	}
	return out
}

// policyFile reads and verifies the file of a policy. What is in force is verified again
// when it is next needed, so that is not outstanding after a restart.
func policyFile(s *projections.State, id leyline.EffectID, run leyline.RunID, p leyline.PolicyRef, by leyline.Instant) Effect {
	e := Effect{ID: id, Kind: leyline.EffectPolicyFile, Run: run, Digest: p.Digest, Deadline: by}
	if a := s.Tamiyo.Artifact(p.ID, p.Version); a != nil {
		e.File, e.Bytes = a.Facts.File(), a.Facts.Bytes
	}
	return e
}
