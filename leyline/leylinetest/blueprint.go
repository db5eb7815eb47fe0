package leylinetest

import (
	"crypto/sha256"

	"github.com/esper-plane/esper/leyline"
)

// Blueprint returns a complete record of a kind of seed whose kernel is these bytes.
// It lies in ID.safetensors, reads the layer "trunk" and is of risk 0.1; nothing
// decodes it, so its guard digest is KernelGuard of the same bytes.
func Blueprint(id leyline.BlueprintID, kernel []byte) leyline.BlueprintRegistered {
	return leyline.BlueprintRegistered{
		Blueprint: id, Kernel: string(id) + ".safetensors", Digest: sha256.Sum256(kernel), Bytes: uint64(len(kernel)), Risk: 0.1,
		Tier: leyline.BlueprintSafe, Stage: 1, Mesh: []string{"trunk"}, Guard: KernelGuard(kernel),
		Hazard: leyline.HazardSheet{
			Score: 0.1, Band: leyline.HazardLow, Handling: leyline.HandlingStandard,
			Resource: leyline.ResourceCPU, Provenance: leyline.ProvenanceHeuristic,
		},
	}
}

// KernelGuard is the guard digest of Blueprint.
func KernelGuard(kernel []byte) leyline.Digest {
	return sha256.Sum256(append([]byte("guard of "), kernel...))
}
