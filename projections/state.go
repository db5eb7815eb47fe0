package projections

import (
	"slices"

	"github.com/esper-plane/esper/leyline"
)

// State is everything a plane knows, derived from the records up to Seq.
// The zero State is the state before the first record. It is not safe for
// concurrent use; whoever owns it is the single writer.
type State struct {
	Seq     leyline.Seq     // of the last record folded
	At      leyline.Instant // of that record
	Plane   Plane
	Tolaria Tolaria
	Tamiyo  Tamiyo
	Kasmina Kasmina
	Audit   Audit
}

// Plane holds the facts about the plane itself.
type Plane struct {
	Boot       string // of the process that wrote the last record
	Boots      uint32
	Origin     string
	AdminKey   []byte
	Decider    uint32 // rule version in force
	Configured bool
	Config     leyline.ExecutionConfig // valid when Configured
	Digest     leyline.Digest          // of the signed configuration bytes
	Keys       []leyline.Key           // sorted by ID
	Blueprints []leyline.BlueprintRegistered
	Violations uint64 // refused inputs
	DiskLow    bool   // the disk is nearly full
	DiskFree   uint64 // bytes free when DiskLow last changed
	FastFree   uint64 // bytes of memory free for the fast tier when the process started

	Revoked    []Revocation          // sorted by key; the keys themselves stay in Keys
	ClockSteps uint32                // of the wall clock, that were alarmed
	Retired    []leyline.BlueprintID // that were withdrawn; sorted

	Sheets    []Sheet // newest safety sheet of each blueprint that has one; sorted by blueprint
	Catalogue string  // where this process looks safety sheets up; empty: nowhere
}

func keyID(k *leyline.Key) leyline.KeyID                             { return k.ID }
func blueprintID(b *leyline.BlueprintRegistered) leyline.BlueprintID { return b.Blueprint }

// Key returns the key if it was ever enrolled, or nil. Whether it was revoked since is
// for Revocation to say.
func (p *Plane) Key(id leyline.KeyID) *leyline.Key { return get(p.Keys, id, keyID) }

// Blueprint returns the admitted blueprint, or nil.
func (p *Plane) Blueprint(id leyline.BlueprintID) *leyline.BlueprintRegistered {
	return get(p.Blueprints, id, blueprintID)
}

// Withdrawn reports whether nothing is germinated of a blueprint any more.
func (p *Plane) Withdrawn(id leyline.BlueprintID) bool {
	_, ok := slices.BinarySearch(p.Retired, id)
	return ok
}

// InUse lists the blueprints that are not withdrawn.
func (p *Plane) InUse() []leyline.BlueprintRegistered {
	if len(p.Retired) == 0 {
		return p.Blueprints
	}
	return slices.DeleteFunc(slices.Clone(p.Blueprints), func(b leyline.BlueprintRegistered) bool { return p.Withdrawn(b.Blueprint) })
}

func (p *Plane) apply(m leyline.Meta, e leyline.Event) {
	switch x := e.(type) {
	case leyline.DependencyViolated:
		p.Violations++
	case leyline.PlaneBooted:
		p.Boot, p.Boots, p.Decider = x.Boot, x.Boots, x.Decider
		p.Origin, p.AdminKey, p.FastFree, p.Catalogue = x.Origin, x.AdminKey, x.FastFree, x.Catalogue
	case leyline.ConfigAdopted:
		p.Configured, p.Config, p.Digest = true, x.Config, x.Digest
	case leyline.KeyEnrolled:
		p.Keys = put(p.Keys, x.Key, keyID)
	case leyline.KeyWithdrawn:
		p.Revoked = put(p.Revoked, Revocation{Key: x.Key, Seq: m.Seq, At: m.At, Reason: x.Reason}, revokedKey)
	case leyline.ClockAlarmed:
		p.ClockSteps = x.Steps
	case leyline.BlueprintAdmitted:
		p.Blueprints = put(p.Blueprints, x.Blueprint, blueprintID)
	case leyline.BlueprintRetired:
		if i, found := slices.BinarySearch(p.Retired, x.Blueprint); !found {
			p.Retired = slices.Insert(p.Retired, i, x.Blueprint)
		}
	case leyline.MetadataSettled:
		p.Sheets = put(p.Sheets, Sheet{Facts: x.Facts, Digest: x.Digest}, sheetID)
	case leyline.DiskLow:
		p.DiskLow, p.DiskFree = true, x.Free
	case leyline.DiskRecovered:
		p.DiskLow, p.DiskFree = false, x.Free
	}
}

// RefusesRuns reports whether new runs are refused because the disk is nearly
// full. Nothing is refused once the disk is not watched any more, even if no
// measurement has said so yet.
func (p *Plane) RefusesRuns() bool { return p.DiskLow && p.Config.Log.MinFreeMiB > 0 }

// FastBudget is the byte budget of the fast tier in force; 0: there is none.
func (p *Plane) FastBudget() uint64 { return p.Config.Tolaria.FastBytes(p.FastFree) }

// Begin moves the state to a new record, before its events.
func (s *State) Begin(m leyline.Meta) { s.Seq, s.At = m.Seq, m.At }

// Apply assigns the results of one event. index is its position within the
// record: with the record's sequence it is the id of the effect it causes.
func (s *State) Apply(m leyline.Meta, index int, e leyline.Event) {
	id := leyline.EffectID{Seq: m.Seq, Index: uint16(index)}
	s.Plane.apply(m, e)
	s.Tolaria.apply(m, id, e)
	s.Tamiyo.apply(m, id, s.steps(e), e)
	s.Tamiyo.Reports.apply(m, id, e)
	s.Tamiyo.applyArtifact(m, id, e)
	s.Kasmina.apply(m, id, e)
	s.Audit.apply(e)
}

// steps counts the healthy steps of the run that an event concerns, where Tamiyo
// counts by them.
func (s *State) steps(e leyline.Event) uint64 {
	var id leyline.RunID
	switch x := e.(type) {
	case leyline.MetadataSettled:
		id = x.Run
	case leyline.ConservativeEntered:
		id = x.Run
	}
	if r := s.Tolaria.Run(id); r != nil {
		return r.Steps
	}
	return 0
}

// ApplyRecord folds a whole record.
func (s *State) ApplyRecord(r leyline.Record) {
	m := leyline.Meta{Seq: r.Seq, At: r.At, Run: r.Run}
	s.Begin(m)
	for i, e := range r.Events {
		s.Apply(m, i, e)
	}
	if !refused(r.Events) {
		s.End(r.Input)
	}
}

// refused reports whether the guard did not admit the input of a record.
func refused(events []leyline.Event) bool {
	if len(events) == 0 {
		return false
	}
	_, bad := events[0].(leyline.DependencyViolated)
	return bad
}
