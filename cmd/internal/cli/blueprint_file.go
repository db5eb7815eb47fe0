package cli

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/esper-plane/esper/cmd/internal/datadir"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/leyline/guard"
	"github.com/esper-plane/esper/subsystems/kernelfile"
)

// recordSuffix ends the name of a blueprint's record; before it comes the id. The
// kernel lies beside it.
const recordSuffix = ".toml"

// blueprintFile is the record of a blueprint as it is written beside its kernel. What
// concerns the file was measured when the blueprint was added.
type blueprintFile struct {
	ID          leyline.BlueprintID   `toml:"id" comment:"Names the blueprint for ever: a changed one gets another id."`
	Kernel      string                `toml:"kernel" comment:"File beside this one."`
	SHA256      leyline.Digest        `toml:"sha256"`
	Bytes       uint64                `toml:"bytes"`
	Guard       leyline.Digest        `toml:"guard" comment:"Guard digest: over framework, mesh, and the metadata, names, types and shapes in the file."`
	Framework   string                `toml:"framework" comment:"That the kernel was built for; empty: any."`
	Mesh        []string              `toml:"mesh" comment:"Host layers that it needs."`
	Tier        leyline.BlueprintTier `toml:"tier"`
	Stage       uint32                `toml:"stage" comment:"Of its approval; 0: not told."`
	Risk        float64               `toml:"risk" comment:"[0,1]; the lower is tried first."`
	Quarantine  bool                  `toml:"quarantine" comment:"Never to be germinated."`
	Description string                `toml:"description"`
	Withdrawn   string                `toml:"withdrawn" comment:"Why nothing is to be germinated of it any more; empty: it is in use."`
	Hazard      hazardFile            `toml:"hazard"`
	Parameters  []parameterFile       `toml:"parameters" comment:"That a GERMINATE may set, and between which values."`
}

type hazardFile struct {
	Score          float64                 `toml:"score"`
	Band           leyline.HazardBand      `toml:"band"`
	Handling       leyline.HandlingClass   `toml:"handling"`
	Resource       leyline.ResourceProfile `toml:"resource"`
	Provenance     leyline.Provenance      `toml:"provenance"`
	Recommendation string                  `toml:"recommendation"`
	Mitigations    []mitigationFile        `toml:"mitigations"`
}

type mitigationFile struct {
	Action    string `toml:"action"`
	Rationale string `toml:"rationale"`
}

type parameterFile struct {
	Name string  `toml:"name"`
	Min  float64 `toml:"min"`
	Max  float64 `toml:"max"`
}

// record is the input that registers the blueprint.
func (f *blueprintFile) record() leyline.BlueprintRegistered {
	r := leyline.BlueprintRegistered{
		Blueprint: f.ID, Kernel: f.Kernel, Digest: f.SHA256, Bytes: f.Bytes, Risk: f.Risk, Quarantine: f.Quarantine,
		Tier: f.Tier, Stage: f.Stage, Framework: f.Framework, Mesh: f.Mesh, Guard: f.Guard, Description: f.Description,
		Hazard: leyline.HazardSheet{
			Score: f.Hazard.Score, Band: f.Hazard.Band, Handling: f.Hazard.Handling, Resource: f.Hazard.Resource,
			Provenance: f.Hazard.Provenance, Recommendation: f.Hazard.Recommendation,
		},
	}
	for _, m := range f.Hazard.Mitigations {
		r.Hazard.Mitigations = append(r.Hazard.Mitigations, leyline.HazardMitigation(m))
	}
	for _, p := range f.Parameters {
		r.Parameters = append(r.Parameters, leyline.ParameterBounds(p))
	}
	return r
}

// readBlueprint reads a record and holds its form against the rules of the contract.
func readBlueprint(path string) (*blueprintFile, error) {
	b, err := readBounded(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the blueprint: %w", err)
	}
	var f blueprintFile
	d := toml.NewDecoder(bytes.NewReader(b)).DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		var strict *toml.StrictMissingError
		if errors.As(err, &strict) && len(strict.Errors) > 0 {
			return nil, usagef("%s: unknown key %s", path, strings.Join(strict.Errors[0].Key(), "."))
		}
		return nil, usagef("%s: %w", path, err)
	}
	if f.Kernel != filepath.Base(f.Kernel) || !fs.ValidPath(f.Kernel) {
		return nil, usagef("%s: kernel %q is no name of a file beside it", path, f.Kernel)
	}
	if err := f.record().Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if want := string(f.ID) + recordSuffix; filepath.Base(path) != want {
		return nil, usagef("%s: the record of blueprint %s must be called %s", path, f.ID, want)
	}
	return &f, nil
}

