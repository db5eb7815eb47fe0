package cli

import (
	"fmt"
	"os"

	"github.com/esper-plane/esper/cmd/internal/supervise"
	"github.com/esper-plane/esper/leyline"
	"github.com/esper-plane/esper/projections"
	"github.com/esper-plane/esper/replay/workload"
)

// readBlueprints reads the directory of --blueprints. Every kernel must be what its
// record says, and fit the workload.
func (j *job) readBlueprints(r *supervise.Report) {
	if j.flags.blueprints == "" || j.spec.Data == nil {
		return
	}
	files, err := readBlueprints(j.flags.blueprints)
	if err != nil {
		r.FailWith("--blueprints", err)
		return
	}
	for _, f := range files {
		_, kernel, err := f.check(j.flags.blueprints, 1)
		if err == nil {
			err = j.spec.Accepts(kernel)
		}
		for _, b := range j.spec.Blueprints {
			if b.ID == string(f.ID) {
				err = usagef("blueprint %s of %s has the id of one that is shipped: give it another one", f.ID, j.flags.blueprints)
			}
		}
		if err != nil {
			r.FailWith("--blueprints", fmt.Errorf("blueprint %s: %w", f.ID, err))
		}
	}
	j.own = files
}

// installOwn copies the kernels of --blueprints into the store where they are missing.
func (j *job) installOwn() error {
	var names []string
	for _, f := range j.own {
		names = append(names, f.Kernel)
	}
	if len(names) == 0 {
		return nil
	}
	_, err := j.dir.InstallKernels(os.DirFS(j.flags.blueprints), names...)
	return err
}

// registerOwn registers and withdraws what --blueprints says.
func (j *job) registerOwn(s *projections.State) ([]leyline.Input, error) {
	known := func(id leyline.BlueprintID) (*leyline.BlueprintRegistered, bool) {
		return s.Plane.Blueprint(id), s.Plane.Withdrawn(id)
	}
	same := func(a, b leyline.BlueprintRegistered) bool { return projections.DigestOf(a) == projections.DigestOf(b) }
	return blueprintInputs(j.own, known, same)
}

// offered is the workload with everything that may grow in the run.
func (j *job) offered() workload.Spec {
	spec := j.spec
	spec.Blueprints = append([]workload.Blueprint(nil), spec.Blueprints...)
	for _, f := range j.own {
		spec.Blueprints = append(spec.Blueprints, workload.Blueprint{ID: string(f.ID), Risk: f.Risk})
	}
	return spec
}
