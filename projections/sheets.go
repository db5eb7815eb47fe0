package projections

import (
	"slices"

	"github.com/esper-plane/esper/leyline"
)

// Sheet is the newest safety sheet of a blueprint.
type Sheet struct {
	Facts  leyline.BlueprintFacts
	Digest leyline.Digest // SHA-256 of its bytes
}

func sheetID(s *Sheet) leyline.BlueprintID { return s.Facts.Blueprint }

// Sheet returns the newest safety sheet of a blueprint, or nil.
func (p *Plane) Sheet(id leyline.BlueprintID) *Sheet { return get(p.Sheets, id, sheetID) }

// Counting returns the newest safety sheet of a blueprint, or nil when there is none or
// the key that signed it was revoked: what such a key said does not count any more.
func (p *Plane) Counting(id leyline.BlueprintID) *Sheet {
	if s := p.Sheet(id); s != nil && p.Revocation(s.Facts.Key) == nil {
		return s
	}
	return nil
}

// Facts returns what is known of a blueprint now: what its newest safety sheet says,
// else its registration; false when it is not registered.
func (p *Plane) Facts(id leyline.BlueprintID) (leyline.BlueprintFacts, bool) {
	bp := p.Blueprint(id)
	if bp == nil {
		return leyline.BlueprintFacts{}, false
	}
	if s := p.Counting(id); s != nil {
		return s.Facts, true
	}
	return bp.Facts(), true
}

// Lookup is the safety sheet that a window waits for.
type Lookup struct {
	Effect    leyline.EffectID
	Step      leyline.Step // of the window
	Blueprint leyline.BlueprintID
	TookNs    uint64 // of the policy's answer before it
	Stale     bool   // the policy had answered something else before
}

// Looked is when a run last had the safety sheet of a blueprint.
type Looked struct {
	Blueprint leyline.BlueprintID
	At        leyline.Instant
	Steps     uint64 // healthy steps of all incarnations, for a lockstep run
}

func lookedID(l *Looked) leyline.BlueprintID { return l.Blueprint }

// Looked returns when the run last had the safety sheet of a blueprint, or nil.
func (p *Policy) Looked(id leyline.BlueprintID) *Looked { return get(p.Looks, id, lookedID) }

func (t *Tamiyo) applyMetadata(m leyline.Meta, id leyline.EffectID, steps uint64, e leyline.Event) {
	switch x := e.(type) {
	case leyline.MetadataAsked:
		p := t.Run(x.Run)
		p.Lookup = Lookup{Effect: id, Step: x.Step, Blueprint: x.Blueprint, TookNs: x.TookNs, Stale: x.Stale}
		p.Asked = Question{}
	case leyline.MetadataSettled:
		p := t.Run(x.Run)
		p.Looks = put(p.Looks, Looked{Blueprint: x.Facts.Blueprint, At: m.At, Steps: steps}, lookedID)
		p.Lookup, p.Doubted = Lookup{}, ""
	case leyline.MetadataMissed:
		p := t.Run(x.Run)
		p.Lookup, p.Doubted, p.Caution.Healthy = Lookup{}, x.Blueprint, 0
		p.Looks = slices.DeleteFunc(p.Looks, func(l Looked) bool { return l.Blueprint == x.Blueprint })
	}
}
