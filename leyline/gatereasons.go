package leyline

// The reasons for which a gate stays closed, where they have a name of their own.
// Every other reason is the name of the check that failed.
const (
	ReasonFallback         = "fallback_kernel_used"          // compiled code of the seed was given up for eager execution
	ReasonStage            = "stage_mismatch"                // the trainer holds the seed for another stage than the plane
	ReasonKernel           = "kernel_fetch_failed"           // there is no verified kernel
	ReasonKernelLatency    = "kernel_fetch_latency_exceeded" // the kernel took longer than kasmina.kernel_latency_ms
	ReasonBreaker          = "breaker_denied"                // a breaker lets no attempt pass
	ReasonResume           = "resume_kernel_fetch_failed"    // a paused seed is to go on, and its kernel cannot
	ReasonRegistryConflict = "registry_conflict"             // parameters of the seed belong to another owner
	ReasonIsolation        = "isolation_violated"            // a gradient has reached the host through the detach
	ReasonMesh             = "mesh_incomplete"               // the host lacks layers that the seed needs
)

// GateLevel is the severity of a gate that stays closed for a reason: CRITICAL
// where something that the plane relies on did not hold, WARNING where a seed is
// simply not good enough (SPEC.md 4.4).
func GateLevel(reason string) Level {
	switch reason {
	case ReasonFallback, ReasonStage, ReasonKernel, ReasonKernelLatency, ReasonBreaker, ReasonResume, ReasonRegistryConflict,
		ReasonIsolation, string(NamePrefetchTimeout):
		return LevelCritical
	}
	return LevelWarning
}

// MeshCoverage is what gate G3 found of the layers that a seed was grafted behind.
type MeshCoverage struct {
	Missing   []string // required and not available
	Required  []string // by the seed
	Available []string // of the host
}

func (m *MeshCoverage) check(c *check) {
	bound(c, "mesh.missing", len(m.Missing), MaxLayers)
	bound(c, "mesh.required", len(m.Required), MaxLayers)
	bound(c, "mesh.available", len(m.Available), MaxLayers)
}

// QualityDecay weighs what was known against one more step in the running means
// that quality criteria look at (RESEARCH.md J.3).
const QualityDecay = 0.9

// ImprovementBase is how many steps of a stage make the loss that an improvement is
// measured against: one batch alone would say little.
const ImprovementBase = 10

// Quality is what the steps of a seed's present stage have shown of its worth. The
// zero value means that nothing was measured.
type Quality struct {
	FirstLoss  float64 // mean of the seed's own loss over the first ImprovementBase steps
	Loss       float64 // running mean of its own loss
	Ratio      float64 // running mean of the ratio of its gradient to the host's
	RatioSteps uint32  // that could tell a ratio
}
