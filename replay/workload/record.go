package workload

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/subsystems/kernelfile"
	"github.com/esper-plane/esper/subsystems/tensorfile"
	"github.com/esper-plane/esper/testdata"
)

// KernelSuffix ends the name of a kernel's file; before it comes the blueprint's id.
const KernelSuffix = ".safetensors"

// Record returns the record with which a kernel of this package's format is
// registered. What it says of the file is read off the file; tier and hazard sheet
// follow from the declared risk, in [0,1], by a rule of thumb: SAFE and LOW under 0.25, EXPERIMENTAL and
// MEDIUM under 0.5, HIGH_RISK above, HIGH under 0.75 and CRITICAL from there on. This
// trainer offers no parameters to a GERMINATE. Bytes that are no kernel are an error,
// a *tensorfile.FormatError or a *ContentError.
func Record(id string, kernel []byte, risk float64) (leyline.BlueprintRegistered, error) {
	meta, _, err := tensorfile.Describe(kernel)
	if err != nil {
		return leyline.BlueprintRegistered{}, fmt.Errorf("kernel of blueprint %q: %w", id, err)
	}
	if meta["format"] != kernelFormat {
		return leyline.BlueprintRegistered{}, fmt.Errorf("kernel of blueprint %q: %w", id, &ContentError{"format", fmt.Sprintf("is %q, want %q", meta["format"], kernelFormat)})
	}
	mesh := strings.Split(meta["reads"], ",")
	guard, err := kernelfile.Guard(Framework, mesh, kernel)
	if err != nil {
		return leyline.BlueprintRegistered{}, fmt.Errorf("kernel of blueprint %q: %w", id, err)
	}
	tier, band := leyline.BlueprintSafe, leyline.HazardLow
	for _, t := range []struct {
		from float64
		tier leyline.BlueprintTier
		band leyline.HazardBand
	}{
		{0.25, leyline.BlueprintExperimental, leyline.HazardMedium},
		{0.5, leyline.BlueprintHighRisk, leyline.HazardHigh},
		{0.75, leyline.BlueprintHighRisk, leyline.HazardCritical},
	} {
		if risk >= t.from {
			tier, band = t.tier, t.band
		}
	}
	r := leyline.BlueprintRegistered{
		Blueprint: leyline.BlueprintID(id), Kernel: id + KernelSuffix, Digest: sha256.Sum256(kernel), Bytes: uint64(len(kernel)), Risk: risk,
		Tier: tier, Stage: 1, Framework: Framework, Mesh: mesh, Guard: guard,
		Hazard: leyline.HazardSheet{
			Score: risk, Band: band, Handling: leyline.HandlingStandard, Resource: leyline.ResourceCPU, Provenance: leyline.ProvenanceHeuristic,
			Mitigations: []leyline.HazardMitigation{{
				Action:    "small last layer",
				Rationale: "a new kernel hardly changes the host's output, and its blend begins near alpha 0",
			}},
		},
	}
	return r, r.Validate()
}

// Shipped is the record of a kernel of package testdata.
func Shipped(b Blueprint) (leyline.BlueprintRegistered, error) {
	kernel, err := testdata.Kernel(b.ID)
	if err != nil {
		return leyline.BlueprintRegistered{}, err
	}
	return Record(b.ID, kernel, b.Risk)
}

// Accepts refuses a kernel that no seed of the workload could be made of: see
// Net.Graft for the errors.
func (s Spec) Accepts(kernel []byte) error {
	data, err := s.Data()
	if err != nil {
		return err
	}
	_, err = decodeKernel(kernel, s.Net.Hidden, data.Side)
	return err
}
