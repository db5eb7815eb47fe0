package harness

import (
	"context"
	"fmt"
	"runtime"
	"strings"

	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/replay"
	"github.com/esper-plane/esper/replay/workload"
	"github.com/esper-plane/esper/subsystems/plane"
	"github.com/esper-plane/esper/subsystems/snapstore"
)

// Site makes data directories for scenarios.
type Site interface {
	// Open makes a data directory of a name of its own for a workload under a
	// configuration. Its caller closes it.
	Open(name string, w workload.Spec, c leyline.ExecutionConfig) (*Place, error)
}

// Place is an open data directory.
type Place struct {
	Path    string
	Options plane.Options // to start a plane there; a scenario may change its stores
	Full    snapstore.Store
	Fast    snapstore.Store // nil: this machine has no shared memory
	Source  replay.Source   // the records that are durable
	Close   func() error    // after the plane has ended
}

// Scenario is a situation and what is claimed of it.
type Scenario struct {
	Name  string
	Claim string // one sentence
	run   func(ctx context.Context, s Site, r *Result) error
}

// All lists the scenarios, in the order in which they run.
func All() []Scenario {
	return []Scenario{rollbackDeadline, prefetchBurst, tamiyoTimeout, steadyTrain}
}

// Lookup returns the scenario of a name. An unknown name is an error that lists
// the known ones.
func Lookup(name string) (Scenario, error) {
	var known []string
	for _, s := range All() {
		if s.Name == name {
			return s, nil
		}
		known = append(known, s.Name)
	}
	return Scenario{}, fmt.Errorf("unknown scenario %q (known: %s)", name, strings.Join(known, ", "))
}

// Result is what came of a scenario.
type Result struct {
	Scenario    string      `json:"scenario"`
	Claim       string      `json:"claim"`
	Held        bool        `json:"held"` // every check holds
	Environment Environment `json:"environment"`
	Metrics     []Metric    `json:"metrics"`
	Checks      []Check     `json:"checks"`
	Data        []string    `json:"data"` // the directories, to be replayed
}

// Environment is the machine.
type Environment struct {
	Go   string `json:"go"`
	OS   string `json:"os"`
	Arch string `json:"arch"`
	CPUs int    `json:"cpus"`
}

// Metric is a figure that was measured or counted.
type Metric struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

// Check is one thing that must be so.
type Check struct {
	What   string `json:"what"`
	Holds  bool   `json:"holds"`
	Detail string `json:"detail,omitempty"` // what was found
}

// Run runs the scenario. An error says that it could not be run to its end; that a
// check fails is no error.
func (s Scenario) Run(ctx context.Context, site Site) (Result, error) {
	r := Result{
		Scenario: s.Name, Claim: s.Claim,
		Environment: Environment{Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU()},
	}
	if err := s.run(ctx, site, &r); err != nil {
		return r, fmt.Errorf("scenario %s: %w", s.Name, err)
	}
	r.Held = len(r.Checks) > 0
	for _, c := range r.Checks {
		r.Held = r.Held && c.Holds
	}
	return r, nil
}

// check notes something that must be so.
func (r *Result) check(what string, holds bool, format string, args ...any) {
	r.Checks = append(r.Checks, Check{What: what, Holds: holds, Detail: fmt.Sprintf(format, args...)})
}

func (r *Result) metric(name string, value float64, unit string) {
	r.Metrics = append(r.Metrics, Metric{name, value, unit})
}
