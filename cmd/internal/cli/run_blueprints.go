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
// record says, and fit the workload where there is one.
func (p *served) readBlueprints(r *supervise.Report) {
	if p.at.blueprints == "" {
		return
	}
	files, err := readBlueprints(p.at.blueprints)
	if err != nil {
		r.FailWith("--blueprints", err)
		return
	}
	for _, f := range files {
		_, kernel, err := f.check(p.at.blueprints, 1)
		if err == nil && p.fits != nil {
			err = p.fits(kernel)
		}
		for _, b := range p.shipped {
			if b.ID == string(f.ID) {
				err = usagef("blueprint %s of %s has the id of one that is shipped: give it another one", f.ID, p.at.blueprints)
			}
		}
		if err != nil {
			r.FailWith("--blueprints", fmt.Errorf("blueprint %s: %w", f.ID, err))
		}
	}
	p.own = files
}

// installOwn copies the kernels of --blueprints into the store where they are missing.
func (p *served) installOwn() error {
	var names []string
	for _, f := range p.own {
		names = append(names, f.Kernel)
	}
	if len(names) == 0 {
		return nil
	}
	_, err := p.dir.InstallKernels(os.DirFS(p.at.blueprints), names...)
	return err
}

// registerOwn registers and withdraws what --blueprints says.
func (p *served) registerOwn(s *projections.State) ([]leyline.Input, error) {
	known := func(id leyline.BlueprintID) (*leyline.BlueprintRegistered, bool) {
		return s.Plane.Blueprint(id), s.Plane.Withdrawn(id)
	}
	same := func(a, b leyline.BlueprintRegistered) bool { return projections.DigestOf(a) == projections.DigestOf(b) }
	return blueprintInputs(p.own, known, same)
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
