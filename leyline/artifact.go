package leyline

import (
	"crypto/sha256"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of policy artifacts.
const (
	MaxPolicies       = 256      // artifacts that a log ever registers
	MaxPolicyBytes    = 32 << 20 // of the file of a network
	MaxRulesBytes     = 64 << 10 // of the file of weights of the rules
	MaxPolicyStack    = 64       // activations that a rollback can go back through
	MaxRegistryKeys   = 65_536   // names that an output of a policy can index
	MaxManifestBytes  = 64 << 10 // of the file that describes an artifact
	policyNumberLimit = 1 << 16  // number of an architecture
)

// PolicyID names a policy artifact. With its version it names one file for ever.
type PolicyID string

// PolicyFormat is the format of the file of a policy. Each holds numbers and nothing
// that is run when it is read; there is no other.
type PolicyFormat = Enum[policyFormats]

type policyFormats struct{}

func (policyFormats) list() []string { return policyFormatNames[:] }

var policyFormatNames = [...]string{"unspecified", "toml", "safetensors"}

// The formats.
const (
	PolicyFormatUnspecified PolicyFormat = iota
	PolicyTOML                           // weights of the rules
	PolicySafetensors                    // a network
)

// PolicyOrigin says where the numbers of a policy come from.
type PolicyOrigin = Enum[policyOrigins]

type policyOrigins struct{}

func (policyOrigins) list() []string { return policyOriginNames[:] }

var policyOriginNames = [...]string{"unspecified", "hand_written", "trained"}

// The origins.
const (
	PolicyOriginUnspecified PolicyOrigin = iota
	PolicyHandWritten                    // by a person; there is no run
	PolicyTrained                        // in a run, which is named
)

// RegistryKind names a vocabulary that outputs of a policy index.
type RegistryKind = Enum[registryKinds]

type registryKinds struct{}

func (registryKinds) list() []string { return registryKindNames[:] }

var registryKindNames = [...]string{"unspecified", "operations", "blend_modes", "blueprints"}

// The registries. The first two are the same in every plane of a version.
const (
	RegistryUnspecified RegistryKind = iota
	RegistryOperations               // operations on seeds
	RegistryBlendModes
	RegistryBlueprints // of a run: those of its plan; of all runs: those in use
)

// PolicyRegistry is what a policy was made for: how many names a registry has, and
// which index each.
type PolicyRegistry struct {
	Kind   RegistryKind
	Size   uint32 // 1 to MaxRegistryKeys
	Digest Digest // see RegistryDigest
}

// RegistryDigest is the SHA-256 of the JSON list of [key,index] pairs, sorted by key
// and without spaces (SPEC.md 3.12). Index i+1 belongs to keys[i]. Invariant: a key is
// an id or the name of a member of an enum, which JSON does not escape, and is there
// once.
func RegistryDigest(keys []string) Digest {
	order := make([]int, len(keys))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(keys[a], keys[b]) })
	text := []byte{'['}
	for n, i := range order {
		if n > 0 {
			text = append(text, ',')
		}
		text = append(text, `["`...)
		text = append(text, keys[i]...)
		text = append(text, `",`...)
		text = strconv.AppendInt(text, int64(i+1), 10)
		text = append(text, ']')
	}
	return sha256.Sum256(append(text, ']'))
}

// RegistryOf describes a registry by its names in the order of their indices.
func RegistryOf(kind RegistryKind, keys []string) PolicyRegistry {
	return PolicyRegistry{Kind: kind, Size: uint32(len(keys)), Digest: RegistryDigest(keys)}
}

// FixedRegistries are the registries that every plane of this version has.
func FixedRegistries() []PolicyRegistry {
	return []PolicyRegistry{
		RegistryOf(RegistryOperations, seedOperationNames[1:]), RegistryOf(RegistryBlendModes, blendModeNames[1:]),
	}
}

// BlueprintRegistry describes the registry of a list of blueprints, which the index
// follows in ascending order of ids.
func BlueprintRegistry(ids []BlueprintID) PolicyRegistry {
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = string(id)
	}
	slices.Sort(keys)
	return RegistryOf(RegistryBlueprints, keys)
}

// PolicyArtifact is what is recorded of the file of a policy. It is the payload of a
// policy.imported envelope.
type PolicyArtifact struct {
	ID           PolicyID
	Version      string // syntax of an id
	Architecture string // NAME/NUMBER: what evaluates it
	Format       PolicyFormat
	Digest       Digest // SHA-256 of the file
	Bytes        uint64
	Origin       PolicyOrigin
	Run          RunID            // of the origin trained; else empty
	Created      string           // RFC 3339
	Registries   []PolicyRegistry // ascending by kind; what is not listed is not indexed
}

// Name is ID@VERSION.
func (a *PolicyArtifact) Name() string { return PolicyRef{a.ID, a.Version, a.Digest}.String() }