// readBlueprints reads the records of a directory, by id.
func readBlueprints(dir string) ([]*blueprintFile, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, usagef("cannot read the directory of blueprints: %w", err)
	}
	var out []*blueprintFile
	var errs []error
	for _, e := range entries { // sorted by name
		if !strings.HasSuffix(e.Name(), recordSuffix) {
			continue
		}
		f, err := readBlueprint(filepath.Join(dir, e.Name()))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, f)
	}
	return out, errors.Join(errs...)
}

// write writes the record into a directory.
func (f *blueprintFile) write(dir string) error {
	b, err := toml.Marshal(f)
	if err != nil {
		return err
	}
	return datadir.WriteFile(filepath.Join(dir, string(f.ID)+recordSuffix), b)
}

// measure fills in what is read off the kernel.
func (f *blueprintFile) measure(kernel []byte) (err error) {
	f.SHA256, f.Bytes = sha256.Sum256(kernel), uint64(len(kernel))
	f.Guard, err = kernelfile.Guard(f.Framework, f.Mesh, kernel)
	return err
}

// check holds the kernel that lies in a directory against the record: its bytes, what
// it was built for, and that every number in it is one.
func (f *blueprintFile) check(dir string, samples uint32) (leyline.Prewarm, []byte, error) {
	var none leyline.Prewarm
	r, now := f.record(), *f
	kernel, err := os.ReadFile(filepath.Join(dir, f.Kernel))
	if errors.Is(err, fs.ErrNotExist) {
		return none, nil, guard.Kernel(&r, leyline.Digest{}, 0)
	}
	if err != nil {
		return none, nil, fmt.Errorf("cannot read the kernel: %w", err)
	}
	if bad := guard.Kernel(&r, sha256.Sum256(kernel), uint64(len(kernel))); bad != nil {
		return none, nil, bad
	}
	if err := now.measure(kernel); err != nil {
		return none, nil, fmt.Errorf("%s: %w", f.Kernel, err)
	}
	if bad := guard.KernelGuard(&r, now.Guard); bad != nil {
		return none, nil, bad
	}
	warm, err := prewarm(kernel, samples)
	if err != nil {
		return none, nil, fmt.Errorf("%s: %w", f.Kernel, err)
	}
	return warm, kernel, nil
}

// blueprintInputs registers the blueprints that a log does not know yet and withdraws those
// that are to be. A blueprint that the log knows with other facts is an error.
func blueprintInputs(files []*blueprintFile, known func(leyline.BlueprintID) (*leyline.BlueprintRegistered, bool), same func(a, b leyline.BlueprintRegistered) bool) ([]leyline.Input, error) {
	var in []leyline.Input
	for _, f := range files {
		r := f.record()
		old, withdrawn := known(f.ID)
		switch {
		case old == nil:
			in = append(in, r)
		case !same(*old, r):
			return nil, &leyline.Refusal{
				Subsystem: leyline.SubsystemPlane, Kind: leyline.RefusalBlueprintExists, Field: "blueprint", Identifier: string(f.ID),
				Reason: "is registered in this log with other facts", Hint: "give a changed blueprint another id",
			}
		}
		if f.Withdrawn != "" && !withdrawn {
			in = append(in, leyline.BlueprintWithdrawn{Blueprint: f.ID, Reason: f.Withdrawn})
		}
	}
	return in, nil
}

// find returns the record of an id.
func find(files []*blueprintFile, id string) (*blueprintFile, error) {
	i := slices.IndexFunc(files, func(f *blueprintFile) bool { return string(f.ID) == id })
	if i < 0 {
		var known []string
		for _, f := range files {
			known = append(known, string(f.ID))
		}
		return nil, usagef("no blueprint %q (known: %s)", id, strings.Join(known, ", "))
	}
	return files[i], nil
}
