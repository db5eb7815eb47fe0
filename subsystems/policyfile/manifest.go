package policyfile

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/guard"
	"github.com/esper-plane/esper/subsystems/tensorfile"
)

// ManifestSuffix follows the name of a file in the name of its manifest.
const ManifestSuffix = ".manifest"

// MetadataKey names the manifest in the metadata of a safetensors file.
const MetadataKey = "esper_policy"

// manifest is the form of a manifest on disk.
type manifest struct {
	ID           leyline.PolicyID     `toml:"id"`
	Version      string               `toml:"version"`
	Architecture string               `toml:"architecture" comment:"NAME/NUMBER: what evaluates it."`
	Format       leyline.PolicyFormat `toml:"format"`
	SHA256       leyline.Digest       `toml:"sha256"`
	Bytes        uint64               `toml:"bytes"`
	Origin       leyline.PolicyOrigin `toml:"origin" comment:"hand_written, or trained in a run."`
	Run          leyline.RunID        `toml:"run,omitempty"`
	Created      string               `toml:"created" comment:"RFC 3339."`
	Registries   []registry           `toml:"registries" comment:"What its outputs index."`
}

type registry struct {
	Kind   leyline.RegistryKind `toml:"kind"`
	Size   uint32               `toml:"size"`
	SHA256 leyline.Digest       `toml:"sha256"`
}

// ManifestError says what is wrong with a manifest.
type ManifestError struct {
	Field  string // dotted; empty: the document
	Reason string
	Hint   string
}

// Error says all of it.
func (e *ManifestError) Error() string {
	s := "manifest: "
	if e.Field != "" {
		s += e.Field + " "
	}
	s += e.Reason
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// ParseManifest reads a manifest that lies beside a file. The error is a *ManifestError.
func ParseManifest(b []byte) (leyline.PolicyArtifact, error) {
	m, err := decodeManifest(b)
	if err != nil {
		return leyline.PolicyArtifact{}, err
	}
	return m.artifact()
}

// MarshalManifest is the inverse of ParseManifest.
func MarshalManifest(a leyline.PolicyArtifact) ([]byte, error) {
	m := manifest{
		ID: a.ID, Version: a.Version, Architecture: a.Architecture, Format: a.Format, SHA256: a.Digest, Bytes: a.Bytes,
		Origin: a.Origin, Run: a.Run, Created: a.Created,
	}
	for _, r := range a.Registries {
		m.Registries = append(m.Registries, registry{r.Kind, r.Size, r.Digest})
	}
	return toml.Marshal(m)
}

func decodeManifest(b []byte) (manifest, error) {
	var m manifest
	if len(b) > leyline.MaxManifestBytes {
		return m, &ManifestError{Reason: fmt.Sprintf("has %d bytes, at most %d are allowed", len(b), leyline.MaxManifestBytes)}
	}
	err := toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields().Decode(&m)
	return m, manifestError(err)
}

// manifestError says where a document is wrong; nil for nil.
func manifestError(err error) error {
	if err == nil {
		return nil
	}
	var unknown *toml.StrictMissingError
	var bad *toml.DecodeError
	switch {
	case errors.As(err, &unknown) && len(unknown.Errors) > 0:
		return &ManifestError{Field: short(strings.Join(unknown.Errors[0].Key(), ".")), Reason: "is no key of a manifest", Hint: "leave it out"}
	case errors.As(err, &bad):
		row, _ := bad.Position()
		return &ManifestError{Field: short(strings.Join(bad.Key(), ".")), Reason: fmt.Sprintf("in line %d: %s", row, short(bad.Error()))}
	}
	return &ManifestError{Reason: short(err.Error())}
}

// artifact judges a manifest by the contract.
func (m *manifest) artifact() (leyline.PolicyArtifact, error) {
	a := leyline.PolicyArtifact{
		ID: m.ID, Version: m.Version, Architecture: m.Architecture, Format: m.Format, Digest: m.SHA256, Bytes: m.Bytes,
		Origin: m.Origin, Run: m.Run, Created: m.Created,
	}
	for _, r := range m.Registries {
		a.Registries = append(a.Registries, leyline.PolicyRegistry{Kind: r.Kind, Size: r.Size, Digest: r.SHA256})
	}
	if r, bad := leyline.AsRefusal(a.Validate()); bad {
		return leyline.PolicyArtifact{}, &ManifestError{Field: r.Field, Reason: r.Reason, Hint: r.Hint}
	}
	return a, nil
}

// Artifact reads a file with its manifest, which may be empty: then it is that within
// the file. The result is what the manifest says, and true of the file. The error is a
// *ManifestError, a *FormatError or a *leyline.Refusal.
func Artifact(file, text []byte) (leyline.PolicyArtifact, error) {
	format, err := Sniff(file)
	if err != nil {
		return leyline.PolicyArtifact{}, err
	}
	var a leyline.PolicyArtifact
	digest := leyline.Digest(sha256.Sum256(file))
	if len(text) == 0 {
		a, err = within(format, file, digest)
	} else {
		a, err = ParseManifest(text)
	}
	if err != nil {
		return leyline.PolicyArtifact{}, err
	}
	if a.Format != format {
		return leyline.PolicyArtifact{}, &ManifestError{Field: "format", Reason: fmt.Sprintf("is %s, but the file is %s", a.Format, format)}
	}
	if r := guard.PolicyArtifact(&a, digest, uint64(len(file))); r != nil {
		return leyline.PolicyArtifact{}, r
	}
	if err := Check(format, file); err != nil {
		return leyline.PolicyArtifact{}, err
	}
	return a, nil
}

// within reads the manifest in the metadata of a safetensors file. It cannot name the
// digest of the file that it is part of: that is measured.
func within(format leyline.PolicyFormat, file []byte, digest leyline.Digest) (leyline.PolicyArtifact, error) {
	none := &ManifestError{Reason: "is missing", Hint: "put it beside the file, under its name with " + ManifestSuffix + " behind it"}
	if format != leyline.PolicySafetensors {
		return leyline.PolicyArtifact{}, none
	}
	meta, _, err := tensorfile.Describe(file)
	if err != nil {
		return leyline.PolicyArtifact{}, &FormatError{Format: format, Reason: err.Error()}
	}
	text, found := meta[MetadataKey]
	if !found {
		return leyline.PolicyArtifact{}, none
	}
	m, err := decodeManifest([]byte(text))
	if err != nil {
		return leyline.PolicyArtifact{}, err
	}
	if !m.SHA256.IsZero() || m.Bytes != 0 {
		return leyline.PolicyArtifact{}, &ManifestError{Field: "sha256", Reason: "cannot be that of the file it is part of", Hint: "leave sha256 and bytes out"}
	}
	m.SHA256, m.Bytes = digest, uint64(len(file))
	return m.artifact()
}

// short bounds what a message repeats of a stranger's file. A character that is cut in
// two is replaced.
func short(s string) string { return strings.ToValidUTF8(s[:min(len(s), 200)], "?") }