// Ref names the artifact.
func (a *PolicyArtifact) Ref() PolicyRef { return PolicyRef{a.ID, a.Version, a.Digest} }

// File is the name of the file in the policy store: its digest, and its format.
func (a *PolicyArtifact) File() string { return a.Digest.String() + "." + a.Format.String() }

// PolicyRef names a policy artifact. The zero value stands for the settings.
type PolicyRef struct {
	ID      PolicyID
	Version string
	Digest  Digest // of its file
}

// IsZero reports whether no artifact is named.
func (r PolicyRef) IsZero() bool { return r == PolicyRef{} }

// String is ID@VERSION, or "settings".
func (r PolicyRef) String() string {
	if r.IsZero() {
		return "settings"
	}
	return string(r.ID) + "@" + r.Version
}

// RulesArchitecture is the architecture that this version evaluates.
const RulesArchitecture = "rules/2"

// policyNeeds lists what an artifact of each family of architectures must say. A
// network indexes everything that it gives scores to.
var policyNeeds = [...]struct {
	family     string
	format     PolicyFormat
	bytes      uint64
	registries []RegistryKind
}{
	{"rules", PolicyTOML, MaxRulesBytes, []RegistryKind{RegistryOperations, RegistryBlendModes}},
	{"hetgnn", PolicySafetensors, MaxPolicyBytes, []RegistryKind{RegistryOperations, RegistryBlendModes, RegistryBlueprints}},
}

// Validate checks the form of an artifact. It returns a *Refusal that names the field.
func (a PolicyArtifact) Validate() error {
	var c check
	needID(&c, "id", a.ID)
	needID(&c, "version", a.Version)
	a.checkArchitecture(&c)
	needEnum(&c, "format", a.Format)
	need(&c, "digest", !a.Digest.IsZero())
	need(&c, "bytes", a.Bytes > 0)
	needEnum(&c, "origin", a.Origin)
	if a.Origin == PolicyTrained {
		needID(&c, "run", a.Run)
	} else if a.Run != "" {
		c.fail(Invalid("run", "is set, but the origin is "+a.Origin.String()))
	}
	need(&c, "created", a.Created != "")
	if _, err := time.Parse(time.RFC3339, a.Created); err != nil && len(a.Created) > 0 {
		c.fail(Invalid("created", "is no time in the form of RFC 3339"))
	}
	need(&c, "registries", len(a.Registries) > 0)
	checkRegistries(&c, a.Registries)
	a.checkNeeds(&c)
	return c.result()
}

// checkArchitecture demands NAME/NUMBER.
func (a *PolicyArtifact) checkArchitecture(c *check) {
	family, number, found := strings.Cut(a.Architecture, "/")
	n, err := strconv.ParseUint(number, 10, 32)
	switch {
	case a.Architecture == "":
		c.missing("architecture")
	case !found || CheckID(family) != nil || err != nil || n == 0 || n >= policyNumberLimit || strconv.FormatUint(n, 10) != number:
		c.fail(Invalid("architecture", "is no NAME/NUMBER, such as "+RulesArchitecture))
	}
}

func checkRegistries(c *check, list []PolicyRegistry) {
	for i, r := range list {
		c.element("registries", i)
		needEnum(c, "kind", r.Kind)
		need(c, "size", r.Size > 0)
		if r.Size > MaxRegistryKeys {
			c.fail(Invalid("size", "is more than "+strconv.Itoa(MaxRegistryKeys)))
		}
		need(c, "digest", !r.Digest.IsZero())
		if i > 0 && r.Kind <= list[i-1].Kind {
			c.fail(Invalid("kind", "is "+r.Kind.String()+", which does not come after "+list[i-1].Kind.String()))
		}
	}
	c.leave()
}

// checkNeeds holds an artifact against what its architecture needs. Of one that this
// version has never heard of nothing is known, but that it is no larger than any.
func (a *PolicyArtifact) checkNeeds(c *check) {
	family, _, _ := strings.Cut(a.Architecture, "/")
	limit := uint64(MaxPolicyBytes)
	for _, n := range policyNeeds {
		if n.family != family {
			continue
		}
		limit = n.bytes
		if a.Format != n.format {
			c.fail(Invalid("format", "is "+a.Format.String()+", but "+a.Architecture+" is written as "+n.format.String()))
		}
		for _, kind := range n.registries {
			if !slices.ContainsFunc(a.Registries, func(r PolicyRegistry) bool { return r.Kind == kind }) {
				c.fail(Missing("registries." + kind.String()))
			}
		}
	}
	if a.Bytes > limit {
		c.fail(Invalid("bytes", "is "+strconv.FormatUint(a.Bytes, 10)+", at most "+strconv.FormatUint(limit, 10)+" are allowed"))
	}
}
