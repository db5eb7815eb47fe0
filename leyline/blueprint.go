package leyline

import "fmt"

// BlueprintTier says how well a kind of seed is known (SPEC.md 1.1).
type BlueprintTier = Enum[blueprintTiers]

type blueprintTiers struct{}

func (blueprintTiers) list() []string { return blueprintTierNames[:] }

var blueprintTierNames = [...]string{"UNSPECIFIED", "SAFE", "EXPERIMENTAL", "HIGH_RISK"}

// The tiers.
const (
	BlueprintTierUnspecified BlueprintTier = iota
	BlueprintSafe
	BlueprintExperimental
	BlueprintHighRisk
)

// HazardBand says how dangerous a kind of seed is held to be.
type HazardBand = Enum[hazardBands]

type hazardBands struct{}

func (hazardBands) list() []string { return hazardBandNames[:] }

var hazardBandNames = [...]string{"UNSPECIFIED", "LOW", "MEDIUM", "HIGH", "CRITICAL"}

// The bands.
const (
	HazardUnspecified HazardBand = iota
	HazardLow
	HazardMedium
	HazardHigh
	HazardCritical
)

// HandlingClass says what may be done with a kind of seed.
type HandlingClass = Enum[handlingClasses]

type handlingClasses struct{}

func (handlingClasses) list() []string { return handlingClassNames[:] }

var handlingClassNames = [...]string{"UNSPECIFIED", "STANDARD", "RESTRICTED", "QUARANTINE"}

// The classes. Nothing is germinated of one in quarantine.
const (
	HandlingUnspecified HandlingClass = iota
	HandlingStandard
	HandlingRestricted
	HandlingQuarantine
)

// ResourceProfile says what a kind of seed mostly uses.
type ResourceProfile = Enum[resourceProfiles]

type resourceProfiles struct{}

func (resourceProfiles) list() []string { return resourceProfileNames[:] }

var resourceProfileNames = [...]string{"UNSPECIFIED", "CPU", "GPU", "MEMORY_HEAVY", "IO_HEAVY", "MIXED"}

// The profiles.
const (
	ResourceUnspecified ResourceProfile = iota
	ResourceCPU
	ResourceGPU
	ResourceMemory
	ResourceIO
	ResourceMixed
)

// Provenance says who vouches for what a hazard sheet says.
type Provenance = Enum[provenances]

type provenances struct{}

func (provenances) list() []string { return provenanceNames[:] }

var provenanceNames = [...]string{"UNSPECIFIED", "URABRASK", "CURATED", "HEURISTIC", "EXTERNAL"}

// The sources: a safety service, a person, a rule of thumb, somebody outside.
const (
	ProvenanceUnspecified Provenance = iota
	ProvenanceUrabrask
	ProvenanceCurated
	ProvenanceHeuristic
	ProvenanceExternal
)

// Bounds on what a blueprint may say.
const (
	MaxSeedSettings = 64 // that a GERMINATE may set
	MaxHazardNotes  = 16 // mitigations of a hazard sheet
)

// HazardSheet is what is known of the dangers of a kind of seed.
type HazardSheet struct {
	Score          float64 // [0,1]
	Band           HazardBand
	Handling       HandlingClass
	Resource       ResourceProfile
	Provenance     Provenance
	Recommendation string // for people
	Mitigations    []HazardMitigation
}

// HazardMitigation is something that was or should be done about a danger.
type HazardMitigation struct {
	Action    string
	Rationale string
}

// ParameterBounds says between which values a parameter of a GERMINATE must lie.
type ParameterBounds struct {
	Name string // an id
	Min  float64
	Max  float64 // Min or more
}

// ParameterValue is what a GERMINATE sets a parameter to.
type ParameterValue struct {
	Name  string
	Value float64
}

// BlueprintWithdrawn takes a kind of seed out of use: nothing is germinated of it
// from here on, in any run. Seeds that live stay what they are.
type BlueprintWithdrawn struct {
	Blueprint BlueprintID
	Reason    string // for people
}

// BlueprintRetired records a withdrawal. WARNING.
type BlueprintRetired struct {
	Blueprint BlueprintID
	Reason    string
}

// InputKind implements Input.
func (BlueprintWithdrawn) InputKind() InputKind { return InputBlueprintWithdrawn }

// EventKind implements Event.
func (BlueprintRetired) EventKind() EventKind { return EventBlueprintRetired }

// Validate implements Input.
func (x BlueprintWithdrawn) Validate() error {
	var c check
	needID(&c, "blueprint", x.Blueprint)
	needText(&c, "reason", x.Reason)
	return c.result()
}

// Validate implements Event.
func (x BlueprintRetired) Validate() error { return BlueprintWithdrawn(x).Validate() }

// Validate returns a *Refusal that names the first field that is missing or wrong
// and how to mend it.
func (x HazardSheet) Validate() error {
	var c check
	unit(&c, "score", x.Score)
	needEnum(&c, "band", x.Band)
	needEnum(&c, "handling", x.Handling)
	needEnum(&c, "resource", x.Resource)
	needEnum(&c, "provenance", x.Provenance)
	text(&c, "recommendation", x.Recommendation, MaxText)
	bound(&c, "mitigations", len(x.Mitigations), MaxHazardNotes)
	for i, m := range x.Mitigations {
		c.element("mitigations", i)
		needText(&c, "action", m.Action)
		needText(&c, "rationale", m.Rationale)
	}
	c.leave()
	return c.result()
}

// checkRecord demands the part of a blueprint that people wrote.
func (x *BlueprintRegistered) checkRecord(c *check) {
	needEnum(c, "tier", x.Tier)
	mayID(c, "framework", x.Framework)
	need(c, "mesh", len(x.Mesh) > 0)
	bound(c, "mesh", len(x.Mesh), MaxLayers)
	distinct(c, "mesh", x.Mesh)
	bound(c, "parameters", len(x.Parameters), MaxSeedSettings)
	for i, p := range x.Parameters {
		c.element("parameters", i)
		needID(c, "name", p.Name)
		finite(c, "min", p.Min)
		finite(c, "max", p.Max)
		switch {
		case i > 0 && p.Name <= x.Parameters[i-1].Name:
			c.fail(hinted("name", fmt.Sprintf("is %q, not after %q", p.Name, x.Parameters[i-1].Name), "list each parameter once, in ascending order of names"))
		case p.Min > p.Max:
			c.fail(hinted("max", fmt.Sprintf("is %v, less than min, %v", p.Max, p.Min), "write the lower bound first"))
		}
	}
	c.leave()
	need(c, "guard", !x.Guard.IsZero())
	c.part("hazard", x.Hazard.Validate())
	if x.Hazard.Handling == HandlingQuarantine && !x.Quarantine {
		c.fail(hinted("quarantine", "is false, hazard.handling is QUARANTINE", "set it, or write another class"))
	}
	text(c, "description", x.Description, MaxText)
}

func hinted(field, reason, hint string) *Refusal {
	r := Invalid(field, reason)
	r.Hint = hint
	return r
}
