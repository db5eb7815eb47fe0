package leyline

// KernelOrigin says where the bytes of a kernel came from when it was asked for.
type KernelOrigin = Enum[kernelOrigins]

type kernelOrigins struct{}

func (kernelOrigins) list() []string { return kernelOriginNames[:] }

var kernelOriginNames = [...]string{"unspecified", "store", "flight", "cache"}

// The origins: read from the kernel store for this request, by another request for
// the same kernel that was under way, or already in the plane's kernel cache.
const (
	KernelOriginUnspecified KernelOrigin = iota
	KernelFromStore
	KernelFromFlight
	KernelFromCache
)

// Prewarm is what was measured when a kernel that is staged was decoded and its
// tensors were checked, several times over: percentiles with linear interpolation
// at rank p(n-1).
type Prewarm struct {
	Samples uint32
	P50Ns   uint64
	P95Ns   uint64
}

// KernelReady completes a prefetch.
type KernelReady struct {
	Request EffectID
	Run     RunID
	Seed    SeedID
	Digest  Digest
	Bytes   uint64
	TookNs  uint64

	Guard   Digest // guard digest of what was read; zero: it is no kernel file
	Origin  KernelOrigin
	WaitNs  uint64 // of TookNs, waiting for another fetch of the same kernel or for room in the cache
	Prewarm Prewarm
}

// KernelFailed ends a prefetch without a kernel.
type KernelFailed struct {
	Request EffectID
	Run     RunID
	Seed    SeedID
	Outcome Outcome // FAILED or DEADLINE
	Reason  string
	TookNs  uint64
	Kind    RefusalKind // what kind of failure it was; none: not of the kernel, but of the way to it
}

// PlaneStopping is the last input of a plane that is shut down while kernels are
// being fetched. What is still outstanding is cancelled by it.
type PlaneStopping struct {
	Boot string // of the process that stops
}

// CacheCleared says what an EMERGENCY command to clean up has freed.
type CacheCleared struct {
	Run     RunID
	Effect  EffectID
	Kernels uint32 // that left the kernel cache
	Bytes   uint64 // that they held
	Kept    uint32 // that stay, because somebody reads them now
	TookNs  uint64
}

// PrefetchLate records the result of a fetch that nobody waits for any more: its
// deadline has passed, or it was cancelled. Nothing follows from it. WARNING.
type PrefetchLate struct {
	Run     RunID
	Seed    SeedID
	Request EffectID
	Outcome Outcome
	TookNs  uint64
}

// PrefetchesCancelled sums up the fetches that a shutdown has cancelled; each has
// an event of its own before this one. WARNING.
type PrefetchesCancelled struct {
	Runs     uint32
	Requests uint32
	Reason   string
}

// EmergencyCleaned records what an EMERGENCY command to clean up has freed. CRITICAL.
type EmergencyCleaned struct {
	Run     RunID
	Command CommandID
	Kernels uint32
	Bytes   uint64
	Kept    uint32
	TookNs  uint64
}

// InputKind implements Input.
func (PlaneStopping) InputKind() InputKind { return InputPlaneStopping }

// InputKind implements Input.
func (CacheCleared) InputKind() InputKind { return InputCacheCleared }

// EventKind implements Event.
func (PrefetchLate) EventKind() EventKind { return EventPrefetchLate }

// EventKind implements Event.
func (PrefetchesCancelled) EventKind() EventKind { return EventPrefetchesCancelled }

// EventKind implements Event.
func (EmergencyCleaned) EventKind() EventKind { return EventEmergencyCleaned }

// Validate implements Input.
func (x PlaneStopping) Validate() error {
	var c check
	needID(&c, "boot", x.Boot)
	return c.result()
}

// Validate implements Input.
func (x CacheCleared) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	need(&c, "effect", !x.Effect.IsZero())
	return c.result()
}

// Validate implements Event.
func (x PrefetchLate) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	needID(&c, "seed", x.Seed)
	need(&c, "request", !x.Request.IsZero())
	needEnum(&c, "outcome", x.Outcome)
	return c.result()
}

// Validate implements Event.
func (x PrefetchesCancelled) Validate() error {
	var c check
	need(&c, "runs", x.Runs > 0)
	need(&c, "requests", x.Requests > 0)
	needText(&c, "reason", x.Reason)
	return c.result()
}

// Validate implements Event.
func (x EmergencyCleaned) Validate() error {
	var c check
	needID(&c, "run", x.Run)
	needID(&c, "command", x.Command)
	return c.result()
}
